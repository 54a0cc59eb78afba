/**
 * The store in memory: for tests, the simulator and browsers. Entries lie in sorted pieces of at
 * most 64; a write copies the piece that it changes and the list of pieces, so a scan (and the
 * state of the last sync) keeps what it began with for the price of a reference.
 *
 *   pieces: [a b c] [d e] [f g h i]      write e': [a b c] [d e'] [f g h i]
 *            shared with the snapshot      ^ same           ^ same
 */
import { compare } from '../bytes.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Store, StoreEntry, StoreRange, StoreScan, StoreWrite } from './store.ts';

type Piece = readonly StoreEntry[];
type Pieces = readonly Piece[];
const maxPiece = 64;

export class MemoryStore implements Store {
  #pieces: Pieces;
  #synced: Pieces;
  #closed = false;

  constructor(pieces: Pieces = []) {
    this.#pieces = pieces;
    this.#synced = pieces;
  }

  /** Number of entries. */
  get size(): number {
    return count(this.#pieces);
  }

  /** Number of entries that a crash would leave. */
  crashSize(lost: 'nothing' | 'unsynced'): number {
    return count(lost === 'unsynced' ? this.#synced : this.#pieces);
  }

  /**
   * What a new process would find: everything (`kill -9`), or with `lost: 'unsynced'` only what was
   * synced (power cut). This store is closed by it.
   */
  crash(lost: 'nothing' | 'unsynced'): MemoryStore {
    this.#closed = true;
    return new MemoryStore(lost === 'unsynced' ? this.#synced : this.#pieces);
  }

  get(key: Uint8Array): Promise<Result<Uint8Array | undefined>> {
    return this.#answer(() => find(this.#pieces, key));
  }

  getMany(keys: readonly Uint8Array[]): Promise<Result<readonly (Uint8Array | undefined)[]>> {
    return this.#answer(() => keys.map((key) => find(this.#pieces, key)));
  }

  batch(writes: readonly StoreWrite[], options: { readonly sync: boolean }): Promise<Result<void>> {
    return this.#answer(() => {
      this.#pieces = write(this.#pieces, writes);
      if (options.sync) this.#synced = this.#pieces;
    });
  }

  scan(range: StoreRange): StoreScan {
    return new MemoryScan(this.#pieces, range, () => this.#closed);
  }

  /** Memory holds no old bytes. */
  compact(): Promise<Result<void>> {
    return this.#answer(() => undefined);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#synced = this.#pieces;
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #answer<T>(run: () => T): Promise<Result<T>> {
    return Promise.resolve(this.#closed ? closedError() : ok(run()));
  }
}

function count(pieces: Pieces): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

function closedError(): Result<never> {
  return err(fault('store-closed', 'the store is closed'));
}

class MemoryScan implements StoreScan {
  readonly #pieces: Pieces;
  readonly #range: StoreRange;
  readonly #closed: () => boolean;
  #last: Uint8Array | undefined;

  constructor(pieces: Pieces, range: StoreRange, closed: () => boolean) {
    this.#pieces = pieces;
    this.#range = range;
    this.#closed = closed;
  }

  next(max: number): Promise<Result<readonly StoreEntry[]>> {
    if (this.#closed()) return Promise.resolve(closedError());
    const found = this.#range.reverse === true ? this.#down(max) : this.#up(max);
    this.#last = found.at(-1)?.key ?? this.#last;
    const { keysOnly = false } = this.#range;
    const copies = found.map(({ key, value }) => ({
      key: key.slice(),
      value: keysOnly ? new Uint8Array(0) : value.slice(),
    }));
    return Promise.resolve(ok(copies));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #up(max: number): StoreEntry[] {
    const { gte, lt } = this.#range;
    const from = this.#last ?? gte;
    const found: StoreEntry[] = [];
    for (let p = Math.max(0, pieceOf(this.#pieces, from)); p < this.#pieces.length; p++) {
      for (const entry of this.#pieces[p] ?? []) {
        const order = compare(entry.key, from);
        if (order < 0 || (order === 0 && this.#last !== undefined)) continue;
        if (found.length >= max || compare(entry.key, lt) >= 0) return found;
        found.push(entry);
      }
    }
    return found;
  }

  #down(max: number): StoreEntry[] {
    const { gte, lt } = this.#range;
    const below = this.#last ?? lt;
    const found: StoreEntry[] = [];
    for (let p = pieceOf(this.#pieces, below); p >= 0; p--) {
      for (const entry of (this.#pieces[p] ?? []).toReversed()) {
        if (compare(entry.key, below) >= 0) continue;
        if (found.length >= max || compare(entry.key, gte) < 0) return found;
        found.push(entry);
      }
    }
    return found;
  }
}

/** Index of the last piece that begins at or before `key`; -1 if all begin behind it. */
function pieceOf(pieces: Pieces, key: Uint8Array): number {
  let [low, high] = [0, pieces.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const first = pieces[middle]?.[0]?.key;
    if (first !== undefined && compare(first, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Index of the first entry at or behind `key`. */
function slotOf(piece: Piece, key: Uint8Array): number {
  let [low, high] = [0, piece.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = piece[middle]?.key;
    if (found !== undefined && compare(found, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function find(pieces: Pieces, key: Uint8Array): Uint8Array | undefined {
  const piece = pieces[pieceOf(pieces, key)] ?? [];
  const entry = piece[slotOf(piece, key)];
  return entry !== undefined && compare(entry.key, key) === 0 ? entry.value.slice() : undefined;
}

/** A new list of pieces; pieces that this call made itself are changed in place. */
function write(pieces: Pieces, writes: readonly StoreWrite[]): Pieces {
  const next: Piece[] = [...pieces];
  const own = new Map<Piece, StoreEntry[]>();
  for (const { key, value } of writes) {
    const at = Math.max(0, pieceOf(next, key));
    const old = next[at];
    const piece = (old === undefined ? undefined : own.get(old)) ?? [...(old ?? [])];
    own.set(piece, piece);
    next[at] = piece;
    const slot = slotOf(piece, key);
    const there = piece[slot];
    const replaced = there !== undefined && compare(there.key, key) === 0 ? 1 : 0;
    const entries = value === undefined ? [] : [{ key: key.slice(), value: value.slice() }];
    piece.splice(slot, replaced, ...entries);
    if (piece.length > maxPiece) {
      const half = piece.splice(maxPiece / 2);
      own.set(half, half);
      next.splice(at + 1, 0, half);
    }
    if (piece.length === 0) next.splice(at, 1);
  }
  return next;
}
