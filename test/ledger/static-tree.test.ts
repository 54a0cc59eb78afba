import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, equal } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { fault } from '../../src/errors.ts';
import { verifyCheckpoint } from '../../src/ledger/checkpoint.ts';
import {
  decodeBundle,
  encodeBundle,
  fullTiles,
  isTileWithin,
  parseStaticPath,
  partialTiles,
} from '../../src/ledger/static-tree.ts';
import { formatTilePath, parseTilePath, tileSpan, type TilePath } from '../../src/ledger/tile.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { VerifiedTiles, type ReadTile } from '../../src/ledger/verified-tiles.ts';
import { err, ok } from '../../src/result.ts';
import { asHash, asLogIndex, asTreeSize, type Hash } from '../../src/types.ts';
import { events, otherSigner, publish, signer, wires, withLog } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { ran, suite } from '../support/vectors.ts';
import { flat, naiveReader, naiveRoot, namedLeaves } from './naive-tree.ts';

const { constantFrom, integer, uint8Array } = fc;
const sizes = fc.oneof(integer({ min: 1, max: 1400 }), constantFrom(255, 256, 257, 511, 512, 513));

describe('names of a static tree', () => {
  it('are read in their one form only', () => {
    assert.deepEqual(must(parseStaticPath('checkpoint')), { kind: 'checkpoint' });
    assert.deepEqual(must(parseStaticPath('block/0')), { kind: 'block', number: 0 });
    assert.deepEqual(must(parseStaticPath('block/1234567')), { kind: 'block', number: 1234567 });
    const tile = { level: 'entries', index: 1234067, width: 17 };
    assert.deepEqual(must(parseStaticPath('tile/entries/x001/x234/067.p/17')), {
      kind: 'tile',
      tile,
    });
    const bad =
      'block/ block/00 block/-1 block/1.0 block/9007199254740992 block/1/ /checkpoint checkpoint/ ' +
      'tile/0/0 tile/0/000.p/0 tile/0/000.p/256 tile/64/000 tile/0/../../x tile/entries/x000/001 ' +
      'block/../checkpoint';
    for (const path of [...bad.split(' '), '', 'tile/0/000\0']) {
      refused(parseStaticPath(path), 'bad-tile-path', path);
    }
  });

  it('of the right edge are those of C2SP tlog-tiles', function () {
    const path = 'merkle/tile-paths.json';
    interface Span {
      full: number;
      partial_width: number;
    }
    const { tree_tiles: trees } = suite<{
      tree_tiles: { size: string; level0: Span; level1: Span; level2: Span }[];
    }>(this, path);
    for (const { size, level0, level1, level2 } of trees) {
      const wanted = [level0, level1, level2].flatMap((span, level) =>
        span.partial_width > 0 ? [{ level, index: span.full, width: span.partial_width }] : [],
      );
      const found = partialTiles(Number(size)).filter(
        ({ level }) => level !== 'entries' && level < 3,
      );
      assert.deepEqual(found, wanted, size);
    }
    ran(path, trees.length);
  });

  it('are each needed once, however a tree grew', () => {
    fc.assert(
      fc.property(
        integer({ max: 200_000, min: 0 }),
        integer({ max: 70_000, min: 0 }),
        (a, more) => {
          const b = a + more;
          const grown = [...fullTiles(0, a), ...fullTiles(a, b)].map(formatTilePath);
          const atOnce = [...fullTiles(0, b)].map(formatTilePath);
          assert.deepEqual(grown.toSorted(), atOnce.toSorted());
          assert.equal(new Set(atOnce).size, atOnce.length);
          assert.equal(atOnce.length, 2 * tileSpan(0, b).full + tileSpan(1, b).full);
          for (const path of [...atOnce, ...partialTiles(b).map(formatTilePath)]) {
            assert.equal(isTileWithin(must(parseTilePath(path)), b), true, path);
            assert.equal(must(parseStaticPath(path)).kind, 'tile');
          }
          for (const tile of partialTiles(b)) {
            assert.equal(isTileWithin({ ...tile, width: tile.width + 1 }, b), false);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('an entry bundle', () => {
  it('gives back the leaves, and no other bytes are one', () => {
    fc.assert(
      fc.property(fc.array(uint8Array({ maxLength: 300 }), { maxLength: 20 }), (leaves) => {
        const bytes = encodeBundle(leaves);
        assert.deepEqual(must(decodeBundle(bytes, leaves.length)), leaves);
        for (let end = 0; end < bytes.length; end++) {
          refused(decodeBundle(bytes.subarray(0, end), leaves.length), 'truncated');
        }
        refused(decodeBundle(concat(bytes, Uint8Array.of(0)), leaves.length), 'trailing-bytes');
      }),
      { numRuns: 30 },
    );
  });

  it('holds leaves of up to 65,535 bytes', () => {
    const largest = new Uint8Array(65_535).fill(1);
    const bytes = encodeBundle([largest]);
    assert.deepEqual(bytes.subarray(0, 3), Uint8Array.of(0xff, 0xff, 1));
    assert.deepEqual(must(decodeBundle(bytes, 1)), [largest]);
    assert.throws(() => encodeBundle([new Uint8Array(65_536)]), RangeError);
  });
});

/** The tiles of a naive tree, counting what is asked for. */
function tilesOf(leaves: readonly Hash[]): { read: ReadTile; asked: string[] } {
  const reader = naiveReader(leaves);
  const asked: string[] = [];
  const read: ReadTile = async (path: TilePath) => {
    asked.push(formatTilePath(path));
    if (path.level === 'entries' || !isTileWithin(path, leaves.length)) {
      return err(fault('url-missing', formatTilePath(path)));
    }
    const level = 8 * path.level;
    const refs = Array.from({ length: path.width }, (_, i) => ({
      level,
      index: 256 * path.index + i,
    }));
    return ok(flat(await reader.nodes(refs)));
  };
  return { read, asked };
}

const gone: ReadTile = async () => err(fault('url-missing', 'gone'));

describe('tiles that are verified from a root', () => {
  it('give the root of every smaller size, and full tiles', async () => {
    const all = namedLeaves(1400);
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (size, pick) => {
        const leaves = all.slice(0, size);
        const { read, asked } = tilesOf(leaves);
        const checkpoint = { size: asTreeSize(size), root: naiveRoot(leaves) };
        const tiles = must(await VerifiedTiles.open(nodeCrypto, checkpoint, read));
        assert.ok(asked.length <= 2, 'the right edge is one tile a level');
        const smaller = 1 + (pick % size);
        const root = must(await tiles.rootAt(asTreeSize(smaller)));
        assert.deepEqual(root, naiveRoot(leaves.slice(0, smaller)));
        for (let index = 0; index < Math.floor(size / 256); index++) {
          const wanted = flat(leaves.slice(256 * index, 256 * index + 256));
          assert.deepEqual(must(await tiles.full(0, index)), wanted);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('refuse one altered hash wherever it stands', async () => {
    const all = namedLeaves(1400);
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, which, bit) => {
        const leaves = all.slice(0, size);
        const { read } = tilesOf(leaves);
        const paths = [...partialTiles(size), ...fullTiles(0, size)].filter(
          ({ level }) => level !== 'entries',
        );
        const target = formatTilePath(paths[which % paths.length] ?? assert.fail());
        const lying: ReadTile = async (path) => {
          const bytes = await read(path);
          if (!bytes.ok || formatTilePath(path) !== target) return bytes;
          const changed = bytes.value.slice();
          const at = Math.floor(bit / 8) % changed.length;
          changed[at] = (changed[at] ?? 0) ^ (1 << (bit % 8));
          return ok(changed);
        };
        const checkpoint = { size: asTreeSize(size), root: naiveRoot(leaves) };
        const opened = await VerifiedTiles.open(nodeCrypto, checkpoint, lying);
        if (!opened.ok) return refused(opened, 'tile-mismatch');
        const { level, index } = must(parseTilePath(target));
        refused(await opened.value.full(Number(level), index), 'tile-mismatch', target);
      }),
      { numRuns: 40 },
    );
  });

  it('refuse tiles of another length and pass on why one cannot be read', async () => {
    const leaves = namedLeaves(300);
    const checkpoint = { size: asTreeSize(300), root: naiveRoot(leaves) };
    const { read } = tilesOf(leaves);
    const short: ReadTile = async (path) => ok(must(await read(path)).subarray(0, -1));
    refused(await VerifiedTiles.open(nodeCrypto, checkpoint, short), 'tile-mismatch');
    refused(await VerifiedTiles.open(nodeCrypto, checkpoint, gone), 'url-missing');
  });
});

describe('the tree of a stored log', () => {
  it('is served as tiles, bundles and blocks, byte for byte', async () => {
    const { ledger, log } = await withLog();
    await using _ledger = ledger;
    await publish(ledger, log, events(700));
    const head = ledger.log(log) ?? assert.fail();
    const leaves: Hash[] = [];
    const text: Uint8Array[] = [];
    for await (const entry of ledger.entries(log, asLogIndex(0))) {
      text.push(entry.leaf());
      leaves.push(leafHash(nodeCrypto, entry.leaf()));
    }
    assert.deepEqual(naiveRoot(leaves), head.root);
    const { read } = tilesOf(leaves);
    const paths = [...fullTiles(0, head.size), ...partialTiles(head.size)];
    assert.ok(paths.length >= 7);
    // Also the partial tiles of earlier sizes.
    paths.push({ level: 0, index: 0, width: 3 }, { level: 'entries', index: 1, width: 200 });
    for (const path of paths) {
      const bytes = must(await ledger.tree.tile(log, path), formatTilePath(path));
      const from = 256 * path.index;
      const wanted =
        path.level === 'entries'
          ? encodeBundle(text.slice(from, from + path.width))
          : must(await read(path));
      assert.ok(equal(bytes, wanted), formatTilePath(path));
    }
    const blocks = await wires(ledger, log, asLogIndex(0));
    for (const [number, wire] of blocks.entries()) {
      assert.deepEqual(must(await ledger.tree.block(log, number)), wire);
    }
    refused(await ledger.tree.block(log, blocks.length), 'block-unknown');
    refused(await ledger.tree.tile(log, { level: 0, index: 2, width: 256 }), 'tile-unknown');
    refused(await ledger.tree.tile(log, { level: 1, index: 0, width: 3 }), 'tile-unknown');
    refused(await ledger.tree.tile(log, { level: 63, index: 0, width: 1 }), 'tile-unknown');
    assert.equal(must(await ledger.tree.mayBeReduced(log)), false);
    must(await ledger.rotate(log, otherSigner));
    assert.equal(must(await ledger.tree.mayBeReduced(log)), false);
    const checkpoint = verifyCheckpoint(nodeCrypto, head.checkpoint, log, signer.publicKey);
    assert.deepEqual(must(checkpoint).root, asHash(naiveRoot(leaves)));
  });
});
