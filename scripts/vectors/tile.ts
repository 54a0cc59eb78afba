/** Golden vectors of tiles: their bytes, which of them a tree has, and their paths. */
import { toHex, utf8 } from '../../src/bytes.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import { EdgeTiles, openTiles } from '../../src/ledger/edge-tiles.ts';
import {
  formatTilePath,
  parseTilePath,
  servedTileBytes,
  tileRoot,
  type TilePath,
} from '../../src/ledger/tile.ts';
import { appendLeaves, leafHash } from '../../src/ledger/tree.ts';
import { asTreeSize } from '../../src/types.ts';
import { accepted, joined, refused, type Format, type Json } from './format.ts';

const paths: readonly TilePath[] = [
  { level: 0, index: 0, width: 256 },
  { level: 0, index: 999, width: 1 },
  { level: 1, index: 1000, width: 255 },
  { level: 0, index: 1_234_067, width: 256 },
  { level: 63, index: 0, width: 17 },
  { level: 'entries', index: 0, width: 256 },
  { level: 'entries', index: 273, width: 112 },
  { level: 0, index: Number.MAX_SAFE_INTEGER, width: 256 },
];

const wrongPaths: readonly string[] = [
  '',
  'tile/0',
  'tile/0/',
  '/tile/0/000',
  'tile/0/000/',
  'tile/64/000',
  'tile/00/000',
  'tile/0/0',
  'tile/0/0000',
  'tile/0/x000/001',
  'tile/0/001/234',
  'tile/0/x001',
  'tile/0/000.p/0',
  'tile/0/000.p/256',
  'tile/0/000.p/01',
  'tile/0/x009/x007/x199/x254/x740/992',
];

/** The tiles of a log of 70,000 entries, some of them by their hashes. */
function tiles(): Json {
  const leaves = Array.from({ length: 70_000 }, (_, i) => leafHash(h, utf8(`headwater leaf ${i}`)));
  const edge = new EdgeTiles();
  const tree = appendLeaves(h, [], asTreeSize(0), joined(leaves));
  const full = edge.append(joined(leaves), tree.nodes);
  const shown = full.filter(({ level, index }) => level > 0 || index === 0 || index === 272);
  return {
    size: tree.size,
    fullTiles: full.length,
    open: openTiles(tree.size).map(({ level, index, width }) => ({ level, index, width })),
    full: shown.map(({ level, index, bytes }) => ({
      level,
      index,
      path: formatTilePath({ level, index, width: 256 }),
      root: toHex(tileRoot(bytes)),
      sha256Stored: toHex(h.sha256(bytes)),
      sha256Served: toHex(h.sha256(bytes.subarray(0, servedTileBytes))),
    })),
  };
}

async function make(): Promise<Json> {
  return {
    leafRule: "leaf i is the ASCII text 'headwater leaf ' followed by decimal i",
    tiles: tiles(),
    paths: {
      valid: paths.map((place) => {
        const path = formatTilePath(place);
        accepted(parseTilePath(path), path);
        return { path, ...place };
      }),
      invalid: wrongPaths.map((path) => ({
        path,
        code: refused(parseTilePath(path), 'bad-tile-path', path),
      })),
    },
  };
}

export const tile: Format = { name: 'tile', make };
