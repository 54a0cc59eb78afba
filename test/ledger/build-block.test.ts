import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { signerFromSeed } from '../../src/crypto-node.ts';
import { parseLogId } from '../../src/ids.ts';
import { reduceBlock } from '../../src/ledger/block-encode.ts';
import { decodeBlock } from '../../src/ledger/block-codec.ts';
import { makeLeaves } from '../../src/ledger/block-leaves.ts';
import { hasParents, parentsBytes, type VerifiedBlock } from '../../src/ledger/block.ts';
import { decodeBody } from '../../src/ledger/body.ts';
import {
  buildBlock,
  draftBytes,
  type BuildOptions,
  type Draft,
} from '../../src/ledger/build-block.ts';
import { controlMap } from '../../src/ledger/control.ts';
import { makeRecovery, makeRotation } from '../../src/ledger/key-chain.ts';
import { decodeLeaf, encodeParents } from '../../src/ledger/leaf.ts';
import type { LogState, UnknownLog } from '../../src/ledger/log-state.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import { asHash, asLogIndex, asTimeMs } from '../../src/types.ts';
import {
  blocksPath,
  blocksSuite,
  testEvent,
  testGenesis,
  testLog,
  testSeed,
  testSigner,
  testTime,
  type PlainBlock,
} from '../support/blocks.ts';
import { env } from '../support/judges.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran } from '../support/vectors.ts';

const signer = testSigner(1);
const options: BuildOptions = { time: testTime, seed: testSeed };
const event = (id: number): Draft => ({ kind: 'event', event: testEvent(id) });
const control = (map: Extract<Draft, { kind: 'control' }>['map']): Draft => ({
  kind: 'control',
  map,
});

function build(
  state: LogState | UnknownLog,
  drafts: readonly Draft[],
  more: Partial<BuildOptions> = {},
): VerifiedBlock {
  return must(buildBlock(env, state, signer, drafts, { ...options, ...more }));
}

/** The drafts and options from which a writer would have made this block of the suite. */
function draftsOf(block: PlainBlock): { drafts: Draft[]; options: BuildOptions } {
  const { salts_hex, entries } = block.fields;
  const seed = typeof salts_hex === 'string' ? hex(salts_hex) : new Uint8Array(32);
  const drafts: Draft[] = [];
  let made: BuildOptions = { time: testTime, seed };
  for (const entry of entries) {
    const leaf = must(decodeLeaf(hex(entry.leaf_hex)));
    const body = hex(entry.body_hex ?? '');
    if (leaf.kind === 2) made = { time: leaf.time, seed, lowest: leaf.lowest };
    if (leaf.kind === 3) drafts.push({ kind: 'control', map: leaf.map, time: leaf.time });
    if (leaf.kind === 0) {
      const parsed = { ...must(decodeBody(body)), context: {} };
      const parents = encodeParents(leaf.parents);
      drafts.push({ kind: 'event', event: parsed, parents, time: leaf.time });
    }
    if (leaf.kind === 1) {
      const { attributesCommitment, dataCommitment, epoch, parents, time } = leaf;
      const sealed = { attributesCommitment, dataCommitment, epoch, parents, time };
      drafts.push({ kind: 'sealed', ...sealed, body });
    }
  }
  return { drafts, options: made };
}

describe('a writer', () => {
  it('makes the very bytes of the independent reference', function () {
    const { file, states } = blocksSuite(this);
    let count = 0;
    for (const log of file.logs) {
      const writer = signerFromSeed(hex(log.writerSeed_hex));
      for (const [i, block] of log.blocks.entries()) {
        const before = states(log.id)[i];
        if (before === undefined) throw new RangeError(log.id);
        const { drafts, options: made } = draftsOf(block);
        const built = buildBlock(env, before, writer, drafts, made);
        if (!built.ok) {
          // After its rotation the log's key is one that the suite does not hand out.
          refused(built, 'writer-key', `${log.id} ${i}`);
          continue;
        }
        count += 1;
        assert.equal(toHex(built.value.wire), block.wire_hex, `${log.id} block ${i}`);
        assert.equal(built.value.wire.length, block.wireLength);
        assert.equal(toHex(built.value.state.root), block.stateAfter.root_hex);
      }
    }
    assert.ok(count >= 10, `${count}`);
    ran(blocksPath, count);
  });

  it('reduces blocks to the bytes of the independent reference', function () {
    const { file } = blocksSuite(this);
    for (const item of file.reduced) {
      const log = file.logs.find(({ id }) => id === item.log);
      const full = must(
        decodeBlock(hex(log?.blocks[item.after]?.wire_hex ?? ''), { reduced: false }),
      );
      const { leaves } = must(makeLeaves(env.crypto, full));
      const keep = (position: number): boolean => !item.dropped.includes(position);
      const wire = reduceBlock(env.crypto, full, leaves, keep);
      assert.equal(toHex(wire), item.wire_hex, item.id);
      // What was reduced once can be reduced further, and reducing again changes nothing.
      const again = must(decodeBlock(wire, { reduced: true }));
      const same = reduceBlock(env.crypto, again, must(makeLeaves(env.crypto, again)).leaves, keep);
      assert.equal(toHex(same), item.wire_hex, item.id);
    }
    ran(blocksPath, file.reduced.length);
  });

  it('makes exactly what a follower accepts, and both end in the same state', () => {
    const arbitraryDraft = fc.oneof(
      { weight: 5, arbitrary: fc.record({ n: fc.nat(1000), parent: fc.boolean() }) },
      { weight: 1, arbitrary: fc.constant('control' as const) },
    );
    fc.assert(
      fc.property(
        fc.array(fc.array(arbitraryDraft, { maxLength: 6 }), { maxLength: 5 }),
        (plan) => {
          let state = testLog(signer).state;
          for (const [i, items] of plan.entries()) {
            const drafts = items.map((item): Draft => {
              if (item === 'control') return control({ type: 'note', text: `${i}` });
              const { log } = state;
              const parent = { log, from: asLogIndex(0), to: asLogIndex(1), rangeRoot: log };
              const parents = item.parent ? encodeParents([parent]) : undefined;
              return { kind: 'event', event: testEvent(item.n), parents };
            });
            const built = build(state, drafts, { time: asTimeMs(testTime + i) });
            const seen = must(verifyBlock(env, state, built.wire, { form: 'gossip' }));
            assert.deepEqual(seen.state, built.state);
            assert.deepEqual(seen.block, built.block);
            assert.deepEqual(seen.leafHashes, built.leafHashes);
            assert.deepEqual(seen.leaves, built.leaves);
            assert.deepEqual(seen.nodes, built.nodes);
            assert.deepEqual(seen.events, built.events);
            state = built.state;
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('knows beforehand how long a block of events becomes', () => {
    const { state } = testLog(signer);
    const one = build(state, [event(1)]).wire.length;
    const drafts = [event(1), event(22), event(333)];
    const more = drafts.slice(1).reduce((sum, draft) => sum + draftBytes(draft), 0);
    assert.equal(build(state, drafts).wire.length, one + more);
    const note = control({ type: 'note', text: 'x'.repeat(100) });
    assert.ok(build(state, [event(1), note]).wire.length <= one + draftBytes(note));
  });

  it('says where parents stand in the wire bytes', () => {
    const { state } = testLog(signer);
    const parent = {
      log: state.log,
      from: asLogIndex(0),
      to: asLogIndex(2),
      rangeRoot: state.root,
    };
    const parents = encodeParents([parent]);
    const drafts: Draft[] = [event(1), { kind: 'event', event: testEvent(2), parents }];
    const { block } = build(state, drafts);
    assert.deepEqual(block.entries.map(hasParents), [false, true, false]);
    const [, second] = block.entries;
    assert.ok(second);
    assert.equal(toHex(parentsBytes(block, second)), toHex(parents));
  });

  it('is refused what the rules of the log refuse', () => {
    const { state } = testLog(signer);
    const attempt = (
      drafts: readonly Draft[],
      code: string,
      more: Partial<BuildOptions> = {},
    ): void => refused(buildBlock(env, state, signer, drafts, { ...options, ...more }), code);
    attempt([event(1)], 'time-back', { time: asTimeMs(testTime - 1) });
    attempt([], 'seal-lowest', { lowest: asLogIndex(3) });
    attempt([control({ type: 'redact', index: 2, reason: 'x' })], 'redact-fields');
    attempt([control({ type: 'epoch', epoch: 0, generation: 0, check: state.log })], 'epoch-order');
    attempt([control({ type: 'note', half: 0.5 })], 'control-encoding');
    attempt([control({ typo: 'note' })], 'control-shape');
    attempt([{ kind: 'event', event: testEvent(1), parents: new Uint8Array(3) }], 'trailing-bytes');
    const long = { ...testEvent(1), data: new Uint8Array(196_608), kind: 3 as const };
    attempt([{ kind: 'event', event: long }], 'body-too-large');
    const half = { ...long, data: new Uint8Array(140_000) };
    attempt(
      [
        { kind: 'event', event: half },
        { kind: 'event', event: half },
      ],
      'block-too-large',
    );
    refused(buildBlock(env, state, testSigner(2), [event(1)], options), 'writer-key');
    assert.equal(state.size, 2);
  });

  it('changes its key and the recovery hash by the rules', () => {
    const { state } = testLog(signer);
    const next = testSigner(2);
    const index = asLogIndex(state.size);
    const rotate = control(controlMap(makeRotation(state.log, index, signer, next)));
    refused(buildBlock(env, state, signer, [rotate, event(1)], options), 'rotation-place');
    const rotated = build(state, [rotate]);
    assert.equal(toHex(rotated.state.writerKey), toHex(next.publicKey));
    must(verifyBlock(env, state, rotated.wire, { form: 'gossip' }));
    refused(buildBlock(env, rotated.state, signer, [event(1)], options), 'writer-key');
    const after = must(buildBlock(env, rotated.state, next, [event(1)], options));
    must(verifyBlock(env, rotated.state, after.wire, { form: 'gossip' }));
    const hash = asHash(new Uint8Array(32).fill(5));
    const at = asLogIndex(after.state.size);
    const recover = control(controlMap(makeRecovery(state.log, at, testSigner(99), hash)));
    const recovered = must(buildBlock(env, after.state, next, [recover, event(2)], options));
    assert.equal(toHex(recovered.state.recoveryHash), toHex(hash));
    refused(buildBlock(env, recovered.state, next, [recover], options), 'recovery-key');
  });

  it('does not open a log in the name of another', () => {
    const owner = testGenesis(testSigner(5)).owner;
    const genesis = testGenesis(signer, { owner });
    assert.throws(() => testLog(signer, genesis), /genesis-proof/);
    const stranger = must(parseLogId(testLog(signer).state.logId));
    const drafts = [event(1)];
    refused(buildBlock(env, { logId: stranger }, signer, drafts, options), 'genesis-missing');
  });
});
