/**
 * The tree of one log, kept as tiles: full ones in the store, the right edge in memory, and between
 * them those that were filled but whose batch is not written yet. Answers any node of the tree.
 */
import { fault, HeadwaterError, type Fault } from '../errors.ts';
import { numberKey, keyspace, tileKey } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import type { Hash } from '../types.ts';
import type { VerifiedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { makeLeaves } from './block-leaves.ts';
import { BlockRecord } from './block-record.ts';
import { EdgeTiles, openTiles, type OpenTileRef } from './edge-tiles.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogState } from './log-state.ts';
import { PackedTile, packTile } from './packed-tile.ts';
import type { NodeReader } from './proof.ts';
import type { StoreWrite } from './store.ts';
import { tileOf, type TileRef } from './tile.ts';
import type { NodeRef } from './tree.ts';

/** Tiles that a block filled. */
export interface FilledTiles {
  readonly writes: readonly StoreWrite[];
  readonly names: readonly string[];
}

export class LogTiles implements NodeReader {
  readonly #env: LedgerEnv;
  readonly #log: number;
  readonly #edge: EdgeTiles;
  readonly #unwritten = new Map<string, PackedTile>();

  private constructor(env: LedgerEnv, log: number, edge: EdgeTiles) {
    this.#env = env;
    this.#log = log;
    this.#edge = edge;
  }

  static empty(env: LedgerEnv, log: number): LogTiles {
    return new LogTiles(env, log, new EdgeTiles());
  }

  /**
   * The tiles of a stored log. Reads the leaves of the last, partial tile from their blocks, and at
   * most 255 tiles a level for their roots. Codes: store-corrupt, those of the store.
   */
  static async load(env: LedgerEnv, log: number, state: LogState): Promise<Result<LogTiles>> {
    const lowest: Uint8Array[] = [];
    for (const open of openTiles(state.size)) {
      const hashes =
        open.level === 0
          ? await lastLeafHashes(env, log, state, open.width)
          : await tileRoots(env, log, open);
      if (!hashes.ok) return hashes;
      lowest.push(hashes.value);
    }
    const edge = EdgeTiles.rebuild(env.options.crypto, state.size, state.frontier, lowest);
    if (!edge.ok) return err(fault('store-corrupt', 'the stored tiles do not give the root'));
    return ok(new LogTiles(env, log, edge.value));
  }

  get size(): number {
    return this.#edge.size;
  }

  /** Takes in a block's leaves; returns the rows for tiles that became full, and their names. */
  append(block: VerifiedBlock): FilledTiles {
    const names: string[] = [];
    const writes = this.#edge.append(block.leafHashes, block.nodes).map((full) => {
      const value = packTile(this.#env.options.crypto, full.bytes);
      const tile = PackedTile.read(this.#env.options.crypto, value);
      const name = nameOf(full);
      if (tile.ok) this.#unwritten.set(name, tile.value);
      names.push(name);
      return { key: tileKey(this.#log, full.level, full.index), value };
    });
    return { writes, names };
  }

  /** These are in the store now. */
  written(names: readonly string[]): void {
    for (const name of names) this.#unwritten.delete(name);
  }

  /** Throws HeadwaterError: store-corrupt and those of the store. */
  async nodes(refs: readonly NodeRef[]): Promise<readonly Hash[]> {
    const known = refs.map((ref) => this.#edge.node(ref));
    // The nodes of a proof lie in a few tiles: each is looked for once.
    const tiles = new Map<number, PackedTile>();
    const missing = new Map<number, TileRef>();
    for (const [i, ref] of refs.entries()) {
      if (known[i] !== undefined) continue;
      const at = tileOf(ref);
      const key = keyOfTile(at);
      if (tiles.has(key) || missing.has(key)) continue;
      const tile = this.#tile(at);
      if (tile === undefined) missing.set(key, at);
      else tiles.set(key, tile);
    }
    const read = await this.tiles([...missing.values()]);
    for (const [i, key] of [...missing.keys()].entries()) {
      const tile = read[i];
      if (tile !== undefined) tiles.set(key, tile);
    }
    return refs.map((ref, i) => {
      const found = known[i] ?? this.#edge.node(ref);
      if (found !== undefined) return found;
      const full = tiles.get(keyOfTile(tileOf(ref)));
      if (full === undefined) throw new RangeError(`no node ${ref.index} at level ${ref.level}`);
      const row = ref.level % 8;
      return full.node(this.#env.options.crypto, row, ref.index % 2 ** (8 - row));
    });
  }

  /** Full tiles from the store, in order. Throws HeadwaterError. */
  async tiles(refs: readonly TileRef[]): Promise<readonly PackedTile[]> {
    if (refs.length === 0) return [];
    const read = await readTiles(this.#env, this.#log, refs);
    if (!read.ok) throw new HeadwaterError(read.error);
    refs.forEach((ref, i) => {
      const tile = read.value[i];
      if (tile !== undefined) this.#env.tiles.set(`${this.#log}/${nameOf(ref)}`, tile);
    });
    return read.value;
  }

  #tile(ref: TileRef): PackedTile | undefined {
    const name = nameOf(ref);
    return this.#unwritten.get(name) ?? this.#env.tiles.use(`${this.#log}/${name}`);
  }
}

/** Indexes are below 2^45: a log has fewer than 2^53 entries, and a tile 256. */
function keyOfTile({ level, index }: TileRef): number {
  return level * 2 ** 45 + index;
}

function nameOf(tile: TileRef): string {
  return `${tile.level}/${tile.index}`;
}

async function readTiles(
  env: LedgerEnv,
  log: number,
  refs: readonly TileRef[],
): Promise<Result<readonly PackedTile[]>> {
  const { store, crypto } = env.options;
  const values = await store.getMany(refs.map((ref) => tileKey(log, ref.level, ref.index)));
  if (!values.ok) return values;
  const tiles: PackedTile[] = [];
  for (const [i, value] of values.value.entries()) {
    const tile = value === undefined ? missingTile(refs[i]) : PackedTile.read(crypto, value);
    if (!tile.ok) return tile;
    tiles.push(tile.value);
  }
  return ok(tiles);
}

function missingTile(ref: TileRef | undefined): { readonly ok: false; readonly error: Fault } {
  return err(fault('store-corrupt', `tile ${ref?.level}/${ref?.index} is missing in the store`));
}

/** Roots of the full tiles below an open tile: its lowest nodes. */
async function tileRoots(
  env: LedgerEnv,
  log: number,
  open: OpenTileRef,
): Promise<Result<Uint8Array>> {
  const refs = Array.from({ length: open.width }, (_, i) => ({
    level: open.level - 1,
    index: 256 * open.index + i,
  }));
  const tiles = await readTiles(env, log, refs);
  if (!tiles.ok) return tiles;
  const hashes = new Uint8Array(32 * open.width);
  tiles.value.forEach((tile, i) => hashes.set(tile.root(), 32 * i));
  return ok(hashes);
}

/** Leaf hashes of the last `width` entries, made from their blocks, newest block first. */
async function lastLeafHashes(
  env: LedgerEnv,
  log: number,
  state: LogState,
  width: number,
): Promise<Result<Uint8Array>> {
  const { store, crypto } = env.options;
  const hashes = new Uint8Array(32 * width);
  const from = state.size - width;
  for (let number = state.blocks - 1, end: number = state.size; end > from; number--) {
    const value = await store.get(numberKey(keyspace.blocks, log, number));
    if (!value.ok) return value;
    if (value.value === undefined) return err(fault('store-corrupt', `block ${number} is missing`));
    const record = BlockRecord.read(crypto, value.value);
    if (!record.ok) return record;
    const block = decodeBlock(record.value.wire, { reduced: true });
    const made = block.ok ? makeLeaves(crypto, block.value) : block;
    if (!made.ok) return made;
    const first = record.value.firstIndex;
    if (first + record.value.count !== end || number < 0) {
      return err(fault('store-corrupt', `block ${number} is not where it should be`));
    }
    const skip = Math.max(0, from - first);
    hashes.set(made.value.leafHashes.subarray(32 * skip), 32 * (first + skip - from));
    end = first;
  }
  return ok(hashes);
}
