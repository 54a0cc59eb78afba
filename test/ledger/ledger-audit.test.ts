/** `verify`: what was changed on the disk is found and named, and nothing ever throws. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import { hashKey, keyspace, logKey, numberKey, tileKey } from '../../src/keyspace.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import type { VerifyReport } from '../../src/ledger/ledger-types.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import type { StoreWrite } from '../../src/ledger/store.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { FailingStore } from '../support/failing-store.ts';
import {
  event,
  events,
  openLedger,
  otherSigner,
  publish,
  withLog,
} from '../support/ledger-home.ts';
import { must } from '../support/result.ts';

const block = (number: number): Uint8Array => numberKey(keyspace.blocks, 1, number);

describe('Ledger.verify', () => {
  let store: MemoryStore;
  let guard: MemoryGuard;
  let log: LogId;

  // Blocks: genesis (0, 1), then one of 100 events (2 …), a rotation, and one of 600 in three.
  before(async () => {
    const first = new MemoryStore();
    guard = new MemoryGuard([]);
    const made = await withLog({ store: first, guard });
    log = made.log;
    await publish(made.ledger, log, events(100));
    must(await made.ledger.rotate(log, otherSigner));
    await publish(made.ledger, log, events(600, 100));
    store = first.crash('nothing');
  });

  async function report(writes: readonly StoreWrite[]): Promise<VerifyReport> {
    const copy = new MemoryStore();
    await using scan = store.scan({ gte: new Uint8Array(0), lt: Uint8Array.of(0xff) });
    must(await copy.batch(must(await scan.next(100_000)), { sync: true }));
    must(await copy.batch(writes, { sync: true }));
    await using ledger = await openLedger({ store: copy, guard: new MemoryGuard(guard.marks()) });
    return must(await ledger.verify(log));
  }

  /** A stored value with one byte changed; `at` counts from its end where negative. */
  async function changed(key: Uint8Array, at: number | string): Promise<StoreWrite> {
    const value = must(await store.get(key));
    assert.ok(value !== undefined);
    const place = typeof at === 'string' ? Buffer.from(value).indexOf(at) : at;
    const index = place < 0 ? value.length + place : place;
    value[index] = (value[index] ?? 0) ^ 1;
    return { key, value };
  }

  it('finds a sound log intact and counts what it checked', async () => {
    const seen: number[] = [];
    await using ledger = await openLedger({
      store: store.crash('nothing'),
      guard: new MemoryGuard(guard.marks()),
    });
    const found = must(await ledger.verify(log, { onProgress: (checked) => seen.push(checked) }));
    assert.equal(found.verdict, 'intact');
    assert.equal(found.firstProblem, undefined);
    assert.deepEqual(found.problems, []);
    assert.equal(found.checkedEvents, 700);
    assert.equal(found.entries, ledger.log(log)?.size);
    assert.equal(found.blocks, 6);
    assert.deepEqual([found.redacted, found.dropped], [0, 0]);
    assert.match(found.signer, /^did:key:z6Mk/);
    assert.deepEqual(seen, [2, 103, 105, 361, 617, 708]);
    store = store.crash('nothing');
  });

  it('names the entry of which one byte was changed, wherever it lies', async () => {
    for (const [number, id, index] of [
      [1, '"id":"0"', 2],
      [1, '"id":"57"', 59],
      [4, '"id":"400"', 406],
      [5, '"id":"699"', 706],
    ] as const) {
      const found = await report([await changed(block(number), id)]);
      assert.equal(found.verdict, 'broken');
      assert.deepEqual(
        [found.firstProblem?.index, found.firstProblem?.code],
        [index, 'root-mismatch'],
      );
      assert.notEqual(found.firstProblem?.expected, found.firstProblem?.found);
      // All other blocks are still checked.
      assert.ok(found.checkedEvents >= 700 - 255);
      assert.equal(found.problems.length, 1);
    }
  });

  it('finds a change of any byte of a stored block', async () => {
    const length = must(await store.get(block(1)))?.length ?? 0;
    for (let at = 0; at < length; at += at < 64 ? 9 : 1499) {
      const found = await report([await changed(block(1), at)]);
      assert.equal(found.verdict, 'broken', `byte ${at}`);
      const index = found.firstProblem?.index ?? -1;
      assert.ok(index >= 2 && index < 103, `byte ${at}: index ${index}`);
    }
  });

  it('tells the stretch of a block that is gone as incomplete, and goes on behind it', async () => {
    const found = await report([{ key: block(3) }]);
    assert.equal(found.verdict, 'incomplete');
    const { index, to, code } = found.firstProblem ?? {};
    assert.deepEqual([index, to, code], [105, 361, 'block-missing']);
    assert.equal(found.checkedEvents, 445);
  });

  it('tells two damages, in order, and the broken one first', async () => {
    const found = await report([{ key: block(1) }, await changed(block(4), '"id":"400"')]);
    assert.equal(found.verdict, 'broken');
    assert.equal(found.firstProblem?.index, 406);
    assert.deepEqual(
      found.problems.map((problem) => [problem.index, problem.code]),
      [
        [2, 'block-missing'],
        [406, 'root-mismatch'],
      ],
    );
  });

  it('goes on behind a broken genesis and a broken rotation', async () => {
    const genesis = await report([{ key: block(0), value: new Uint8Array(200) }]);
    assert.equal(genesis.verdict, 'broken');
    assert.equal(genesis.firstProblem?.index, 0);
    assert.equal(genesis.checkedEvents, 700);
    const rotation = await report([{ key: block(2) }]);
    assert.deepEqual([rotation.verdict, rotation.firstProblem?.index], ['incomplete', 103]);
    assert.equal(rotation.checkedEvents, 700);
  });

  it('finds a block in the place of another', async () => {
    const value = must(await store.get(block(3)));
    assert.ok(value !== undefined);
    const found = await report([{ key: block(4), value }]);
    assert.equal(found.verdict, 'broken');
    assert.ok((found.firstProblem?.index ?? 0) >= 105);
  });

  it('finds damage of tiles, head and indexes', async () => {
    const subject = new Uint8Array(14).fill(1);
    const damages: [string, StoreWrite][] = [
      ['tile changed', await changed(tileKey(1, 0, 1), 100)],
      ['tile gone', { key: tileKey(1, 0, 0) }],
      ['head changed', await changed(logKey(keyspace.heads, 1), 40)],
      ['start gone', { key: numberKey(keyspace.starts, 1, 2) }],
      ['start changed', await changed(numberKey(keyspace.starts, 1, 2), 5)],
      ['control gone', { key: numberKey(keyspace.controls, 1, 103) }],
      ['subject too many', { key: hashKey(keyspace.subjects, 1, subject), value: subject }],
    ];
    for (const [what, write] of damages) {
      const found = await report([write]);
      assert.equal(found.verdict, 'broken', what);
      assert.match(found.firstProblem?.code ?? '', /^(index-damaged|store-corrupt)$/, what);
    }
  });

  it('finds an id row that is gone', async () => {
    await using scan = store.scan({
      gte: logKey(keyspace.ids, 1),
      lt: logKey(keyspace.ids, 2),
      keysOnly: true,
    });
    const [row] = must(await scan.next(1));
    assert.ok(row !== undefined);
    const found = await report([{ key: row.key }]);
    assert.deepEqual([found.verdict, found.firstProblem?.code], ['broken', 'index-damaged']);
    assert.ok((found.firstProblem?.index ?? 0) >= 2);
  });

  it('reports a store that cannot be read as broken from the first entry', async () => {
    const failing = new FailingStore(store.crash('nothing'));
    await using ledger = await openLedger({
      store: failing,
      guard: new MemoryGuard(guard.marks()),
    });
    failing.failReads = 'store-corrupt';
    const found = must(await ledger.verify(log));
    assert.equal(found.verdict, 'broken');
    assert.deepEqual([found.firstProblem?.index, found.firstProblem?.code], [0, 'store-corrupt']);
    failing.failReads = undefined;
  });

  it('says that it was stopped', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, [event('a')]);
    const found = must(await ledger.verify(log, { signal: AbortSignal.abort() }));
    assert.deepEqual([found.verdict, found.firstProblem?.code], ['incomplete', 'interrupted']);
    assert.equal(found.firstProblem?.index, asLogIndex(0));
    await ledger.close();
  });
});
