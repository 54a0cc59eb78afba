/**
 * LevelDB by itself, opened as the ledger opens it: event texts under single keys that ascend, as a
 * store would keep them that has one value an event.
 */
import { ClassicLevel } from 'classic-level';
import { keyspace, numberKey } from '../../src/keyspace.ts';
import { limits } from '../../src/limits.ts';
import { perSecond } from './bench.ts';
import { folderBytes, temporaryFolder, type Folder } from './temporary.ts';

const batchEvents = 256;

export class RawLevel implements AsyncDisposable {
  readonly #folder: Folder;
  #level: ClassicLevel<Uint8Array, Uint8Array>;
  #count = 0;

  private constructor(folder: Folder) {
    this.#folder = folder;
    this.#level = newLevel(folder.path);
  }

  static async open(): Promise<RawLevel> {
    const raw = new RawLevel(await temporaryFolder());
    await raw.#level.open();
    return raw;
  }

  get count(): number {
    return this.#count;
  }

  /** Events a second, put in batches of 256, each awaited. */
  async put(events: readonly Uint8Array[], sync: boolean): Promise<number> {
    const begun = performance.now();
    for (let at = 0; at < events.length; at += batchEvents) {
      const batch = events.slice(at, at + batchEvents).map((value, i) => ({
        type: 'put' as const,
        key: rowKey(this.#count + i),
        value,
      }));
      const last = at + batchEvents >= events.length;
      await this.#level.batch(batch, { sync: sync || last });
      this.#count += batch.length;
    }
    return perSecond(events.length, begun);
  }

  /** Puts one event with `sync`. */
  async putOne(event: Uint8Array): Promise<void> {
    await this.#level.put(rowKey(this.#count++), event, { sync: true });
  }

  /** Events a second, read in order from the first. */
  async scan(): Promise<number> {
    const begun = performance.now();
    const iterator = this.#level.iterator({ highWaterMarkBytes: limits.storeReadAheadBytes });
    let count = 0;
    try {
      for (;;) {
        const entries = await iterator.nextv(1000);
        if (entries.length === 0) break;
        count += entries.length;
      }
    } finally {
      await iterator.close();
    }
    return perSecond(count, begun);
  }

  /** Microseconds of each of `count` reads at random. */
  async gets(count: number): Promise<readonly number[]> {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const key = rowKey(Math.floor(Math.random() * this.#count));
      const begun = performance.now();
      await this.#level.get(key);
      times.push(1000 * (performance.now() - begun));
    }
    return times;
  }

  /** Milliseconds to open it again. */
  async reopen(): Promise<number> {
    await this.#level.close();
    this.#level = newLevel(this.#folder.path);
    const begun = performance.now();
    await this.#level.open();
    await this.#level.get(rowKey(this.#count - 1));
    return performance.now() - begun;
  }

  /** Bytes on the disk. */
  bytes(): Promise<number> {
    return folderBytes(this.#folder.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#level.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}

function rowKey(index: number): Uint8Array {
  return numberKey(keyspace.blocks, 1, index);
}

function newLevel(path: string): ClassicLevel<Uint8Array, Uint8Array> {
  return new ClassicLevel<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    blockSize: limits.storeBlockBytes,
    writeBufferSize: limits.storeWriteBufferBytes,
    cacheSize: limits.storeCacheBytes,
    maxOpenFiles: limits.storeMaxOpenFiles,
  });
}
