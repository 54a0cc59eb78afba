/** Crashes, a store that fails, and a store that is older than its guard. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fault } from '../../src/errors.ts';
import { logIdHash } from '../../src/ids.ts';
import { keyOf, keyspace, logKey, numberKey } from '../../src/keyspace.ts';
import { MemoryGuard, type Guard, type GuardMark } from '../../src/ledger/guard.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { err, type Result } from '../../src/result.ts';
import { asLogIndex, asStreamName, type LogId } from '../../src/types.ts';
import { FailingStore } from '../support/failing-store.ts';
import {
  event,
  events,
  idsOf,
  newLog,
  openLedger,
  options,
  publish,
  otherSigner,
  signer,
  wires,
  withLog,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { until } from '../support/until.ts';

const zero = asLogIndex(0);

/** Opens the home again and attaches the key. */
async function again(store: MemoryStore, guard: Guard, log: LogId): Promise<Ledger> {
  const ledger = await openLedger({ store, guard });
  must(ledger.attachSigner(log, signer));
  return ledger;
}

/** A guard that fails when told to, and keeps its marks. */
class FailingGuard extends MemoryGuard {
  failing = false;
  override advance(marks: readonly GuardMark[]): Promise<Result<void>> {
    if (this.failing) return Promise.resolve(err(fault('guard-failed', 'told to fail')));
    return super.advance(marks);
  }
}

describe('Ledger after a crash', () => {
  it('has every acknowledged event, once, and goes on', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard });
    await publish(ledger, log, events(600));
    const left = new MemoryGuard(guard.marks());
    const next = await again(store.crash('unsynced'), left, log);
    assert.equal((await idsOf(next, log, zero)).length, 600);
    const repeated = await publish(next, log, events(600));
    assert.ok(repeated.every((receipt) => receipt.duplicate === true));
    await publish(next, log, events(5, 600));
    assert.equal(must(await next.verify(log)).verdict, 'intact');
    await next.close();
  });

  it('adopts a block that was stored before the crash but not yet in the guard', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard });
    const before = guard.marks();
    await publish(ledger, log, [event('a')]);
    const left = new MemoryGuard(before);
    const next = await again(store.crash('unsynced'), left, log);
    // The guard is where the store is before anything is served or signed.
    assert.equal(left.marks()[0]?.size, 4);
    assert.equal(next.log(log)?.state, 'open');
    const [receipt] = await publish(next, log, [event('a')]);
    assert.deepEqual([receipt?.index, receipt?.duplicate], [2, true]);
    await next.close();
  });

  it('signs nothing while its store is behind the guard, reads, and catches up from peers', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard, limits: { minLingerMs: 0 } });
    await publish(ledger, log, [event('a')]);
    const backup = store.crash('unsynced');
    const live = await again(store.crash('unsynced'), guard, log);
    for (const id of ['b', 'c']) await publish(live, log, [event(id)]);
    const blocks = await wires(live, log, zero);

    const restored = await again(backup, new MemoryGuard(guard.marks()), log);
    assert.equal(restored.log(log)?.state, 'waiting');
    assert.equal(restored.log(log)?.reason?.code, 'store-behind-guard');
    assert.deepEqual(
      restored.warnings().map((warning) => warning.code),
      ['store-behind-guard'],
    );
    refused(await restored.publish(log, [event('d')]), 'store-behind-guard');
    assert.deepEqual(await idsOf(restored, log, zero), ['a']);
    const [, , b, c] = blocks;
    await restored.apply(b ?? new Uint8Array(0), 'sync');
    assert.equal(restored.log(log)?.state, 'waiting');
    await restored.apply(c ?? new Uint8Array(0), 'sync');
    assert.equal(restored.log(log)?.state, 'open');
    const [known, fresh] = await publish(restored, log, [event('c'), event('d')]);
    assert.deepEqual([known?.duplicate, fresh?.index], [true, 8]);
    assert.equal(must(await restored.verify(log)).verdict, 'intact');
    // Now it is the writer again, and nobody else fills its log.
    const extra = await restored.apply(blocks[3] ?? new Uint8Array(0), 'sync');
    assert.equal(extra.verdict.kind === 'ignore' && extra.verdict.reason.code, 'block-known');
    await Promise.all([live.close(), restored.close()]);
  });

  it('signs nothing where the guard is gone or knows another root', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard });
    await publish(ledger, log, [event('a')]);
    const [mark] = guard.marks();
    assert.ok(mark !== undefined);
    const gone = await openLedger({ store: store.crash('nothing'), guard: new MemoryGuard() });
    assert.equal(gone.log(log)?.reason?.code, 'guard-missing');
    must(gone.attachSigner(log, signer));
    refused(await gone.publish(log, [event('b')]), 'guard-missing');
    for (const size of [mark.size, mark.size - 1]) {
      const other = new MemoryGuard([{ ...mark, size, root: mark.id }]);
      const ledger = await openLedger({ store: store.crash('nothing'), guard: other });
      assert.equal(ledger.log(log)?.reason?.code, 'guard-conflict');
    }
    await gone.close();
  });

  it('opens the other logs where the row of one is damaged, and the scrub writes it anew', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard });
    const other = must(await ledger.create({ ...newLog, name: asStreamName('other') }, signer));
    for (const one of [log, other]) await publish(ledger, one, [event('a'), event('b')]);
    const row = { key: keyOf(keyspace.logs, logIdHash(log)), value: Uint8Array.of(0x87, 2) };
    const copy = store.crash('nothing');
    must(await copy.batch([row], { sync: true }));
    const next = await openLedger({ store: copy, guard: new MemoryGuard(guard.marks()) });
    assert.deepEqual(
      next.warnings().map(({ code }) => code),
      ['store-corrupt'],
    );
    assert.equal(next.log(log)?.state, 'damaged');
    assert.equal(next.log(log)?.size, ledger.log(log)?.size);
    for (const one of [log, other]) must(next.attachSigner(one, signer));
    await publish(next, other, [event('c')]);
    refused(await next.publish(log, [event('c')]), 'log-damaged');
    const found = must(await next.scrub.repair(log)).findings.map(({ kind }) => kind);
    assert.deepEqual(found, ['head']);
    assert.equal(next.log(log)?.state, 'open');
    await publish(next, log, [event('c')]);
    const last = await openLedger({ store: copy.crash('nothing'), guard: new MemoryGuard([]) });
    assert.notEqual(last.log(log)?.state, 'damaged');
    assert.equal(must(await last.verify(log)).verdict, 'intact');
  });

  it('mistakes no rows for those of a log whose row and head are damaged', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard });
    const other = must(await ledger.create({ ...newLog, name: asStreamName('other') }, signer));
    const [row, head] = [keyOf(keyspace.logs, logIdHash(other)), logKey(keyspace.heads, 2)];
    const copy = store.crash('nothing');
    must(await copy.batch([{ key: row, value: Uint8Array.of(0) }, { key: head }], { sync: true }));
    const next = await openLedger({ store: copy, guard: new MemoryGuard(guard.marks()) });
    assert.equal(next.log(other)?.state, 'damaged');
    assert.equal(next.log(other)?.size, 0);
    assert.equal(next.log(other)?.role, 'writer');
    must(next.attachSigner(log, signer));
    await publish(next, log, [event('c')]);
    const third = must(await next.create({ ...newLog, name: asStreamName('third') }, signer));
    await publish(next, third, [event('d')]);
    assert.equal(must(await next.verify(third)).verdict, 'intact');
    assert.equal(must(await next.verify(log)).verdict, 'intact');
  });

  it('says that a log is damaged whose newest block is gone or changed', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard });
    await publish(ledger, log, [event('a')]);
    const key = numberKey(keyspace.blocks, 1, 1);
    const value = must(await store.get(key));
    assert.ok(value !== undefined);
    value[value.length - 300] = (value[value.length - 300] ?? 0) ^ 1;
    const head = logKey(keyspace.heads, 1);
    const damages = [
      [{ key }],
      [{ key, value }],
      [{ key: head }],
      [{ key: head, value: value.slice(0, 50) }],
      [{ key: numberKey(keyspace.blocks, 1, 0) }],
      [{ key: numberKey(keyspace.blocks, 1, 2), value }],
    ];
    for (const writes of damages) {
      const copy = store.crash('nothing');
      must(await copy.batch(writes, { sync: true }));
      const next = await openLedger({ store: copy, guard: new MemoryGuard(guard.marks()) });
      assert.equal(next.log(log)?.state, 'damaged');
      assert.equal(next.log(log)?.reason?.code, 'store-corrupt');
      must(next.attachSigner(log, signer));
      // Nothing is signed on it, whatever it is, and the hint names the ways out.
      const published = await next.publish(log, [event('b')]);
      refused(published, 'log-damaged');
      assert.match(published.ok ? '' : published.error.hint, /--repair.*hw stream recover/);
      refused(await next.appendControl(log, { type: 'note' }), 'log-damaged');
      refused(await next.rotate(log, otherSigner), 'log-damaged');
      assert.notEqual(must(await next.verify(log)).verdict, 'intact');
    }
  });
});

describe('Ledger on a store that fails', () => {
  it('acknowledges nothing, keeps reading, and goes on once the disk takes bytes', async () => {
    const store = new FailingStore(new MemoryStore());
    const { ledger, log } = await withLog({ store });
    await publish(ledger, log, [event('a')]);
    store.failWrites = 'disk-full';
    for (const result of must(await ledger.publish(log, events(3)))) refused(result, 'disk-full');
    refused(await ledger.publish(log, [event('b')]), 'disk-full');
    assert.equal(ledger.stats().accepting, false);
    assert.deepEqual(await idsOf(ledger, log, zero), ['a']);
    assert.equal(ledger.log(log)?.size, 4);
    store.failWrites = undefined;
    await until(() => ledger.stats().accepting, 'it takes writes');
    await publish(ledger, log, events(3));
    assert.deepEqual(await idsOf(ledger, log, zero), ['a', '0', '1', '2']);
    assert.equal(must(await ledger.verify(log)).verdict, 'intact');
    await ledger.close();
  });

  it('fails all that waits behind a block that failed, in every stage', async () => {
    const store = new FailingStore(new MemoryStore());
    const { ledger, log } = await withLog({ store });
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const calls = [events(255), events(255, 255), events(700, 510)];
    const waiting = calls.map((list) => ledger.publish(log, list));
    store.failWrites = 'store-failed';
    store.gate = undefined;
    resolve();
    for (const call of waiting) {
      for (const result of must(await call)) refused(result, 'store-failed');
    }
    assert.equal(ledger.stats().pendingEvents, 0);
    store.failWrites = undefined;
    await until(() => ledger.stats().accepting, 'it takes writes');
    for (const list of calls) await publish(ledger, log, list);
    const ids = await idsOf(ledger, log, zero);
    assert.deepEqual(
      ids,
      Array.from({ length: 1210 }, (_, i) => String(i)),
    );
    assert.equal(must(await ledger.verify(log)).verdict, 'intact');
    await ledger.close();
  });

  it('finds a block again that was stored although its write seemed to fail', async () => {
    const store = new FailingStore(new MemoryStore());
    const { ledger, log } = await withLog({ store });
    store.failWrites = 'store-failed';
    store.writeAnyway = true;
    for (const result of must(await ledger.publish(log, events(3))))
      refused(result, 'store-failed');
    store.failWrites = undefined;
    await until(() => ledger.stats().accepting, 'it takes writes');
    const receipts = await publish(ledger, log, events(4));
    assert.deepEqual(
      receipts.map((receipt) => receipt.duplicate ?? false),
      [true, true, true, false],
    );
    assert.deepEqual(await idsOf(ledger, log, zero), ['0', '1', '2', '3']);
    await ledger.close();
  });

  it('does not acknowledge what the guard did not take', async () => {
    const guard = new FailingGuard([]);
    const { ledger, log } = await withLog({ guard });
    guard.failing = true;
    for (const result of must(await ledger.publish(log, events(2))))
      refused(result, 'guard-failed');
    guard.failing = false;
    await until(() => ledger.stats().accepting, 'it takes writes');
    const receipts = await publish(ledger, log, events(2));
    assert.ok(receipts.every((receipt) => receipt.duplicate === true));
    await publish(ledger, log, events(1, 2));
    assert.equal(guard.marks()[0]?.size, ledger.log(log)?.size);
    await ledger.close();
  });

  it('says so where the store cannot be read when it is opened', async () => {
    const store = new FailingStore(new MemoryStore());
    store.failReads = 'store-corrupt';
    refused(await Ledger.open(options({ store })), 'store-corrupt');
  });

  it('writes what waits before it closes, and takes nothing afterwards', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard, limits: { minLingerMs: 1000 } });
    const waiting = ledger.publish(log, events(300));
    await ledger.close();
    for (const result of must(await waiting)) must(result);
    refused(await ledger.publish(log, [event('x')]), 'store-closed');
    const next = await again(store.crash('unsynced'), new MemoryGuard(guard.marks()), log);
    assert.equal((await idsOf(next, log, zero)).length, 300);
    await next.close();
  });
});
