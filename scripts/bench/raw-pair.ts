/** The least that a durable block can cost: one synced put, then an fsync of a 1 KiB file. */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { RawLevel } from './raw-level.ts';
import { temporaryFolder, type Folder } from './temporary.ts';

const fileBytes = 1024;

export class RawPair implements AsyncDisposable {
  readonly #level: RawLevel;
  readonly #folder: Folder;
  readonly #file: FileHandle;

  private constructor(level: RawLevel, folder: Folder, file: FileHandle) {
    this.#level = level;
    this.#folder = folder;
    this.#file = file;
  }

  static async open(): Promise<RawPair> {
    const folder = await temporaryFolder();
    const file = await open(join(folder.path, 'guard'), 'w+');
    return new RawPair(await RawLevel.open(), folder, file);
  }

  /** Milliseconds of each pair. */
  async run(events: readonly Uint8Array[]): Promise<readonly number[]> {
    const block = new Uint8Array(fileBytes);
    const times: number[] = [];
    for (const [i, event] of events.entries()) {
      const begun = performance.now();
      await this.#level.putOne(event);
      block[0] = i & 0xff;
      await this.#file.write(block, 0, fileBytes, 0);
      await this.#file.sync();
      times.push(performance.now() - begun);
    }
    return times;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    await this.#level[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}
