/**
 * The right edge of the tile tree in memory: of every tile level the one tile that is not yet full,
 * with all its nodes. Appending fills it without hashing (the nodes come from `appendLeaves`) and
 * hands out tiles as they fill up, to be stored for good. Together with the stored tiles it answers
 * every node of the tree.
 *
 * Memory is bounded: a level's open tile is below 16 KiB, a tree of 2^53-1 leaves has 7 levels, and
 * rows grow with their content, so a log of ten entries keeps about a kilobyte.
 */
import { equal } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asTreeSize, type Hash, type TreeSize } from '../types.ts';
import { alignedSubtrees } from './range.ts';
import {
  nodeInTile,
  rowOffset,
  tileBytes,
  tileOf,
  tileSpan,
  type FullTile,
  type TileRef,
} from './tile.ts';
import {
  appendLeaves,
  type Frontier,
  type NewNodes,
  type NodeReader,
  type NodeRef,
} from './tree.ts';

/** A tile that is not full: its lowest nodes are (8 · level, index · 256 + i), i < width. */
export interface OpenTileRef extends TileRef {
  readonly width: number;
}

/** The open tiles of a tree of this size, lowest level first; those of width 0 are left out. */
export function openTiles(size: TreeSize): readonly OpenTileRef[] {
  const open: OpenTileRef[] = [];
  for (let level = 0; 256 ** level <= size; level++) {
    const { full, partialWidth } = tileSpan(level, size);
    if (partialWidth > 0) open.push({ level, index: full, width: partialWidth });
  }
  return open;
}

export class EdgeTiles {
  #size: TreeSize = asTreeSize(0);
  /** By tile level; rows 0 … 8 of each, filled from the left. */
  readonly #levels: Row[][] = [];

  get size(): TreeSize {
    return this.#size;
  }

  /**
   * Takes in leaves and the nodes that `appendLeaves` made of them. Returns the tiles that became
   * full, lowest level first, each level in order. Throws a RangeError where the nodes do not
   * follow on this edge.
   */
  append(leafHashes: Uint8Array, nodes: NewNodes): readonly FullTile[] {
    if (nodes.from !== this.#size) throw new RangeError('the nodes do not follow on this edge');
    this.#put(0, leafHashes, 0, leafHashes.length);
    for (const run of nodes.runs) {
      this.#put(run.level, nodes.bytes, run.offset, run.offset + run.count * 32);
    }
    this.#size = asTreeSize(this.#size + leafHashes.length / 32);
    return this.#takeFull(nodes.from);
  }

  /** The node's hash (a copy), or undefined where it is in a full tile or not complete. */
  node(ref: NodeRef): Hash | undefined {
    const tile = tileOf(ref);
    if (tile.index !== tileSpan(tile.level, this.#size).full) return undefined;
    const row = ref.level % 8;
    return this.#levels[tile.level]?.[row]?.get(ref.index % 2 ** (8 - row));
  }

  /**
   * The edge of a stored tree. `lowest` holds, for each of `openTiles(size)` in that order, the
   * hashes of its lowest nodes (width · 32 bytes): leaf hashes at level 0, above it the roots of
   * full tiles of the level below. Hashes at most 255 nodes a level and compares with the
   * frontier: `tile-mismatch` where they differ, so damaged tiles are not built upon.
   */
  static rebuild(
    h: Hasher,
    size: TreeSize,
    frontier: Frontier,
    lowest: readonly Uint8Array[],
  ): Result<EdgeTiles> {
    const edge = new EdgeTiles();
    const open = openTiles(size);
    for (const [i, tile] of open.entries()) {
      const hashes = lowest[i];
      if (hashes?.length !== tile.width * 32) {
        return err(fault('tile-mismatch', `level ${tile.level} needs ${tile.width} hashes`));
      }
      // Within a tile, the levels above its lowest nodes are those of a tree of their own.
      const { nodes } = appendLeaves(h, [], asTreeSize(0), hashes);
      edge.#put(8 * tile.level, hashes, 0, hashes.length, false);
      for (const run of nodes.runs) {
        const level = 8 * tile.level + run.level;
        edge.#put(level, nodes.bytes, run.offset, run.offset + run.count * 32, false);
      }
    }
    edge.#size = size;
    const same = alignedSubtrees(0, size).every((ref, i) => {
      const [node, wanted] = [edge.node(ref), frontier[i]];
      return node !== undefined && wanted !== undefined && equal(node, wanted);
    });
    return same ? ok(edge) : err(fault('tile-mismatch', 'the tiles do not give the frontier'));
  }

  /** Appends hashes of one tree level; a tile's root also closes the tile below. */
  #put(level: number, source: Uint8Array, from: number, to: number, closing = true): void {
    this.#row(Math.floor(level / 8), level % 8).push(source, from, to);
    if (closing && level > 0 && level % 8 === 0) {
      this.#row(level / 8 - 1, 8).push(source, from, to);
    }
  }

  #row(level: number, row: number): Row {
    const rows = (this.#levels[level] ??= Array.from({ length: 9 }, () => new Row()));
    const found = rows[row];
    if (found === undefined) throw new RangeError('a tile has the rows 0 to 8');
    return found;
  }

  #takeFull(from: number): readonly FullTile[] {
    const full: FullTile[] = [];
    for (const [level, rows] of this.#levels.entries()) {
      const end = tileSpan(level, this.#size).full;
      for (let index = tileSpan(level, from).full; index < end; index++) {
        const bytes = new Uint8Array(tileBytes);
        for (const [row, hashes] of rows.entries()) {
          hashes.shift(2 ** (8 - row), bytes, rowOffset(row));
        }
        full.push({ level, index, bytes });
      }
    }
    return full;
  }
}

/** A queue of hashes in one growing array. */
class Row {
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;

  push(source: Uint8Array, from: number, to: number): void {
    const length = this.#length + to - from;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(source.subarray(from, to), this.#length);
    this.#length = length;
  }

  /** Moves the first `count` hashes to `out` at `at`. */
  shift(count: number, out: Uint8Array, at: number): void {
    out.set(this.#bytes.subarray(0, count * 32), at);
    this.#bytes.copyWithin(0, count * 32, this.#length);
    this.#length -= count * 32;
  }

  get(index: number): Hash | undefined {
    if (index * 32 >= this.#length) return undefined;
    return asHash(this.#bytes.slice(index * 32, index * 32 + 32));
  }
}

/** Where full tiles are kept: the bytes of `FullTile`, in the order asked for. */
export interface TileStore {
  tiles(refs: readonly TileRef[]): Promise<readonly Uint8Array[]>;
}

/**
 * Reads nodes from the edge and from full tiles, each tile fetched once a call. Tiles are believed:
 * whoever serves a proof checks it against the root (a disk may return anything). Rejects with a
 * RangeError where a node is in no tile, and with whatever the store throws.
 */
export function tileReader(edge: EdgeTiles, store: TileStore): NodeReader {
  return {
    async nodes(refs: readonly NodeRef[]): Promise<readonly Hash[]> {
      const found = refs.map((ref) => edge.node(ref));
      const wanted = new Map<string, TileRef>();
      for (const [i, ref] of refs.entries()) {
        const tile = tileOf(ref);
        if (found[i] === undefined) wanted.set(`${tile.level}/${tile.index}`, tile);
      }
      if (wanted.size === 0) return found.filter((hash) => hash !== undefined);
      const bytes = await store.tiles([...wanted.values()]);
      const tiles = new Map([...wanted.keys()].map((name, i) => [name, bytes[i]]));
      return refs.map((ref, i) => {
        const { level, index } = tileOf(ref);
        const hash = found[i] ?? nodeFrom(tiles.get(`${level}/${index}`), ref);
        if (hash === undefined) throw new RangeError(`no node ${ref.index} at level ${ref.level}`);
        return hash;
      });
    },
  };
}

function nodeFrom(tile: Uint8Array | undefined, ref: NodeRef): Hash | undefined {
  return tile?.length === tileBytes ? nodeInTile(tile, ref) : undefined;
}
