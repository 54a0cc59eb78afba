/** Replay, look-ups, cursors and proofs. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { before, describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { HeadwaterError } from '../../src/errors.ts';
import { keyspace, numberKey } from '../../src/keyspace.ts';
import {
  decodePosition,
  encodePosition,
  formatPosition,
  parsePosition,
  type Position,
} from '../../src/ledger/cursors.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { readKeyChain } from '../../src/ledger/key-chain.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { verifyConsistency, verifyInclusion } from '../../src/ledger/proof.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { logIdFromHash, logIdHash } from '../../src/ids.ts';
import { asHash, asLogIndex, asTimeMs, asTreeSize, type LogId } from '../../src/types.ts';
import {
  event,
  events,
  openLedger,
  otherSigner,
  publish,
  testHost,
  withLog,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';

const zero = asLogIndex(0);

async function code(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (cause) {
    if (cause instanceof HeadwaterError) return cause.fault.code;
    throw cause;
  }
  return 'ok';
}

async function take<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of list) found.push(item);
  return found;
}

describe('Ledger, reading', () => {
  let ledger: Ledger;
  let log: LogId;
  const host = testHost();
  const times: number[] = [];

  // 10 rounds of 60 events, a minute apart, subjects s0 … s9, a rotation in the middle.
  before(async () => {
    ({ ledger, log } = await withLog({ host }));
    for (let round = 0; round < 10; round++) {
      times.push(host.clock.now());
      await publish(ledger, log, events(60, 60 * round));
      host.offsetMs += 60_000;
      if (round === 4) must(await ledger.rotate(log, otherSigner));
    }
  });

  it('replays any range exactly', async () => {
    const size = ledger.log(log)?.size ?? 0;
    const all = await take(ledger.entries(log, zero));
    assert.deepEqual(
      all.map((entry) => entry.index),
      Array.from({ length: size }, (_, i) => i),
    );
    assert.equal(all[0]?.kind, 'control');
    assert.equal(all[0]?.control?.['type'], 'genesis');
    assert.equal(all[1]?.kind, 'seal');
    for (const [from, to] of [
      [0, 1],
      [5, 6],
      [60, 70],
      [2, size],
      [size - 1, size],
      [size, size],
      [size, size + 10],
    ] as const) {
      const part = await take(ledger.entries(log, asLogIndex(from), asLogIndex(to)));
      assert.deepEqual(
        part.map((entry) => entry.index),
        all.slice(from, to).map((entry) => entry.index),
      );
    }
  });

  it('gives batches with the same content as entries', async () => {
    let next = 0;
    for await (const batch of ledger.batches(log, zero)) {
      assert.equal(batch.from, next);
      for (let index: number = batch.from; index < batch.to; index++) {
        const entry = must(await ledger.entry(log, asLogIndex(index)));
        assert.equal(batch.kind(index), entry.kind);
        assert.equal(batch.recordedTime(index), entry.recordedTime);
        assert.deepEqual(batch.event(index), entry.event);
      }
      next = batch.to;
    }
    assert.equal(next, ledger.log(log)?.size);
    refused(await ledger.entry(log, asLogIndex(next)), 'index-over-head');
  });

  it('makes leaves whose hashes are in the tree', async () => {
    const { root, size } = ledger.log(log) ?? {};
    for (const index of [0, 1, 2, 250, 300]) {
      const entry = must(await ledger.entry(log, asLogIndex(index)));
      const proof = must(await ledger.proofs.inclusion(log, asLogIndex(index)));
      const hash = leafHash(nodeCrypto, entry.leaf());
      must(verifyInclusion(nodeCrypto, hash, index, size ?? 0, proof, root ?? hash));
    }
  });

  it('ends blocks at a budget of bytes, but gives at least one', async () => {
    const one = await take(ledger.blocks(log, asLogIndex(70), { maxBytes: 1 }));
    assert.deepEqual(
      one.map((block) => [block.number, block.firstIndex, block.size]),
      [[2, 63, 124]],
    );
    const bytes = one[0]?.wire.length ?? 0;
    const two = await take(ledger.blocks(log, asLogIndex(70), { maxBytes: bytes + 1 }));
    assert.equal(two.length, 2);
    assert.deepEqual(await take(ledger.blocks(log, asLogIndex(5000))), []);
  });

  it('finds the first entry at or after a time', async () => {
    assert.equal(must(await ledger.indexAtTime(log, asTimeMs(0))), 0);
    for (const [round, time] of times.entries()) {
      const index = must(await ledger.indexAtTime(log, asTimeMs(time)));
      const here = must(await ledger.entry(log, index));
      assert.ok(here.recordedTime >= time, `round ${round}`);
      if (index === 0) continue;
      const earlier = must(await ledger.entry(log, asLogIndex(index - 1)));
      assert.ok(earlier.recordedTime < time, `round ${round}`);
    }
    const late = asTimeMs(host.clock.now() + 1e6);
    assert.equal(must(await ledger.indexAtTime(log, late)), ledger.log(log)?.size);
  });

  it('finds events by id and by subject', async () => {
    const index = must(await ledger.find(log, '/test', '321'));
    const entry = must(await ledger.entry(log, index ?? zero));
    assert.match(Buffer.from(entry.event?.attributes ?? []).toString(), /"id":"321"/);
    assert.equal(must(await ledger.find(log, '/test', 'none')), undefined);
    assert.equal(must(await ledger.find(log, '/other', '321')), undefined);
    const history = await take(ledger.subjectIndexes(log, 's3'));
    assert.equal(history.length, 60);
    assert.deepEqual(
      history,
      [...history].sort((a, b) => a - b),
    );
    const back = await take(ledger.subjectIndexes(log, 's3', { reverse: true }));
    assert.deepEqual(back, history.toReversed());
    const [from, to] = [history[10], history[20]];
    assert.ok(from !== undefined && to !== undefined);
    assert.deepEqual(
      await take(ledger.subjectIndexes(log, 's3', { from, to })),
      history.slice(10, 20),
    );
    assert.deepEqual(await take(ledger.subjectIndexes(log, 'none')), []);
  });

  it('reads on without gap or duplicate while events are appended', async () => {
    const { ledger, log } = await withLog({ limits: { minLingerMs: 0, maxLingerMs: 1 } });
    await publish(ledger, log, events(300));
    const abort = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const batch of ledger.tail(log, asLogIndex(2), { signal: abort.signal })) {
        for (let index: number = batch.from; index < batch.to; index++) seen.push(index);
        if (seen.length >= 1100) abort.abort();
      }
    })();
    for (let i = 300; i < 1200; i += 90) await publish(ledger, log, events(90, i));
    await reading;
    assert.deepEqual(
      seen,
      Array.from({ length: seen.length }, (_, i) => i + 2),
    );
    await ledger.close();
  });

  it('ends a tail that nobody wants, also while it waits', async () => {
    const { ledger, log } = await withLog();
    const abort = new AbortController();
    const reading = take(ledger.tail(log, zero, { signal: abort.signal }));
    await publish(ledger, log, [event('a')]);
    abort.abort();
    assert.ok((await reading).length >= 1);
    await ledger.close();
  });

  it('never gives wrong data from a damaged block, only store-corrupt with the index', async () => {
    const store = new MemoryStore();
    const { ledger, log } = await withLog({ store });
    await publish(ledger, log, events(600));
    const key = numberKey(keyspace.blocks, 1, 2);
    const value = must(await store.get(key));
    assert.ok(value !== undefined);
    const place = Buffer.from(value).indexOf('"id":"300"');
    value[place + 6] = (value[place + 6] ?? 0) ^ 1;
    must(await store.batch([{ key, value }], { sync: true }));
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      for await (const entry of ledger.entries(log, zero)) seen.push(entry.index);
    };
    assert.equal(await code(read), 'store-corrupt');
    assert.equal(seen.length, 258);
    const entry = await ledger.entry(log, asLogIndex(300));
    refused(entry, 'store-corrupt');
    assert.equal(entry.ok ? undefined : entry.error.place?.index, 300);
    must(await ledger.entry(log, asLogIndex(600)));
    assert.equal(await code(() => take(ledger.blocks(log, asLogIndex(260)))), 'store-corrupt');
    assert.equal((await take(ledger.blocks(log, asLogIndex(514)))).length, 1);
    must(await store.batch([{ key }], { sync: true }));
    assert.equal(await code(() => take(ledger.entries(log, asLogIndex(260)))), 'store-corrupt');
    await ledger.close();
  });

  it('throws log-unknown for a log that it does not have', async () => {
    const none = logIdFromHash(asHash(new Uint8Array(32)));
    assert.equal(await code(() => take(ledger.entries(log, zero))), 'ok');
    assert.throws(() => ledger.entries(none, zero), HeadwaterError);
    refused(await ledger.entry(none, zero), 'log-unknown');
  });

  it('proves any entry and any two sizes', async () => {
    const size = ledger.log(log)?.size ?? 0;
    for (const [index, at] of [
      [0, 1],
      [5, 200],
      [255, 256],
      [256, 400],
      [size - 1, size],
    ] as const) {
      const treeSize = asTreeSize(at);
      const root = must(await ledger.proofs.rangeRoot(log, zero, asLogIndex(at)));
      const proof = must(await ledger.proofs.inclusion(log, asLogIndex(index), treeSize));
      const leaf = leafHash(nodeCrypto, must(await ledger.entry(log, asLogIndex(index))).leaf());
      must(verifyInclusion(nodeCrypto, leaf, index, at, proof, root));
      const growth = must(await ledger.proofs.consistency(log, treeSize));
      const head = must(await ledger.proofs.rangeRoot(log, zero, asLogIndex(size)));
      must(verifyConsistency(nodeCrypto, at, size, growth, root, head));
    }
    refused(await ledger.proofs.inclusion(log, asLogIndex(size)), 'index-over-head');
    refused(await ledger.proofs.consistency(log, asTreeSize(size + 1)), 'index-over-head');
    refused(await ledger.proofs.rangeRoot(log, zero, zero), 'index-over-head');
  });

  it('gives the key chain in pages, each entry with a path to the head', async () => {
    const whole = must(await ledger.keyChain(log));
    assert.equal(whole.entries.length, 2);
    assert.equal(whole.next, undefined);
    must(readKeyChain(nodeCrypto, logIdHash(log), whole.entries));
    const root = ledger.log(log)?.root;
    for (const { index, leaf, path } of whole.entries) {
      const hash = leafHash(nodeCrypto, leaf);
      must(verifyInclusion(nodeCrypto, hash, index, whole.size, path, root ?? hash));
    }
    const first = must(await ledger.keyChain(log, { maxBytes: 1 }));
    assert.equal(first.entries.length, 1);
    const second = must(await ledger.keyChain(log, { from: first.next ?? zero, maxBytes: 1 }));
    assert.deepEqual([...first.entries, ...second.entries], whole.entries);
  });
});

describe('cursors', () => {
  const id = logIdFromHash(asHash(new Uint8Array(32).fill(3)));

  const at = (next: number): Position => [{ logId: id, next: asLogIndex(next) }];

  it('are durable under their names, and bounded in number', async () => {
    const store = new MemoryStore();
    const ledger = await openLedger({ store, limits: { maxCursors: 2 } });
    assert.equal(must(await ledger.cursors.get('a')), undefined);
    must(await ledger.cursors.set('a', at(5)));
    must(await ledger.cursors.set('ü', at(6)));
    must(await ledger.cursors.set('a', at(7)));
    refused(await ledger.cursors.set('c', at(1)), 'busy');
    refused(await ledger.cursors.set('', at(1)), 'bad-cursor');
    refused(await ledger.cursors.set('x'.repeat(129), at(1)), 'bad-cursor');
    refused(await ledger.cursors.set('a\nb', at(1)), 'bad-cursor');
    const again = await openLedger({ store: store.crash('unsynced') });
    assert.deepEqual(must(await again.cursors.get('a')), at(7));
    assert.deepEqual(must(await again.cursors.list()), ['a', 'ü']);
    must(await again.cursors.remove('a'));
    assert.equal(must(await again.cursors.get('a')), undefined);
    await again.close();
  });

  it('write a position as one token and read only that', () => {
    const token = formatPosition([{ logId: id, next: asLogIndex(300) }]);
    assert.equal(token, 'gYJYIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDGQEs');
    for (const bad of [
      '',
      'gA',
      token.slice(0, -2),
      `${token}AA`,
      '!',
      token.replace('gY', 'gI'),
    ]) {
      refused(parsePosition(bad), 'bad-position', bad);
    }
  });

  it('decode what they encode and never throw', () => {
    const position = fc.array(
      fc.record({ hash: fc.uint8Array({ minLength: 32, maxLength: 32 }), next: fc.maxSafeNat() }),
      { minLength: 1, maxLength: 256 },
    );
    fc.assert(
      fc.property(position, (list) => {
        const given = list.map(({ hash, next }) => ({
          logId: logIdFromHash(asHash(hash)),
          next: asLogIndex(next),
        }));
        const bytes = encodePosition(given);
        assert.deepEqual(must(decodePosition(bytes)), given);
        refused(decodePosition(bytes.subarray(0, -1)), 'bad-position');
      }),
      { numRuns: 50 },
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const read = decodePosition(bytes);
        if (read.ok) assert.deepEqual(encodePosition(read.value), bytes);
      }),
    );
  });
});
