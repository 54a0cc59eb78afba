/** How much the home holds and how much room its disk has. */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of the files right in a folder; files that go away meanwhile do not count. */
export async function folderBytes(folder: string): Promise<number> {
  let total = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    total += await stat(join(folder, name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return total;
}

/** Free bytes for us on the disk of a folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
