import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import {
  alignedSubtrees,
  rangeParts,
  rangeProof,
  rangeRoot,
  readRangeRoot,
  reverseIndexPrefixes,
  reverseIndexRows,
  verifyRange,
} from '../../src/ledger/range.ts';
import type { NodeRef } from '../../src/ledger/tree.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { naiveReader, naiveRoot, namedLeaves } from './naive-tree.ts';

const path = 'headwater/tree.json';
const pair = (ref: NodeRef): readonly [number, number] => [ref.level, ref.index];

describe('ranges of a log', () => {
  it('splits and folds ranges as the independent reference does', async function () {
    const { ranges, largeRanges } = suite<{ ranges: RangeRow[]; largeRanges: LargeRow[] }>(
      this,
      path,
    );
    const leaves = namedLeaves(300);
    const reader = naiveReader(leaves);
    for (const { from, to, nodes, rangeRoot_hex } of ranges) {
      const refs = alignedSubtrees(from, to);
      assert.deepEqual(
        refs.map(pair),
        nodes.map((node) => [node.level, node.node]),
      );
      const hashes = await reader.nodes(refs);
      assert.deepEqual(
        hashes.map(toHex),
        nodes.map((node) => node.hash_hex),
      );
      assert.equal(toHex(rangeRoot(nodeCrypto, hashes)), rangeRoot_hex);
      assert.equal(toHex(await readRangeRoot(nodeCrypto, reader, from, to)), rangeRoot_hex);
    }
    for (const { from, to, nodes } of largeRanges) {
      assert.deepEqual(alignedSubtrees(from, to).map(pair), nodes);
    }
    ran(path, ranges.length + largeRanges.length);
  });

  it('decomposes trees as the Go checksum database does', function () {
    const suitePath = 'merkle/sumdb-tlog.json';
    const rows = suite<{ right_edge: EdgeRow[] }>(this, suitePath).right_edge;
    for (const row of rows) {
      assert.deepEqual(alignedSubtrees(0, row.size).map(pair), row.subtrees);
    }
    ran(suitePath, rows.length);
  });

  it('makes and accepts the range proofs of the reference', async function () {
    const { rangeProofs } = suite<{ rangeProofs: ProofRow[] }>(this, path);
    const leaves = namedLeaves(300);
    for (const row of rangeProofs) {
      const { from, to, size } = row;
      const proof = await rangeProof(naiveReader(leaves.slice(0, size)), from, to, size);
      assert.deepEqual(proof.map(toHex), row.proof_hex);
      const parts = rangeParts(from, to, size);
      assert.deepEqual(
        [parts.before.length, parts.inside.length, parts.after.length],
        [row.before, row.in, row.after],
      );
      const root = verifyRange(nodeCrypto, from, to, size, proof, hex(row.root_hex));
      assert.equal(root.ok ? toHex(root.value) : root.error.code, row.rangeRoot_hex);
    }
    ran(path, rangeProofs.length);
  });

  it('refuses the wrong range proofs of the reference with their codes', function () {
    const { invalidRangeProofs } = suite<{ invalidRangeProofs: BadProof[] }>(this, path);
    for (const { id, from, to, size, proof_hex, root_hex, code } of invalidRangeProofs) {
      const proof = proof_hex.map(hex);
      const result = verifyRange(nodeCrypto, from, to, size, proof, hex(root_hex));
      assert.equal(result.ok ? 'accepted' : result.error.code, code, id);
    }
    ran(path, invalidRangeProofs.length);
  });

  it('finds the children of an entry by the rows that they wrote', function () {
    const { reverseIndex } = suite<{ reverseIndex: ReverseIndex }>(this, path);
    const { children, rows, queries } = reverseIndex;
    const made = children.flatMap(({ child, from, to }) =>
      reverseIndexRows(from, to).map(({ level, index }) => ({ level, node: index, child })),
    );
    assert.deepEqual(made, rows);
    for (const query of queries) {
      const prefixes = reverseIndexPrefixes(query.event);
      assert.equal(prefixes.length, 53);
      assert.deepEqual(prefixes.slice(0, 10).map(pair), query.prefixes);
      const found = made.filter((row) =>
        prefixes.some((ref) => ref.level === row.level && ref.index === row.node),
      );
      assert.deepEqual(found.map((row) => row.child).sort(), query.children);
    }
    ran(path, children.length + queries.length);
  });

  it('looks only at the levels that a log of some size has', () => {
    assert.deepEqual(reverseIndexPrefixes(5, 7).map(pair), [
      [0, 5],
      [1, 2],
      [2, 1],
    ]);
    assert.deepEqual(reverseIndexPrefixes(2 ** 40 + 1, 2 ** 53 - 1)[40], { level: 40, index: 1 });
  });

  it('has no root for an empty range', async () => {
    const reader = naiveReader(namedLeaves(3));
    assert.deepEqual(alignedSubtrees(4, 4), []);
    assert.throws(() => rangeRoot(nodeCrypto, []), RangeError);
    await assert.rejects(rangeProof(reader, 2, 2, 3), RangeError);
    await assert.rejects(rangeProof(reader, 2, 4, 3), RangeError);
    for (const [from, to] of [
      [-1, 2],
      [0.5, 2],
      [0, Number.NaN],
    ] as const) {
      const result = verifyRange(nodeCrypto, from, to, 3, [], new Uint8Array(32));
      assert.equal(result.ok ? 'accepted' : result.error.code, 'range-invalid');
    }
  });

  it('covers any range without gap, each subtree aligned and none to be merged', () => {
    const bound = fc.maxSafeNat();
    fc.assert(
      fc.property(bound, bound, (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        let place = BigInt(from);
        let before: NodeRef | undefined;
        for (const ref of alignedSubtrees(from, to)) {
          const width = 2n ** BigInt(ref.level);
          assert.equal(BigInt(ref.index) * width, place);
          const siblings = before?.level === ref.level && before.index % 2 === 0;
          assert.ok(!siblings, 'two halves of one subtree');
          place += width;
          before = ref;
        }
        assert.equal(place, BigInt(to));
      }),
      { numRuns: 200 },
    );
  });

  it('proves any range of a tree, and no other range with the same proof', async () => {
    const leaves = namedLeaves(60);
    const size = fc.integer({ min: 1, max: 60 });
    await fc.assert(
      fc.asyncProperty(size, fc.nat(), fc.nat(), async (n, a, b) => {
        const from = a % n;
        const to = from + 1 + (b % (n - from));
        const root = naiveRoot(leaves.slice(0, n));
        const reader = naiveReader(leaves.slice(0, n));
        const proof = await rangeProof(reader, from, to, n);
        const verified = verifyRange(nodeCrypto, from, to, n, proof, root);
        assert.ok(verified.ok);
        assert.deepEqual(verified.value, await readRangeRoot(nodeCrypto, reader, from, to));
        if (from === 0) assert.deepEqual(verified.value, naiveRoot(leaves.slice(0, to)));
        if (to === from + 1) assert.deepEqual(verified.value, leaves[from]);
        proof.forEach((_, i) => {
          const without = proof.toSpliced(i, 1);
          assert.ok(!verifyRange(nodeCrypto, from, to, n, without, root).ok);
          const changed = proof.with(i, nodeCrypto.sha256(root));
          assert.ok(!verifyRange(nodeCrypto, from, to, n, changed, root).ok);
        });
      }),
      { numRuns: 60 },
    );
  });
});

interface RangeRow {
  from: number;
  to: number;
  nodes: { level: number; node: number; hash_hex: string }[];
  rangeRoot_hex: string;
}
interface LargeRow {
  from: number;
  to: number;
  nodes: [number, number][];
}
interface EdgeRow {
  size: number;
  subtrees: [number, number][];
}
interface ProofRow {
  from: number;
  to: number;
  size: number;
  root_hex: string;
  before: number;
  in: number;
  after: number;
  proof_hex: string[];
  rangeRoot_hex: string;
}
interface BadProof {
  id: string;
  from: number;
  to: number;
  size: number;
  proof_hex: string[];
  root_hex: string;
  code: string;
}
interface ReverseIndex {
  children: { child: string; from: number; to: number }[];
  rows: { level: number; node: number; child: string }[];
  queries: { event: number; prefixes: [number, number][]; children: string[] }[];
}
