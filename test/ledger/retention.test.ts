/** Forgetting by rule: what goes, what stays, what is said of it, at the writer and at a follower. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { decodeBlock } from '../../src/ledger/block-codec.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { policyMap, type RetentionPolicy } from '../../src/ledger/retention-policy.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import {
  event,
  events,
  idsOf,
  newLog,
  openLedger,
  publish,
  signer,
  testHost,
  wires,
  withLog,
  type HomeOptions,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { follower, missing } from '../support/retention.ts';

const start = asLogIndex(0);
const hour = 3_600_000;

async function withPolicy(
  policy: RetentionPolicy,
  given: HomeOptions = {},
): Promise<{ readonly ledger: Ledger; readonly log: LogId }> {
  const ledger = await openLedger(given);
  const log = must(await ledger.create({ ...newLog, retention: policyMap(policy) }, signer));
  return { ledger, log };
}

async function subjectsOf(ledger: Ledger, log: LogId, subject: string): Promise<number[]> {
  const found: number[] = [];
  for await (const index of ledger.subjectIndexes(log, subject)) found.push(index);
  return found;
}

describe('Ledger.retention', () => {
  it('drops bodies below an index, and everything else stays provable', async () => {
    const { ledger, log } = await withLog();
    await using _ = ledger;
    const receipts = await publish(ledger, log, events(600));
    const before = must(await ledger.verify(log));
    const cut = receipts[300]?.index ?? 0;
    must(await ledger.retention.setPolicy(log, { below: cut }));
    must(await ledger.retention.run(log));
    assert.equal(ledger.log(log)?.lowest, cut);
    assert.deepEqual(ledger.log(log)?.retention, { below: cut });
    const ids = await idsOf(ledger, log, start);
    assert.deepEqual([ids.length, ids[0]], [300, '300']);
    const gone = Object.entries(await missing(ledger, log));
    assert.equal(gone.length, 300);
    assert.ok(gone.every(([, why]) => why === 'retention'));
    const report = must(await ledger.verify(log));
    assert.equal(report.verdict, 'incomplete');
    assert.deepEqual([report.dropped, report.redacted, report.checkedEvents], [300, 0, 300]);
    assert.deepEqual(
      report.problems.map(({ index, code }) => [index, code]),
      [[receipts[0]?.index, 'event-dropped']],
    );
    assert.equal(before.verdict, 'intact');
    for (const receipt of [receipts[0], receipts[299], receipts[599]]) {
      assert.ok(receipt !== undefined);
      const path = must(await ledger.proofs.inclusion(log, receipt.index));
      assert.ok(path.length > 0);
      const entry = must(await ledger.entry(log, receipt.index));
      assert.equal(
        toHex(nodeCrypto.sha256(Uint8Array.of(0, ...entry.leaf()))),
        toHex(receipt.leafHash),
      );
    }
    // What is left of subject s1: those that have their bodies.
    const left = await subjectsOf(ledger, log, 's1');
    assert.ok(left.length === 30 && left.every((index) => index >= cut));
  });

  it('answers an event published again with its first receipt although its body is gone', async () => {
    const { ledger, log } = await withLog();
    await using _ = ledger;
    const [first] = await publish(ledger, log, events(3));
    must(await ledger.retention.setPolicy(log, { below: 100 }));
    must(await ledger.retention.run(log));
    assert.deepEqual(await idsOf(ledger, log, start), []);
    const [again] = await publish(ledger, log, events(1));
    assert.equal(again?.duplicate, true);
    assert.equal(again.index, first?.index);
    const other = event(0, { subject: 's0', data: '{"n":2}' });
    const [conflict] = must(await ledger.publish(log, [other]));
    assert.ok(conflict !== undefined);
    refused(conflict, 'event-conflict');
  });

  it('lets bodies go by age, with a seal of its own where the log is quiet, and once only', async () => {
    const host = testHost();
    const { ledger, log } = await withPolicy({ maxAgeMs: hour }, { host });
    await using _ = ledger;
    await publish(ledger, log, events(10));
    must(await ledger.retention.run());
    assert.equal((await idsOf(ledger, log, start)).length, 10);
    host.offsetMs = hour / 2;
    await publish(ledger, log, events(10, 10));
    host.offsetMs = hour + 60_000;
    const blocks = ledger.log(log)?.blocks ?? 0;
    must(await ledger.retention.run());
    assert.deepEqual(
      await idsOf(ledger, log, start),
      events(10, 10).map((e) => e.context['id']),
    );
    assert.equal(ledger.log(log)?.blocks, blocks + 1);
    host.offsetMs = 3 * hour;
    must(await ledger.retention.run());
    assert.deepEqual(await idsOf(ledger, log, start), []);
    assert.equal(ledger.log(log)?.blocks, blocks + 2);
    // Nothing has a body any more: seals that grow old are no reason for another seal.
    host.offsetMs = 9 * hour;
    must(await ledger.retention.run());
    assert.equal(ledger.log(log)?.blocks, blocks + 2);
    assert.equal(must(await ledger.verify(log)).verdict, 'incomplete');
  });

  it('keeps a log within its bytes, counting on where it was after a restart', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const maxBytes = 40_000;
    const made = await withPolicy({ maxBytes }, { store, guard });
    const { log } = made;
    const data = JSON.stringify({ text: 'x'.repeat(300) });
    const some = (from: number): ReturnType<typeof event>[] =>
      Array.from({ length: 20 }, (_, i) => event(from + i, { data }));
    for (let i = 0; i < 10; i++) await publish(made.ledger, log, some(20 * i));
    must(await made.ledger.retention.run());
    const first = await idsOf(made.ledger, log, start);
    assert.ok(first.length > 40 && first.length < 110, `${first.length} left`);
    await using ledger = await openLedger({
      store: store.crash('nothing'),
      guard: new MemoryGuard(guard.marks()),
    });
    must(ledger.attachSigner(log, signer));
    for (let i = 10; i < 15; i++) await publish(ledger, log, some(20 * i));
    must(await ledger.retention.run());
    const ids = await idsOf(ledger, log, start);
    assert.equal(ids.at(-1), '299');
    let bytes = 0;
    for await (const block of ledger.blocks(log, ledger.log(log)?.lowest ?? start)) {
      bytes += block.wire.length;
    }
    assert.ok(bytes <= maxBytes + 1000 && bytes > maxBytes / 2, `${bytes} bytes are kept`);
  });

  it('keeps the newest event of each subject where the policy is to compact', async () => {
    const { ledger, log } = await withPolicy(
      { compact: true },
      { limits: { retentionBatchBlocks: 2 } },
    );
    await using _ = ledger;
    for (let i = 0; i < 12; i++) await publish(ledger, log, events(50, 50 * i));
    await publish(ledger, log, [event('none')]);
    must(await ledger.retention.run());
    const left = await idsOf(ledger, log, start);
    assert.deepEqual(left, [...Array.from({ length: 10 }, (_, i) => String(590 + i)), 'none']);
    await publish(ledger, log, events(1, 600));
    must(await ledger.retention.run());
    assert.equal((await idsOf(ledger, log, start)).includes('590'), false);
    assert.deepEqual((await subjectsOf(ledger, log, 's0')).length, 1);
    const report = must(await ledger.verify(log));
    assert.deepEqual([report.verdict, report.dropped], ['incomplete', 591]);
    assert.equal(report.firstProblem?.code, 'event-dropped');
    // Another home gets only what is left, and comes to the same root.
    await using other = await follower(ledger, log);
    assert.deepEqual(other.log(log)?.root, ledger.log(log)?.root);
    const verified = must(await other.verify(log));
    assert.deepEqual(
      [verified.verdict, verified.firstProblem?.code],
      ['incomplete', 'event-dropped'],
    );
  });

  it('redacts one event: content, salts, hashes and memory, and says so to every reader', async () => {
    const store = new MemoryStore();
    const { ledger, log } = await withLog({ store });
    await using _ = ledger;
    const secret = 'c2VjcmV0IHRleHQgdGhhdCBtdXN0IGdv';
    const list = [...events(5), event('s', { subject: 'who', data: `{"t":"${secret}"}` })];
    const receipts = await publish(ledger, log, [...list, ...events(5, 5)]);
    const index = receipts[5]?.index ?? start;
    const [before] = await wires(ledger, log, index);
    assert.ok(await holds(store, secret));
    const done = must(await ledger.retention.redact(log, index, 'asked by the customer'));
    assert.deepEqual([done.index, done.already], [index, false]);
    assert.equal(await holds(store, secret), false);
    assert.deepEqual(await missing(ledger, log), { [index]: 'redacted' });
    assert.deepEqual(await subjectsOf(ledger, log, 'who'), []);
    assert.deepEqual(
      await idsOf(ledger, log, start),
      events(10).map((e) => e.context['id']),
    );
    const control = must(await ledger.entry(log, done.entry)).control;
    assert.deepEqual(control, { type: 'redact', index, reason: 'asked by the customer' });
    // The salts of the others stand for themselves; the seed, which gives all of them, is gone.
    const [after] = await wires(ledger, log, index);
    const seed = must(decodeBlock(before ?? new Uint8Array(0), { reduced: true })).seed;
    assert.ok(seed !== null && after !== undefined);
    assert.equal(Buffer.from(after).includes(Buffer.from(seed)), false);
    // Its content hash is gone, so that any content under its id is the same event again.
    const other = event('s', { subject: 'who', data: '{"t":"guess"}' });
    assert.equal((await publish(ledger, log, [other]))[0]?.index, index);
    const report = must(await ledger.verify(log));
    assert.deepEqual([report.verdict, report.redacted, report.dropped], ['incomplete', 1, 0]);
    assert.deepEqual(
      [report.firstProblem?.code, report.firstProblem?.index],
      ['event-redacted', index],
    );
    const again = must(await ledger.retention.redact(log, index, 'again'));
    assert.deepEqual([again.already, again.entry], [true, done.entry]);
  });

  it('takes a redacted event out of what readers that follow get from memory', async () => {
    const { ledger, log } = await withLog();
    await using _ = ledger;
    ledger.retention.start();
    const [receipt] = await publish(ledger, log, events(1));
    must(await ledger.retention.redact(log, receipt?.index ?? start, 'gone'));
    for await (const batch of ledger.batches(log, start, undefined, { recent: true })) {
      for (let index: number = batch.from; index < batch.to; index++) {
        assert.equal(batch.body(index), undefined);
      }
    }
  });

  it('refuses to redact what another writes, seals, what is not there, and without a reason', async () => {
    const { ledger, log } = await withLog();
    await using _ = ledger;
    const [receipt] = await publish(ledger, log, events(1));
    const index = receipt?.index ?? start;
    await using other = await follower(ledger, log);
    refused(await other.retention.redact(log, index, 'no'), 'redact-denied');
    refused(await other.retention.setPolicy(log, { below: 1 }), 'redact-denied');
    refused(await ledger.retention.redact(log, start, 'no'), 'event-unknown');
    refused(await ledger.retention.redact(log, asLogIndex(index + 1), 'no'), 'event-unknown');
    refused(await ledger.retention.redact(log, asLogIndex(999), 'no'), 'index-over-head');
    refused(await ledger.retention.redact(log, index, ' '), 'redact-fields');
    refused(await ledger.retention.redact(log, index, 'x'.repeat(1025)), 'redact-fields');
    refused(await ledger.retention.setPolicy(log, { maxAgeMs: 0 }), 'retention-policy');
    assert.equal(must(await ledger.verify(log)).verdict, 'intact');
  });

  it('acts while the log is paused, and says a policy only once', async () => {
    const { ledger, log } = await withLog();
    await using _ = ledger;
    await publish(ledger, log, events(3));
    must(ledger.pause(log));
    assert.ok(must(await ledger.retention.setPolicy(log, { below: 3 })) !== undefined);
    assert.equal(must(await ledger.retention.setPolicy(log, { below: 3 })), undefined);
    must(await ledger.retention.run());
    assert.equal(ledger.log(log)?.lowest, 3);
    must(await ledger.retention.setPolicy(log, {}));
    assert.deepEqual(ledger.log(log)?.retention, {});
  });
});

async function holds(store: MemoryStore, text: string): Promise<boolean> {
  await using scan = store.scan({ gte: new Uint8Array(0), lt: Uint8Array.of(0xff) });
  const entries = must(await scan.next(100_000));
  return entries.some(({ value }) => Buffer.from(value).includes(text));
}
