/** Own sealed logs that lost blocks, and those that go on in a successor. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { asLogIndex } from '../../src/types.ts';
import { event, events, openLedger, publish, signer, wires } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { sealedLog, story, TestKeys } from '../support/sealing.ts';
import { until } from '../support/until.ts';
import { plan, recovery, recoveryHash, sync } from '../support/succession.ts';

const zero = asLogIndex(0);

describe('ledger/sealed recovery', () => {
  it('knows what was published before, once lost blocks have come back from peers', async () => {
    const [store, guard, keys] = [new MemoryStore(), new MemoryGuard([]), new TestKeys()];
    const first = await openLedger({ store, guard, sealing: keys });
    const log = must(await first.create({ ...sealedLog, epochs: { everyEvents: 2 } }, signer));
    await publish(first, log, [event('a')]);
    await first.flush();
    const base = store.crash('unsynced');
    const live = base.crash('unsynced');
    const old = base.crash('unsynced');
    const later = await openLedger({ store: live, guard, sealing: keys });
    must(later.attachSigner(log, signer));
    for (const id of ['b', 'c', 'd', 'e']) {
      await publish(later, log, [event(id, { subject: `of ${id}` })]);
    }
    const blocks = await wires(later, log, zero);
    const told = await story(later, log, keys);
    await later.close();
    const restored = await openLedger({ store: old, guard, sealing: keys });
    must(restored.attachSigner(log, signer));
    refused(await restored.publish(log, [event('f')]), 'store-behind-guard');
    // In one go: more than a batch of the store holds, and openings among what is not stored yet.
    await Promise.all(blocks.map((wire) => restored.apply(wire, 'sync')));
    await until(() => restored.log(log)?.state === 'open', 'the log is open');
    const again = must(await restored.publish(log, [event('d', { subject: 'of d' }), event('f')]));
    assert.equal(must(again[0] ?? assert.fail()).duplicate, true);
    assert.equal(must(again[1] ?? assert.fail()).duplicate, undefined);
    const other = must(await restored.publish(log, [event('e', { data: '{"n":7}' })]));
    refused(other[0] ?? assert.fail(), 'event-conflict');
    for await (const index of restored.subjectIndexes(log, 'of c')) {
      assert.equal(index, must(await restored.find(log, '/test', 'c')));
    }
    assert.equal(await story(restored, log, keys), `${told} ef |`);
    assert.equal(must(await restored.verify(log)).verdict, 'intact');
    await restored.close();
  });

  it('a successor has key tree and epochs of its own, and the rhythm of its predecessor', async () => {
    const keys = new TestKeys();
    const ledger = await openLedger({ sealing: keys });
    const epochs = { everyEvents: 2 };
    const log = must(await ledger.create({ ...sealedLog, recoveryHash, epochs }, signer));
    await publish(ledger, log, events(3));
    must(await ledger.openEpoch(log, 'generation'));
    const next = must(await ledger.successors.succeed(log, plan, recovery, signer));
    refused(await ledger.publish(log, [event(9)]), 'log-closed');
    refused(await ledger.openEpoch(log, 'generation'), 'log-closed');
    await publish(ledger, next, events(3));
    assert.equal(await story(ledger, next, keys), 'g p | o0.0 e0 e1 | o1.0 e2 |');
    assert.deepEqual(must(await ledger.epochPolicy(next)), epochs);
    const roots = [`${log}/0`, `${log}/1`, `${next}/0`].map((name) => keys.roots.get(name)?.key);
    assert.equal(new Set(roots.map((key) => Buffer.from(key ?? []).toString('hex'))).size, 3);
    const follower = await openLedger();
    await sync(ledger, follower, log);
    await sync(ledger, follower, next);
    assert.deepEqual(must(await follower.epochs(next)), must(await ledger.epochs(next)));
    await Promise.all([ledger.close(), follower.close()]);
  });

  it('what a recovery leaves behind is not found any more, and can be published again', async () => {
    const keys = new TestKeys();
    const ledger = await openLedger({ sealing: keys });
    const log = must(await ledger.create({ ...sealedLog, recoveryHash }, signer));
    await publish(ledger, log, [event(1)]);
    const size = ledger.log(log)?.size;
    assert.ok(size !== undefined);
    await publish(ledger, log, [event(2, { subject: 'gone' })]);
    const wanted = { ...plan, size };
    const next = must(await ledger.successors.succeed(log, wanted, recovery, signer));
    await ledger.successors.settled();
    assert.equal(must(await ledger.find(log, '/test', '2')), undefined);
    for await (const index of ledger.subjectIndexes(log, 'gone')) assert.fail(String(index));
    assert.equal(must(await ledger.find(log, '/test', '1')), 4);
    const [receipt] = await publish(ledger, next, [event(2)]);
    assert.equal(receipt?.duplicate, undefined);
    await ledger.close();
  });
});
