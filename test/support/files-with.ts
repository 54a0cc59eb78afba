/** Files below a folder that hold a text, as it is: what a thief of a disk would look for. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function filesWith(path: string, text: string): Promise<readonly string[]> {
  const found: string[] = [];
  const bytes = Buffer.from(text);
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    if ((await readFile(join(entry.parentPath, entry.name))).includes(bytes))
      found.push(entry.name);
  }
  return found;
}

/** 64 characters that no compressor makes shorter than their 48 random bytes. */
export function randomText(): string {
  return randomBytes(48).toString('base64');
}
