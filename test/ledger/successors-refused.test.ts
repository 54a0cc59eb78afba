import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { didFromKey, logIdHash } from '../../src/ids.ts';
import { controlMap } from '../../src/ledger/control.ts';
import { makeRecovery } from '../../src/ledger/key-chain.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { SuccessionNews } from '../../src/ledger/successors.ts';
import { asLogIndex, asStreamName, type LogId } from '../../src/types.ts';
import { event, otherSigner, publish } from '../support/ledger-home.ts';
import { must } from '../support/result.ts';
import {
  recovery,
  recoveryHash,
  nextHash,
  start,
  written,
  follower,
  sync,
  successorOf,
  genesisOf,
} from '../support/succession.ts';

interface Offer {
  readonly logId: LogId;
  readonly wire: Uint8Array;
}

async function offered(
  make: (ledger: Ledger, log: LogId) => Offer | Promise<Offer>,
): Promise<{ replica: Ledger; log: LogId; logId: LogId; news: SuccessionNews[] }> {
  const { ledger, log } = await written(3);
  const replica = await follower();
  await sync(ledger, replica, log);
  const { logId, wire } = await make(ledger, log);
  const news: SuccessionNews[] = [];
  replica.successors.onNews((one) => news.push(one));
  must(await replica.follow(logId));
  const { verdict } = await replica.apply(wire, 'sync');
  assert.equal(verdict.kind, 'accept');
  await replica.successors.settled();
  await ledger.close();
  return { replica, log, logId, news };
}

const head = (ledger: Ledger, log: LogId): { size: number; root: Uint8Array } => {
  const { size, root } = ledger.log(log) ?? assert.fail();
  return { size, root };
};

describe('a successor that is none', () => {
  const cases: Record<string, [string, Parameters<typeof offered>[0]]> = {
    'is signed by another key': [
      'recovery-key',
      (ledger, log) => {
        const { size, root } = head(ledger, log);
        return successorOf(genesisOf(ledger, log), log, size, root, otherSigner);
      },
    ],
    'has another name': [
      'successor-differs',
      (ledger, log) => {
        const { size, root } = head(ledger, log);
        const name = asStreamName('elsewhere');
        return successorOf(genesisOf(ledger, log), log, size, root, recovery, { name });
      },
    ],
    'names a size inside a block': [
      'successor-predecessor',
      async (ledger, log) => {
        // The right root of that size: two entries are the first block, the third begins the next.
        const root = must(await ledger.proofs.rangeRoot(log, start, asLogIndex(3)));
        return successorOf(genesisOf(ledger, log), log, 3, root);
      },
    ],
  };

  for (const [name, [code, make]] of Object.entries(cases)) {
    it(`${name}: nothing is closed (${code})`, async () => {
      const { replica, log, logId, news } = await offered(make);
      const judged = replica.successors.judged(logId);
      assert.ok(judged !== undefined && typeof judged !== 'string');
      assert.equal(judged.code, code);
      assert.equal(replica.log(log)?.state, 'open');
      assert.deepEqual(
        news.map(({ kind, reason }) => [kind, reason?.code]),
        [['refused', code]],
      );
      await replica.close();
    });
  }

  it('of another owner without a proof is no log at all', async () => {
    const { ledger, log } = await written(1);
    const { size, root } = head(ledger, log);
    const owner = didFromKey(otherSigner.publicKey);
    assert.throws(
      () => successorOf(genesisOf(ledger, log), log, size, root, recovery, { owner }),
      /genesis-proof/,
    );
    await ledger.close();
  });

  it('beyond the head, or under a root that nobody has, only waits: nothing accepted is lost', async () => {
    for (const [size, fill] of [
      [500, 8],
      [4, 8],
    ] as const) {
      const { replica, log, news } = await offered((ledger, one) =>
        successorOf(genesisOf(ledger, one), one, size, new Uint8Array(32).fill(fill)),
      );
      assert.equal(replica.log(log)?.state, 'closed');
      assert.equal(replica.log(log)?.closing?.whole, false);
      assert.equal(news.at(-1)?.kind, 'wanted');
      const kept = must(await replica.successors.evidence(log)).length;
      const blocks = replica.log(log)?.blocks ?? 0;
      assert.equal(kept + blocks, 4);
      await replica.close();
    }
  });

  it('reveals a key that was replaced in what we did not have yet: the log goes on', async () => {
    const { ledger, log } = await written(2);
    const replica = await follower();
    await sync(ledger, replica, log);
    const index = asLogIndex(ledger.log(log)?.size ?? 0);
    const entry = makeRecovery(logIdHash(log), index, recovery, nextHash);
    must(await ledger.appendControl(log, controlMap(entry)));
    await publish(ledger, log, [event('later')]);
    const { size, root } = head(ledger, log);
    const old = successorOf(genesisOf(ledger, log), log, size, root);
    const news: SuccessionNews[] = [];
    replica.successors.onNews((one) => news.push(one));
    must(await replica.follow(old.logId));
    await replica.apply(old.wire, 'sync');
    await replica.successors.settled();
    assert.equal(replica.log(log)?.state, 'closed', 'as far as it can tell it is sound');
    await sync(ledger, replica, log);
    assert.equal(replica.log(log)?.state, 'open');
    assert.equal(replica.log(log)?.closing, undefined);
    assert.deepEqual(
      news.map(({ kind, reason }) => [kind, reason?.code]),
      [
        ['wanted', undefined],
        ['refused', 'recovery-key'],
      ],
    );
    await publish(ledger, log, [event('on')]);
    await sync(ledger, replica, log);
    assert.equal(replica.log(log)?.size, ledger.log(log)?.size);
    await Promise.all([ledger.close(), replica.close()]);
  });

  it('is the second sound one: both are kept, neither goes on until one is recovered', async () => {
    const { ledger, log } = await written(3);
    const replica = await follower();
    await sync(ledger, replica, log);
    const { size, root } = head(ledger, log);
    const first = successorOf(genesisOf(ledger, log), log, size, root, recovery, { recoveryHash });
    const second = successorOf(genesisOf(ledger, log), log, size, root, recovery, {
      random: new Uint8Array(16).fill(2),
    });
    const news: SuccessionNews[] = [];
    replica.successors.onNews((one) => news.push(one));
    for (const { logId, wire } of [first, second]) {
      must(await replica.follow(logId));
      await replica.apply(wire, 'sync');
      await replica.successors.settled();
    }
    assert.deepEqual(
      news.map(({ kind, reason }) => [kind, reason?.code]),
      [
        ['closed', undefined],
        ['fork', 'successor-fork'],
      ],
    );
    assert.equal(replica.log(first.logId)?.state, 'frozen');
    assert.equal(replica.log(second.logId)?.state, 'frozen');
    assert.deepEqual(must(await replica.successors.known(log)), [first.logId, second.logId]);
    assert.equal(replica.log(log)?.reason?.code, 'successor-fork');
    const { size: end, root: at } = head(replica, first.logId);
    const third = successorOf(first.genesis, first.logId, end, at);
    must(await replica.follow(third.logId));
    await replica.apply(third.wire, 'sync');
    await replica.successors.settled();
    assert.equal(replica.log(first.logId)?.state, 'closed');
    assert.equal(replica.log(third.logId)?.state, 'open');
    await Promise.all([ledger.close(), replica.close()]);
  });
});
