import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { evidenceEnv } from '../../scripts/vectors/evidence-log.ts';
import { inputsLog } from '../../scripts/vectors/bundle-logs.ts';
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { encodeParents } from '../../src/ledger/leaf.ts';
import { proofKeyChain } from '../../src/ledger/proof-extra.ts';
import { makeRangeFile, verifyRangeFile } from '../../src/ledger/range-file.ts';
import { rangeMemberProof, verifyRangeMember } from '../../src/ledger/range-member.ts';
import { rangeProof, readRangeRoot } from '../../src/ledger/range.ts';
import { asHash, asLogIndex } from '../../src/types.ts';
import { must } from '../support/result.ts';
import { naiveReader, namedLeaves } from './naive-tree.ts';

const log = inputsLog();

async function file(): Promise<string> {
  const { size } = log.state;
  const keyChain = must(proofKeyChain(log.controls(), size));
  const [from, to, index] = [2, 9, 4].map(asLogIndex) as [never, never, never];
  const proof = await rangeProof(log.tree(), from, to, size);
  const leaf = log.blocks[1]?.leaves.leaf(2).slice() ?? new Uint8Array(0);
  const member = await rangeMemberProof(log.tree(), index, from, to);
  const entry = { index, leaf, proof: member };
  return must(
    makeRangeFile(evidenceEnv, { keyChain, from, to, proof, entry, checkpoint: log.checkpoint }),
  );
}

describe('a proof of a range', () => {
  it('shows the root that an aggregate cites and the place of one input', async () => {
    const found = verifyRangeFile(evidenceEnv, utf8(await file()));
    assert.equal(found.verdict, 'intact');
    const root = await readRangeRoot(nodeCrypto, log.tree(), 2, 9);
    assert.deepEqual(found.proven.rangeRoot, root);
    assert.equal(found.proven.entry?.index, 4);
  });

  it('never verifies with a byte flipped', async function () {
    this.timeout(30_000);
    const bytes = utf8(await file());
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.with(at, (bytes[at] ?? 0) ^ (1 << (at % 7)));
      assert.notEqual(verifyRangeFile(evidenceEnv, changed).verdict, 'intact', String(at));
    }
  });

  it('is told when it is cut', async () => {
    const bytes = utf8(await file());
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(verifyRangeFile(evidenceEnv, bytes.slice(0, length)).verdict, 'broken');
    }
  });
});

describe('an aggregate over 10,000 consecutive inputs', () => {
  const leaves = namedLeaves(10_500);
  const [from, to] = [321, 10_321];

  it('cites them in 82 bytes, count included', async () => {
    const rangeRoot = await readRangeRoot(nodeCrypto, naiveReader(leaves), from, to);
    const log32 = asHash(new Uint8Array(32).fill(1));
    const parent = { log: log32, from: asLogIndex(from), to: asLogIndex(to), rangeRoot };
    assert.equal(encodeParents([parent]).length, 82);
  });

  it("proves one input's place in O(log n) hashes", async () => {
    const reader = naiveReader(leaves);
    const root = await readRangeRoot(nodeCrypto, reader, from, to);
    let most = 0;
    for (const index of [321, 322, 511, 512, 5000, 8191, 8192, 10_239, 10_320]) {
      const proof = await rangeMemberProof(reader, index, from, to);
      const [leaf] = await reader.nodes([{ level: 0, index }]);
      assert.ok(leaf);
      must(verifyRangeMember(nodeCrypto, leaf, { index, from, to }, proof, root));
      most = Math.max(most, proof.length);
    }
    assert.ok(most <= 2 * Math.ceil(Math.log2(to)), String(most));
  });
});
