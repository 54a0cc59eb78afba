/** Blocks of others: verdicts, gaps, forks, clocks, durability. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { ApplyOutcome } from '../../src/ledger/ledger-types.ts';
import { decodeBlock } from '../../src/ledger/block-codec.ts';
import { reduceBlock } from '../../src/ledger/block-encode.ts';
import { makeLeaves } from '../../src/ledger/block-leaves.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { FailingStore } from '../support/failing-store.ts';
import {
  event,
  idsOf,
  openLedger,
  otherSigner,
  publish,
  signer,
  testHost,
  wires,
  withLog,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { until } from '../support/until.ts';

const zero = asLogIndex(0);

/** A log of the given number of blocks of one event each, behind its genesis. */
async function made(blocks: number): Promise<{ log: LogId; ledger: Ledger; wire: Uint8Array[] }> {
  const { ledger, log } = await withLog({ limits: { minLingerMs: 0 } });
  for (let i = 0; i < blocks; i++) await publish(ledger, log, [event(i, { subject: 'x' })]);
  return { log, ledger, wire: await wires(ledger, log, zero) };
}

function verdict(outcome: ApplyOutcome): string {
  return outcome.verdict.kind === 'accept'
    ? 'accept'
    : `${outcome.verdict.kind} ${outcome.verdict.reason.code}`;
}

describe('Ledger as a replica', () => {
  it('keeps the order of blocks that wait for room', async () => {
    const { log, wire } = await made(40);
    const store = new FailingStore(new MemoryStore());
    await using replica = await openLedger({ store, limits: { maxUnwrittenBlocks: 4 } });
    must(await replica.follow(log));
    const [first, ...rest] = wire;
    const last = rest.pop();
    assert.ok(first !== undefined && last !== undefined);
    await replica.apply(first, 'gossip');
    const gate = Promise.withResolvers<void>();
    store.gate = gate.promise;
    const waiting = rest.map((block) => replica.apply(block, 'gossip'));
    await new Promise(setImmediate);
    const second = Promise.withResolvers<void>();
    store.gate = second.promise;
    gate.resolve();
    // The first blocks are written, the next ones under way: there is room, but others were first.
    while ((replica.log(log)?.size ?? 0) <= 2) await new Promise(setImmediate);
    waiting.push(replica.apply(last, 'gossip'));
    second.resolve();
    const outcomes = await Promise.all(waiting);
    assert.deepEqual(
      outcomes.filter((outcome) => outcome.applied !== true),
      [],
    );
    assert.equal(replica.log(log)?.size, 82);
  });

  it('answers a block that comes again while it is being written once it is stored', async () => {
    const { log, wire } = await made(1);
    const store = new FailingStore(new MemoryStore());
    await using replica = await openLedger({ store });
    must(await replica.follow(log));
    const [first] = wire;
    assert.ok(first !== undefined);
    const gate = Promise.withResolvers<void>();
    store.gate = gate.promise;
    const sizes: (number | undefined)[] = [];
    const apply = async (): Promise<string> => {
      const outcome = await replica.apply(first, 'sync');
      sizes.push(replica.log(log)?.size);
      return verdict(outcome);
    };
    const both = [apply(), apply()];
    await new Promise(setImmediate);
    assert.deepEqual(sizes, []);
    gate.resolve();
    assert.deepEqual(await Promise.all(both), ['accept', 'ignore block-known']);
    assert.deepEqual(sizes, [2, 2]);
  });

  it('follows a log from its first block to the same head', async () => {
    const { log, ledger, wire } = await made(5);
    await using replica = await openLedger();
    must(await replica.follow(log));
    assert.equal(replica.log(log)?.size, 0);
    assert.equal(replica.log(log)?.genesis, undefined);
    for (const block of wire) {
      const outcome = await replica.apply(block, 'gossip');
      assert.equal(verdict(outcome), 'accept');
      assert.equal(outcome.applied, true);
    }
    const [ours, theirs] = [ledger.log(log), replica.log(log)];
    assert.deepEqual(theirs?.root, ours?.root);
    assert.equal(theirs?.checkpoint, ours?.checkpoint);
    assert.equal(theirs?.role, 'replica');
    assert.deepEqual(await idsOf(replica, log, zero), ['0', '1', '2', '3', '4']);
    assert.equal(must(await replica.find(log, '/test', '3')), 8);
    assert.equal(must(await replica.verify(log)).verdict, 'intact');
    await ledger.close();
  });

  it('judges blocks that come before the last one is written', async () => {
    const { log, ledger, wire } = await made(40);
    const store = new FailingStore(new MemoryStore());
    await using replica = await openLedger({ store });
    must(await replica.follow(log));
    const before = store.batches.length;
    const outcomes = await Promise.all(wire.map((block) => replica.apply(block, 'sync')));
    assert.ok(outcomes.every((outcome) => outcome.applied === true));
    assert.equal(replica.log(log)?.size, ledger.log(log)?.size);
    // Several blocks share a batch, and no batch is synced.
    const written = store.batches.slice(before);
    assert.ok(written.length < 20);
    assert.ok(written.every((batch) => !batch.sync));
    await ledger.close();
  });

  it('ignores what it has, what it does not follow, and what it cannot place yet', async () => {
    const { log, ledger, wire } = await made(3);
    await using replica = await openLedger();
    const [first = wire[0], second, third] = wire;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    assert.equal(verdict(await replica.apply(first, 'gossip')), 'ignore log-unknown');
    must(await replica.follow(log));
    // Nothing is known of the log's keys yet.
    const early = await replica.apply(third, 'gossip');
    assert.equal(verdict(early), 'ignore block-ahead');
    assert.equal(early.gapFrom, 0);
    await replica.apply(first, 'gossip');
    assert.equal(verdict(await replica.apply(first, 'gossip')), 'ignore block-known');
    await ledger.close();
  });

  it('accepts a sound block ahead of its head for others and says where the gap begins', async () => {
    const { log, ledger, wire } = await made(3);
    await using replica = await openLedger();
    must(await replica.follow(log));
    const [first, , third] = wire;
    assert.ok(first !== undefined && third !== undefined);
    await replica.apply(first, 'gossip');
    const outcome = await replica.apply(third, 'gossip');
    assert.equal(verdict(outcome), 'accept');
    assert.equal(outcome.gapFrom, 2);
    assert.equal(outcome.applied, undefined);
    assert.equal(replica.log(log)?.size, 2);
    const damaged = third.slice();
    damaged[damaged.length - 40] = (damaged[damaged.length - 40] ?? 0) ^ 1;
    assert.match(verdict(await replica.apply(damaged, 'gossip')), /^reject/);
    await ledger.close();
  });

  it('rejects garbage, changed bodies and changed signatures', async () => {
    const { log, ledger, wire } = await made(1);
    await using replica = await openLedger();
    must(await replica.follow(log));
    const [first, second] = wire;
    assert.ok(first !== undefined && second !== undefined);
    await replica.apply(first, 'gossip');
    assert.match(verdict(await replica.apply(new Uint8Array(100), 'gossip')), /^reject/);
    const large = new Uint8Array(300_000);
    assert.equal(verdict(await replica.apply(large, 'gossip')), 'reject block-too-large');
    const body = second.slice();
    body[Buffer.from(body).indexOf('{"n":1}') + 5] = 0x39;
    assert.equal(verdict(await replica.apply(body, 'gossip')), 'reject root-mismatch');
    const signed = second.slice();
    const line = Buffer.from(signed).lastIndexOf('=\n');
    signed[line - 20] = signed[line - 20] === 0x41 ? 0x42 : 0x41;
    assert.match(verdict(await replica.apply(signed, 'gossip')), /^reject (bad-signature|note-)/);
    assert.equal(replica.log(log)?.size, 2);
    assert.equal(verdict(await replica.apply(second, 'gossip')), 'accept');
    await ledger.close();
  });

  it('keeps a fork as evidence, freezes the log and drops nothing', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger: one, log } = await withLog({ store, guard, limits: { minLingerMs: 0 } });
    // The same home twice, from one point on: what the guard exists to prevent.
    const copy = new MemoryStore();
    await using scan = store.scan({ gte: new Uint8Array(0), lt: Uint8Array.of(0xff) });
    must(await copy.batch(must(await scan.next(10_000)), { sync: true }));
    const two = await openLedger({ store: copy, guard: new MemoryGuard(guard.marks()) });
    must(two.attachSigner(log, signer));
    await publish(one, log, [event('a')]);
    await publish(two, log, [event('b')]);
    const [genesis, a] = await wires(one, log, zero);
    const [, b] = await wires(two, log, zero);
    assert.ok(genesis !== undefined && a !== undefined && b !== undefined);
    const kept = new MemoryStore();
    const replica = await openLedger({ store: kept });
    must(await replica.follow(log));
    await replica.apply(genesis, 'sync');
    await replica.apply(a, 'sync');
    assert.equal(verdict(await replica.apply(b, 'gossip')), 'ignore fork');
    assert.equal(replica.log(log)?.state, 'frozen');
    assert.deepEqual(await idsOf(replica, log, zero), ['a']);
    const branch = must(await replica.forks.branch(log));
    assert.deepEqual(
      branch.others.map(({ wire }) => wire),
      [b],
    );
    assert.equal(verdict(await replica.apply(b, 'sync')), 'ignore log-frozen');
    assert.equal(replica.stats().forks, 1);
    // It stays frozen over a power cut.
    const again = await openLedger({ store: kept.crash('unsynced') });
    assert.equal(again.log(log)?.state, 'frozen');
    assert.equal(again.log(log)?.reason?.code, 'fork');
    assert.equal(must(await again.forks.branch(log)).others.length, 1);
    // The writer itself learns of it too, and signs no more.
    assert.equal(verdict(await one.apply(a, 'gossip')), 'ignore block-known');
    assert.equal(verdict(await one.apply(b, 'gossip')), 'ignore fork');
    refused(await one.publish(log, [event('c')]), 'log-frozen');
    await Promise.all([one.close(), two.close(), again.close()]);
  });

  it('ignores a block from the future on gossip and marks it on sync', async () => {
    const ahead = testHost();
    ahead.offsetMs = 400_000;
    const { ledger, log } = await withLog({ host: ahead });
    const [genesis] = await wires(ledger, log, zero);
    assert.ok(genesis !== undefined);
    await using replica = await openLedger();
    must(await replica.follow(log));
    assert.equal(verdict(await replica.apply(genesis, 'gossip')), 'ignore clock-ahead');
    assert.equal(verdict(await replica.apply(genesis, 'sync')), 'accept');
    assert.equal(replica.log(log)?.clockAhead, true);
    await ledger.close();
  });

  it('follows over a rotation of the key, and refuses the old one afterwards', async () => {
    const { ledger, log } = await withLog();
    must(await ledger.rotate(log, otherSigner));
    await publish(ledger, log, [event('a')]);
    await using replica = await openLedger();
    must(await replica.follow(log));
    for (const wire of await wires(ledger, log, zero)) {
      assert.equal(verdict(await replica.apply(wire, 'gossip')), 'accept');
    }
    assert.deepEqual(replica.log(log)?.writerKey, otherSigner.publicKey);
    const chain = must(await replica.keyChain(log));
    assert.deepEqual(
      chain.entries.map((entry) => entry.index),
      [0, 2],
    );
    refused(ledger.attachSigner(log, signer), 'writer-key');
    await ledger.close();
  });

  it('takes reduced blocks on sync only, and says why bodies are missing', async () => {
    const { ledger, log, wire } = await made(2);
    const block = must(decodeBlock(wire[1] ?? new Uint8Array(0), { reduced: false }));
    const { leaves } = must(makeLeaves(nodeCrypto, block));
    const reduced = reduceBlock(nodeCrypto, block, leaves, () => false);
    await using replica = await openLedger();
    must(await replica.follow(log));
    await replica.apply(wire[0] ?? new Uint8Array(0), 'sync');
    assert.equal(verdict(await replica.apply(reduced, 'gossip')), 'reject block-form');
    assert.equal(verdict(await replica.apply(reduced, 'sync')), 'accept');
    const entry = must(await replica.entry(log, asLogIndex(2)));
    assert.equal(entry.bodyMissing, 'withheld');
    assert.equal(entry.event, undefined);
    assert.deepEqual(entry.leaf(), must(await ledger.entry(log, asLogIndex(2))).leaf());
    const report = must(await replica.verify(log));
    assert.equal(report.verdict, 'incomplete');
    assert.equal(report.dropped, 1);
    assert.deepEqual([report.firstProblem?.code, report.firstProblem?.index], ['body-withheld', 2]);
    await ledger.close();
  });

  it('finds its log again after a power cut at any synced point, and syncs the rest', async () => {
    const { ledger, log, wire } = await made(6);
    const store = new MemoryStore();
    const replica = await openLedger({ store });
    must(await replica.follow(log));
    for (const block of wire.slice(0, 3)) await replica.apply(block, 'sync');
    must(await replica.flush());
    for (const block of wire.slice(3)) await replica.apply(block, 'sync');
    const again = await openLedger({ store: store.crash('unsynced') });
    assert.equal(again.log(log)?.blocks, 3);
    assert.equal(again.log(log)?.state, 'open');
    for (const block of wire.slice(3)) {
      assert.equal(verdict(await again.apply(block, 'sync')), 'accept');
    }
    assert.equal(must(await again.verify(log)).verdict, 'intact');
    assert.equal(again.log(log)?.size, ledger.log(log)?.size);
    await Promise.all([ledger.close(), again.close()]);
  });

  it('flushes what it stored within a second', async () => {
    const { ledger, log, wire } = await made(1);
    const store = new MemoryStore();
    await using replica = await openLedger({ store, limits: { flushIntervalMs: 5 } });
    must(await replica.follow(log));
    await replica.apply(wire[0] ?? new Uint8Array(0), 'sync');
    await until(() => store.crashSize('unsynced') === store.size, 'all is flushed');
    await ledger.close();
  });

  it('ignores blocks while its store fails, and goes on afterwards', async () => {
    const { ledger, log, wire } = await made(3);
    const store = new FailingStore(new MemoryStore());
    await using replica = await openLedger({ store });
    must(await replica.follow(log));
    const [first, second, third] = wire;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    await replica.apply(first, 'sync');
    store.failWrites = 'disk-full';
    const [failed, behind] = await Promise.all([
      replica.apply(second, 'sync'),
      replica.apply(third, 'sync'),
    ]);
    assert.equal(verdict(failed), 'ignore disk-full');
    assert.equal(verdict(behind), 'ignore disk-full');
    assert.equal(replica.log(log)?.size, 2);
    assert.equal(replica.stats().accepting, false);
    store.failWrites = undefined;
    await until(() => replica.stats().accepting, 'it takes writes');
    assert.equal(verdict(await replica.apply(second, 'sync')), 'accept');
    assert.equal(verdict(await replica.apply(third, 'sync')), 'accept');
    await ledger.close();
  });

  it('forgets an unfollowed log when told to purge it, and can follow it anew', async () => {
    const { ledger, log, wire } = await made(2);
    const store = new MemoryStore();
    await using replica = await openLedger({ store });
    const empty = store.size;
    must(await replica.follow(log));
    for (const block of wire) await replica.apply(block, 'sync');
    must(await replica.unfollow(log, { purge: false }));
    assert.equal(replica.log(log), undefined);
    assert.equal(replica.logs().length, 0);
    must(await replica.follow(log));
    assert.equal(replica.log(log)?.blocks, 3);
    must(await replica.unfollow(log, { purge: true }));
    assert.ok(store.size <= empty + 1);
    refused(await replica.verify(log), 'log-unknown');
    must(await replica.follow(log));
    for (const block of wire) assert.equal(verdict(await replica.apply(block, 'sync')), 'accept');
    refused(await ledger.unfollow(log, { purge: true }), 'log-exists');
    await ledger.close();
  });
});
