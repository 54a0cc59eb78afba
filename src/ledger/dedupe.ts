/**
 * Has this source and id been seen? A Bloom filter for each slice of the window says `certainly
 * new` for nearly every new event; only a hit is looked up, because a look-up in LevelDB for each
 * event would halve the rate. Filters are a help and never the truth: what has none (it does not
 * fit the memory, or is being loaded) is looked up.
 *
 * A filter is kept in the store when its slice ends and when the home closes, with the number of
 * rows that it covers; where that is missing, damaged or does not fit it is made anew from the rows.
 */
import { concat, equal, readUint32, writeUint16, writeUint32 } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { keyspace, prefixRange, sliceKey } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { BloomFilter } from './bloom.ts';
import { eachRow } from './each-row.ts';
import { lookUpIds, type IdRow } from './id-rows.ts';
import type { Slice } from './id-slices.ts';
import type { Store, StoreEntry, StoreWrite } from './store.ts';

const partBytes = 65_536;
const headBytes = 20;
const scanPage = 10_000;

/** Memory that the filters of all logs share. */
export class FilterMemory {
  readonly #max: number;
  #used = 0;

  constructor(maxBytes: number) {
    this.#max = maxBytes;
  }
  get used(): number {
    return this.#used;
  }
  /** False: it does not fit, nothing was taken. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.#max) return false;
    this.#used += bytes;
    return true;
  }
  give(bytes: number): void {
    this.#used -= bytes;
  }
}

export class Dedupe {
  readonly #store: Store;
  readonly #hasher: Hasher;
  readonly #memory: FilterMemory;
  readonly #log: number;
  #slices: readonly Slice[];
  readonly #filters = new Map<number, BloomFilter>();
  /** Filters that are being loaded: rows are added, but they do not answer yet. */
  readonly #loading = new Map<number, BloomFilter>();
  #work: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** A load that began before a reset is thrown away. */
  #generation = 0;

  constructor(
    env: { readonly store: Store; readonly crypto: Hasher },
    memory: FilterMemory,
    log: number,
    slices: readonly Slice[],
  ) {
    this.#store = env.store;
    this.#hasher = env.crypto;
    this.#memory = memory;
    this.#log = log;
    this.#slices = slices;
    for (const slice of slices) if (slice.rows === 0) this.#reserve(slice, this.#filters);
  }

  /** False: certainly not in the log within the window. */
  mayHave(idKey: Uint8Array): boolean {
    for (const slice of this.#slices) if (this.#mayBeIn(slice, idKey)) return true;
    return false;
  }

  /** The row of each key that is in the log within the window. */
  lookUp(idKeys: readonly Uint8Array[]): Promise<Result<readonly (IdRow | undefined)[]>> {
    const slicesOf = (idKey: Uint8Array): readonly Slice[] =>
      this.#slices.filter((slice) => this.#mayBeIn(slice, idKey));
    return lookUpIds(this.#store, this.#log, slicesOf, idKeys);
  }

  #mayBeIn({ number }: Slice, idKey: Uint8Array): boolean {
    return this.#filters.get(number)?.mayHave(idKey) ?? true;
  }

  /** After a block is durable: its rows are in the last of the slices. */
  committed(slices: readonly Slice[], idKeys: readonly Uint8Array[]): void {
    const before = this.#slices;
    this.#slices = slices;
    const last = slices.at(-1);
    if (last === undefined) return;
    if (before.at(-1)?.number !== last.number) this.#turn(before, last);
    for (const filter of [this.#filters.get(last.number), this.#loading.get(last.number)]) {
      if (filter !== undefined) for (const idKey of idKeys) filter.add(idKey);
    }
  }

  /** Loads or makes the filters of slices that were there when the ledger opened. */
  load(): Promise<void> {
    const run = async (): Promise<void> => {
      for (const slice of this.#slices.toReversed()) {
        if (this.#closed) return;
        if (!this.#filters.has(slice.number)) await this.#loadSlice(slice.number);
      }
    };
    const loading = this.#work.then(run);
    this.#work = loading;
    return loading;
  }

  /** The log was loaded anew: the filters may lack rows, so they are made again. */
  reset(slices: readonly Slice[]): void {
    for (const filter of this.#filters.values()) this.#memory.give(filter.bytes.length);
    this.#filters.clear();
    this.#generation += 1;
    this.#slices = slices;
    void this.load();
  }

  /** Keeps the filter of the open slice, frees the memory. Awaits what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
    const last = this.#slices.at(-1);
    if (last !== undefined) await this.#keep(last);
    for (const filter of this.#filters.values()) this.#memory.give(filter.bytes.length);
    this.#filters.clear();
  }

  /** A new slice: a filter for it, the old one's is kept, those out of the window go. */
  #turn(before: readonly Slice[], last: Slice): void {
    this.#reserve(last, this.#filters);
    const ended = before.at(-1);
    if (ended !== undefined) this.#work = this.#work.then(() => this.#keep(ended));
    const numbers = new Set(this.#slices.map((slice) => slice.number));
    for (const [number, filter] of this.#filters) {
      if (numbers.has(number)) continue;
      this.#filters.delete(number);
      this.#memory.give(filter.bytes.length);
    }
  }

  #reserve(slice: Slice, into: Map<number, BloomFilter>): BloomFilter | undefined {
    if (!this.#memory.take(BloomFilter.bytesFor(slice.capacity))) return undefined;
    const filter = BloomFilter.forCapacity(slice.capacity);
    into.set(slice.number, filter);
    return filter;
  }

  /** Rows may be added while it runs: the filter is filled from before the scan begins. */
  async #loadSlice(number: number): Promise<void> {
    const slice = this.#slices.find((one) => one.number === number);
    const filter = slice === undefined ? undefined : this.#reserve(slice, this.#loading);
    if (slice === undefined || filter === undefined) return;
    const generation = this.#generation;
    const kept = await this.#kept(slice);
    const filled = kept === undefined ? await this.#fill(number, filter) : true;
    if (kept !== undefined)
      kept.forEach((byte, i) => (filter.bytes[i] = byte | (filter.bytes[i] ?? 0)));
    this.#loading.delete(number);
    if (filled && generation === this.#generation) this.#filters.set(number, filter);
    else this.#memory.give(filter.bytes.length);
  }

  async #fill(number: number, filter: BloomFilter): Promise<boolean> {
    const prefix = sliceKey(keyspace.ids, this.#log, number, new Uint8Array(0));
    await using scan = this.#store.scan({ ...prefixRange(prefix), keysOnly: true });
    for (;;) {
      const rows = await scan.next(scanPage);
      if (!rows.ok || this.#closed) return false;
      if (rows.value.length === 0) return true;
      for (const { key } of rows.value) if (key.length === 17) filter.add(key, 7);
    }
  }

  /** The kept bytes, if they are sound and cover all rows of the slice. */
  async #kept(slice: Slice): Promise<Uint8Array | undefined> {
    const prefix = sliceKey(keyspace.filters, this.#log, slice.number, new Uint8Array(0));
    const parts: Uint8Array[] = [];
    const take = ({ value }: StoreEntry): void => void parts.push(value);
    if (!(await eachRow(this.#store, prefixRange(prefix), 16, take)).ok) return undefined;
    const bytes = readKept(this.#hasher, concat(...parts), slice);
    return bytes.ok ? bytes.value : undefined;
  }

  /** Not synced: if it is lost the filter is made anew. A failing store is told to writers. */
  async #keep(slice: Slice): Promise<void> {
    const filter = this.#filters.get(slice.number);
    if (filter === undefined) return;
    const head = new Uint8Array(headBytes);
    head.set(this.#hasher.sha256(filter.bytes).subarray(0, 16));
    writeUint32(head, 16, slice.rows);
    const bytes = concat(head, filter.bytes);
    const writes: StoreWrite[] = [];
    for (let at = 0; at < bytes.length; at += partBytes) {
      const part = new Uint8Array(2);
      writeUint16(part, 0, at / partBytes);
      const key = sliceKey(keyspace.filters, this.#log, slice.number, part);
      writes.push({ key, value: bytes.subarray(at, at + partBytes) });
    }
    await this.#store.batch(writes, { sync: false });
  }
}

function readKept(h: Hasher, bytes: Uint8Array, slice: Slice): Result<Uint8Array> {
  const body = bytes.subarray(headBytes);
  const fits =
    body.length === BloomFilter.bytesFor(slice.capacity) &&
    readUint32(bytes, 16) === slice.rows &&
    equal(h.sha256(body).subarray(0, 16), bytes.subarray(0, 16));
  return fits ? ok(body) : err(fault('store-corrupt', 'a kept filter does not fit its slice'));
}
