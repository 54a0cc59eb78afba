import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import {
  formatTileIndex,
  formatTilePath,
  nodeInTile,
  parseTilePath,
  rowOffset,
  tileOf,
  tileRoot,
  tileSpan,
} from '../../src/ledger/tile.ts';
import { appendLeaves } from '../../src/ledger/tree.ts';
import { asTreeSize } from '../../src/types.ts';
import { concat } from '../../src/bytes.ts';
import { ran, suite } from '../support/vectors.ts';
import { flat, naiveReader, naiveRoot, someHashes } from './naive-tree.ts';

describe('tile paths and places', () => {
  it('writes and reads the paths of C2SP tlog-tiles', function () {
    const path = 'merkle/tile-paths.json';
    const rows = suite<TilePaths>(this, path);
    for (const { n, path: index } of rows.index_encoding) {
      assert.equal(formatTileIndex(Number(n)), index);
      const parsed = parseTilePath(`tile/0/${index}`);
      assert.deepEqual(parsed.ok && parsed.value, { level: 0, index: Number(n), width: 256 });
    }
    for (const row of rows.full_paths_ok) {
      const place = { level: row.level, index: Number(row.n), width: row.width };
      assert.equal(formatTilePath(place), row.path);
      const parsed = parseTilePath(row.path);
      assert.deepEqual(parsed.ok && parsed.value, place);
    }
    for (const row of rows.full_paths_bad) {
      const parsed = parseTilePath(row.path);
      assert.equal(parsed.ok ? 'accepted' : parsed.error.code, 'bad-tile-path', row.why);
    }
    const { index_encoding: encoding, full_paths_ok: good, full_paths_bad: bad } = rows;
    ran(path, encoding.length + good.length + bad.length);
  });

  it('counts the tiles of a tree', function () {
    const path = 'merkle/tile-paths.json';
    const { tree_tiles: trees } = suite<TilePaths>(this, path);
    for (const tree of trees) {
      [tree.level0, tree.level1, tree.level2].forEach((span, level) => {
        assert.deepEqual(tileSpan(level, Number(tree.size)), {
          full: span.full,
          partialWidth: span.partial_width,
        });
      });
    }
    ran(path, trees.length);
  });

  it('agrees with the Go checksum database on indexes and on the tiles that change', function () {
    const path = 'merkle/sumdb-tlog.json';
    const rows = suite<SumDb>(this, path);
    // Its paths carry the tile height, ours do not; the index is written in the same way.
    for (const row of rows.paths) {
      const ours = row.path.replace(/^tile\/\d+\//, 'tile/').replace('tile/data/', 'tile/entries/');
      const parsed = parseTilePath(ours);
      assert.equal(parsed.ok ? parsed.value.index : undefined, row.n, row.path);
    }
    for (const { height, old, new: size, count } of rows.new_tiles_count) {
      let changed = 0;
      for (let level = 0; level * height < 53; level++) {
        const [before, after] = [tileSpan(level, old, height), tileSpan(level, size, height)];
        if (before.full === after.full && before.partialWidth === after.partialWidth) continue;
        changed += after.full - before.full + (after.partialWidth > 0 ? 1 : 0);
      }
      assert.equal(changed, count, `${old} to ${size}`);
    }
    ran(path, rows.paths.length + rows.new_tiles_count.length);
  });

  it('writes each path in one way only', () => {
    const place = fc.record(
      {
        level: fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const)),
        index: fc.maxSafeNat(),
        width: fc.integer({ min: 1, max: 256 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(place, (value) => {
        const text = formatTilePath(value);
        const parsed = parseTilePath(text);
        assert.deepEqual(parsed.ok && parsed.value, value);
        for (let cut = 0; cut < text.length; cut++) {
          const shorter = parseTilePath(text.slice(0, cut));
          if (shorter.ok) assert.equal(formatTilePath(shorter.value), text.slice(0, cut));
        }
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^tile\/[0-9a-zx/.p]{0,30}$/), (text) => {
        const parsed = parseTilePath(text);
        if (parsed.ok) assert.equal(formatTilePath(parsed.value), text);
      }),
    );
  });

  it('refuses an index above 2^53-1', () => {
    const parsed = parseTilePath('tile/0/x009/x007/x199/x254/x740/992');
    assert.equal(parsed.ok ? 'accepted' : parsed.error.code, 'bad-tile-path');
  });

  it('finds every node of a full tile where the drawing says', async () => {
    const leaves = someHashes(512, 3);
    const { nodes } = appendLeaves(nodeCrypto, [], asTreeSize(0), flat(leaves.slice(256)));
    const tile = concat(flat(leaves.slice(256)), nodes.bytes);
    assert.deepEqual([0, 1, 7, 8].map(rowOffset), [0, 256 * 32, 508 * 32, 510 * 32]);
    const reader = naiveReader(leaves);
    for (let level = 0; level < 8; level++) {
      for (const index of [2 ** (8 - level), 2 ** (9 - level) - 1]) {
        const ref = { level, index };
        assert.deepEqual(tileOf(ref), { level: 0, index: 1 });
        const [wanted] = await reader.nodes([ref]);
        assert.deepEqual(nodeInTile(tile, ref), wanted);
      }
    }
    assert.equal(toHex(tileRoot(tile)), toHex(naiveRoot(leaves.slice(256))));
    assert.deepEqual(tileOf({ level: 8, index: 300 }), { level: 1, index: 1 });
    assert.deepEqual(tileOf({ level: 0, index: 2 ** 40 + 1 }), { level: 0, index: 2 ** 32 });
  });
});

interface TilePaths {
  index_encoding: { n: string; path: string }[];
  tree_tiles: { size: string; level0: Span; level1: Span; level2: Span }[];
  full_paths_ok: { path: string; level: number | 'entries'; n: string; width: number }[];
  full_paths_bad: { path: string; why: string }[];
}
interface Span {
  full: number;
  partial_width: number;
}
interface SumDb {
  paths: { path: string; n?: number }[];
  new_tiles_count: { height: number; old: number; new: number; count: number }[];
}
