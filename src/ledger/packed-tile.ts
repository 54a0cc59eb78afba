/**
 * A full tile as it is stored: of its nine rows (tile.ts) only 0, 3, 6 and 8, 293 nodes in place of
 * 511. A node of another row is hashed from at most four stored ones: a whole inclusion proof needs
 * nine such hashes (4 µs), and a stored event 37 bytes of tiles in place of 64.
 *
 *   offset 0        row 0, 256 nodes          the tile that is served
 *   offset 8192     row 3, 32 nodes
 *   offset 9216     row 6, 4 nodes
 *   offset 9344     row 8, 1 node: the root
 *   offset 9376     checksum 8: SHA-256 of the above, cut
 */
import { equal } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, type Hash } from '../types.ts';
import { rowOffset, servedTileBytes } from './tile.ts';
import { nodeHash } from './tree.ts';

const kept: readonly { readonly row: number; readonly at: number }[] = [
  { row: 0, at: 0 },
  { row: 3, at: 8192 },
  { row: 6, at: 9216 },
  { row: 8, at: 9344 },
];
const nodesEnd = 9376;
export const packedTileBytes: number = nodesEnd + 8;

/** From the 511 nodes of a full tile. */
export function packTile(h: Hasher, full: Uint8Array): Uint8Array {
  const packed = new Uint8Array(packedTileBytes);
  for (const { row, at } of kept) {
    const from = rowOffset(row);
    packed.set(full.subarray(from, from + 32 * 2 ** (8 - row)), at);
  }
  packed.set(check(h, packed), nodesEnd);
  return packed;
}

export class PackedTile {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Code: store-corrupt. */
  static read(h: Hasher, bytes: Uint8Array): Result<PackedTile> {
    const sound =
      bytes.length === packedTileBytes && equal(check(h, bytes), bytes.subarray(nodesEnd));
    return sound
      ? ok(new PackedTile(bytes))
      : err(fault('store-corrupt', 'a stored tile is damaged'));
  }

  /** Node `index` (within the tile) of a row. */
  node(h: Hasher, row: number, index: number): Hash {
    const stored = kept.find((rows) => rows.row === row);
    if (stored !== undefined) {
      const at = stored.at + 32 * index;
      return asHash(this.#bytes.slice(at, at + 32));
    }
    return nodeHash(h, this.node(h, row - 1, 2 * index), this.node(h, row - 1, 2 * index + 1));
  }

  root(): Hash {
    return asHash(this.#bytes.slice(nodesEnd - 32, nodesEnd));
  }

  /** The 256 lowest nodes, as tlog-tiles serves them (a view). */
  get lowest(): Uint8Array {
    return this.#bytes.subarray(0, servedTileBytes);
  }
}

function check(h: Hasher, bytes: Uint8Array): Uint8Array {
  return h.sha256(bytes.subarray(0, nodesEnd)).subarray(0, 8);
}
