/** The audit with threads says what it says without them, of sound logs and of damaged ones. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { keyspace, numberKey, tileKey } from '../../src/keyspace.ts';
import type { RangeJob, RangeWorkers } from '../../src/ledger/audit-range.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import type { VerifyReport } from '../../src/ledger/ledger-types.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import type { StoreWrite } from '../../src/ledger/store.ts';
import { AuditWorkers } from '../../src/node/audit-workers.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { events, openLedger, otherSigner, publish, withLog } from '../support/ledger-home.ts';
import { must } from '../support/result.ts';

const block = (number: number): Uint8Array => numberKey(keyspace.blocks, 1, number);

describe('the audit with threads', () => {
  const workers = new AuditWorkers(2);
  const guard = new MemoryGuard([]);
  let store: MemoryStore;
  let log: LogId;
  let checked = 0;
  /** Counts the stretches that threads found sound. */
  const counting: RangeWorkers = {
    count: workers.count,
    check: async (job: RangeJob) => {
      const range = await workers.check(job);
      if (range !== undefined) checked += 1;
      return range;
    },
  };

  // Genesis, 40 blocks of 8 events, a rotation, 60 more blocks: four stretches, the last one short.
  before(async () => {
    const first = new MemoryStore();
    const made = await withLog({ store: first, guard });
    log = made.log;
    for (let i = 0; i < 40; i++) await publish(made.ledger, log, events(8, 8 * i));
    must(await made.ledger.rotate(log, otherSigner));
    for (let i = 40; i < 100; i++) await publish(made.ledger, log, events(8, 8 * i));
    must(await made.ledger.retention.redact(log, asLogIndex(20), 'a person asked'));
    await made.ledger.retention.settled();
    await made.ledger.close();
    store = first.crash('nothing');
  });
  after(() => workers[Symbol.asyncDispose]());

  async function reports(
    writes: readonly StoreWrite[],
  ): Promise<readonly [VerifyReport, VerifyReport]> {
    const copy = store.crash('nothing');
    must(await copy.batch(writes, { sync: true }));
    await using ledger = await openLedger({ store: copy, guard: new MemoryGuard(guard.marks()) });
    const alone = must(await ledger.verify(log));
    checked = 0;
    return [alone, must(await ledger.verify(log, { workers: counting }))];
  }

  it('finds a sound log sound, every stretch in a thread', async () => {
    const [alone, together] = await reports([]);
    assert.equal(alone.firstProblem?.code, 'event-redacted');
    assert.equal(alone.redacted, 1);
    assert.deepEqual(together, alone);
    assert.equal(checked, 4);
  });

  it('names the same problems, and only the stretches that hold them are read block by block', async () => {
    const value = must(await store.crash('nothing').get(block(50)));
    assert.ok(value !== undefined);
    value[value.length - 400] = (value[value.length - 400] ?? 0) ^ 1;
    const damages: [string, StoreWrite, number][] = [
      ['a changed block', { key: block(50), value }, 2],
      ['a tile', { key: tileKey(1, 0, 1) }, 4],
      ['a start', { key: numberKey(keyspace.starts, 1, 2) }, 4],
      ['the rotation', { key: block(41), value: new Uint8Array(90) }, 1],
    ];
    for (const [name, write, least] of damages) {
      const [alone, together] = await reports([write]);
      assert.equal(alone.verdict, 'broken', name);
      assert.deepEqual(together, alone, name);
      assert.ok(checked >= least, `${name}: ${checked}`);
    }
  });

  it('names a block that is gone', async () => {
    const [alone, together] = await reports([{ key: block(70) }]);
    assert.equal(alone.verdict, 'incomplete');
    assert.deepEqual(together, alone);
  });

  it('goes on alone when a thread has ended', async () => {
    const dead = new AuditWorkers(1);
    await dead[Symbol.asyncDispose]();
    const copy = store.crash('nothing');
    await using ledger = await openLedger({ store: copy, guard: new MemoryGuard(guard.marks()) });
    const report = must(await ledger.verify(log, { workers: dead }));
    assert.equal(report.firstProblem?.code, 'event-redacted');
  });
});
