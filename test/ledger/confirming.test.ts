/** Own logs that wait for a word of those who keep them: after a home came back from an old copy. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { ConfirmNotice } from '../../src/ledger/confirming.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import type { RestoreGuard } from '../../src/ledger/unconfirmed.ts';
import { asLogIndex, asTreeSize, type LogId } from '../../src/types.ts';
import { Dice } from '../sim/dice.ts';
import { epochMs, VirtualHost, VirtualTime } from '../sim/virtual-time.ts';
import {
  event,
  events,
  idsOf,
  newLog,
  openLedger,
  otherSigner,
  publish,
  signer,
  wires,
  withLog,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { until } from '../support/until.ts';

const zero = asLogIndex(0);
const hour = 3_600_000;
const guarded: RestoreGuard = { mode: 'normal', waitMs: hour, restored: false };
const strict: RestoreGuard = { ...guarded, mode: 'strict' };
const quick = { minLingerMs: 0, confirmSettleMs: 5 };

/** A home as it was after `a`, and a writer that went on to `c` and `d`. */
interface Past {
  readonly log: LogId;
  readonly copy: () => { readonly store: MemoryStore; readonly guard: MemoryGuard };
  readonly blocks: readonly Uint8Array[];
  /** Checkpoints: of the copy, and of the newest head. */
  readonly earlier: string;
  readonly newest: string;
}

async function past(acknowledged = true): Promise<Past> {
  const store = new MemoryStore();
  const guard = new MemoryGuard([]);
  const { ledger, log } = await withLog({ store, guard, limits: quick });
  await publish(ledger, log, [event('a')]);
  if (acknowledged) ledger.confirming.acknowledged(log);
  await ledger.flush();
  const earlier = ledger.log(log)?.checkpoint ?? '';
  const marks = guard.marks();
  const old = store.crash('unsynced');
  const live = await openLedger({ store: old.crash('unsynced'), guard, limits: quick });
  must(live.attachSigner(log, signer));
  for (const id of ['c', 'd']) await publish(live, log, [event(id)]);
  const newest = live.log(log)?.checkpoint ?? '';
  const blocks = await wires(live, log, zero);
  await live.close();
  const copy = (): ReturnType<Past['copy']> => ({
    store: old.crash('unsynced'),
    guard: new MemoryGuard(marks),
  });
  return { log, copy, blocks, earlier, newest };
}

async function restored(
  { log, copy }: Past,
  restoreGuard: RestoreGuard = guarded,
  limits: Record<string, number> = {},
  time?: VirtualTime,
): Promise<{
  readonly ledger: Ledger;
  readonly told: ConfirmNotice[];
  readonly guard: MemoryGuard;
}> {
  const { store, guard } = copy();
  const ledger = await openLedger({
    store,
    guard,
    restoreGuard,
    limits: { ...quick, ...limits },
    // What was recorded before is not in its future.
    ...(time === undefined
      ? {}
      : { host: new VirtualHost(time, new Dice(1), Date.now() - epochMs) }),
  });
  must(ledger.attachSigner(log, signer));
  const told: ConfirmNotice[] = [];
  ledger.confirming.listen((notice) => told.push(notice));
  return { ledger, told, guard };
}

async function settled(ledger: Ledger, log: LogId, state: string): Promise<void> {
  await until(() => ledger.log(log)?.state === state, `the log is ${state}`);
}

describe('Confirming', () => {
  it('lets a log that nobody ever had sign at once', async () => {
    const before = await past(false);
    const { ledger } = await restored(before);
    assert.equal(ledger.log(before.log)?.state, 'open');
    assert.deepEqual(ledger.confirming.waiting(), []);
    await publish(ledger, before.log, [event('b')]);
    await ledger.close();
  });

  it('waits with every log of a home that came out of a backup, but not with a direct one', async () => {
    const before = await past(false);
    const { ledger } = await restored(before, { ...guarded, restored: true });
    assert.deepEqual(ledger.confirming.waiting(), [before.log]);
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const first = await openLedger({ store, guard });
    const direct = must(await first.create({ ...newLog, visibility: 'direct' }, signer));
    const next = await openLedger({
      store: store.crash('unsynced'),
      guard: new MemoryGuard(guard.marks()),
      restoreGuard: { ...guarded, restored: true },
    });
    assert.equal(next.log(direct)?.state, 'open');
    await Promise.all([ledger, first, next].map((one) => one.close()));
  });

  it('reads while it waits, and holds publishes until an equal head confirms its own', async () => {
    const before = await past();
    const { ledger, told } = await restored(before);
    assert.equal(ledger.log(before.log)?.state, 'waiting');
    assert.equal(ledger.log(before.log)?.reason?.code, 'head-unconfirmed');
    assert.deepEqual(ledger.warnings(), []);
    assert.deepEqual(await idsOf(ledger, before.log, zero), ['a']);
    const early = publish(ledger, before.log, [event('b')]);
    await ledger.confirming.reported(before.log, before.earlier);
    await settled(ledger, before.log, 'open');
    const [receipt] = await early;
    assert.equal(receipt?.index, 4);
    assert.deepEqual(told, [{ kind: 'confirmed', logId: before.log }]);
    await ledger.close();
  });

  it('fetches what it lost before it signs, whoever spoke first', async () => {
    const before = await past();
    const { ledger, told, guard } = await restored(before);
    const early = publish(ledger, before.log, [event('d'), event('e')]);
    // A follower that was away for long speaks first, then one that has everything.
    await ledger.confirming.reported(before.log, before.earlier);
    await ledger.confirming.reported(before.log, before.newest);
    assert.equal(ledger.log(before.log)?.reason?.code, 'store-behind-guard');
    assert.equal(guard.marks().find((mark) => mark.kind === 0)?.size, 8);
    for (const wire of before.blocks.slice(2)) await ledger.apply(wire, 'sync');
    await settled(ledger, before.log, 'open');
    const [known, fresh] = await early;
    assert.deepEqual([known?.duplicate, known?.index, fresh?.index], [true, 6, 8]);
    assert.deepEqual(
      told.map(({ kind }) => (kind === 'caughtUp' ? 'confirmed' : kind)),
      ['behind', 'confirmed'],
    );
    assert.equal(must(await ledger.verify(before.log)).verdict, 'intact');
    await ledger.close();
  });

  it('still waits for its blocks after a restart, because the guard was raised', async () => {
    const before = await past();
    const { ledger, guard } = await restored(before);
    await ledger.confirming.reported(before.log, before.newest);
    const { store } = before.copy();
    const next = await openLedger({ store, guard: new MemoryGuard(guard.marks()) });
    assert.equal(next.log(before.log)?.reason?.code, 'store-behind-guard');
    await next.close();
    await ledger.close();
  });

  it('goes on after a while in normal, says so, and stops again when a later head appears', async () => {
    const before = await past();
    const { ledger, told } = await restored(before, { ...guarded, mode: 'normal', waitMs: 20 });
    await settled(ledger, before.log, 'open');
    assert.deepEqual([told[0]?.kind, told[0]?.problem?.code], ['unheard', 'head-unconfirmed']);
    // Nothing was signed yet, so nothing is lost.
    const gossiped = before.blocks[2] ?? new Uint8Array(0);
    assert.equal((await ledger.apply(gossiped, 'gossip')).applied, true);
    assert.equal(ledger.log(before.log)?.size, 6);
    await ledger.confirming.reported(before.log, before.newest);
    assert.equal(ledger.log(before.log)?.state, 'waiting');
    await ledger.apply(before.blocks[3] ?? new Uint8Array(0), 'sync');
    await settled(ledger, before.log, 'open');
    const [fresh] = await publish(ledger, before.log, [event('e')]);
    assert.equal(fresh?.index, 8);
    await ledger.close();
  });

  it('waits in strict as long as it takes, and refuses what comes late', async () => {
    const before = await past();
    const { ledger, told } = await restored(before, { ...strict, waitMs: 20 });
    refused(await ledger.publish(before.log, [event('b')]), 'head-unconfirmed');
    refused(await ledger.publish(before.log, [event('b')]), 'head-unconfirmed');
    refused(await ledger.appendControl(before.log, { type: 'x' }), 'head-unconfirmed');
    assert.deepEqual(
      told.map(({ kind }) => kind),
      ['unheard'],
    );
    assert.equal(ledger.log(before.log)?.state, 'waiting');
    await ledger.confirming.reported(before.log, before.earlier);
    await settled(ledger, before.log, 'open');
    await publish(ledger, before.log, [event('b')]);
    await ledger.close();
  });

  it('holds no more than the queue of a writer takes', async () => {
    const before = await past();
    const { ledger } = await restored(before, guarded, { maxPendingEvents: 10 });
    const held = ledger.publish(before.log, events(10));
    refused(await ledger.publish(before.log, [event('more')]), 'head-unconfirmed');
    await ledger.close();
    const ended = await held;
    assert.match(ended.ok ? '' : ended.error.code, /store-closed|head-unconfirmed/);
  });

  it('gives a held publish back to who takes the call back', async () => {
    const before = await past();
    const { ledger } = await restored(before);
    const gone = new AbortController();
    const held = ledger.publish(before.log, [event('b')], { signal: gone.signal });
    gone.abort();
    refused(await held, 'interrupted');
    await ledger.close();
  });

  it('goes on when the operator takes the risk', async () => {
    const before = await past();
    const { ledger, told } = await restored(before);
    await ledger.confirming.accept();
    assert.equal(ledger.log(before.log)?.state, 'open');
    assert.deepEqual(
      told.map(({ kind }) => kind),
      ['accepted'],
    );
    await publish(ledger, before.log, [event('b')]);
    await ledger.close();
  });

  it('believes no head that its own key did not sign, and none with another root', async () => {
    const before = await past();
    const time = new VirtualTime();
    const { ledger } = await restored(before, guarded, {}, time);
    const forged = before.newest.replace(/— (\S+) \S+\n$/, '— $1 AAAAAAAA\n');
    for (const text of [
      '',
      'x',
      forged,
      before.earlier.replace(/\n[^\n]+=\n/, `\n${'A'.repeat(43)}=\n`),
    ]) {
      await ledger.confirming.reported(before.log, text);
    }
    await time.pass(hour - 1000);
    assert.equal(ledger.log(before.log)?.reason?.code, 'head-unconfirmed');
    await ledger.close();
  });

  it('is confirmed by no earlier head that its own key did not sign', async () => {
    const before = await past();
    const time = new VirtualTime();
    const { ledger, told } = await restored(before, guarded, {}, time);
    const earlier = before.earlier.replace(/— (\S+) \S+\n$/, '— $1 AAAAAAAA\n');
    // A size within ours, signed by somebody else with a root of his own.
    const root = nodeCrypto.sha256(new Uint8Array(0));
    const stranger = signCheckpoint(nodeCrypto, otherSigner, before.log, asTreeSize(2), root);
    for (const text of [earlier, stranger]) await ledger.confirming.reported(before.log, text);
    await time.pass(hour - 1000);
    assert.equal(ledger.log(before.log)?.reason?.code, 'head-unconfirmed');
    assert.deepEqual(told, []);
    await ledger.close();
  });

  it('proves the fork where its own key signed another root for a size that it has', async () => {
    const before = await past();
    const time = new VirtualTime();
    const { ledger } = await restored(before, guarded, {}, time);
    await ledger.confirming.reported(before.log, before.earlier);
    const root = nodeCrypto.sha256(new Uint8Array(0));
    const other = signCheckpoint(nodeCrypto, signer, before.log, asTreeSize(2), root);
    await ledger.confirming.reported(before.log, other);
    assert.equal(ledger.log(before.log)?.state, 'frozen');
    assert.notEqual(ledger.forks.known(before.log), undefined);
    await time.pass(hour - 1000);
    assert.equal(ledger.log(before.log)?.state, 'frozen');
    refused(await ledger.publish(before.log, [event('b')]), 'log-frozen');
    await ledger.close();
  });

  it('hears everybody out in strict and after a backup, for one who was away may speak first', async () => {
    for (const guard of [strict, { ...guarded, restored: true }]) {
      const before = await past();
      const time = new VirtualTime();
      const { ledger, told } = await restored(before, { ...guard, waitMs: 60_000 }, {}, time);
      await ledger.confirming.reported(before.log, before.earlier);
      await time.pass(59_000);
      assert.equal(ledger.log(before.log)?.state, 'waiting');
      await ledger.confirming.reported(before.log, before.newest);
      for (const wire of before.blocks.slice(2)) await ledger.apply(wire, 'sync');
      assert.ok(await time.until(() => ledger.log(before.log)?.state === 'open', 60_000));
      const [fresh] = await time.run(publish(ledger, before.log, [event('e')]));
      assert.equal(fresh?.index, 8);
      assert.equal(told[0]?.kind, 'behind');
      await ledger.close();
    }
  });

  it('is kept waiting in strict by a liar only so often', async () => {
    const before = await past();
    const lies = { maxConfirmDoubts: 3 };
    const time = new VirtualTime();
    const { ledger } = await restored(before, { ...strict, waitMs: 60_000 }, lies, time);
    await time.pass(61_000);
    const lie = before.newest.replace(/— (\S+) \S+\n$/, '— $1 AAAAAAAA\n');
    for (let i = 0; i < 3; i++) {
      await ledger.confirming.reported(before.log, before.earlier);
      await ledger.confirming.reported(before.log, lie);
    }
    await time.pass(61_000);
    assert.equal(ledger.log(before.log)?.state, 'waiting', 'a doubt puts it off');
    await ledger.confirming.reported(before.log, before.earlier);
    await ledger.confirming.reported(before.log, lie);
    assert.ok(await time.until(() => ledger.log(before.log)?.state === 'open', 120_000));
    await ledger.close();
  });
});
