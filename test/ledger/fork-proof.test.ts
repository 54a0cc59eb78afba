import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { EvidenceLog, evidenceEnv as env } from '../../scripts/vectors/evidence-log.ts';
import { labelled, labelledSigner } from '../../scripts/vectors/format.ts';
import { concat, toHex } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { BranchNodes } from '../../src/ledger/branch-nodes.ts';
import {
  decodeForkProof,
  encodeForkProof,
  makeForkProof,
  verifyForkProof,
  type ForkProof,
} from '../../src/ledger/fork-proof.ts';
import { rotationsOf } from '../../src/ledger/proof-extra.ts';
import { rangeRoot, alignedSubtrees } from '../../src/ledger/range.ts';
import { protocol } from '../../src/limits.ts';
import { asHash, asLogIndex, asTreeSize, type Hash } from '../../src/types.ts';
import { offlineEnv } from '../../src/verify.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { flat, naiveRoot, someHashes } from './naive-tree.ts';

const path = 'headwater/fork.json';

interface Branches {
  rotationsA: [number, string][];
  rotationsB: [number, string][];
}
interface Suite {
  valid: (Branches & {
    id: string;
    proof_hex: string;
    sizeA: number;
    sizeB: number;
    genesisLeaf_hex: string;
    checkpointA: string;
    checkpointB: string;
    rootAtA_hex: string;
    consistency_hex: string[];
  })[];
  invalid: { id: string; proof_hex: string; code: string }[];
}

const writer = labelledSigner('writer/forked');
const next = labelledSigner('writer/forked/2');

/** Two histories of one log, apart after its second block; the second one has rotated its key. */
function twoHistories(): { one: EvidenceLog; two: EvidenceLog } {
  const common = EvidenceLog.open('forked').withEvents(['1', '2']);
  const one = common.withEvents(['"one"']).withEvents(['3', '4', '5']);
  const two = common.withEvents(['"two"', '6']).withRotation(writer, next).withEvents(['7'], next);
  return { one, two };
}

function genesisOf(log: EvidenceLog): Uint8Array {
  return log.state.genesisLeaf;
}

describe('a fork proof', () => {
  it('is read, written and verified as in the suite', function () {
    const file = suite<Suite>(this, path);
    for (const crypto of [nodeCrypto, nobleCrypto]) {
      for (const row of file.valid) {
        const bytes = hex(row.proof_hex);
        const shown = must(verifyForkProof(offlineEnv(crypto), bytes), row.id);
        assert.deepEqual([shown.a.size, shown.b.size], [row.sizeA, row.sizeB], row.id);
        assert.deepEqual([shown.a.note, shown.b.note], [row.checkpointA, row.checkpointB], row.id);
        assert.equal(toHex(shown.rootAtA), row.rootAtA_hex, row.id);
        const proof = must(decodeForkProof(bytes));
        assert.equal(toHex(proof.genesisLeaf), row.genesisLeaf_hex);
        assert.deepEqual(proof.consistency.map(toHex), row.consistency_hex);
        const rotations = [proof.a, proof.b].map((branch) =>
          branch.rotations.map(({ index, leaf }) => [index, toHex(leaf)]),
        );
        assert.deepEqual(rotations, [row.rotationsA, row.rotationsB]);
        assert.equal(toHex(encodeForkProof(proof)), row.proof_hex, row.id);
      }
    }
    ran(path, file.valid.length);
  });

  it('is refused with the codes of the suite', function () {
    const file = suite<Suite>(this, path);
    for (const { id, proof_hex, code } of file.invalid) {
      refused(verifyForkProof(env, hex(proof_hex)), code, id);
    }
    ran(path, file.invalid.length);
  });

  it('does not verify when cut anywhere or with any bit flipped', function () {
    this.timeout(30_000);
    const { valid } = suite<Suite>(this, path);
    const row = valid.find(({ id }) => id.startsWith('B signed by a rotated key'));
    assert.ok(row);
    const bytes = hex(row.proof_hex);
    for (let length = 0; length < bytes.length; length++) {
      assert.ok(!verifyForkProof(env, bytes.subarray(0, length)).ok, `cut at ${length}`);
    }
    // The time at which a rotation was recorded is bound by nothing: FACTS.md has no paths here.
    const rotation = row.rotationsB[0]?.[1] ?? '';
    const time = row.proof_hex.indexOf(rotation) / 2 + 1;
    for (let at = 0; at < bytes.length; at++) {
      if (at >= time && at < time + 6) continue;
      const changed = bytes.with(at, (bytes[at] ?? 0) ^ (1 << (at % 8)));
      assert.ok(!verifyForkProof(env, changed).ok, `byte ${at}`);
    }
  });

  it('does not verify with a byte changed, of all golden ones', function () {
    this.timeout(30_000);
    const golden = new URL('../vectors/fork-proof.json', import.meta.url);
    const { valid } = JSON.parse(readFileSync(golden, 'utf8')) as { valid: { proof: string }[] };
    assert.equal(valid.length, 5);
    for (const [i, { proof }] of valid.entries()) {
      const bytes = hex(proof);
      const { a, b } = must(decodeForkProof(bytes));
      const leaves = [...a.rotations, ...b.rotations].map(({ leaf }) => toHex(leaf));
      const times = leaves.map((leaf) => proof.indexOf(leaf) / 2 + 1);
      for (let at = i % 5; at < bytes.length; at += 5) {
        if (times.some((time) => at >= time && at < time + 6)) continue;
        const changed = bytes.with(at, (bytes[at] ?? 0) ^ (1 << (at % 8)));
        assert.ok(!verifyForkProof(env, changed).ok, `${i}: byte ${at}`);
      }
    }
  });

  it('is made from two checkpoints in either order, and shows whose they are', async () => {
    const { one, two } = twoHistories();
    const made = must(await makeForkProof(env, genesisOf(one), one.side(), two.side()));
    const other = must(await makeForkProof(env, genesisOf(one), two.side(), one.side()));
    assert.equal(toHex(made), toHex(other));
    const shown = must(verifyForkProof(env, made));
    assert.equal(shown.logId, one.state.logId);
    assert.deepEqual([shown.a.size, shown.b.size], [one.state.size, two.state.size]);
    assert.equal(toHex(shown.a.signer), toHex(writer.publicKey));
    assert.equal(toHex(shown.b.signer), toHex(next.publicKey));
    assert.deepEqual(shown.genesis, one.state.genesis);
    assert.notEqual(toHex(shown.rootAtA), toHex(shown.a.root));
  });

  it('is made of every pair of sizes after the histories part, and of no other', async () => {
    const { one, two } = twoHistories();
    for (let i = 0; i < one.blocks.length; i++) {
      for (let j = 0; j < two.blocks.length; j++) {
        const [a, b] = [one.until(i), two.until(j)];
        const made = await makeForkProof(env, genesisOf(one), a.side(), b.side());
        const apart = i >= 2 && j >= 2;
        if (!apart) refused(made, 'fork-none', `${i} ${j}`);
        else assert.ok(verifyForkProof(env, must(made, `${i} ${j}`)).ok);
      }
    }
    const same = one.side();
    refused(await makeForkProof(env, genesisOf(one), same, one.until(1).side()), 'fork-none');
  });

  it('is made from our checkpoint and one block of the other history', async () => {
    const { one, two } = twoHistories();
    const [block] = two.blocks.slice(2, 3);
    assert.ok(block);
    const { firstIndex, frontier, checkpoint } = block.block;
    // Our checkpoint where the block begins has the same root there; the one after does not.
    const tree = new BranchNodes(nodeCrypto, frontier, asTreeSize(firstIndex), block.leafHashes);
    const theirs = { controls: two.until(2).controls(), checkpoint, tree };
    const ours = one.until(2);
    assert.ok(ours.state.size > firstIndex && ours.state.size < block.state.size);
    const { controls, checkpoint: signed } = ours.side();
    const held = { controls, checkpoint: signed };
    const made = must(await makeForkProof(env, genesisOf(one), held, theirs));
    assert.ok(verifyForkProof(env, made).ok);
    const before = { controls, checkpoint: one.until(1).checkpoint };
    refused(await makeForkProof(env, genesisOf(one), before, theirs), 'fork-none');
    const early = { controls, checkpoint: one.until(0).checkpoint };
    await assert.rejects(async () => {
      const hidden = new BranchNodes(nodeCrypto, [], asTreeSize(0), new Uint8Array(0));
      await makeForkProof(env, genesisOf(one), early, { ...theirs, tree: hidden });
    }, RangeError);
    await assert.rejects(
      () => makeForkProof(env, genesisOf(one), held, { controls: theirs.controls, checkpoint }),
      RangeError,
    );
  });

  /** Every field replaced by another sound value of its type. */
  it('does not verify with any field changed', async () => {
    const { one, two } = twoHistories();
    const made = must(await makeForkProof(env, genesisOf(one), one.side(), two.side()));
    const proof = must(decodeForkProof(made));
    const { a, b } = proof;
    const [rotation] = b.rotations;
    assert.ok(rotation);
    const late = labelledSigner('writer/forked/3');
    const thief = EvidenceLog.open('thief').withEvents(['1']).checkpoint;
    const third = two.withRotation(next, late).withEvents([], late);
    const other = EvidenceLog.open('forked', { random: new Uint8Array(16) });
    const hash = labelled('other');
    const changed: Record<string, Partial<ForkProof>> = {
      genesis: { genesisLeaf: genesisOf(other) },
      'genesis of another kind': { genesisLeaf: two.last.leaves.leaf(0).slice() },
      'checkpoint of A': { a: { ...a, checkpoint: two.until(1).checkpoint } },
      'checkpoint of A, another log': { a: { ...a, checkpoint: thief } },
      'checkpoint of B': { b: { ...b, checkpoint: two.until(3).checkpoint } },
      'checkpoints swapped': { a: { ...b, rotations: b.rotations }, b: a },
      'rotation of A': { a: { ...a, rotations: b.rotations } },
      'no rotation of B': { b: { ...b, rotations: [] } },
      'index of a rotation': {
        b: { ...b, rotations: [{ ...rotation, index: asLogIndex(rotation.index + 1) }] },
      },
      'another rotation': { b: { ...b, rotations: rotationsOf(third.controls()).slice(1) } },
      'rotation twice': { b: { ...b, rotations: [rotation, rotation] } },
      'root at A': { rootAtA: hash },
      'root at A is A': { rootAtA: must(verifyForkProof(env, made)).a.root },
      'proof without its first': { consistency: proof.consistency.slice(1) },
      'proof without its last': { consistency: proof.consistency.slice(0, -1) },
      'proof with one more': { consistency: [...proof.consistency, hash] },
      'no proof': { consistency: [] },
    };
    proof.consistency.forEach((_, i) => {
      changed[`hash ${i}`] = { consistency: proof.consistency.with(i, hash) };
    });
    for (const [what, change] of Object.entries(changed)) {
      const bytes = encodeForkProof({ ...proof, ...change });
      assert.ok(!verifyForkProof(env, bytes).ok, what);
    }
    // A rotation that is not yet in force is allowed, as in FACTS.md: it changes no key.
    const listed = { ...proof, b: { ...b, rotations: rotationsOf(two.controls()) } };
    assert.ok(verifyForkProof(env, encodeForkProof(listed)).ok);
  });

  it('is refused where the owner never let that log be opened', async () => {
    const owner = EvidenceLog.open('owner').state.genesis.owner;
    const { one, two } = twoHistories();
    const made = must(await makeForkProof(env, genesisOf(one), one.side(), two.side()));
    const judges = {
      ...env.judges,
      writeProof: (input: Parameters<typeof env.judges.writeProof>[0]) =>
        env.judges.writeProof({ ...input, owner }),
    };
    refused(verifyForkProof({ ...env, judges }, made), 'genesis-proof');
  });

  it('holds its limit and never throws on bytes that are none', () => {
    refused(decodeForkProof(new Uint8Array(protocol.maxForkProofBytes + 1)), 'proof-too-large');
    refused(decodeForkProof(new Uint8Array(protocol.maxForkProofBytes)), 'fork-shape');
    refused(decodeForkProof(new Uint8Array(0)), 'fork-encoding');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        assert.ok(!verifyForkProof(env, bytes).ok);
        assert.ok(!verifyForkProof(env, concat(Uint8Array.of(0x88, 1), bytes)).ok);
      }),
      { numRuns: 200 },
    );
  });

  it('is one encoding of one value', () => {
    const plain = { noNullPrototype: true } as const;
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asHash);
    const leaf = fc.uint8Array({ maxLength: 40 });
    const index = fc.maxSafeNat().map(asLogIndex);
    const branch = fc.record(
      {
        rotations: fc.array(fc.record({ index, leaf }, plain), { maxLength: 3 }),
        checkpoint: fc.string({ unit: 'grapheme' }),
      },
      plain,
    );
    const proof = fc.record(
      {
        genesisLeaf: leaf,
        a: branch,
        b: branch,
        rootAtA: hash,
        consistency: fc.array(hash, { maxLength: 4 }),
      },
      plain,
    );
    fc.assert(
      fc.property(proof, (value) => {
        const bytes = encodeForkProof(value);
        assert.deepEqual(must(decodeForkProof(bytes)), value);
        assert.ok(!decodeForkProof(bytes.subarray(0, -1)).ok);
        refused(decodeForkProof(concat(bytes, Uint8Array.of(0))), 'fork-encoding');
      }),
      { numRuns: 60 },
    );
  });
});

describe('the tree that one block shows', () => {
  it('has every complete subtree from its first leaf on, and the ones before it whole', async () => {
    const leaves = someHashes(40);
    const rootOf = (from: number, to: number): Hash => naiveRoot(leaves.slice(from, to));
    for (const size of [0, 1, 5, 8, 13, 31]) {
      const frontier = alignedSubtrees(0, size).map(({ level, index }) =>
        rootOf(index << level, (index + 1) << level),
      );
      const rest = flat(leaves.slice(size));
      const tree = new BranchNodes(nodeCrypto, frontier, asTreeSize(size), rest);
      for (let to = Math.max(size, 1); to <= 40; to++) {
        const root = rangeRoot(nodeCrypto, await tree.nodes(alignedSubtrees(0, to)));
        assert.equal(toHex(root), toHex(rootOf(0, to)), `${size} ${to}`);
      }
      if (size > 1) assert.throws(() => tree.nodes([{ level: 0, index: 0 }]), RangeError);
      assert.throws(() => tree.nodes([{ level: 0, index: 40 }]), RangeError);
    }
    assert.throws(() => new BranchNodes(nodeCrypto, [], asTreeSize(1), flat([])), RangeError);
  });
});
