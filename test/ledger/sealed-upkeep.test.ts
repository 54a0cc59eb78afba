/** Own sealed logs in trouble: failing stores, lost keys, lost rows, forgetting. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fault } from '../../src/errors.ts';
import type { Finding } from '../../src/ledger/findings.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { keyspace } from '../../src/keyspace.ts';
import { ok } from '../../src/result.ts';
import { asLogIndex, type LogId, type ParsedEvent } from '../../src/types.ts';
import { FailingStore } from '../support/failing-store.ts';
import { event, events, openLedger, publish, signer } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { story, TestKeys, withSealed } from '../support/sealing.ts';

describe('ledger/sealed upkeep', () => {
  it('seals anew what is built anew after the store failed, in the open epoch', async () => {
    const store = new FailingStore(new MemoryStore());
    const { ledger, log, keys } = await withSealed({ store }, { everyEvents: 2 });
    await publish(ledger, log, [event(1)]);
    store.failWrites = 'disk-full';
    refused(must(await ledger.publish(log, events(5, 10)))[0] ?? ok(undefined), 'disk-full');
    store.failWrites = undefined;
    await publishUntil(ledger, log, events(5, 10));
    assert.equal(
      await story(ledger, log, keys),
      'g p | o0.0 e1 | e10 | o1.0 e11 e12 | o2.0 e13 e14 |',
    );
    await ledger.close();
  });

  it('refuses to write without keys, tells why, and goes on when they are there', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log, keys } = await withSealed({ store, guard });
    await publish(ledger, log, [event(1)]);
    const copy = store.crash('unsynced');
    await ledger.close();
    const lost = new TestKeys();
    const again = await openLedger({ store: copy, guard, sealing: lost });
    must(again.attachSigner(log, signer));
    refused(must(await again.publish(log, [event(2)]))[0] ?? ok(undefined), 'epoch-keys-missing');
    refused(await again.openEpoch(log, 'epoch'), 'epoch-keys-missing');
    const fresh = must(await again.openEpoch(log, 'generation'));
    assert.deepEqual([fresh.epoch, fresh.generation], [1, 1]);
    await publish(again, log, [event(3)]);
    for (const [name, root] of keys.roots) if (name.endsWith('/0')) lost.roots.set(name, root);
    assert.equal(await story(again, log, lost), 'g p | o0.0 e1 | o1.1 | e3 |');
    await again.close();
    const none = await openLedger({ store: copy.crash('unsynced'), guard });
    must(none.attachSigner(log, signer));
    refused(must(await none.publish(log, [event(4)]))[0] ?? ok(undefined), 'epoch-keys-missing');
    must(await none.appendControl(log, { type: 'note' }));
    await none.close();
  });

  it('tells a failing key store to who waits, and tries again with the next publish', async () => {
    const { ledger, log, keys } = await withSealed();
    keys.failing = fault('file-unwritable', 'the disk is full');
    refused(must(await ledger.publish(log, [event(1)]))[0] ?? ok(undefined), 'file-unwritable');
    assert.equal(must(await ledger.epochs(log)).length, 0);
    keys.failing = undefined;
    await publish(ledger, log, [event(1)]);
    assert.equal(await story(ledger, log, keys), 'g p | o0.0 e1 |');
    await ledger.close();
  });

  it('does not seal with a shredded epoch: the next event opens another one', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log, keys } = await withSealed({ store, guard });
    await publish(ledger, log, [event(1)]);
    const copy = store.crash('unsynced');
    await ledger.close();
    keys.gone.add(0);
    const again = await openLedger({ store: copy, guard, sealing: keys });
    must(again.attachSigner(log, signer));
    await publish(again, log, [event(2)]);
    assert.deepEqual(
      must(await again.epochs(log)).map(({ epoch, generation }) => [epoch, generation]),
      [
        [0, 0],
        [1, 0],
      ],
    );
    await again.close();
  });

  it('passes its audit and its scrub, and mends index rows that were lost', async () => {
    const store = new MemoryStore();
    const { ledger, log } = await withSealed({ store }, { everyEvents: 4 });
    await publish(ledger, log, events(10));
    assert.equal(must(await ledger.verify(log)).verdict, 'intact');
    const rows = await idsAndSubjects(store);
    assert.equal(rows.length, 20);
    must(await store.batch(rows.slice(0, 15), { sync: true }));
    assert.deepEqual(must(await ledger.scrub.repair(log)).findings.filter(isOpen), []);
    assert.deepEqual(await idsAndSubjects(store), rows);
    assert.equal(must(await ledger.find(log, '/test', '3')) === undefined, false);
    assert.deepEqual(must(await ledger.scrub.repair(log)).findings.filter(isOpen), []);
    assert.deepEqual(await idsAndSubjects(store), rows);
    await ledger.close();
  });

  it('leaves the rows of a shredded epoch as they are', async () => {
    const store = new MemoryStore();
    const { ledger, log, keys } = await withSealed({ store }, { everyEvents: 4 });
    await publish(ledger, log, events(10));
    const rows = await idsAndSubjects(store);
    keys.gone.add(1);
    assert.deepEqual(must(await ledger.scrub.repair(log)).findings.filter(isOpen), []);
    assert.deepEqual(await idsAndSubjects(store), rows);
    assert.equal(must(await ledger.verify(log)).verdict, 'intact');
    await ledger.close();
  });

  it('redacts one event: ciphertext, id and subject go, everything else stays', async () => {
    const store = new MemoryStore();
    const { ledger, log, keys } = await withSealed({ store });
    await publish(ledger, log, events(3));
    const before = await idsAndSubjects(store);
    const root = ledger.log(log)?.root;
    must(await ledger.retention.redact(log, asLogIndex(5), 'asked for'));
    assert.equal(await story(ledger, log, keys), 'g p | o0.0 e0 - e2 | x |');
    assert.equal((await idsAndSubjects(store)).length, before.length - 1);
    assert.equal(must(await ledger.entry(log, asLogIndex(5))).bodyMissing, 'redacted');
    assert.equal(must(await ledger.verify(log)).verdict, 'incomplete');
    assert.notDeepEqual(root, ledger.log(log)?.root);
    await ledger.close();
  });

  it('drops old bodies by its policy, and is not compacted by subjects that nobody sees', async () => {
    const store = new MemoryStore();
    const { ledger, log } = await withSealed({ store });
    await publish(ledger, log, events(6));
    refused(await ledger.retention.setPolicy(log, { compact: true }), 'retention-policy');
    must(await ledger.retention.setPolicy(log, { below: 7 }));
    must(await ledger.retention.run(log));
    for await (const entry of ledger.entries(log, asLogIndex(4), asLogIndex(10))) {
      assert.equal(entry.sealedBody === undefined, entry.index < 7, String(entry.index));
    }
    assert.equal(must(await ledger.verify(log)).verdict, 'incomplete');
    await ledger.close();
  });
});

function isOpen({ repairedFrom }: Finding): boolean {
  return repairedFrom === undefined;
}

async function publishUntil(
  ledger: Ledger,
  log: LogId,
  list: readonly ParsedEvent[],
): Promise<void> {
  for (;;) {
    const results = await ledger.publish(log, list);
    if (results.ok && results.value.every((one) => one.ok)) return;
    await new Promise((resolve) => void setTimeout(resolve, 5));
  }
}

async function idsAndSubjects(store: MemoryStore): Promise<{ readonly key: Uint8Array }[]> {
  const rows: { readonly key: Uint8Array }[] = [];
  for (const { prefix } of [keyspace.ids, keyspace.subjects]) {
    await using scan = store.scan({ gte: Uint8Array.of(prefix), lt: Uint8Array.of(prefix + 1) });
    for (const { key } of must(await scan.next(10_000))) rows.push({ key });
  }
  return rows;
}
