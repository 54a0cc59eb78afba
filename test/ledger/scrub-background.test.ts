/** The scrub in the background: its rate, its place, damaged logs, and who is believed. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fault } from '../../src/errors.ts';
import { keyspace, numberKey } from '../../src/keyspace.ts';
import type { Finding } from '../../src/ledger/findings.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { LedgerLimits } from '../../src/ledger/ledger-types.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import type { RepairSource, Taken } from '../../src/ledger/repair.ts';
import { err, ok } from '../../src/result.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { Dice } from '../sim/dice.ts';
import { VirtualHost, VirtualTime } from '../sim/virtual-time.ts';
import { FailingStore } from '../support/failing-store.ts';
import {
  events,
  idsOf,
  openLedger,
  options,
  publish,
  signer,
  wires,
  withLog,
} from '../support/ledger-home.ts';
import { must } from '../support/result.ts';

const zero = asLogIndex(0);
const block = (number: number): Uint8Array => numberKey(keyspace.blocks, 1, number);

/** Peers that hand out these blocks, one list each; what became of each block is told. */
function holders(lists: readonly (readonly Uint8Array[])[], told: Taken[] = []): RepairSource {
  return {
    async fetch(_log, _from, take) {
      for (const [i, blocks] of lists.entries()) {
        for (const wire of blocks) {
          const taken = await take(wire, `peer ${i}`);
          told.push(taken);
          if (taken === 'done') return ok(undefined);
          if (taken !== 'more') break;
        }
      }
      return err(fault('no-holder', 'nobody is left'));
    },
  };
}

interface Made {
  readonly store: MemoryStore;
  readonly guard: MemoryGuard;
  readonly log: LogId;
  readonly blocks: readonly Uint8Array[];
}

/** A genesis and nine blocks of 100 events. */
async function made(): Promise<Made> {
  const store = new MemoryStore();
  const guard = new MemoryGuard([]);
  const { ledger, log } = await withLog({ store, guard });
  for (let i = 0; i < 9; i++) await publish(ledger, log, events(100, 100 * i));
  const blocks = await wires(ledger, log, zero);
  await ledger.flush();
  return { store: store.crash('nothing'), guard, log, blocks };
}

/** The same log as another peer has it. */
async function replica({ log, blocks }: Made): Promise<MemoryStore> {
  const store = new MemoryStore();
  const ledger = await openLedger({ store });
  must(await ledger.follow(log));
  for (const wire of blocks) {
    assert.equal((await ledger.apply(wire, 'sync')).verdict.kind, 'accept');
  }
  await ledger.close();
  return store.crash('nothing');
}

async function open(
  store: MemoryStore | FailingStore,
  guard: MemoryGuard,
  time: VirtualTime,
  limits: Partial<LedgerLimits> = {},
): Promise<Ledger> {
  const host = new VirtualHost(time, new Dice(1));
  return must(await Ledger.open({ ...options({ store, guard, limits }), host }));
}

describe('The background scrub', () => {
  it('keeps to its rate and comes to its end', async () => {
    const { store, guard } = await made();
    const time = new VirtualTime();
    const ledger = await open(store, guard, time, { scrubEventsPerSecond: 100 });
    ledger.scrub.start({ repair: true });
    // Ten blocks: 2 + 9 · 101 entries, and 32 for each block.
    await time.pass(6000);
    const half = ledger.scrub.report();
    assert.ok(
      half.checkedEntries >= 300 && half.checkedEntries <= 550,
      String(half.checkedEntries),
    );
    assert.equal(half.rounds, 0);
    await time.pass(6500);
    assert.equal(ledger.scrub.report().checkedEntries, 911);
    assert.equal(ledger.scrub.report().rounds, 1);
    // The next round begins an hour after this one began.
    await time.pass(3_500_000);
    assert.equal(ledger.scrub.report().checkedBlocks, 10);
    await time.pass(200_000);
    assert.equal(ledger.scrub.report().checkedBlocks, 20);
    assert.deepEqual(ledger.scrub.report().findings, []);
    await ledger.close();
  });

  it('keeps to its rate in bytes too', async () => {
    const { store, guard, blocks } = await made();
    const time = new VirtualTime();
    const bytes = blocks.reduce((sum, wire) => sum + wire.length, 0);
    const ledger = await open(store, guard, time, { scrubBytesPerSecond: Math.ceil(bytes / 10) });
    ledger.scrub.start({ repair: true });
    await time.pass(5000);
    const { checkedBlocks } = ledger.scrub.report();
    assert.ok(checkedBlocks >= 4 && checkedBlocks <= 6, String(checkedBlocks));
    await ledger.close();
  });

  it('goes on after a restart where it was', async () => {
    const { store, guard, log } = await made();
    const time = new VirtualTime();
    const limits = { scrubEventsPerSecond: 100 };
    const first = await open(store, guard, time, limits);
    first.scrub.start({ repair: true });
    await time.pass(6000);
    const { block: stood } = first.scrub.report();
    assert.ok(stood !== undefined && stood >= 4);
    await first.close();
    const second = await open(store.crash('nothing'), guard, time, limits);
    second.scrub.start({ repair: true });
    await time.pass(1);
    assert.deepEqual([second.scrub.report().log, second.scrub.report().block], [log, stood + 1]);
    await second.close();
  });

  it('repairs by itself, tells each finding once, and tells only where it may not write', async () => {
    const home = await made();
    must(await home.store.batch([{ key: block(4) }], { sync: true }));
    const time = new VirtualTime();
    const told: Finding[] = [];
    const source = holders([home.blocks]);
    const ledger = await open(home.store, home.guard, time);
    // Opening met the hole; told only, because repairs are off.
    assert.equal(ledger.log(home.log)?.state, 'damaged');
    ledger.scrub.start({ repair: false, source, onFinding: (one) => told.push(one) });
    await time.pass(2000);
    assert.deepEqual(
      told.map(({ kind, index, to, repairedFrom }) => [kind, index, to, repairedFrom]),
      [['block', 305, 406, undefined]],
    );
    assert.equal(must(await ledger.verify(home.log)).verdict, 'incomplete');
    await ledger.close();
    const next = await open(home.store.crash('nothing'), home.guard, time);
    next.scrub.start({ repair: true, source, onFinding: (one) => told.push(one) });
    await time.pass(2000);
    assert.equal(told[1]?.repairedFrom, 'peer 0');
    assert.equal(told.length, 2);
    assert.equal(next.log(home.log)?.state, 'open');
    assert.equal(must(await next.verify(home.log)).verdict, 'intact');
    await next.close();
  });

  it('says what it cannot repair and why, and tries again until a holder is there', async () => {
    const home = await made();
    must(await home.store.batch([{ key: block(4) }, { key: block(5) }], { sync: true }));
    const time = new VirtualTime();
    const lists: (readonly Uint8Array[])[] = [];
    const ledger = await open(home.store, home.guard, time);
    ledger.scrub.start({ repair: true, source: holders(lists) });
    await time.pass(30_000);
    const { findings } = ledger.scrub.report();
    const [first] = findings;
    assert.deepEqual([first?.index, first?.reason?.code], [305, 'no-holder']);
    assert.equal(ledger.log(home.log)?.state, 'damaged');
    // What is sound is read all the same.
    assert.equal(must(await ledger.entry(home.log, asLogIndex(700))).index, 700);
    lists.push(home.blocks);
    await time.pass(20_000);
    assert.equal(ledger.log(home.log)?.state, 'open');
    assert.ok(ledger.scrub.report().findings.every((one) => one.repairedFrom !== undefined));
    assert.equal(must(await ledger.verify(home.log)).verdict, 'intact');
    await ledger.close();
  });

  it('waits while the store cannot be read, and does not take that for damage', async () => {
    const home = await made();
    const failing = new FailingStore(home.store);
    const time = new VirtualTime();
    const ledger = await open(failing, home.guard, time);
    failing.failReads = 'store-failed';
    ledger.scrub.start({ repair: true });
    await time.pass(10_000);
    assert.equal(ledger.scrub.report().stalled?.code, 'store-failed');
    assert.deepEqual(ledger.scrub.report().findings, []);
    failing.failReads = undefined;
    await time.pass(30_000);
    assert.equal(ledger.scrub.report().stalled, undefined);
    assert.equal(ledger.scrub.report().rounds, 1);
    await ledger.close();
  });
});

describe('A damaged log', () => {
  for (const [name, lost] of [
    ['in the middle of its newest blocks', [6, 7]],
    ['at its very end', [9]],
    ['down to its first block', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ] as const) {
    it(`of another writer that lost blocks ${name} heals and goes on`, async () => {
      const home = await made();
      const store = await replica(home);
      must(
        await store.batch(
          lost.map((number) => ({ key: block(number) })),
          { sync: true },
        ),
      );
      const ledger = await openLedger({ store });
      assert.equal(ledger.log(home.log)?.state, 'damaged');
      const { findings } = must(
        await ledger.scrub.repair(home.log, { source: holders([home.blocks]) }),
      );
      assert.equal(findings[0]?.repairedFrom, 'peer 0');
      assert.equal(ledger.log(home.log)?.state, 'open');
      assert.equal(must(await ledger.verify(home.log)).verdict, 'intact');
      const writer = await openLedger({ store: home.store, guard: home.guard });
      must(writer.attachSigner(home.log, signer));
      await publish(writer, home.log, events(3, 900));
      const more = (await wires(writer, home.log, zero)).slice(home.blocks.length);
      for (const wire of more) {
        assert.equal((await ledger.apply(wire, 'sync')).verdict.kind, 'accept');
      }
      assert.equal((await idsOf(ledger, home.log, zero)).length, 903);
      await Promise.all([writer.close(), ledger.close()]);
    });
  }

  it('gets its head back from its newest sound block, and goes on without a duplicate', async () => {
    const home = await made();
    const head = numberKey(keyspace.heads, 1, 0).slice(0, 5);
    must(await home.store.batch([{ key: head }], { sync: true }));
    const ledger = await openLedger({ store: home.store, guard: home.guard });
    assert.equal(ledger.log(home.log)?.state, 'damaged');
    must(await ledger.scrub.repair(home.log));
    assert.equal(ledger.log(home.log)?.state, 'open');
    assert.equal(ledger.log(home.log)?.size, 911);
    must(ledger.attachSigner(home.log, signer));
    const receipts = await publish(ledger, home.log, events(2, 899));
    assert.deepEqual(
      receipts.map(({ duplicate }) => duplicate ?? false),
      [true, false],
    );
    assert.equal(must(await ledger.verify(home.log)).verdict, 'intact');
    await ledger.close();
  });

  it('of our own signs nothing that its guard does not allow when its end is gone', async () => {
    const home = await made();
    const head = numberKey(keyspace.heads, 1, 0).slice(0, 5);
    must(await home.store.batch([{ key: head }, { key: block(9) }], { sync: true }));
    const ledger = await openLedger({ store: home.store, guard: home.guard });
    must(await ledger.scrub.repair(home.log));
    assert.equal(ledger.log(home.log)?.size, 810);
    assert.equal(ledger.log(home.log)?.reason?.code, 'store-behind-guard');
    const last = home.blocks.at(-1);
    assert.ok(last !== undefined);
    assert.equal((await ledger.apply(last, 'sync')).verdict.kind, 'accept');
    assert.equal(ledger.log(home.log)?.state, 'open');
    assert.equal(must(await ledger.verify(home.log)).verdict, 'intact');
    await ledger.close();
  });
});

describe('A repair from peers', () => {
  it('refuses a wrong block, says so to its sender, and asks the next one', async () => {
    const home = await made();
    must(await home.store.batch([{ key: block(4) }], { sync: true }));
    const ledger = await openLedger({ store: home.store, guard: home.guard });
    const bad = home.blocks.map((wire, i) => {
      const copy = wire.slice();
      if (i === 4) copy[copy.length - 500] = (copy[copy.length - 500] ?? 0) ^ 1;
      return copy;
    });
    const told: Taken[] = [];
    const source = holders([bad, home.blocks], told);
    const { findings } = must(await ledger.scrub.repair(home.log, { source }));
    assert.equal(findings[0]?.repairedFrom, 'peer 1');
    const refused = told.filter((one) => typeof one === 'object');
    assert.equal(refused.length, 1);
    assert.deepEqual(await wires(ledger, home.log, zero), home.blocks);
    await ledger.close();
  });

  it('takes no block of another history, though the writer signed it', async () => {
    const base = new MemoryStore();
    const before = new MemoryGuard([]);
    const { ledger: first, log } = await withLog({ store: base, guard: before });
    await publish(first, log, events(100));
    await first.close();
    const histories: Made[] = [];
    for (const from of [100, 200]) {
      const [store, guard] = [base.crash('nothing'), new MemoryGuard(before.marks())];
      const ledger = await openLedger({ store, guard });
      must(ledger.attachSigner(log, signer));
      await publish(ledger, log, events(100, from));
      await publish(ledger, log, events(100, 300));
      const blocks = await wires(ledger, log, zero);
      await ledger.close();
      histories.push({ store: store.crash('nothing'), guard, log, blocks });
    }
    const [ours, theirs] = histories;
    assert.ok(ours !== undefined && theirs !== undefined);
    must(await ours.store.batch([{ key: block(2) }], { sync: true }));
    const ledger = await openLedger({ store: ours.store, guard: ours.guard });
    const told: Taken[] = [];
    const source = holders([theirs.blocks], told);
    const { findings } = must(await ledger.scrub.repair(log, { source }));
    const [found] = findings;
    assert.deepEqual([found?.repairedFrom, found?.reason?.code], [undefined, 'fork']);
    // Who hands on what the writer signed is not to blame.
    assert.deepEqual(told, ['more', 'more', 'next']);
    // The writer is: that is proved, and the other history kept.
    assert.notEqual(ledger.forks.known(log), undefined);
    const { ours: side, others } = must(await ledger.forks.branch(log));
    assert.deepEqual([side, others.map(({ wire }) => wire)], ['b', [theirs.blocks[2]]]);
    assert.equal(must(await ours.store.get(block(2))), undefined);
    const again = must(await ledger.scrub.repair(log, { source: holders([ours.blocks]) }));
    assert.equal(again.findings[0]?.repairedFrom, 'peer 0');
    assert.equal(must(await ledger.verify(log)).verdict, 'intact');
    assert.equal(ledger.log(log)?.state, 'frozen');
    await ledger.close();
  });

  it('does not bring back what was redacted, and takes the reduced form for it', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard });
    await publish(ledger, log, events(10));
    const full = await wires(ledger, log, zero);
    must(await ledger.retention.redact(log, asLogIndex(5), 'a person asked'));
    await ledger.retention.settled();
    const reduced = await wires(ledger, log, zero);
    assert.notDeepEqual(reduced[1], full[1]);
    // Reduced by the log's own word is sound: nothing to find.
    assert.deepEqual(must(await ledger.scrub.repair(log)).findings, []);
    for (const blocks of [full, reduced]) {
      must(await store.batch([{ key: block(1) }], { sync: true }));
      const { findings } = must(await ledger.scrub.repair(log, { source: holders([blocks]) }));
      assert.equal(findings[0]?.repairedFrom, 'peer 0');
      assert.deepEqual(await wires(ledger, log, zero), reduced);
    }
    await ledger.close();
  });

  it('fails with a code for a log that is not here, and when it is stopped', async () => {
    const home = await made();
    const ledger = await openLedger({ store: home.store, guard: home.guard });
    const stopped = await ledger.scrub.repair(home.log, { signal: AbortSignal.abort() });
    assert.equal(!stopped.ok && stopped.error.code, 'interrupted');
    await ledger.close();
  });
});
