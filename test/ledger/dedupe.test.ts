/** Filters: kept over restarts, made anew, bounded in memory; never the truth. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { keyspace, logKey } from '../../src/keyspace.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import type { Store, StoreWrite } from '../../src/ledger/store.ts';
import type { LogId } from '../../src/types.ts';
import {
  events,
  openLedger,
  publish,
  signer,
  testHost,
  withLog,
  type HomeOptions,
} from '../support/ledger-home.ts';
import { must } from '../support/result.ts';

const small = { minDedupeSliceRows: 256, maxDedupeSliceRows: 1024 };

async function filterRows(store: Store): Promise<StoreWrite[]> {
  await using scan = store.scan({
    gte: logKey(keyspace.filters, 1),
    lt: logKey(keyspace.filters, 2),
  });
  return [...must(await scan.next(1000))];
}

async function reopened(
  store: MemoryStore,
  guard: MemoryGuard,
  log: LogId,
  more: HomeOptions = {},
): Promise<Ledger> {
  const left = new MemoryGuard(guard.marks());
  const ledger = await openLedger({ store, guard: left, limits: small, ...more });
  must(ledger.attachSigner(log, signer));
  return ledger;
}

/** Waits until the filters answer: then new ids need no look-up. */
async function filtersLoaded(ledger: Ledger, log: LogId, from: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const before = ledger.stats().dedupeLookups;
    await publish(ledger, log, events(20, from + 20 * i));
    if (ledger.stats().dedupeLookups - before < 10) return;
  }
  assert.fail('every id is still looked up');
}

async function duplicatesOf(ledger: Ledger, log: LogId, count: number): Promise<number> {
  const receipts = await publish(ledger, log, events(count));
  return receipts.filter((receipt) => receipt.duplicate === true).length;
}

describe('dedupe', () => {
  it('looks up next to nothing for new ids, over several slices', async () => {
    const { ledger, log } = await withLog({ limits: small });
    for (let i = 0; i < 4000; i += 500) await publish(ledger, log, events(500, i));
    assert.ok(ledger.stats().dedupeLookups < 200, String(ledger.stats().dedupeLookups));
    assert.equal(await duplicatesOf(ledger, log, 4000), 4000);
    await ledger.close();
  });

  it('knows every id after a crash, a restart, and with damaged or missing filters', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard, limits: small });
    await publish(ledger, log, events(1500));
    await ledger.close();
    const kept = await filterRows(store.crash('nothing'));
    assert.ok(kept.length >= 2);
    const changes: StoreWrite[][] = [
      [],
      kept.map(({ key }) => ({ key })),
      kept.map(({ key, value }) => ({ key, value: (value ?? key).map((byte) => byte ^ 1) })),
      kept.map(({ key }) => ({ key, value: new Uint8Array(3) })),
    ];
    for (const change of changes) {
      const copy = store.crash('nothing');
      must(await copy.batch(change, { sync: true }));
      const next = await reopened(copy, guard, log);
      assert.equal(await duplicatesOf(next, log, 1500), 1500);
      await filtersLoaded(next, log, 2000);
      assert.equal(await duplicatesOf(next, log, 1500), 1500);
      await next.close();
    }
  });

  it('does not trust a kept filter that lacks the newest rows', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log } = await withLog({ store, guard, limits: small });
    await publish(ledger, log, events(10));
    await ledger.close();
    const old = await filterRows(store.crash('nothing'));
    const second = await reopened(store.crash('nothing'), guard, log);
    await filtersLoaded(second, log, 100);
    await second.close();
    const third = store.crash('nothing');
    const between = await reopened(third, guard, log);
    await publish(between, log, events(20));
    const crashed = third.crash('unsynced');
    must(await crashed.batch(old, { sync: true }));
    const next = await reopened(crashed, guard, log);
    await filtersLoaded(next, log, 5000);
    assert.equal(await duplicatesOf(next, log, 20), 20);
    await next.close();
  });

  it('stays within its memory and looks up what has no filter', async () => {
    const limits = { ...small, maxDedupeFilterBytes: 500 };
    const { ledger, log } = await withLog({ limits });
    for (let i = 0; i < 1000; i += 100) await publish(ledger, log, events(100, i));
    assert.ok(ledger.stats().dedupeFilterBytes <= 500);
    assert.ok(ledger.stats().dedupeLookups > 500);
    assert.equal(await duplicatesOf(ledger, log, 1000), 1000);
    await ledger.close();
    assert.equal(ledger.stats().dedupeFilterBytes, 0);
  });

  it('promises exactly once within the window, and find goes beyond it', async () => {
    const host = testHost();
    const limits = { ...small, dedupeWindowMs: 80_000 };
    const { ledger, log } = await withLog({ host, limits });
    const [first] = await publish(ledger, log, events(1));
    for (let i = 1; i <= 7; i++) {
      host.offsetMs += 10_000;
      await publish(ledger, log, events(1, i));
    }
    assert.equal(await duplicatesOf(ledger, log, 1), 1);
    for (let i = 8; i < 20; i++) {
      host.offsetMs += 10_000;
      await publish(ledger, log, events(1, i));
    }
    assert.equal(must(await ledger.find(log, '/test', '0')), first?.index);
    assert.equal(await duplicatesOf(ledger, log, 1), 0);
    await ledger.close();
  });
});
