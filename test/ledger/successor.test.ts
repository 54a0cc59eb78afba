import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { signerFromSeed } from '../../src/crypto-node.ts';
import { encodeCbor } from '../../src/cbor.ts';
import { logIdFromHash } from '../../src/ids.ts';
import { decodeBlock } from '../../src/ledger/block-codec.ts';
import { makeLeaves } from '../../src/ledger/block-leaves.ts';
import { genesisMap, openLog, parseGenesis, type Genesis } from '../../src/ledger/genesis.ts';
import { decodeLeaf } from '../../src/ledger/leaf.ts';
import { isKnown, readGenesis, type LogState } from '../../src/ledger/log-state.ts';
import {
  checkSuccessor,
  isSuccessorFork,
  signSuccessor,
  successorMessage,
  type ClosedLog,
} from '../../src/ledger/successor.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { verifyBlock, verifyDecoded } from '../../src/ledger/verify-block.ts';
import type { Result } from '../../src/result.ts';
import { asHash, asTreeSize } from '../../src/types.ts';
import { blocksSuite } from '../support/blocks.ts';
import { env } from '../support/judges.ts';
import { mapFromPlain } from '../support/plain.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';

interface Before {
  id: string;
  predecessorLogId_hex: string;
  predecessorGenesis_hex: string;
  recoveryHashInForce_hex: string;
}
interface Successors {
  successors: (Before & {
    recoverySeed_hex: string;
    genesis: unknown;
    message_hex: string;
    leaf_hex: string;
    logId_hex: string;
    block_hex?: string;
  })[];
  invalidSuccessors: (Before & { leaf_hex: string; code: string })[];
  successorPairs: (Before & { first_hex: string; second_hex: string; isFork: boolean })[];
  stolenWriterKey: (Before & {
    thiefBlock_hex: string;
    recoveryHashAfter_hex: string;
    successorLeaf_hex: string;
  })[];
}
const path = 'headwater/rotation.json';

function closed(item: Before): ClosedLog {
  const leaf = hex(item.predecessorGenesis_hex);
  const log = leafHash(env.crypto, leaf);
  assert.equal(toHex(log), item.predecessorLogId_hex);
  const recoveryHash = asHash(hex(item.recoveryHashInForce_hex));
  return { log, genesis: must(readGenesis(leaf)), recoveryHash };
}

function judge(item: Before, leaf: Uint8Array): Result<void> {
  const genesis = readGenesis(leaf);
  return genesis.ok ? checkSuccessor(env, closed(item), genesis.value) : genesis;
}

describe('a successor log', () => {
  it('is opened with the bytes of the independent reference', function () {
    const { successors } = suite<Successors>(this, path);
    for (const item of successors) {
      const genesis = must(parseGenesis(mapFromPlain(item.genesis)), item.id);
      const { recovery, ...unsigned } = genesis;
      assert.ok(recovery);
      assert.equal(toHex(successorMessage(genesis)), item.message_hex, item.id);
      const signed: Genesis = signSuccessor(unsigned, signerFromSeed(hex(item.recoverySeed_hex)));
      assert.equal(toHex(signed.recovery?.sig ?? new Uint8Array(0)), toHex(recovery.sig), item.id);
      const { leaf, logId } = openLog(env.crypto, signed);
      assert.equal(toHex(leaf), item.leaf_hex, item.id);
      assert.equal(logId, logIdFromHash(asHash(hex(item.logId_hex))));
      const map = encodeCbor(genesisMap(signed));
      assert.equal(toHex(map), toHex(encodeCbor(mapFromPlain(item.genesis))));
      must(judge(item, leaf), item.id);
      if (item.block_hex === undefined) continue;
      const verified = verifyBlock(env, { logId }, hex(item.block_hex), { form: 'gossip' });
      assert.deepEqual(must(verified).state.genesis.predecessor, genesis.predecessor);
    }
    ran(path, successors.length);
  });

  it('is refused by code where it is not one', function () {
    const { invalidSuccessors } = suite<Successors>(this, path);
    for (const item of invalidSuccessors)
      refused(judge(item, hex(item.leaf_hex)), item.code, item.id);
    ran(path, invalidSuccessors.length);
  });

  it('makes a fork with any other sound successor', function () {
    const { successorPairs } = suite<Successors>(this, path);
    for (const item of successorPairs) {
      const [first, second] = [item.first_hex, item.second_hex].map((leaf) =>
        must(readGenesis(hex(leaf)), item.id),
      );
      assert.ok(first && second);
      assert.equal(isSuccessorFork(env, closed(item), first, second), item.isFork, item.id);
    }
    ran(path, successorPairs.length);
  });

  it('saves the owner from a thief of the writer key', function () {
    const { stolenWriterKey } = suite<Successors>(this, path);
    const { file, states } = blocksSuite(this);
    for (const item of stolenWriterKey) {
      const log = file.logs.find(({ logId_hex }) => logId_hex === item.predecessorLogId_hex);
      const opened = states(log?.id ?? '')[1];
      assert.ok(opened && isKnown(opened));
      // The suite does not print the block between; where the thief's begins, it says itself.
      const thief = must(decodeBlock(hex(item.thiefBlock_hex), { reduced: false }));
      const { leaves } = must(makeLeaves(env.crypto, thief));
      const seal = must(decodeLeaf(leaves.leaf(leaves.count - 1)));
      assert.equal(seal.kind, 2);
      if (seal.kind !== 2) continue;
      const before: LogState = {
        ...opened,
        size: asTreeSize(thief.firstIndex),
        frontier: thief.frontier,
        blocks: seal.blockNumber,
        sealHash: seal.previousSeal,
      };
      const taken = must(verifyDecoded(env, before, thief), item.id).state;
      assert.notDeepEqual(taken.writerKey, opened.writerKey);
      assert.equal(toHex(taken.recoveryHash), item.recoveryHashAfter_hex);
      must(judge(item, hex(item.successorLeaf_hex)), item.id);
    }
    ran(path, stolenWriterKey.length);
  });
});
