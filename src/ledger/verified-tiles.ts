/**
 * Tiles from a place that nobody trusts, verified downwards from the root of a checkpoint: the
 * partial tiles of the right edge must give the root, and the nodes of a full tile its place in the
 * tile above. So one altered hash is found before anything that it stands for is believed.
 */
import { equal } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault, HeadwaterError } from '../errors.ts';
import { RecentMap } from '../recent-map.ts';
import { caught, err, ok, type Result } from '../result.ts';
import { asHash, type Hash, type TreeSize } from '../types.ts';
import { readRangeRoot } from './range.ts';
import { partialTiles } from './static-tree.ts';
import { formatTilePath, tileOf, tileSpan, tileWidth, type TilePath } from './tile.ts';
import { nodeHash, type NodeReader, type NodeRef } from './tree.ts';

/** The bytes of a tile: 32 · width, or it is refused. */
export type ReadTile = (path: TilePath) => Promise<Result<Uint8Array>>;

/** Verified full tiles that are kept: enough for each level of a walk from left to right. */
const maxKept = 16;

export class VerifiedTiles implements NodeReader {
  readonly #h: Hasher;
  readonly #size: TreeSize;
  readonly #read: ReadTile;
  readonly #edge: ReadonlyMap<string, Uint8Array>;
  readonly #full = new RecentMap<string, Uint8Array>(maxKept);

  private constructor(
    h: Hasher,
    size: TreeSize,
    read: ReadTile,
    edge: ReadonlyMap<string, Uint8Array>,
  ) {
    this.#h = h;
    this.#size = size;
    this.#read = read;
    this.#edge = edge;
  }

  /**
   * Reads the right edge, at most one tile a level. Codes: `tile-mismatch` (wrong length, or the
   * tiles do not give the root), and whatever `read` fails with.
   */
  static async open(
    h: Hasher,
    checkpoint: { readonly size: TreeSize; readonly root: Hash },
    read: ReadTile,
  ): Promise<Result<VerifiedTiles>> {
    const edge = new Map<string, Uint8Array>();
    for (const path of partialTiles(checkpoint.size)) {
      if (path.level === 'entries') continue;
      const bytes = await readWhole(read, path);
      if (!bytes.ok) return bytes;
      edge.set(nameOf(path), bytes.value);
    }
    const tiles = new VerifiedTiles(h, checkpoint.size, read, edge);
    const root = await caught(async () => ok(await readRangeRoot(h, tiles, 0, checkpoint.size)));
    if (!root.ok) return root;
    if (equal(root.value, checkpoint.root)) return ok(tiles);
    return err(fault('tile-mismatch', 'the tiles do not give the root of the checkpoint'));
  }

  /** Root of the tree of the first `size` leaves; 0 < size <= that of the checkpoint. */
  rootAt(size: TreeSize): Promise<Result<Hash>> {
    return caught(async () => ok(await readRangeRoot(this.#h, this, 0, size)));
  }

  /** A full tile's 256 lowest nodes, verified. Codes as `open`. */
  async full(level: number, index: number): Promise<Result<Uint8Array>> {
    const path: TilePath = { level, index, width: tileWidth };
    const known = this.#full.get(nameOf(path));
    if (known !== undefined) return ok(known);
    const above = await caught(async () => ok(await this.nodes([{ level: 8 * level + 8, index }])));
    if (!above.ok) return above;
    const bytes = await readWhole(this.#read, path);
    if (!bytes.ok) return bytes;
    const root = subtree(this.#h, bytes.value, 0, tileWidth);
    if (!equal(root, above.value[0] ?? none)) {
      return err(fault('tile-mismatch', `${formatTilePath(path)} is not the tile of this log`));
    }
    this.#full.set(nameOf(path), bytes.value);
    return bytes;
  }

  /** Throws HeadwaterError with the codes of `open`. */
  async nodes(refs: readonly NodeRef[]): Promise<readonly Hash[]> {
    const hashes: Hash[] = [];
    for (const ref of refs) {
      // A tile's own root is a lowest node of the tile above, so each ref lies in one tile.
      const { level, index } = tileOf(ref);
      const row = ref.level % 8;
      const width = 2 ** row;
      const first = ref.index * width - index * tileWidth;
      const bytes = await this.#lowest(level, index);
      hashes.push(subtree(this.#h, bytes, first, width));
    }
    return hashes;
  }

  async #lowest(level: number, index: number): Promise<Uint8Array> {
    const { full, partialWidth } = tileSpan(level, this.#size);
    if (index === full && partialWidth > 0) {
      const edge = this.#edge.get(nameOf({ level, index, width: partialWidth }));
      if (edge !== undefined) return edge;
    }
    if (index >= full) throw new RangeError(`the tree has no tile ${index} at level ${level}`);
    const bytes = await this.full(level, index);
    if (!bytes.ok) throw new HeadwaterError(bytes.error);
    return bytes.value;
  }
}

const none = new Uint8Array(0);

function nameOf({ level, index, width }: TilePath): string {
  return `${level}/${index}/${width}`;
}

/** Root of `width` (a power of two) neighbouring hashes of a tile. */
function subtree(h: Hasher, tile: Uint8Array, first: number, width: number): Hash {
  if (width === 1) return asHash(tile.slice(32 * first, 32 * first + 32));
  const half = width / 2;
  return nodeHash(h, subtree(h, tile, first, half), subtree(h, tile, first + half, half));
}

async function readWhole(read: ReadTile, path: TilePath): Promise<Result<Uint8Array>> {
  const bytes = await read(path);
  if (!bytes.ok || bytes.value.length === 32 * path.width) return bytes;
  const message = `${formatTilePath(path)} has ${bytes.value.length} bytes`;
  return err(fault('tile-mismatch', message));
}
