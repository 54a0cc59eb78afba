/**
 * The static tree of a stream (ledger.md "Static tree"; C2SP tlog-tiles): files that any web server,
 * object store or disk carries, and that a reader verifies without trusting the place.
 *
 *   headwater.json                       which logs there are (below)
 *   <logId>/checkpoint                   signed note of the newest size, with its cosignatures
 *   <logId>/cosigned                     the newest note that witnesses cosigned, where there is one
 *   <logId>/tile/<L>/<N>[.p/<W>]         hashes, 32 bytes each, 256 in a full tile
 *   <logId>/tile/entries/<N>[.p/<W>]     leaves of those entries, each behind its uint16 length
 *   <logId>/block/<n>                    wire block n, from 0, full or reduced
 *
 * A node serves the files of one log under `/logs/<logId>/`. Tiles and entry bundles never change.
 * `checkpoint` and `cosigned` do, and `block/<n>` where bodies are dropped. A writer puts the checkpoint there
 * last, so whoever reads it finds all that it needs; a partial tile stays until its full one is
 * there. The leaf hash of an entry of a bundle is the hash at its place in the tile of level 0. The
 * root that the hashes give is the one that the checkpoint signs, and that of the blocks up to it.
 *
 *   headwater.json  {"format":"headwater-static-1","stream":<logId of partition 0's first log>,
 *                    "owner":<DID>,"name":…,"partitions":<count>,
 *                    "logs":[{"log":<logId>,"partition":…,"predecessor":<logId>?} …]}
 *
 * Nobody signs headwater.json and nobody believes it: it only says where to look. What each log is
 * stands in its genesis. Members that are not known are passed over.
 */
import { readUint16, writeUint16 } from '../bytes.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { parseTilePath, tileSpan, tileWidth, type TilePath } from './tile.ts';

/** A file of one log's tree. */
export type StaticPath =
  | { readonly kind: 'checkpoint' | 'cosigned' }
  | { readonly kind: 'tile'; readonly tile: TilePath }
  | { readonly kind: 'block'; readonly number: number };

/** Only the canonical form is read: `bad-tile-path` otherwise. */
export function parseStaticPath(text: string): Result<StaticPath> {
  if (text === 'checkpoint' || text === 'cosigned') return ok({ kind: text });
  const number = /^block\/(0|[1-9]\d{0,15})$/.exec(text)?.[1];
  if (number !== undefined && Number.isSafeInteger(Number(number))) {
    return ok({ kind: 'block', number: Number(number) });
  }
  const tile = parseTilePath(text);
  return tile.ok ? ok({ kind: 'tile', tile: tile.value }) : tile;
}

/** Name of a block's file. */
export function blockPath(number: number): string {
  return `block/${number}`;
}

/** The partial tiles and the partial bundle of the tree of this size: its right edge. */
export function partialTiles(size: number): readonly TilePath[] {
  const paths: TilePath[] = [];
  for (let level = 0; 256 ** level <= size; level++) {
    const { full, partialWidth } = tileSpan(level, size);
    if (partialWidth > 0) paths.push({ level, index: full, width: partialWidth });
  }
  const [lowest] = paths;
  return lowest?.level === 0 ? [...paths, { ...lowest, level: 'entries' }] : paths;
}

/** Full tiles and bundles that the tree of size `to` has and that of size `from` has not. */
export function* fullTiles(from: number, to: number): Generator<TilePath> {
  for (let level = 0; 256 ** (level + 1) <= to; level++) {
    const end = tileSpan(level, to).full;
    for (let index = tileSpan(level, from).full; index < end; index++) {
      yield { level, index, width: tileWidth };
      if (level === 0) yield { level: 'entries', index, width: tileWidth };
    }
  }
}

/** True where the tree of this size has that many lowest nodes or entries at that place. */
export function isTileWithin({ level, index, width }: TilePath, size: number): boolean {
  const nodes = level === 'entries' ? size : Math.floor(size / 256 ** level);
  return tileWidth * index + width <= nodes;
}

/** An entry bundle: each leaf (at most 65,535 bytes) behind its length. */
export function encodeBundle(leaves: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(leaves.reduce((sum, leaf) => sum + 2 + leaf.length, 0));
  let offset = 0;
  for (const leaf of leaves) {
    if (leaf.length > 0xffff) throw new RangeError('a leaf is at most 65,535 bytes');
    writeUint16(bytes, offset, leaf.length);
    bytes.set(leaf, offset + 2);
    offset += 2 + leaf.length;
  }
  return bytes;
}

/** The `width` leaves of a bundle, views of its bytes. Codes: truncated, trailing-bytes. */
export function decodeBundle(bytes: Uint8Array, width: number): Result<readonly Uint8Array[]> {
  const leaves: Uint8Array[] = [];
  let offset = 0;
  while (leaves.length < width) {
    const start = offset + 2;
    const end = start <= bytes.length ? start + readUint16(bytes, offset) : Infinity;
    if (end > bytes.length) return err(fault('truncated', 'the entry bundle ends early'));
    leaves.push(bytes.subarray(start, end));
    offset = end;
  }
  if (offset === bytes.length) return ok(leaves);
  return err(fault('trailing-bytes', 'bytes follow the last entry of the bundle'));
}
