import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, toHex } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { fault } from '../../src/errors.ts';
import { logIdFromHash } from '../../src/ids.ts';
import { bodyBytes, type VerifiedBlock } from '../../src/ledger/block.ts';
import { buildBlock } from '../../src/ledger/build-block.ts';
import { decodeBlock } from '../../src/ledger/block-codec.ts';
import type { LogState, UnknownLog } from '../../src/ledger/log-state.ts';
import { isKnown } from '../../src/ledger/log-state.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { blockVerdict } from '../../src/ledger/verdict.ts';
import { checkSelfConsistent, verifyBlock } from '../../src/ledger/verify-block.ts';
import { err } from '../../src/result.ts';
import { asHash, asPublicKey } from '../../src/types.ts';
import {
  blocksPath,
  blocksSuite,
  testEvent,
  testLog,
  testSeed,
  testSigner,
  testTime,
  type BlockCase,
  type PlainState,
} from '../support/blocks.ts';
import { env } from '../support/judges.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran } from '../support/vectors.ts';

// Here the rules meet another fault of the same block first: the verdict is the same.
const coarser: Readonly<Record<string, string>> = {
  'entry: events exchanged': 'time-back',
  'a leaf dropped': 'seal-entries',
};

function plainState(state: LogState): PlainState {
  return {
    size: state.size,
    root_hex: toHex(state.root),
    frontier_hex: state.frontier.map(toHex),
    blocks: state.blocks,
    sealHash_hex: toHex(state.sealHash),
    time: state.time,
    writerKey_hex: toHex(state.writerKey),
    recoveryHash_hex: toHex(state.recoveryHash),
    epoch: state.epoch ?? null,
    lowest: state.lowest,
  };
}

/** The state that a refused block is held against. */
function stateFor(
  item: BlockCase,
  states: (log: string) => readonly (LogState | UnknownLog)[],
): LogState | UnknownLog {
  if (item.log === null) return { logId: logIdFromHash(asHash(hex(item.wire_hex).slice(4, 36))) };
  const state = states(item.log)[item.after];
  if (state === undefined) throw new RangeError(item.id);
  return state;
}

describe('a block', () => {
  it('gives the leaves, bodies and states of the independent reference', function () {
    const { file, states } = blocksSuite(this);
    for (const log of file.logs) {
      for (const [i, block] of log.blocks.entries()) {
        const name = `${log.id} block ${i}`;
        const before = states(log.id)[i];
        if (before === undefined) throw new RangeError(name);
        const verified = must(verifyBlock(env, before, hex(block.wire_hex), { form: 'gossip' }));
        assert.deepEqual(plainState(verified.state), block.stateAfter, name);
        const { fields } = block;
        assert.equal(verified.block.checkpoint, fields.checkpoint);
        assert.equal(verified.block.firstIndex, fields.firstIndex);
        assert.deepEqual(verified.block.frontier.map(toHex), fields.frontier_hex);
        assert.equal(verified.block.entries.length, fields.entries.length);
        for (const [n, entry] of fields.entries.entries()) {
          const mine = verified.block.entries[n];
          if (mine === undefined) throw new RangeError(name);
          const body = bodyBytes(verified.block, mine);
          assert.equal(mine.kind, entry.kind);
          assert.equal(toHex(verified.leaves.leaf(n)), entry.leaf_hex, `${name} entry ${n}`);
          const hash = verified.leafHashes.subarray(32 * n, 32 * n + 32);
          assert.equal(toHex(hash), entry.leafHash_hex, `${name} entry ${n}`);
          assert.equal(body === undefined ? null : toHex(body), entry.body_hex);
          assert.equal(verified.events[n] !== undefined, entry.kind === 0);
        }
      }
    }
    ran(blocksPath, file.logs.flatMap((log) => log.blocks).length);
  });

  it('of the reduced form gives the same root and state', function () {
    const { file, states } = blocksSuite(this);
    for (const item of file.reduced) {
      const before = states(item.log)[item.after];
      if (before === undefined) throw new RangeError(item.id);
      const wire = hex(item.wire_hex);
      const verified = must(verifyBlock(env, before, wire, { form: 'any' }), item.id);
      assert.deepEqual(plainState(verified.state), item.stateAfter, item.id);
      verified.block.entries.forEach((entry, n) => {
        const expected = item.fields.entries[n]?.body_hex ?? null;
        const body = bodyBytes(verified.block, entry);
        assert.equal(body === undefined ? null : toHex(body), expected, item.id);
      });
      refused(verifyBlock(env, before, wire, { form: 'gossip' }), 'block-form', item.id);
    }
    ran(blocksPath, file.reduced.length);
  });

  it('is refused by code where anything is wrong, and the state stays', function () {
    const { file, states } = blocksSuite(this);
    const cases = [...file.invalid, ...file.invalidReduced];
    for (const item of cases) {
      const state = stateFor(item, states);
      const before = isKnown(state) ? plainState(state) : state.logId;
      const form = item.gossip === false ? 'any' : 'gossip';
      const verified = verifyBlock(env, state, hex(item.wire_hex), { form });
      refused(verified, coarser[item.id] ?? item.code, item.id);
      assert.deepEqual(isKnown(state) ? plainState(state) : state.logId, before);
      const ignored = ['block-index', 'block-version', 'fork'].includes(item.code);
      if (!verified.ok) {
        assert.equal(blockVerdict(verified.error).kind, ignored ? 'ignore' : 'reject', item.id);
      }
    }
    ran(blocksPath, cases.length);
  });

  it('is the same to the browser crypto', function () {
    this.timeout(20_000);
    const { file, states } = blocksSuite(this);
    const browser = { ...env, crypto: nobleCrypto };
    for (const log of file.logs) {
      for (const [i, block] of log.blocks.entries()) {
        const before = states(log.id)[i];
        if (before === undefined) throw new RangeError(log.id);
        const verified = must(verifyBlock(browser, before, hex(block.wire_hex), { form: 'any' }));
        assert.deepEqual(plainState(verified.state), block.stateAfter);
      }
    }
  });

  it('does not verify when cut, nor with any byte changed', function () {
    this.timeout(30_000);
    const { file, states } = blocksSuite(this);
    let flips = 0;
    for (const log of file.logs) {
      for (const [i, block] of log.blocks.entries()) {
        const before = states(log.id)[i];
        if (before === undefined) throw new RangeError(log.id);
        const wire = hex(block.wire_hex);
        for (let length = 0; length < wire.length; length++) {
          const cut = wire.slice(0, length);
          refused(verifyBlock(env, before, cut, { form: 'any' }), 'block-encoding');
        }
        // Every bit of the shortest block, and one bit of each byte of the others.
        const step = wire.length < 500 ? 1 : 9;
        for (let bit = i; bit < 8 * wire.length; bit += step) {
          const flipped = wire.with(bit >> 3, (wire[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
          const verified = verifyBlock(env, before, flipped, { form: 'any' });
          assert.equal(verified.ok, false, `${log.id} block ${i} bit ${bit}`);
          flips += 1;
        }
      }
    }
    assert.ok(flips > 10_000, `${flips}`);
  });

  it('of another history is told apart as a fork, ahead of our head or not', function () {
    const { file, states } = blocksSuite(this);
    const item = file.invalid.find(({ code }) => code === 'fork');
    const state = states('plain')[2];
    if (item === undefined || state === undefined || !isKnown(state)) return this.skip();
    const block = must(decodeBlock(hex(item.wire_hex), { reduced: false }));
    must(checkSelfConsistent(nodeCrypto, state, state.writerKey, block));
    const ahead = must(
      decodeBlock(hex(file.logs[0]?.blocks[3]?.wire_hex ?? ''), { reduced: false }),
    );
    must(checkSelfConsistent(nodeCrypto, state, state.writerKey, ahead));
    const other = asHash(new Uint8Array(32).fill(1));
    const stranger = { logId: logIdFromHash(other) };
    refused(checkSelfConsistent(nodeCrypto, stranger, state.writerKey, ahead), 'block-log');
    const key = env.crypto.sha256(new Uint8Array(1));
    const wrong = checkSelfConsistent(nodeCrypto, state, asPublicKey(key), ahead);
    refused(wrong, 'checkpoint-key-id');
  });

  it('that follows another block than ours is a fork, whatever its seal says', () => {
    const signer = testSigner(1);
    const { state } = testLog(signer);
    const next = (from: LogState, n: number): VerifiedBlock => {
      const drafts = [{ kind: 'event' as const, event: testEvent(n) }];
      return must(buildBlock(env, from, signer, drafts, { time: testTime, seed: testSeed }));
    };
    const [ours, theirs] = [next(state, 1), next(state, 2)];
    const after = next(theirs.state, 3);
    refused(verifyBlock(env, ours.state, after.wire, { form: 'gossip' }), 'fork');
    // The other branch's own block at an index that we have is a duplicate number, to be compared.
    refused(verifyBlock(env, ours.state, theirs.wire, { form: 'gossip' }), 'block-index');
    // Not signed by the writer, it is no evidence against him.
    const place = after.wire.length - 40;
    const forged = after.wire.with(place, (after.wire[place] ?? 0) ^ 1);
    refused(verifyBlock(env, ours.state, forged, { form: 'gossip' }), 'bad-signature');
  });

  it('with an event that the judge refuses is refused with its index', function () {
    const { file, states } = blocksSuite(this);
    const [before] = states('plain').slice(1);
    const wire = hex(file.logs[0]?.blocks[1]?.wire_hex ?? '');
    if (before === undefined) return this.skip();
    const strict = {
      crypto: nodeCrypto,
      judges: { ...env.judges, event: () => err(fault('event-invalid', 'no')) },
    };
    const verified = verifyBlock(strict, before, wire, { form: 'any' });
    refused(verified, 'event-invalid');
    if (!verified.ok) assert.equal(verified.error.place?.index, 2);
  });

  it('never throws on arbitrary bytes', () => {
    const state = { logId: logIdFromHash(asHash(new Uint8Array(32))) };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.equal(verifyBlock(env, state, bytes, { form: 'any' }).ok, false);
      }),
      { numRuns: 300 },
    );
  });

  it('above the size limits is refused before it is read', () => {
    const state = { logId: logIdFromHash(asHash(new Uint8Array(32))) };
    const tooLong = verifyBlock(env, state, new Uint8Array(262_145), { form: 'gossip' });
    refused(tooLong, 'block-too-large');
    refused(verifyBlock(env, state, new Uint8Array(327_681), { form: 'any' }), 'block-too-large');
    refused(verifyBlock(env, state, new Uint8Array(262_144), { form: 'gossip' }), 'block-shape');
  });

  it('at the end of all indexes is refused, not fallen over', () => {
    const { block, state } = testLog(testSigner(1));
    const { wire } = block;
    // The first index, 0 in one byte behind the log id, becomes 2^53-1.
    const most = Uint8Array.of(0x1b, 0, 0x1f, 255, 255, 255, 255, 255, 255);
    const far = concat(wire.subarray(0, 36), most, wire.subarray(37));
    refused(decodeBlock(far, { reduced: false }), 'block-encoding');
    refused(verifyBlock(env, state, far, { form: 'any' }), 'block-encoding');
  });

  it('takes the leaf hash of its genesis as the id of its log', function () {
    const { file } = blocksSuite(this);
    for (const log of file.logs) {
      const leaf = hex(log.blocks[0]?.fields.entries[0]?.leaf_hex ?? '');
      assert.equal(toHex(leafHash(nodeCrypto, leaf)), log.logId_hex);
      assert.equal(logIdFromHash(leafHash(nodeCrypto, leaf)), log.logId);
    }
  });
});
