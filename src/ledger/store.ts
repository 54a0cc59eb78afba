/**
 * The key-value store behind the ledger: an interface of five verbs, and LevelDB behind it. The
 * only file that imports LevelDB. `memory-store.ts` is the other implementation; both pass
 * test/contract/store.ts.
 *
 * Values of packed tables (keyspace.ts) are kept as `00 ‖ value` or, from 4 KiB on where that
 * is shorter, `01 ‖ zstd(value)`. Measured on blocks of 255 earthquake events of 364 bytes: zstd 61
 * bytes an event in 0.4 µs, LevelDB's own snappy 99; and the log that is synced is a quarter as
 * long.
 *
 * A LevelDB that failed to write once may hold a torn record in its log, and what is appended
 * behind that can be lost at the next start. So after a failed write nothing more is written to
 * that handle: reads go on; the next write first proves that the disk takes bytes again, then
 * closes and opens the database, which ends the torn log.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel, type Iterator } from 'classic-level';
import { fault, type Fault } from '../errors.ts';
import { isPacked } from '../keyspace.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { closed, Damaged, faultOf } from './store-faults.ts';

/** Without a value: the key is deleted. The bytes must not change until the batch is done. */
export interface StoreWrite {
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
}

export interface StoreEntry {
  readonly key: Uint8Array;
  /** Empty where only keys were asked for. */
  readonly value: Uint8Array;
}

/** Half-open, in the order of unsigned bytes. */
export interface StoreRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
  /** Ends with `store-failed` rather than going on with another moment of the store. */
  readonly snapshot?: boolean;
}

/**
 * Reads a range in pieces. It sees the store as it was when the scan began; where the store had to
 * be opened anew in between, it goes on behind the last key that it gave.
 */
export interface StoreScan extends AsyncDisposable {
  /** Up to `max` entries, fewer where they are large; none only at the end. */
  next(max: number): Promise<Result<readonly StoreEntry[]>>;
}

/**
 * Ordered keys, atomic batches. What is returned is owned by the caller. Codes of every verb:
 * store-failed, store-corrupt, store-closed; of `batch` also disk-full.
 */
export interface Store extends AsyncDisposable {
  get(key: Uint8Array): Promise<Result<Uint8Array | undefined>>;
  /** In the order of the keys. One damaged value fails the call. */
  getMany(keys: readonly Uint8Array[]): Promise<Result<readonly (Uint8Array | undefined)[]>>;
  /** All or nothing. With `sync` it resolves when this and all earlier batches are on the disk. */
  batch(writes: readonly StoreWrite[], options: { readonly sync: boolean }): Promise<Result<void>>;
  scan(range: StoreRange): StoreScan;
  /**
   * Rewrites the files of a range, so that what was deleted or replaced in it is gone from the disk
   * and its room is free. What a scan that is open still sees stays until the next time.
   */
  compact(range: Pick<StoreRange, 'gte' | 'lt'>): Promise<Result<void>>;
  /** Waits for what is under way. Idempotent; later calls give `store-closed`. */
  close(): Promise<void>;
}

type Level = ClassicLevel<Uint8Array, Uint8Array>;
type LevelIterator = Iterator<Level, Uint8Array, Uint8Array>;
/** Below it a compressor costs more to set up (30 µs and a collection now and then) than it saves. */
const packFrom = 4096;
/** The write buffer goes to a table when LevelDB is opened: that much must fit. */
const probeBytes = limits.storeWriteBufferBytes;

function newLevel(path: string): Level {
  return new ClassicLevel<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    blockSize: limits.storeBlockBytes,
    writeBufferSize: limits.storeWriteBufferBytes,
    cacheSize: limits.storeCacheBytes,
    maxOpenFiles: limits.storeMaxOpenFiles,
  });
}

export class LevelStore implements Store {
  readonly #path: string;
  #level: Level;
  #closed = false;
  /** The failure after which the handle takes no more writes. */
  #failure: Fault | undefined;
  #reopening: Promise<void> | undefined;
  /** Counts the handles, so that a scan knows that its own is gone. */
  #handle = 0;

  private constructor(path: string, level: Level) {
    this.#path = path;
    this.#level = level;
  }

  /** Opens or makes the database in a folder. Codes: store-locked, store-corrupt, store-failed, disk-full. */
  static async open(path: string): Promise<Result<LevelStore>> {
    const level = newLevel(path);
    try {
      await level.open();
    } catch (cause) {
      return err(faultOf(cause));
    }
    return ok(new LevelStore(path, level));
  }

  /**
   * Puts a closed database with damaged files together again from what can be read of them; what
   * cannot is gone. Codes: store-locked, store-failed, disk-full.
   */
  static async salvage(path: string): Promise<Result<void>> {
    try {
      await ClassicLevel.repair(path);
      return ok(undefined);
    } catch (cause) {
      return err(faultOf(cause));
    }
  }

  async get(key: Uint8Array): Promise<Result<Uint8Array | undefined>> {
    if (this.#reopening !== undefined) await this.#reopening;
    try {
      const value = await this.#level.get(key);
      return ok(value === undefined ? undefined : unpack(key, value));
    } catch (cause) {
      return err(this.#faultOf(cause));
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<Result<readonly (Uint8Array | undefined)[]>> {
    if (this.#reopening !== undefined) await this.#reopening;
    try {
      const values = await this.#level.getMany([...keys]);
      return ok(
        values.map((value, i) =>
          value === undefined ? undefined : unpack(keys[i] ?? value, value),
        ),
      );
    } catch (cause) {
      return err(this.#faultOf(cause));
    }
  }

  async batch(
    writes: readonly StoreWrite[],
    options: { readonly sync: boolean },
  ): Promise<Result<void>> {
    if (this.#failure !== undefined || this.#reopening !== undefined) await this.#recover();
    if (this.#closed) return err(closed());
    if (this.#failure !== undefined) return err(this.#failure);
    try {
      await this.#write(writes, options);
      return ok(undefined);
    } catch (cause) {
      const failure = this.#faultOf(cause);
      if (failure.code !== 'store-closed') this.#failure = failure;
      return err(failure);
    }
  }

  /** A chained batch takes each row at once: a third of the cost of an array of rows (measured). */
  async #write(writes: readonly StoreWrite[], options: { readonly sync: boolean }): Promise<void> {
    const batch = this.#level.batch();
    try {
      for (const { key, value } of writes) {
        if (value === undefined) batch.del(key);
        else batch.put(key, isPacked(key) ? pack(value) : value);
      }
      await batch.write(options);
    } finally {
      await batch.close();
    }
  }

  scan(range: StoreRange): StoreScan {
    return new LevelScan(range, {
      handle: () => this.#handle,
      level: () => this.#level,
      ready: () => this.#reopening ?? Promise.resolve(),
      faultOf: (cause) => this.#faultOf(cause),
    });
  }

  /**
   * LevelDB merges a file only with those of the next level, and a file that holds two versions of a
   * key may have none there. So what is in memory goes to a file, then two deletions around the
   * range into another one: it lies above all files of the range, which makes LevelDB merge them.
   */
  async compact({ gte, lt }: Pick<StoreRange, 'gte' | 'lt'>): Promise<Result<void>> {
    const [first, last] = [nobodysKey(gte), nobodysKey(lt)];
    try {
      if (this.#reopening !== undefined) await this.#reopening;
      await this.#level.compactRange(last, last);
      const marked = await this.batch([{ key: first }, { key: last }], { sync: false });
      if (!marked.ok) return marked;
      await this.#level.compactRange(gte, last);
      return ok(undefined);
    } catch (cause) {
      return err(this.#faultOf(cause));
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#reopening !== undefined) await this.#reopening;
    await this.#level.close().catch(() => undefined); // A handle that failed has nothing to save.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #faultOf(cause: unknown): Fault {
    return this.#closed ? closed() : faultOf(cause);
  }

  async #recover(): Promise<void> {
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined;
    });
    await this.#reopening;
  }

  /** Opens the database again once the disk takes bytes; on failure `#failure` says why. */
  async #reopen(): Promise<void> {
    const full = await probe(this.#path);
    if (this.#closed) return;
    if (full !== undefined) {
      this.#failure = full;
      return;
    }
    try {
      await this.#level.close();
      this.#level = newLevel(this.#path);
      this.#handle += 1;
      await this.#level.open();
      this.#failure = undefined;
    } catch (cause) {
      this.#failure = faultOf(cause);
    }
  }
}

/** Directly behind a key, and longer than any of the tables with keys of fixed width has. */
const nobodysKey = (key: Uint8Array): Uint8Array => Uint8Array.of(...key, 0, 0, 0, 0, 0, 0, 0, 0);

interface LevelOwner {
  handle(): number;
  level(): Level;
  ready(): Promise<void>;
  faultOf(cause: unknown): Fault;
}

class LevelScan implements StoreScan {
  readonly #range: StoreRange;
  readonly #owner: LevelOwner;
  #iterator: LevelIterator | undefined;
  #handle = -1;
  #last: Uint8Array | undefined;

  constructor(range: StoreRange, owner: LevelOwner) {
    this.#range = range;
    this.#owner = owner;
    this.#begin();
  }

  async next(max: number): Promise<Result<readonly StoreEntry[]>> {
    await this.#owner.ready();
    if (this.#handle !== this.#owner.handle()) {
      if (this.#range.snapshot === true) return err(fault('store-failed', 'it was opened anew'));
      this.#begin();
    }
    if (this.#iterator === undefined) return err(closed());
    try {
      const entries = await this.#iterator.nextv(max);
      this.#last = entries.at(-1)?.[0] ?? this.#last;
      return ok(entries.map(([key, value]) => this.#entry(key, value)));
    } catch (cause) {
      return err(this.#owner.faultOf(cause));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#iterator?.close();
  }

  #begin(): void {
    const { gte, lt, reverse = false, keysOnly = false } = this.#range;
    const last = this.#last;
    this.#handle = this.#owner.handle();
    try {
      this.#iterator = this.#owner.level().iterator<Uint8Array, Uint8Array>({
        ...(last === undefined || reverse ? { gte } : { gt: last }),
        lt: last !== undefined && reverse ? last : lt,
        reverse,
        values: !keysOnly,
        highWaterMarkBytes: limits.storeReadAheadBytes,
      });
    } catch {
      this.#iterator = undefined; // The store is closed; `next` says so.
    }
  }

  #entry(key: Uint8Array, value: Uint8Array | undefined): StoreEntry {
    if (value === undefined) return { key: plain(key), value: new Uint8Array(0) };
    return { key: plain(key), value: unpack(key, value) };
  }
}

const packOptions = {
  params: {
    [constants.ZSTD_c_compressionLevel]: 1,
    [constants.ZSTD_c_checksumFlag]: 0,
  },
};

function pack(value: Uint8Array): Uint8Array {
  const small = value.length < packFrom ? undefined : zstdCompressSync(value, packOptions);
  const body = small !== undefined && small.length < value.length ? small : value;
  const packed = new Uint8Array(1 + body.length);
  packed[0] = body === small ? 1 : 0;
  packed.set(body, 1);
  return packed;
}

/** Throws `Damaged` where a packed value cannot be unpacked. */
function unpack(key: Uint8Array, value: Uint8Array): Uint8Array {
  if (!isPacked(key)) return plain(value);
  if (value[0] === 0) return plain(value.subarray(1));
  if (value[0] !== 1) throw new Damaged('a packed value with an unknown mark');
  try {
    return plain(
      zstdDecompressSync(value.subarray(1), { maxOutputLength: limits.maxStoredValueBytes }),
    );
  } catch {
    throw new Damaged('a packed value that does not unpack');
  }
}

/** LevelDB returns Buffers under the `view` encoding too. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Writes and syncs as much as opening may need; undefined if that went well. */
async function probe(path: string): Promise<Fault | undefined> {
  const name = join(path, 'probe.tmp');
  try {
    const file = await open(name, 'w', 0o600);
    try {
      await file.writeFile(new Uint8Array(probeBytes));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rm(name);
    return undefined;
  } catch (cause) {
    await rm(name, { force: true }).catch(() => undefined); // The first failure is the one to tell.
    return faultOf(cause);
  }
}
