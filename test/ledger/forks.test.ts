import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { EvidenceLog } from '../../scripts/vectors/evidence-log.ts';
import { labelledSigner } from '../../scripts/vectors/format.ts';
import type { ForkFound } from '../../src/ledger/fork-book.ts';
import { decodeForkRow, encodeForkRow } from '../../src/ledger/fork-book.ts';
import { makeForkProof, verifyForkProof } from '../../src/ledger/fork-proof.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { consistencyProof } from '../../src/ledger/proof.ts';
import { readRangeRoot } from '../../src/ledger/range.ts';
import { asLogIndex, asTimeMs, asTreeSize } from '../../src/types.ts';
import { offlineEnv } from '../../src/verify.ts';
import { openLedger } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';

const env = offlineEnv(nodeCrypto);
const writer = labelledSigner('writer/forked');
const next = labelledSigner('writer/forked/2');
const zero = asLogIndex(0);

/** Two histories of one log, apart after its second block. */
function histories(): { common: EvidenceLog; one: EvidenceLog; two: EvidenceLog } {
  const common = EvidenceLog.open('forked').withEvents(['1', '2']);
  const one = common.withEvents(['"one"']).withEvents(['3', '4', '5']);
  const two = common.withEvents(['"two"']).withEvents(['6', '7', '8']);
  return { common, one, two };
}

async function follow(ledger: Ledger, log: EvidenceLog): Promise<void> {
  must(await ledger.follow(log.state.logId));
  for (const { wire } of log.blocks) {
    const { verdict } = await ledger.apply(wire, 'sync');
    assert.equal(verdict.kind, 'accept', 'reason' in verdict ? verdict.reason.message : '');
  }
}

async function entries(ledger: Ledger, log: EvidenceLog): Promise<number> {
  let count = 0;
  for await (const entry of ledger.entries(log.state.logId, zero))
    count += entry.index >= 0 ? 1 : 0;
  return count;
}

async function proofOf(one: EvidenceLog, two: EvidenceLog): Promise<Uint8Array> {
  return must(await makeForkProof(env, one.state.genesisLeaf, one.side(), two.side()));
}

function verdict(outcome: Awaited<ReturnType<Ledger['apply']>>): string {
  const { verdict: found } = outcome;
  return found.kind === 'accept' ? 'accept' : `${found.kind} ${found.reason.code}`;
}

describe('the forks of a ledger', () => {
  it('are proved by any block of the other history: longer, shorter, of the same size', async () => {
    const { common, one, two } = histories();
    const shorter = common.withEvents(['"x"']);
    const longer = two.withEvents(['9']);
    for (const other of [two, shorter, longer]) {
      for (const block of other.blocks.slice(2)) {
        if (block.block.firstIndex > one.state.size) continue;
        await using ledger = await openLedger();
        await follow(ledger, one);
        const found: ForkFound[] = [];
        using _ = ledger.forks.onFound((fork) => void found.push(fork));
        assert.equal(verdict(await ledger.apply(block.wire, 'gossip')), 'ignore fork');
        assert.deepEqual(
          found.map(({ via }) => via),
          ['own'],
        );
        const proof = must(await ledger.forks.proof(one.state.logId));
        assert.ok(proof !== undefined);
        const shown = must(verifyForkProof(env, proof));
        assert.equal(shown.logId, one.state.logId);
        assert.equal(ledger.log(one.state.logId)?.state, 'frozen');
        assert.equal(await entries(ledger, one), one.state.size);
        const branch = must(await ledger.forks.branch(one.state.logId));
        assert.equal(branch.others.length, 1);
        assert.deepEqual(branch.others[0]?.wire, block.wire);
        const ours = shown.a.note === one.checkpoint ? 'a' : 'b';
        assert.equal(branch.ours, ours);
      }
    }
  });

  it('are proved by the next block of a longer history, at our head', async () => {
    const common = EvidenceLog.open('forked').withEvents(['1', '2']);
    const one = common.withEvents(['"one"']);
    const two = common.withEvents(['"two"']).withEvents(['3']);
    await using ledger = await openLedger();
    await follow(ledger, one);
    const last = two.blocks.at(-1);
    assert.equal(last?.block.firstIndex, one.state.size);
    assert.equal(verdict(await ledger.apply(last.wire, 'sync')), 'ignore fork');
    const shown = must(
      verifyForkProof(env, must(await ledger.forks.proof(one.state.logId)) ?? last.wire),
    );
    assert.deepEqual([shown.a.size, shown.b.size], [one.state.size, two.state.size]);
  });

  it('are proved by a checkpoint of the same size, a smaller one, and a larger one with its link', async () => {
    const { common, one, two } = histories();
    const { logId, size } = one.state;
    assert.equal(two.state.size, size);
    const longer = two.withEvents(['9']);
    const tree = longer.side().tree;
    assert.ok(tree !== undefined);
    const link = {
      root: await readRangeRoot(nodeCrypto, tree, 0, size),
      consistency: await consistencyProof(nodeCrypto, tree, size, longer.state.size),
    };
    const heads = [
      { checkpoint: two.checkpoint },
      { checkpoint: common.withEvents(['"x"']).checkpoint },
      { checkpoint: longer.checkpoint, link },
    ];
    for (const head of heads) {
      await using ledger = await openLedger();
      await follow(ledger, one);
      const agreed = await ledger.forks.contradict(logId, { checkpoint: common.checkpoint });
      assert.equal(must(agreed), undefined);
      const alone = await ledger.forks.contradict(logId, { checkpoint: longer.checkpoint });
      assert.equal(must(alone), undefined, 'nothing can be told without the link');
      const fork = must(await ledger.forks.contradict(logId, head));
      assert.ok(fork !== undefined);
      assert.ok(
        verifyForkProof(env, must(await ledger.forks.proof(logId)) ?? new Uint8Array(0)).ok,
      );
    }
  });

  it('are proved where the other history has passed its key on, once its keys are shown', async () => {
    const { common, one } = histories();
    const two = common.withRotation(writer, next).withEvents(['6'], next);
    const { logId } = one.state;
    await using ledger = await openLedger();
    await follow(ledger, one);
    const block = two.blocks.at(-1);
    assert.ok(block !== undefined && block.block.firstIndex < one.state.size);
    assert.equal(verdict(await ledger.apply(block.wire, 'gossip')), 'ignore branch-key');
    assert.equal(ledger.log(logId)?.state, 'open');
    refused(
      await ledger.forks.contradict(logId, { checkpoint: two.until(3).checkpoint }),
      'branch-key',
    );
    const wrong = await ledger.forks.examine(block.wire, one.controls());
    refused(wrong, 'branch-key');
    const fork = must(await ledger.forks.examine(block.wire, two.controls()));
    assert.equal(fork?.logId, logId);
    assert.equal(must(await ledger.forks.branch(logId)).others.length, 1);
    assert.equal(ledger.log(logId)?.state, 'frozen');
  });

  it('come as proofs: the first one counts, nothing is taken any more, all survives a crash', async () => {
    const { one, two } = histories();
    const { logId } = one.state;
    const store = new MemoryStore();
    const ledger = await openLedger({ store });
    await follow(ledger, one.until(2));
    const proof = await proofOf(one, two);
    const offered = must(await ledger.forks.offer(proof, 'gossip'));
    assert.deepEqual([offered.isNew, offered.followed], [true, true]);
    const second = await proofOf(one, two.withEvents(['9']));
    assert.equal(must(await ledger.forks.offer(second, 'gossip')).isNew, false);
    const block = one.blocks[3];
    assert.ok(block !== undefined);
    assert.equal(verdict(await ledger.apply(block.wire, 'sync')), 'ignore log-frozen');
    assert.equal(await entries(ledger, one), one.until(2).state.size);
    const again = await openLedger({ store: store.crash('unsynced') });
    assert.equal(again.log(logId)?.state, 'frozen');
    assert.equal(again.log(logId)?.reason?.code, 'fork');
    assert.deepEqual(must(await again.forks.proof(logId)), proof);
    assert.equal(await entries(again, one), one.until(2).state.size);
    await ledger.close();
    await again.close();
  });

  it('freeze a log that is followed only later', async () => {
    const { one, two } = histories();
    const { logId } = one.state;
    const store = new MemoryStore();
    const ledger = await openLedger({ store });
    const proof = await proofOf(one, two);
    assert.equal(must(await ledger.forks.offer(proof, 'gossip')).followed, false);
    assert.equal(ledger.log(logId), undefined);
    must(await ledger.follow(logId));
    assert.equal(ledger.log(logId)?.state, 'frozen');
    const [genesis] = one.blocks;
    assert.ok(genesis !== undefined);
    assert.equal(verdict(await ledger.apply(genesis.wire, 'sync')), 'ignore log-frozen');
    assert.equal(must(await ledger.forks.branch(logId)).ours, 'unknown');
    await ledger.close();
  });

  it('of logs that nobody knows leave room for those of logs that somebody does', async () => {
    await using ledger = await openLedger({ limits: { maxForeignForks: 4 } });
    const proofs = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const log = EvidenceLog.open(name);
      proofs.push(await proofOf(log.withEvents(['1']), log.withEvents(['2'])));
    }
    const [a, b, c, d, e] = proofs;
    assert.ok(a && b && c && d && e);
    for (const proof of [a, b]) must(await ledger.forks.offer(proof, 'gossip', false));
    refused(await ledger.forks.offer(c, 'gossip', false), 'queue-full');
    for (const proof of [c, d]) must(await ledger.forks.offer(proof, 'gossip', true));
    refused(await ledger.forks.offer(e, 'gossip', true), 'queue-full');
    // Without room too only what is sound is passed on.
    const bad = e.with(e.length - 1, (e.at(-1) ?? 0) ^ 1);
    const refusal = await ledger.forks.offer(bad, 'gossip', true);
    assert.ok(!refusal.ok && refusal.error.code !== 'queue-full');
  });

  it('hold their bounds: foreign logs, evidence', async () => {
    const { one, two } = histories();
    await using ledger = await openLedger({ limits: { maxForeignForks: 1, maxForkEvidence: 1 } });
    const [a, b] = ['stranger', 'other'].map((name) => EvidenceLog.open(name));
    assert.ok(a !== undefined && b !== undefined);
    const first = await proofOf(a.withEvents(['1']), a.withEvents(['2']));
    assert.ok(must(await ledger.forks.offer(first, 'gossip')).isNew);
    const more = await proofOf(b.withEvents(['1']), b.withEvents(['2']));
    refused(await ledger.forks.offer(more, 'gossip'), 'queue-full');
    await follow(ledger, one);
    must(await ledger.forks.offer(await proofOf(one, two), 'gossip'));
    const others = two.blocks.slice(2).map(({ wire }) => wire);
    const kept = [];
    for (const wire of others) kept.push(must(await ledger.forks.keep(wire, two.controls())));
    assert.deepEqual(kept, [true, false]);
    assert.deepEqual(must(await ledger.forks.room(one.state.logId)), { kept: 1, max: 1 });
    const ours = one.blocks[2];
    assert.ok(ours !== undefined);
    assert.equal(must(await ledger.forks.keep(ours.wire, one.controls())), false);
  });

  it('refuse a proof with a byte changed and one of another genesis, and stay as they were', async () => {
    const { one, two } = histories();
    await using ledger = await openLedger();
    await follow(ledger, one);
    const proof = await proofOf(one, two);
    const flipped = proof.with(proof.length - 3, (proof.at(-3) ?? 0) ^ 1);
    assert.ok(!(await ledger.forks.offer(flipped, 'gossip')).ok);
    const foreign = EvidenceLog.open('stranger').state.genesisLeaf;
    refused(await makeForkProof(env, foreign, one.side(), two.side()), 'checkpoint-origin');
    assert.equal(ledger.log(one.state.logId)?.state, 'open');
    assert.deepEqual(ledger.forks.list(), []);
  });

  it('are no forks where a writer only signed a block without its end', async () => {
    const { one } = histories();
    await using ledger = await openLedger();
    await follow(ledger, one);
    const { logId } = one.state;
    assert.equal(
      must(await ledger.forks.contradict(logId, { checkpoint: one.checkpoint })),
      undefined,
    );
    assert.equal(ledger.log(logId)?.state, 'open');
  });

  it('are stored in one form', () => {
    const row = { learned: asTimeMs(5), proof: Uint8Array.of(1, 2, 3) };
    const bytes = encodeForkRow(row);
    assert.deepEqual(must(decodeForkRow(bytes)), row);
    for (let end = 0; end < bytes.length; end++) {
      refused(decodeForkRow(bytes.subarray(0, end)), 'store-corrupt');
    }
    assert.equal(asTreeSize(0), 0);
  });
});
