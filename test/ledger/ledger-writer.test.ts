/** Own logs: receipts, idempotence, order, limits, clock, rotation. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { equal } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { fault } from '../../src/errors.ts';
import { FailingStore } from '../support/failing-store.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import type { AppendedBlock } from '../../src/ledger/ledger-types.ts';
import { verifyInclusion } from '../../src/ledger/proof.ts';
import { err, ok } from '../../src/result.ts';
import { asLogIndex } from '../../src/types.ts';
import {
  event,
  events,
  idsOf,
  newLog,
  openLedger,
  otherSigner,
  publish,
  signer,
  testHost,
  withLog,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';

const zero = asLogIndex(0);
const day = 86_400_000;

describe('Ledger as a writer', () => {
  it('makes a log with a genesis block that is durable and signed', async () => {
    const store = new MemoryStore();
    const { ledger, log } = await withLog({ store });
    const summary = ledger.log(log);
    assert.equal(summary?.size, 2);
    assert.equal(summary?.blocks, 1);
    assert.equal(summary?.role, 'writer');
    assert.equal(summary?.state, 'open');
    assert.equal(summary?.genesis?.name, 'orders');
    assert.match(summary?.checkpoint ?? '', new RegExp(`^headwater/${log}\n2\n`));
    assert.deepEqual(summary?.writerKey, signer.publicKey);
    assert.ok(store.crash('unsynced').size > 5);
  });

  it('refuses a log in the name of another organisation', async () => {
    await using ledger = await openLedger();
    refused(await ledger.create(newLog, otherSigner), 'genesis-proof');
    assert.equal(ledger.logs().length, 0);
  });

  it('gives each event a receipt whose leaf is in the tree of its root', async () => {
    const { ledger, log } = await withLog();
    const receipts = await publish(ledger, log, events(700));
    assert.deepEqual(receipts.map((receipt) => receipt.index).slice(0, 3), [2, 3, 4]);
    // 255 events and a seal a block.
    assert.deepEqual([receipts[254]?.block, receipts[255]?.block], [1, 2]);
    assert.equal(receipts[255]?.index, 258);
    for (const receipt of [receipts[0], receipts[300], receipts[699]]) {
      assert.ok(receipt !== undefined);
      const proof = must(await ledger.proofs.inclusion(log, receipt.index, receipt.size));
      const { leafHash, index, size, root } = receipt;
      must(verifyInclusion(nodeCrypto, leafHash, index, size, proof, root));
    }
    await ledger.close();
  });

  it('keeps the order of events, over blocks and over calls', async () => {
    const { ledger, log } = await withLog();
    const calls = [events(300), events(10, 300), events(400, 310), events(1, 710)];
    await Promise.all(calls.map((list) => publish(ledger, log, list)));
    const ids = await idsOf(ledger, log, zero);
    assert.deepEqual(
      ids,
      Array.from({ length: 711 }, (_, i) => String(i)),
    );
    await ledger.close();
  });

  it('gives the first receipt again for the same event, also while it is under way', async () => {
    const { ledger, log } = await withLog();
    const list = events(5);
    const [first, meanwhile] = await Promise.all([
      publish(ledger, log, list),
      publish(ledger, log, list),
    ]);
    const later = await publish(ledger, log, list);
    assert.deepEqual(
      meanwhile,
      first.map((receipt) => ({ ...receipt, duplicate: true })),
    );
    assert.deepEqual(later, meanwhile);
    assert.equal(ledger.log(log)?.size, 8);
    assert.equal(ledger.stats().duplicates, 10);
    await ledger.close();
  });

  it('tells a conflict where source and id come with other content', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, [event('a')]);
    const changed = [event('a', { data: '{"n":2}' }), event('a', { subject: 's' }), event('b')];
    const results = must(await ledger.publish(log, changed));
    const codes = results.map((result) => (result.ok ? 'ok' : result.error.code));
    assert.deepEqual(codes, ['event-conflict', 'event-conflict', 'ok']);
    const [conflict] = results;
    assert.equal(conflict?.ok === false ? conflict.error.place?.index : undefined, 0);
    assert.equal(ledger.stats().conflicts, 2);
    await ledger.close();
  });

  it('takes an integer and its text form for the same value', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, [event('a', { sequence: 5 })]);
    const [again] = await publish(ledger, log, [event('a', { sequence: '5' })]);
    assert.equal(again?.duplicate, true);
    await ledger.close();
  });

  it('answers a batch that holds one event twice, and one of which a part is new', async () => {
    const { ledger, log } = await withLog();
    const [a, b, c] = await publish(ledger, log, [event('a'), event('b'), event('a')]);
    assert.deepEqual([a?.index, b?.index, c?.index], [2, 3, 2]);
    assert.equal(c?.duplicate, true);
    const mixed = await publish(ledger, log, [event('c'), event('b'), event('d')]);
    assert.deepEqual(
      mixed.map((receipt) => [receipt.index, receipt.duplicate ?? false]),
      [
        [5, false],
        [3, true],
        [6, false],
      ],
    );
    await ledger.close();
  });

  it('calls listeners in order after the block is durable', async () => {
    const store = new FailingStore(new MemoryStore());
    const { ledger, log } = await withLog({ store });
    const seen: AppendedBlock[] = [];
    const syncedAt: number[] = [];
    using _listener = ledger.onAppended((block) => {
      seen.push(block);
      syncedAt.push(store.batches.filter((batch) => batch.sync).length);
    });
    const before = store.batches.filter((batch) => batch.sync).length;
    await publish(ledger, log, events(600));
    assert.deepEqual(
      seen.map((block) => [block.number, block.firstIndex, block.local]),
      [
        [1, 2, true],
        [2, 258, true],
        [3, 514, true],
      ],
    );
    // One synced batch a block, and none of a later block is done before the listener is told.
    assert.deepEqual(syncedAt, [before + 1, before + 2, before + 3]);
    await ledger.close();
  });

  it('takes as many events as may wait and refuses one more with busy', async () => {
    const store = new FailingStore(new MemoryStore());
    const { ledger, log } = await withLog({ store, limits: { maxPendingEvents: 10 } });
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const full = ledger.publish(log, events(10));
    const over = await ledger.publish(log, [event('x')]);
    refused(over, 'busy');
    assert.equal(ledger.stats().pendingEvents, 10);
    store.gate = undefined;
    resolve();
    must(await full);
    await publish(ledger, log, [event('x')]);
    assert.equal(ledger.stats().busy, 1);
    await ledger.close();
  });

  it('bounds the bytes that wait, a batch, and an event', async () => {
    const size = 6 + event('0').attributes.length + event('0').data.length;
    const { ledger, log } = await withLog({
      limits: { maxPendingBytes: 3 * size, maxBatchEvents: 3, maxBatchBytes: 10 * size },
    });
    await publish(ledger, log, [event('0'), event('1'), event('2')]);
    refused(await ledger.publish(log, events(4)), 'batch-too-large');
    refused(await ledger.publish(log, [event('3', { data: '"x"'.padEnd(9 * size) })]), 'busy');
    const large = event('4', { data: `"${'x'.repeat(196_608)}"` });
    refused(await ledger.publish(log, [event('5'), large]), 'event-too-large');
    assert.equal(ledger.log(log)?.size, 6);
    await ledger.close();
  });

  it('cuts blocks at their bytes and takes the largest event', async () => {
    const { ledger, log } = await withLog();
    const attributes = event('0').attributes.length;
    const data = `"${'x'.repeat(196_608 - attributes - 12)}"`;
    const receipts = await publish(ledger, log, [
      event('0', { data }),
      event('1', { data }),
      event('2'),
    ]);
    assert.deepEqual(
      receipts.map((receipt) => receipt.block),
      [1, 2, 2],
    );
    await ledger.close();
  });

  it('drops what its publisher takes back before it is in a block', async () => {
    const store = new FailingStore(new MemoryStore());
    const { ledger, log } = await withLog({ store, limits: { minLingerMs: 0 } });
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const first = ledger.publish(log, events(255));
    const second = ledger.publish(log, events(255, 255));
    const abort = new AbortController();
    const third = ledger.publish(log, events(3, 510), { signal: abort.signal });
    abort.abort();
    const taken = must(await third);
    for (const result of taken) refused(result, 'interrupted');
    store.gate = undefined;
    resolve();
    must(await first);
    must(await second);
    assert.equal((await idsOf(ledger, log, zero)).length, 510);
    // It may be published again.
    await publish(ledger, log, events(3, 510));
    assert.equal((await idsOf(ledger, log, zero)).length, 513);
    await ledger.close();
  });

  it('refuses to sign with a clock behind its last entry or far ahead of it', async () => {
    const host = testHost();
    const { ledger, log } = await withLog({ host });
    host.offsetMs = -3_600_000;
    refused(await ledger.publish(log, [event('a')]), 'clock-untrusted');
    host.offsetMs = 366 * day;
    refused(await ledger.publish(log, [event('a')]), 'clock-untrusted');
    host.offsetMs = -200_000;
    await publish(ledger, log, [event('a')]);
    host.offsetMs = 89 * day;
    await publish(ledger, log, [event('b')]);
    const times: number[] = [];
    for await (const entry of ledger.entries(log, zero)) times.push(entry.recordedTime);
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    );
    await ledger.close();
  });

  it('takes a far step of the clock that the operator accepts', async () => {
    const host = testHost();
    const { ledger, log } = await withLog({ host, acceptClockStep: true });
    host.offsetMs = 366 * day;
    await publish(ledger, log, [event('a')]);
    await ledger.close();
  });

  it('does not sign against the word of its peers', async () => {
    let word = ok<void>(undefined) as ReturnType<typeof ok<void>> | ReturnType<typeof err>;
    const { ledger, log } = await withLog({ clockCheck: () => word as never });
    word = err(fault('clock-untrusted', 'three peers say otherwise'));
    refused(await ledger.publish(log, [event('a')]), 'clock-untrusted');
    word = ok(undefined);
    await publish(ledger, log, [event('a')]);
    await ledger.close();
  });

  it('refuses while paused, and logs that it does not write', async () => {
    const { ledger, log } = await withLog();
    must(ledger.pause(log));
    refused(await ledger.publish(log, [event('a')]), 'stream-paused');
    must(ledger.resume(log));
    await publish(ledger, log, [event('a')]);
    const { ledger: other } = await withLog();
    refused(await other.publish(log, [event('a')]), 'log-unknown');
    must(await other.follow(log));
    refused(await other.publish(log, [event('a')]), 'log-read-only');
    await Promise.all([ledger.close(), other.close()]);
  });

  it('passes the log on to a new key, alone in its block, and signs with it', async () => {
    const { ledger, log } = await withLog();
    const [, rotation, after] = await Promise.all([
      publish(ledger, log, [event('a')]),
      ledger.rotate(log, otherSigner),
      publish(ledger, log, [event('b')]),
    ]);
    assert.equal(must(rotation).index, 4);
    assert.equal(after[0]?.index, 6);
    assert.ok(equal(ledger.log(log)?.writerKey ?? signer.publicKey, otherSigner.publicKey));
    const report = must(await ledger.verify(log));
    assert.equal(report.verdict, 'intact');
    await ledger.close();
  });

  it('resolves the parents that an event cites, and refuses those it cannot', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(5));
    const root = must(await ledger.proofs.rangeRoot(log, asLogIndex(2), asLogIndex(5)));
    const cites = event('child', { hwparents: `hw:${log}/2-5 hw:${log}/3` });
    const [receipt] = await publish(ledger, log, [cites]);
    const entry = must(await ledger.entry(log, receipt?.index ?? zero));
    const leaf = Buffer.from(entry.leaf());
    assert.equal(leaf.length, 77 + 2 * 80);
    assert.deepEqual(new Uint8Array(leaf.subarray(77 + 48, 77 + 80)), new Uint8Array(root));
    const unknown = event('orphan', { hwparents: `hw:${log}/900` });
    const [result] = must(await ledger.publish(log, [unknown]));
    assert.ok(result !== undefined);
    refused(result, 'parent-unknown');
    assert.equal(must(await ledger.verify(log)).verdict, 'intact');
    await ledger.close();
  });
});
