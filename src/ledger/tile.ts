/**
 * Tiles of height 8 (C2SP tlog-tiles) and their paths.
 *
 * Tile `index` at tile level L holds the tree levels 8·L … 8·L + 8 above 256 nodes of level 8·L:
 *
 *   offset (hashes)   0 … 255     256 … 383     384 …        510
 *   tree level        8·L         8·L + 1       8·L + 2 …    8·L + 8 (one node)
 *
 * A full tile is kept with all 511 nodes (16,352 bytes), so that a proof hashes nothing; its first
 * 8,192 bytes are what tlog-tiles serves. Its last node is again a lowest node of the level above.
 *
 *   path   tile/<L>/<N>[.p/<W>] and tile/entries/<N>[.p/<W>]
 *   L      0 … 63 without leading zero
 *   N      groups of three digits, all but the last with `x`: 1234067 is x001/x234/067
 *   W      1 … 255: width of a partial tile
 */
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, type Hash } from '../types.ts';
import type { NodeRef } from './tree.ts';

/** Lowest nodes of a full tile. */
export const tileWidth = 256;
/** Bytes of a full tile as stored: 511 nodes. */
export const tileBytes: number = 511 * 32;
/** Bytes of a full tile as served: its 256 lowest nodes. */
export const servedTileBytes: number = 256 * 32;

export interface TileRef {
  /** Tile level: its lowest nodes are of tree level 8 · level. */
  readonly level: number;
  readonly index: number;
}

/** A full tile with all its 511 nodes in `tileBytes` bytes, owned by whoever receives it. */
export interface FullTile extends TileRef {
  readonly bytes: Uint8Array;
}

/** Which tile holds a node. A tile's root is looked up in the tile above, as a lowest node. */
export function tileOf(node: NodeRef): TileRef {
  const level = Math.floor(node.level / 8);
  return { level, index: Math.floor(node.index / 2 ** (8 - (node.level % 8))) };
}

/** Offset in bytes of a row of a full tile: row r holds the nodes of tree level 8·L + r, r 0 … 8. */
export function rowOffset(row: number): number {
  return 32 * (512 - 2 ** (9 - row));
}

/** The node's hash (a copy) from the full tile that `tileOf` names. */
export function nodeInTile(tile: Uint8Array, node: NodeRef): Hash {
  const row = node.level % 8;
  const at = rowOffset(row) + 32 * (node.index % 2 ** (8 - row));
  return asHash(tile.slice(at, at + 32));
}

/** Root of a full tile: the node (8 · level + 8, index). */
export function tileRoot(tile: Uint8Array): Hash {
  return asHash(tile.slice(tileBytes - 32, tileBytes));
}

/** Number of full tiles at a tile level of the tree of this size, and the width of the next. */
export interface TileSpan {
  readonly full: number;
  /** 0: there is no partial tile. */
  readonly partialWidth: number;
}

/** What the tree of `size` leaves has at a tile level; another height serves only comparisons. */
export function tileSpan(level: number, size: number, height: number = 8): TileSpan {
  const nodes = Math.floor(size / 2 ** (height * level));
  const width = 2 ** height;
  return { full: Math.floor(nodes / width), partialWidth: nodes % width };
}

/** A tile's or entry bundle's place: width 256 is the full one. */
export interface TilePath {
  readonly level: number | 'entries';
  readonly index: number;
  readonly width: number;
}

/** `tile/…` without leading slash; level 0 … 63 or `entries`, width 1 … 256. */
export function formatTilePath(path: TilePath): string {
  const partial = path.width === tileWidth ? '' : `.p/${path.width}`;
  return `tile/${path.level}/${formatTileIndex(path.index)}${partial}`;
}

/** Groups of three digits, see above. */
export function formatTileIndex(index: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/\d{3}/g) ?? [];
  return groups.map((group, i) => (i === groups.length - 1 ? group : `x${group}`)).join('/');
}

const pathPattern = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** Only the canonical form is read: `bad-tile-path` otherwise. */
export function parseTilePath(text: string): Result<TilePath> {
  const [, levelText = '', indexText = '', widthText = '256'] = pathPattern.exec(text) ?? [];
  const level: TilePath['level'] = levelText === 'entries' ? 'entries' : Number(levelText);
  const index = Number(indexText.replaceAll(/[x/]/g, ''));
  const width = Number(widthText);
  const path = { level, index, width };
  if (level !== 'entries' && level > 63) return refuse(text);
  if (!Number.isSafeInteger(index) || width > tileWidth) return refuse(text);
  // Formatting again also catches a full tile written as .p/256 and superfluous zero groups.
  return formatTilePath(path) === text ? ok(path) : refuse(text);
}

function refuse(text: string): Result<TilePath> {
  return err(fault('bad-tile-path', `${JSON.stringify(text.slice(0, 100))} is not a tile path`));
}
