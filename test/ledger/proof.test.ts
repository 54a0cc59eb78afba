import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import {
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
} from '../../src/ledger/proof.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { asLogIndex, asTreeSize } from '../../src/types.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { naiveReader, naiveRoot, namedLeaves } from './naive-tree.ts';

const base64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const code = (result: { ok: true } | { ok: false; error: { code: string } }): string =>
  result.ok ? 'accepted' : result.error.code;

describe('inclusion and consistency proofs', () => {
  it('judges the published inclusion probes as expected', function () {
    const path = 'merkle/inclusion.json';
    const probes = suite<InclusionProbe[]>(this, path);
    for (const probe of probes) {
      const result = verifyInclusion(
        nodeCrypto,
        base64(probe.leafHash),
        Number(probe.leafIdx),
        Number(probe.treeSize),
        probe.proof.map(base64),
        base64(probe.root),
      );
      assert.equal(result.ok, !probe.wantErr, probe.id);
    }
    ran(path, probes.length);
  });

  it('judges the published consistency probes as expected', function () {
    const path = 'merkle/consistency.json';
    const probes = suite<ConsistencyProbe[]>(this, path);
    for (const probe of probes) {
      const result = verifyConsistency(
        nodeCrypto,
        Number(probe.size1),
        Number(probe.size2),
        probe.proof.map(base64),
        base64(probe.root1),
        base64(probe.root2),
      );
      assert.equal(result.ok, !probe.wantErr, probe.id);
    }
    ran(path, probes.length);
  });

  it('makes every inclusion and consistency proof up to size 8 byte for byte', async function () {
    const path = 'merkle/rfc6962-known.json';
    const known = suite<Known>(this, path);
    const leaves = known.leaf_inputs_hex.map((leaf) => leafHash(nodeCrypto, hex(leaf)));
    const root = (size: number): Uint8Array => hex(known.roots_hex_by_size[size] ?? '');
    for (const { index, size, proof } of known.inclusion_proofs) {
      const reader = naiveReader(leaves.slice(0, size));
      const made = await inclusionProof(nodeCrypto, reader, asLogIndex(index), asTreeSize(size));
      assert.deepEqual(made.map(toHex), proof);
      const leaf = leaves[index] ?? new Uint8Array(0);
      assert.deepEqual(
        code(verifyInclusion(nodeCrypto, leaf, index, size, made, root(size))),
        'accepted',
      );
    }
    for (const { size1, size2, proof } of known.consistency_proofs) {
      const reader = naiveReader(leaves.slice(0, size2));
      const made = await consistencyProof(nodeCrypto, reader, asTreeSize(size1), asTreeSize(size2));
      assert.deepEqual(made.map(toHex), proof);
      const result = verifyConsistency(nodeCrypto, size1, size2, made, root(size1), root(size2));
      assert.equal(code(result), size1 === 0 ? 'range-invalid' : 'accepted');
    }
    ran(path, known.inclusion_proofs.length + known.consistency_proofs.length);
  });

  it('makes and accepts the consistency proofs of the independent reference', async function () {
    const path = 'headwater/tree.json';
    const { consistency } = suite<{ consistency: ConsistencyRow[] }>(this, path);
    const leaves = namedLeaves(300);
    for (const row of consistency) {
      const [old, size] = [asTreeSize(row.old), asTreeSize(row.new)];
      const made = await consistencyProof(nodeCrypto, naiveReader(leaves), old, size);
      assert.deepEqual(made.map(toHex), row.proof_hex);
      const [oldRoot, root] = [hex(row.oldRoot_hex), hex(row.newRoot_hex)];
      assert.equal(code(verifyConsistency(nodeCrypto, old, size, made, oldRoot, root)), 'accepted');
    }
    ran(path, consistency.length);
  });

  it('says with a code why a proof is refused', async () => {
    const leaves = namedLeaves(7);
    const [reader, root] = [naiveReader(leaves), naiveRoot(leaves)];
    const [leaf = root] = leaves.slice(3);
    const path = await inclusionProof(nodeCrypto, reader, asLogIndex(3), asTreeSize(7));
    const check = (at: number, size: number, proof: readonly Uint8Array[]): string =>
      code(verifyInclusion(nodeCrypto, leaf, at, size, proof, root));
    assert.equal(check(3, 7, path), 'accepted');
    assert.equal(check(7, 7, path), 'range-invalid');
    assert.equal(check(-1, 7, path), 'range-invalid');
    assert.equal(check(0.5, 7, path), 'range-invalid');
    assert.equal(check(3, 2 ** 53, path), 'range-invalid');
    assert.equal(check(3, 7, path.slice(1)), 'proof-length');
    assert.equal(check(3, 7, [...path, root]), 'proof-length');
    assert.equal(check(3, 7, [new Uint8Array(31), ...path.slice(1)]), 'proof-hash');
    assert.equal(check(2, 7, path), 'root-mismatch');
    const short = verifyInclusion(nodeCrypto, leaf.subarray(1), 3, 7, path, root);
    assert.equal(code(short), 'proof-hash');

    const oldRoot = naiveRoot(leaves.slice(0, 3));
    const proof = await consistencyProof(nodeCrypto, reader, asTreeSize(3), asTreeSize(7));
    const extend = (old: number, size: number, hashes: readonly Uint8Array[]): string =>
      code(verifyConsistency(nodeCrypto, old, size, hashes, oldRoot, root));
    assert.equal(extend(3, 7, proof), 'accepted');
    assert.equal(extend(0, 7, []), 'range-invalid');
    assert.equal(extend(8, 7, proof), 'range-invalid');
    assert.equal(extend(3, 7, proof.slice(1)), 'proof-length');
    assert.equal(extend(3, 7, [new Uint8Array(33), ...proof.slice(1)]), 'proof-hash');
    assert.equal(extend(3, 7, [root, ...proof.slice(1)]), 'consistency-fails');
    assert.equal(code(verifyConsistency(nodeCrypto, 3, 7, proof, root, root)), 'consistency-fails');
  });

  it('throws where our own code asks for a proof that cannot be', async () => {
    const reader = naiveReader(namedLeaves(2));
    const [two, three] = [asTreeSize(2), asTreeSize(3)];
    await assert.rejects(inclusionProof(nodeCrypto, reader, asLogIndex(2), two), RangeError);
    await assert.rejects(consistencyProof(nodeCrypto, reader, three, two), RangeError);
  });

  it('needs at most 53 hashes for an index in the largest tree, and refuses them if wrong', () => {
    const size = Number.MAX_SAFE_INTEGER;
    const hash = new Uint8Array(32);
    for (const [index, length] of [
      [0, 53],
      [size - 1, 52],
      [2 ** 52, 53],
    ] as const) {
      const proof = Array.from({ length }, () => hash);
      const result = verifyInclusion(nodeCrypto, hash, index, size, proof, hash);
      assert.equal(code(result), 'root-mismatch');
    }
  });

  it('proves every index and every older size of any tree, and nothing else', async () => {
    const leaves = namedLeaves(80);
    const reader = naiveReader(leaves);
    const sizes = fc.integer({ min: 1, max: 80 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, a, b) => {
        const root = naiveRoot(leaves.slice(0, size));
        const index = a % size;
        const leaf = leaves[index] ?? root;
        const path = await inclusionProof(nodeCrypto, reader, asLogIndex(index), asTreeSize(size));
        const verify = (at: number, hash = leaf, proof: readonly Uint8Array[] = path): boolean =>
          verifyInclusion(nodeCrypto, hash, at, size, proof, root).ok;
        assert.ok(verify(index));
        if (size > 1) assert.ok(!verify((index + 1) % size));
        assert.ok(!verify(index, leaves[(index + 1) % 80]));
        path.forEach((_, cut) => assert.ok(!verify(index, leaf, path.slice(0, cut))));

        const old = 1 + (b % size);
        const oldRoot = naiveRoot(leaves.slice(0, old));
        const proof = await consistencyProof(nodeCrypto, reader, asTreeSize(old), asTreeSize(size));
        assert.ok(verifyConsistency(nodeCrypto, old, size, proof, oldRoot, root).ok);
        const flipped = proof.map((hash, i) =>
          i === b % proof.length ? hash.with(0, ~(hash[0] ?? 0)) : hash,
        );
        if (proof.length > 0) {
          assert.ok(!verifyConsistency(nodeCrypto, old, size, flipped, oldRoot, root).ok);
        }
      }),
      { numRuns: 100 },
    );
  });
});

interface InclusionProbe {
  id: string;
  leafIdx: string;
  treeSize: string;
  root: string;
  leafHash: string;
  proof: string[];
  wantErr: boolean;
}
interface ConsistencyProbe {
  id: string;
  size1: string;
  size2: string;
  root1: string;
  root2: string;
  proof: string[];
  wantErr: boolean;
}
interface Known {
  leaf_inputs_hex: string[];
  roots_hex_by_size: string[];
  inclusion_proofs: { index: number; size: number; proof: string[] }[];
  consistency_proofs: { size1: number; size2: number; proof: string[] }[];
}
interface ConsistencyRow {
  old: number;
  new: number;
  oldRoot_hex: string;
  newRoot_hex: string;
  proof_hex: string[];
}
