/** What lies on the disk of a peer, whoever wrote it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Peer } from './peer.ts';

/** Files of a home that hold the text; one that is deleted meanwhile holds nothing. */
export async function filesWith(peer: Peer, text: string): Promise<readonly string[]> {
  const found: string[] = [];
  const entries = await readdir(peer.home, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file).catch(() => Buffer.alloc(0));
    if (bytes.includes(text)) found.push(file);
  }
  return found;
}
