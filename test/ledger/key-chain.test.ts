import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { decodeCborMap, encodeCbor } from '../../src/cbor.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { controlMap, parseRecovery, parseRotate } from '../../src/ledger/control.ts';
import {
  checkRecovery,
  checkRotation,
  makeRecovery,
  makeRotation,
  readKeyChain,
  recoveryHashAt,
  recoveryMessage,
  rotationMessage,
  writerKeyAt,
  type KeyEntry,
} from '../../src/ledger/key-chain.ts';
import { encodeLeaf } from '../../src/ledger/leaf.ts';
import type { Fault } from '../../src/errors.ts';
import { asHash, asLogIndex, asPublicKey, asTimeMs, asTreeSize } from '../../src/types.ts';
import { blocksSuite, type PlainLog } from '../support/blocks.ts';
import { mapFromPlain } from '../support/plain.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';

interface Placed {
  id: string;
  logId_hex: string;
  index: number;
  map: unknown;
  map_hex: string;
}
interface Rotations {
  rotations: (Placed & {
    oldSeed_hex: string;
    newSeed_hex: string;
    writerKeyInForce_hex: string;
    message_hex: string;
    time: number;
    leaf_hex: string;
  })[];
  invalidRotations: (Placed & { writerKeyInForce_hex: string; code: string })[];
  recoveryHash: (Placed & {
    recoverySeed_hex: string;
    recoveryHashInForce_hex: string;
    message_hex: string;
  })[];
  invalidRecoveryHash: (Placed & { recoveryHashInForce_hex: string; code: string })[];
}
const path = 'headwater/rotation.json';

/** As the rules of a block run it: parse, then check. */
function judgeRotation(item: Placed, keyInForce_hex: string): Fault | undefined {
  const rotate = parseRotate(must(decodeCborMap(hex(item.map_hex))));
  if (!rotate.ok) return rotate.error;
  const [log, key] = [asHash(hex(item.logId_hex)), asPublicKey(hex(keyInForce_hex))];
  return checkRotation(nodeCrypto, log, asLogIndex(item.index), key, rotate.value);
}
function judgeRecovery(item: Placed, hashInForce_hex: string): Fault | undefined {
  const recovery = parseRecovery(must(decodeCborMap(hex(item.map_hex))));
  if (!recovery.ok) return recovery.error;
  const [log, hash] = [asHash(hex(item.logId_hex)), asHash(hex(hashInForce_hex))];
  return checkRecovery(nodeCrypto, log, asLogIndex(item.index), hash, recovery.value);
}

describe('rotations and recovery hashes', () => {
  it('are made and signed as the independent reference does', function () {
    const { rotations, recoveryHash } = suite<Rotations>(this, path);
    for (const item of rotations) {
      const [log, index] = [asHash(hex(item.logId_hex)), asLogIndex(item.index)];
      const [old, next] = [item.oldSeed_hex, item.newSeed_hex].map((seed) =>
        signerFromSeed(hex(seed)),
      );
      assert.ok(old && next);
      const message = rotationMessage(log, index, next.publicKey);
      assert.equal(toHex(message), item.message_hex, item.id);
      const map = controlMap(makeRotation(log, index, old, next));
      assert.equal(toHex(encodeCbor(map)), item.map_hex, item.id);
      assert.equal(toHex(encodeCbor(mapFromPlain(item.map))), item.map_hex, item.id);
      const leaf = encodeLeaf({ kind: 3, time: asTimeMs(item.time), map });
      assert.equal(toHex(leaf), item.leaf_hex, item.id);
      assert.equal(judgeRotation(item, item.writerKeyInForce_hex), undefined, item.id);
    }
    for (const item of recoveryHash) {
      const [log, index] = [asHash(hex(item.logId_hex)), asLogIndex(item.index)];
      const map = must(decodeCborMap(hex(item.map_hex)));
      const parsed = must(parseRecovery(map));
      const message = recoveryMessage(log, index, parsed.newRecoveryHash);
      assert.equal(toHex(message), item.message_hex, item.id);
      const signer = signerFromSeed(hex(item.recoverySeed_hex));
      const made = makeRecovery(log, index, signer, parsed.newRecoveryHash);
      assert.equal(toHex(encodeCbor(controlMap(made))), item.map_hex, item.id);
      assert.equal(judgeRecovery(item, item.recoveryHashInForce_hex), undefined, item.id);
    }
    ran(path, rotations.length + recoveryHash.length);
  });

  it('are refused by code where a thief or a mistake made them', function () {
    const { invalidRotations, invalidRecoveryHash } = suite<Rotations>(this, path);
    for (const item of invalidRotations) {
      assert.equal(judgeRotation(item, item.writerKeyInForce_hex)?.code, item.code, item.id);
    }
    for (const item of invalidRecoveryHash) {
      assert.equal(judgeRecovery(item, item.recoveryHashInForce_hex)?.code, item.code, item.id);
    }
    ran(path, invalidRotations.length + invalidRecoveryHash.length);
  });
});

function controls(log: PlainLog): KeyEntry[] {
  const all = log.blocks.flatMap((block) => block.fields.entries);
  return all.flatMap((entry, index): KeyEntry[] =>
    entry.kind === 3 ? [{ index: asLogIndex(index), leaf: hex(entry.leaf_hex) }] : [],
  );
}

describe('a key chain', () => {
  it('gives the key that signs each size, and the recovery hash', function () {
    const { file } = blocksSuite(this);
    for (const log of file.logs) {
      const chain = must(readKeyChain(nodeCrypto, asHash(hex(log.logId_hex)), controls(log)));
      for (const { stateAfter, fields } of log.blocks) {
        // The key in force after a block signs the next one, at least one entry larger.
        const next = asTreeSize(stateAfter.size + 1);
        assert.equal(toHex(writerKeyAt(chain, next)), stateAfter.writerKey_hex);
        const hash = recoveryHashAt(chain, asTreeSize(stateAfter.size));
        assert.equal(toHex(hash), stateAfter.recoveryHash_hex);
        assert.ok(fields.checkpoint.includes(`\n${stateAfter.size}\n`));
      }
    }
    const log = file.logs.find(({ id }) => id === 'delegated');
    assert.ok(log);
    const chain = must(readKeyChain(nodeCrypto, asHash(hex(log.logId_hex)), controls(log)));
    assert.deepEqual(
      chain.rotations.map(({ index }) => Number(index)),
      [3],
    );
    // Rotation at 3, seal at 4: size 5 still belongs to the old key.
    assert.equal(toHex(writerKeyAt(chain, asTreeSize(5))), toHex(chain.genesis.writerKey));
    assert.notEqual(toHex(writerKeyAt(chain, asTreeSize(6))), toHex(chain.genesis.writerKey));
  });

  it('is refused where an entry is missing, moved, changed or of another log', function () {
    const { file } = blocksSuite(this);
    const [plain, delegated] = file.logs;
    assert.ok(plain && delegated);
    const log = asHash(hex(delegated.logId_hex));
    const entries = controls(delegated);
    const read = (list: readonly KeyEntry[]): ReturnType<typeof readKeyChain> =>
      readKeyChain(nodeCrypto, log, list);
    const [genesis, rotation, recovery] = entries;
    assert.ok(genesis && rotation && recovery);
    refused(read([]), 'block-log');
    refused(read([rotation]), 'block-log');
    refused(read(controls(plain)), 'block-log');
    refused(read([genesis, recovery, rotation]), 'block-order');
    refused(read([genesis, genesis]), 'block-order');
    const moved = { ...rotation, index: asLogIndex(rotation.index + 1) };
    refused(read([genesis, moved]), 'rotation-old-signature');
    refused(read([genesis, { ...genesis, index: asLogIndex(1) }]), 'genesis-place');
    const other = { ...recovery, index: asLogIndex(recovery.index + 1) };
    refused(read([genesis, rotation, other]), 'recovery-signature');
    refused(read([genesis, { index: asLogIndex(1), leaf: new Uint8Array(1) }]), 'truncated');
  });
});
