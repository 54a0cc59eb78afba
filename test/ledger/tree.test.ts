import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex, utf8 } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import {
  appendLeaves,
  checkFrontier,
  emptyRoot,
  frontierLength,
  leafHash,
  nodeHash,
  rootOf,
  verifyAppend,
  type Appended,
} from '../../src/ledger/tree.ts';
import { asHash, asTreeSize } from '../../src/types.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { flat, naiveReader, naiveRoot, namedLeaves, noFrontier, someHashes } from './naive-tree.ts';

const start = asTreeSize(0);

/** Appends in blocks of the given lengths. */
function appendInBlocks(hashes: readonly Uint8Array[], lengths: readonly number[]): Appended {
  let tree = appendLeaves(nodeCrypto, noFrontier, start, new Uint8Array(0));
  let from = 0;
  for (const length of lengths) {
    const block = hashes.slice(from, from + length).map(asHash);
    tree = appendLeaves(nodeCrypto, tree.frontier, tree.size, flat(block));
    from += length;
  }
  return tree;
}

describe('the tree of a log', () => {
  it('gives the roots and leaf hashes that RFC 6962 implementations publish', function () {
    const path = 'merkle/rfc6962-known.json';
    const known = suite<Known>(this, path);
    const hashes = known.leaf_inputs_hex.map((leaf) => leafHash(nodeCrypto, hex(leaf)));
    assert.deepEqual(hashes.map(toHex), known.leaf_hashes_hex);
    known.roots_hex_by_size.forEach((root, size) => {
      const tree = appendLeaves(nodeCrypto, [], start, flat(hashes.slice(0, size)));
      assert.equal(toHex(rootOf(nodeCrypto, tree.frontier)), root);
    });
    for (const row of known.hasher) {
      for (const h of [nodeCrypto, nobleCrypto]) {
        const made =
          row.kind === 'empty'
            ? emptyRoot(h)
            : row.kind === 'leaf'
              ? leafHash(h, hex(row.leaf_hex ?? ''))
              : nodeHash(h, hex(row.left_hex ?? ''), hex(row.right_hex ?? ''));
        assert.equal(toHex(made), row.want, row.desc);
      }
    }
    ran(path, hashes.length + known.roots_hex_by_size.length + known.hasher.length);
  });

  it('gives the roots of byte-n leaves', function () {
    const path = 'merkle/roots-byte-n.json';
    const roots = Object.entries(suite<{ roots_hex_by_size: Rows }>(this, path).roots_hex_by_size);
    for (const [size, root] of roots) {
      const hashes = Array.from({ length: Number(size) }, (_, i) =>
        leafHash(nodeCrypto, Uint8Array.of(i)),
      );
      assert.equal(toHex(rootOf(nodeCrypto, appendInBlocks(hashes, [1, 7, 400]).frontier)), root);
    }
    ran(path, roots.length);
  });

  it('gives the roots of named leaves, however they are cut into blocks', function () {
    const path = 'merkle/roots-leaf-n.json';
    const roots = suite<{ roots_hex_by_size: string[] }>(this, path).roots_hex_by_size;
    const hashes = namedLeaves(roots.length);
    roots.forEach((root, size) => {
      for (const step of [1, 3, 64, 200]) {
        const lengths = Array.from({ length: Math.ceil(size / step) }, () => step);
        const tree = appendInBlocks(hashes.slice(0, size), lengths);
        assert.equal(tree.size, size);
        assert.equal(toHex(rootOf(nodeCrypto, tree.frontier)), root);
      }
    });
    ran(path, roots.length);
  });

  it('gives the roots and frontiers of the independent reference', function () {
    const path = 'headwater/tree.json';
    const { sizes } = suite<{ sizes: SizeRow[] }>(this, path);
    let tree = appendInBlocks([], []);
    const hashes = namedLeaves(sizes.length);
    for (const row of sizes) {
      assert.equal(tree.size, row.size);
      assert.deepEqual(tree.frontier.map(toHex), row.frontier_hex);
      assert.equal(toHex(rootOf(nodeCrypto, tree.frontier)), row.root_hex);
      assert.equal(frontierLength(row.size), row.frontier_hex.length);
      const next = hashes[row.size];
      if (next !== undefined) {
        tree = appendLeaves(nodeCrypto, tree.frontier, tree.size, next);
      }
    }
    ran(path, sizes.length);
  });

  it('refuses the wrong frontiers of the reference with their codes', function () {
    const path = 'headwater/tree.json';
    const { invalidFrontiers } = suite<{ invalidFrontiers: BadFrontier[] }>(this, path);
    for (const row of invalidFrontiers) {
      const leaves = row.newLeaves_hex.map((leaf) => asHash(hex(leaf)));
      const result = verifyAppend(
        nodeCrypto,
        asTreeSize(row.size),
        row.frontier_hex.map(hex),
        flat(leaves),
        asHash(hex(row.root_hex)),
      );
      assert.equal(result.ok ? 'accepted' : result.error.code, row.code, row.id);
    }
    ran(path, invalidFrontiers.length);
  });

  it('accepts a frontier that leads to the root and says what it made', () => {
    const hashes = namedLeaves(10);
    const before = appendInBlocks(hashes, [7]);
    const [leaves, root] = [flat(hashes.slice(7)), naiveRoot(hashes)];
    const result = verifyAppend(nodeCrypto, before.size, before.frontier, leaves, root);
    assert.ok(result.ok);
    assert.deepEqual(result.value, appendLeaves(nodeCrypto, before.frontier, before.size, leaves));
  });

  it('hands out each new interior node exactly once, level by level', async () => {
    const hashes = namedLeaves(70);
    const reader = naiveReader(hashes);
    for (const [from, to] of [
      [0, 1],
      [0, 70],
      [5, 6],
      [7, 8],
      [31, 33],
      [63, 70],
    ] as const) {
      const before = appendInBlocks(hashes, [from]);
      const leaves = flat(hashes.slice(from, to));
      const { nodes } = appendLeaves(nodeCrypto, before.frontier, before.size, leaves);
      assert.equal(nodes.from, from);
      const refs = nodes.runs.flatMap((run) =>
        Array.from({ length: run.count }, (_, i) => ({ level: run.level, index: run.first + i })),
      );
      const expected = [1, 2, 3, 4, 5, 6].flatMap((level) => {
        const [first, end] = [Math.floor(from / 2 ** level), Math.floor(to / 2 ** level)];
        return Array.from({ length: end - first }, (_, i) => ({ level, index: first + i }));
      });
      assert.deepEqual(refs, expected);
      assert.equal(toHex(nodes.bytes), toHex(flat(await reader.nodes(refs))));
      let offset = 0;
      for (const run of nodes.runs) {
        assert.equal(run.offset, offset);
        offset += run.count * 32;
      }
    }
  });

  it('keeps frontiers apart from the arrays they came from', () => {
    const leaves = flat(someHashes(3));
    const tree = appendLeaves(nodeCrypto, [], start, leaves);
    const before = tree.frontier.map(toHex);
    leaves.fill(0xff);
    tree.nodes.bytes.fill(0xff);
    assert.deepEqual(tree.frontier.map(toHex), before);
  });

  it('appends beyond sizes of 32 bits up to 2^53-1 and no further', () => {
    for (const size of [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32 + 5, 2 ** 52 - 1]) {
      const frontier = someHashes(frontierLength(size), 7);
      const tree = appendLeaves(nodeCrypto, frontier, asTreeSize(size), flat(someHashes(2)));
      assert.equal(tree.size, size + 2);
      assert.equal(tree.frontier.length, frontierLength(size + 2));
    }
    const carried = appendLeaves(
      nodeCrypto,
      someHashes(32, 7),
      asTreeSize(2 ** 32 - 1),
      flat(someHashes(1)),
    );
    const full = [...someHashes(32, 7), ...someHashes(1)];
    const folded = full.reduceRight((right, left) => nodeHash(nodeCrypto, left, right));
    assert.deepEqual(carried.frontier, [folded]);
    const last = asTreeSize(Number.MAX_SAFE_INTEGER);
    assert.equal(frontierLength(last), 53);
    assert.throws(
      () => appendLeaves(nodeCrypto, someHashes(53), last, flat(someHashes(1))),
      RangeError,
    );
    const result = verifyAppend(
      nodeCrypto,
      last,
      someHashes(53),
      flat(someHashes(1)),
      naiveRoot([]),
    );
    assert.equal(result.ok ? 'accepted' : result.error.code, 'integer-too-large');
  });

  it('refuses a frontier with a hash that is not 32 bytes', () => {
    const result = checkFrontier(asTreeSize(3), [new Uint8Array(32), new Uint8Array(31)]);
    assert.equal(result.ok ? 'accepted' : result.error.code, 'proof-hash');
  });

  it('throws where our own code hands in a frontier of another size', () => {
    assert.throws(
      () => appendLeaves(nodeCrypto, [], asTreeSize(1), new Uint8Array(32)),
      RangeError,
    );
    assert.throws(() => appendLeaves(nodeCrypto, [], start, new Uint8Array(33)), RangeError);
  });

  it('hashes leaves of every length with the same rule', () => {
    for (const length of [0, 1, 63, 1022, 1023, 1024, 1025, 65_535]) {
      const leaf = new Uint8Array(length).fill(0xa5);
      const input = new Uint8Array(length + 1);
      input.set(leaf, 1);
      assert.equal(toHex(leafHash(nodeCrypto, leaf)), toHex(nobleCrypto.sha256(input)));
    }
    assert.notEqual(toHex(leafHash(nodeCrypto, utf8('a'))), toHex(nodeCrypto.sha256(utf8('a'))));
  });

  it('has one frontier for one list of leaves, whatever the blocks', () => {
    const hashes = someHashes(300, 1);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 40 }), { maxLength: 8 }), (lengths) => {
        const total = lengths.reduce((sum, length) => sum + length, 0);
        const cut = appendInBlocks(hashes, lengths);
        const whole = appendInBlocks(hashes, [total]);
        assert.deepEqual(cut.frontier, whole.frontier);
        assert.deepEqual(rootOf(nodeCrypto, cut.frontier), naiveRoot(hashes.slice(0, total)));
      }),
      { numRuns: 60 },
    );
  });
});

interface Known {
  leaf_inputs_hex: string[];
  leaf_hashes_hex: string[];
  roots_hex_by_size: string[];
  hasher: {
    desc: string;
    kind: string;
    want: string;
    leaf_hex?: string;
    left_hex?: string;
    right_hex?: string;
  }[];
}
type Rows = Record<string, string>;
interface SizeRow {
  size: number;
  root_hex: string;
  frontier_hex: string[];
}
interface BadFrontier {
  id: string;
  size: number;
  frontier_hex: string[];
  newLeaves_hex: string[];
  root_hex: string;
  code: string;
}
