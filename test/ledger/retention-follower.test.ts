/** Forgetting at followers, after a crash, on a failing store, and blocks of any choice of bodies. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { keyspace, logKey } from '../../src/keyspace.ts';
import { decodeBlock } from '../../src/ledger/block-codec.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { retentionControl } from '../../src/ledger/retention-policy.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import { asLogIndex } from '../../src/types.ts';
import { FailingStore } from '../support/failing-store.ts';
import { env } from '../support/judges.ts';
import {
  event,
  events,
  idsOf,
  openLedger,
  publish,
  signer,
  wires,
  withLog,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { follower, missing, sync } from '../support/retention.ts';
import { until } from '../support/until.ts';

const start = asLogIndex(0);

describe('retention at a follower and after faults', () => {
  it('is followed by those who keep the log, whether they had the bodies or come later', async () => {
    const { ledger, log } = await withLog();
    await using _ = ledger;
    await publish(ledger, log, events(300));
    await using early = await follower(ledger, log);
    assert.equal((await idsOf(early, log, start)).length, 300);
    must(await ledger.retention.setPolicy(log, { below: 100 }));
    must(await ledger.retention.redact(log, asLogIndex(200), 'wrong person'));
    must(await ledger.retention.run());
    await sync(ledger, early, log);
    must(await early.retention.run());
    await using late = await follower(ledger, log);
    must(await late.retention.run());
    const wanted = await idsOf(ledger, log, start);
    for (const one of [early, late]) {
      assert.deepEqual(await idsOf(one, log, start), wanted);
      assert.deepEqual(await missing(one, log), await missing(ledger, log));
      assert.deepEqual(one.log(log)?.root, ledger.log(log)?.root);
      const report = must(await one.verify(log));
      assert.equal(report.verdict, 'incomplete');
      assert.deepEqual([report.redacted, report.dropped], [1, 98]);
      assert.deepEqual(
        report.problems.map(({ code }) => code),
        ['event-dropped', 'event-redacted'],
      );
    }
    // Both forms are the same history: neither is taken for a fork of the other.
    const [reduced] = await wires(ledger, log, asLogIndex(150));
    assert.equal(
      must(decodeBlock(reduced ?? new Uint8Array(0), { reduced: true })).form,
      'reduced',
    );
    const { verdict } = await early.apply(reduced ?? new Uint8Array(0), 'sync');
    assert.ok(verdict.kind === 'ignore' && verdict.reason.code === 'block-known');
    const gossiped = await early.apply(reduced ?? new Uint8Array(0), 'gossip');
    assert.ok(gossiped.verdict.kind === 'reject');
    assert.equal(gossiped.verdict.reason.code, 'block-form');
  });

  it('makes blocks that verify from any choice of bodies, and only to the same root', async () => {
    const { ledger, log } = await withLog();
    await using _ = ledger;
    await publish(ledger, log, events(30));
    const choice = fc.uniqueArray(fc.integer({ min: 2, max: 31 }), { minLength: 1, maxLength: 4 });
    const gone = new Set<number>();
    await fc.assert(
      fc.asyncProperty(choice, async (indexes) => {
        for (const index of indexes) {
          must(await ledger.retention.redact(log, asLogIndex(index), 'chosen'));
          gone.add(index);
        }
        assert.deepEqual(
          Object.keys(await missing(ledger, log)).map(Number),
          [...gone].toSorted((a, b) => a - b),
        );
        await using other = await follower(ledger, log);
        assert.deepEqual(other.log(log)?.root, ledger.log(log)?.root);
        const [, block] = await wires(ledger, log, start);
        assert.ok(block !== undefined);
        for (let at = 0; at < block.length; at += 97) {
          const changed = block.slice();
          changed[at] = (changed[at] ?? 0) ^ 1;
          assert.equal(verifyBlock(env, { logId: log }, changed, { form: 'any' }).ok, false);
        }
      }),
      { numRuns: 5 },
    );
  });

  it('forgets its row with the log', async () => {
    const store = new MemoryStore();
    const { ledger, log } = await withLog();
    await using _ = ledger;
    await publish(ledger, log, events(5));
    must(await ledger.retention.setPolicy(log, { below: 3 }));
    await using other = await openLedger({ store });
    must(await other.follow(log));
    await sync(ledger, other, log);
    must(await other.retention.run());
    assert.ok(must(await store.get(logKey(keyspace.retention, 1))) !== undefined);
    must(await other.unfollow(log, { purge: true }));
    assert.equal(store.size <= 2, true);
  });

  it('finishes after a crash between the control entry and the dropping, and is idempotent', async () => {
    const memory = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store: memory, guard });
    const list = events(40);
    await publish(ledger, log, list);
    const map = { type: 'redact', index: 7, reason: 'asked' };
    must(await ledger.appendControl(log, map));
    must(await ledger.appendControl(log, retentionControl({ below: 5 })));
    const reopened = await openLedger({
      store: memory.crash('unsynced'),
      guard: new MemoryGuard(guard.marks()),
    });
    await using again = reopened;
    must(again.attachSigner(log, signer));
    assert.equal((await idsOf(again, log, start)).length, 40);
    must(await again.retention.run());
    const left = await idsOf(again, log, start);
    assert.equal(left.length, 36);
    const stored = await wires(again, log, start);
    must(await again.retention.run());
    assert.deepEqual(await wires(again, log, start), stored);
  });

  it('leaves nothing half done where the store fails, and goes on when it works again', async () => {
    const failing = new FailingStore(new MemoryStore());
    const { ledger, log } = await withLog({ store: failing });
    await using _ = ledger;
    await publish(ledger, log, events(40));
    must(await ledger.retention.setPolicy(log, { below: 20 }));
    failing.failWrites = 'disk-full';
    refused(await ledger.retention.run(), 'disk-full');
    assert.equal((await idsOf(ledger, log, start)).length, 40);
    failing.failWrites = undefined;
    const dropped = async (): Promise<boolean> =>
      (await ledger.retention.run()).ok && ledger.log(log)?.lowest === 20;
    await until(dropped, 'the bodies go');
    assert.equal((await idsOf(ledger, log, start)).length, 22);
    assert.equal(must(await ledger.verify(log)).firstProblem?.code, 'event-dropped');
  });

  it('drops nothing any more of a log with two histories, but for what was redacted', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard });
    await using _ = ledger;
    await publish(ledger, log, events(10));
    const copy = new MemoryStore();
    await using scan = store.scan({ gte: new Uint8Array(0), lt: Uint8Array.of(0xff) });
    must(await copy.batch(must(await scan.next(10_000)), { sync: true }));
    await using two = await openLedger({ store: copy, guard: new MemoryGuard(guard.marks()) });
    must(two.attachSigner(log, signer));
    await publish(two, log, [event('other history')]);
    must(await ledger.appendControl(log, { type: 'redact', index: 4, reason: 'asked' }));
    must(await ledger.retention.setPolicy(log, { below: 8 }));
    must(await ledger.retention.run());
    await using other = await follower(ledger, log);
    const before = await missing(other, log);
    const [foreign] = await wires(two, log, asLogIndex(13));
    assert.ok(foreign !== undefined);
    await other.apply(foreign, 'sync');
    assert.equal(other.log(log)?.state, 'frozen');
    must(await other.retention.run());
    assert.deepEqual(await missing(other, log), before);
    // A follower that had all of it when it learnt of the fork keeps it, as evidence.
    await using early = await openLedger();
    must(await early.follow(log));
    for (const wire of await wires(two, log, asLogIndex(0))) await early.apply(wire, 'sync');
    const [, , control] = await wires(ledger, log, asLogIndex(0));
    assert.ok(control !== undefined);
    await early.apply(control, 'sync');
    assert.equal(early.log(log)?.state, 'frozen');
    must(await early.retention.run());
    assert.deepEqual(await missing(early, log), {});
  });
});
