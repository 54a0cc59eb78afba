/**
 * Are the stored tiles those of the entries? A walk over the blocks hands in leaf hashes; each time
 * they fill a tile it is made anew and compared with the stored one, byte by byte, and with each
 * 256 tiles of a level the one above. Nothing but the leaf hashes of one open tile is kept.
 */
import { equal } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { keyspace, numberKey, tileKey } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import { asTreeSize } from '../types.ts';
import { decodeBlock } from './block-codec.ts';
import { makeLeaves } from './block-leaves.ts';
import { BlockRecord } from './block-record.ts';
import { EdgeTiles } from './edge-tiles.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { PackedTile, packTile } from './packed-tile.ts';
import type { StoreWrite } from './store.ts';
import { appendLeaves } from './tree.ts';

/** A tile that is not as it should be, and what belongs there. */
export interface WrongTile {
  readonly level: number;
  readonly index: number;
  /** Entries below it: [from, to). */
  readonly from: number;
  readonly to: number;
  readonly write: StoreWrite;
}

const tileBytesOfLeaves = 256 * 32;

/** A packed tile from its 256 lowest nodes. */
function makeTile(h: Hasher, lowest: Uint8Array): Uint8Array {
  const { nodes } = appendLeaves(h, [], asTreeSize(0), lowest);
  const [full] = new EdgeTiles().append(lowest, nodes);
  if (full === undefined) throw new RangeError('a tile has 256 lowest nodes');
  return packTile(h, full.bytes);
}

export class TileCheck {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  readonly #open = new Uint8Array(tileBytesOfLeaves);
  /** Entries taken in; the open tile holds those from the last multiple of 256 on. */
  #size: number;
  /** The begin of the open tile is not known: nothing is compared until the next one. */
  #blind = false;

  private constructor(env: LedgerEnv, handle: LogHandle, size: number) {
    this.#env = env;
    this.#handle = handle;
    this.#size = size;
  }

  /**
   * Begins in front of block `number`, which begins at index `size`: reads the blocks before it that
   * share its tile. Where they cannot be read that one tile is passed over.
   */
  static async at(
    env: LedgerEnv,
    handle: LogHandle,
    number: number,
    size: number,
  ): Promise<TileCheck> {
    const check = new TileCheck(env, handle, size);
    check.#blind = !(await check.#fill(number));
    return check;
  }

  async #fill(number: number): Promise<boolean> {
    const { crypto, store } = this.#env.options;
    const start = this.#size - (this.#size % 256);
    for (let end = this.#size, at = number - 1; end > start; at--) {
      const value = await store.get(numberKey(keyspace.blocks, this.#handle.row.number, at));
      const record = value.ok && value.value ? BlockRecord.read(crypto, value.value) : undefined;
      if (record?.ok !== true || record.value.size !== end) return false;
      const block = decodeBlock(record.value.wire, { reduced: true });
      const made = block.ok ? makeLeaves(crypto, block.value) : block;
      if (!made.ok) return false;
      const first = record.value.firstIndex;
      const skip = Math.max(0, start - first);
      this.#open.set(made.value.leafHashes.subarray(32 * skip), 32 * (first + skip - start));
      end = first;
    }
    return true;
  }

  /** The leaf hashes of the next block. Codes: those of the store. */
  async append(leafHashes: Uint8Array): Promise<Result<readonly WrongTile[]>> {
    const wrong: WrongTile[] = [];
    for (let at = 0; at < leafHashes.length;) {
      const used = (this.#size % 256) * 32;
      const part = leafHashes.subarray(at, at + tileBytesOfLeaves - used);
      this.#open.set(part, used);
      this.#size += part.length / 32;
      at += part.length;
      if (this.#size % 256 !== 0) break;
      const checked = this.#blind ? ok([]) : await this.#filled();
      if (!checked.ok) return checked;
      wrong.push(...checked.value);
      this.#blind = false;
    }
    return ok(wrong);
  }

  /** Compares the tile that was just filled, and those above it that it filled. */
  async #filled(): Promise<Result<readonly WrongTile[]>> {
    const { crypto, store } = this.#env.options;
    const log = this.#handle.row.number;
    const wrong: WrongTile[] = [];
    let lowest: Uint8Array | undefined = this.#open;
    for (let level = 0, width = 256; lowest !== undefined; level++, width *= 256) {
      const index = this.#size / width - 1;
      const value = makeTile(crypto, lowest);
      const key = tileKey(log, level, index);
      const stored = await store.get(key);
      if (!stored.ok && stored.error.code !== 'store-corrupt') return stored;
      if (!stored.ok || stored.value === undefined || !equal(stored.value, value)) {
        const from = index * width;
        wrong.push({ level, index, from, to: from + width, write: { key, value } });
      }
      if ((index + 1) % 256 !== 0) break;
      lowest = await this.#roots(level, index - 255, value);
    }
    return ok(wrong);
  }

  /** Roots of 256 tiles, the last of which was just made; undefined where one cannot be read. */
  async #roots(level: number, from: number, last: Uint8Array): Promise<Uint8Array | undefined> {
    const { crypto, store } = this.#env.options;
    const hashes = new Uint8Array(tileBytesOfLeaves);
    for (let i = 0; i < 256; i++) {
      const key = tileKey(this.#handle.row.number, level, from + i);
      const value = i === 255 ? ok(last) : await store.get(key);
      const tile = value.ok && value.value ? PackedTile.read(crypto, value.value) : undefined;
      if (tile?.ok !== true) return undefined;
      hashes.set(tile.value.root(), 32 * i);
    }
    return hashes;
  }
}
