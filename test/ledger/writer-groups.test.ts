import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { FailingStore } from '../support/failing-store.ts';
import { auditLog } from '../../src/ledger/audit.ts';
import { createLog } from '../../src/ledger/create-log.ts';
import { LedgerEnv } from '../../src/ledger/ledger-env.ts';
import { loadLog } from '../../src/ledger/open-log.ts';
import { OwnLog } from '../../src/ledger/own-log.ts';
import { StoreHealth } from '../../src/ledger/store-health.ts';
import {
  events,
  idsOf,
  newLog,
  options,
  publish,
  signer,
  withLog,
} from '../support/ledger-home.ts';
import { asLogIndex } from '../../src/types.ts';
import { must, refused } from '../support/result.ts';

const zero = asLogIndex(0);

describe('blocks that are written together', () => {
  it('share one synced batch while another is under way, at most four', async () => {
    const store = new FailingStore(new MemoryStore());
    const { ledger, log } = await withLog({ store });
    const before = store.batches.length;
    const heads: number[] = [];
    ledger.onAppended((block) => heads.push(block.number));
    const receipts = await publish(ledger, log, events(255 * 9));
    const batches = store.batches.slice(before);
    assert.deepEqual(
      batches.map((batch) => batch.sync),
      [true, true, true],
    );
    assert.deepEqual(heads, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(
      receipts.map((receipt) => receipt.block),
      Array.from({ length: 255 * 9 }, (_, i) => 1 + Math.floor(i / 255)),
    );
    const report = must(await ledger.verify(log));
    assert.equal(report.verdict, 'intact');
    await ledger.close();
  });

  it('fail together, and what was acknowledged before stays', async () => {
    const inner = new MemoryStore();
    const store = new FailingStore(inner);
    const { ledger, log } = await withLog({ store });
    await publish(ledger, log, events(10));
    store.failWrites = 'disk-full';
    const results = must(await ledger.publish(log, events(255 * 6, 10)));
    assert.equal(results.length, 255 * 6);
    for (const result of results) refused(result, 'disk-full');
    store.failWrites = undefined;
    // The writer tries the store again by itself; until then it refuses.
    for (;;) {
      const again = await ledger.publish(log, events(255 * 6, 10));
      if (again.ok && again.value.every((result) => result.ok)) break;
      await new Promise(setImmediate);
    }
    const ids = await idsOf(ledger, log, zero);
    assert.deepEqual(
      ids,
      Array.from({ length: 10 + 255 * 6 }, (_, i) => String(i)),
    );
    assert.equal(must(await ledger.verify(log)).verdict, 'intact');
    await ledger.close();
  });

  for (const when of ['while a group is being written', 'while the next ones are ready']) {
    it(`are made anew where the log is loaded anew ${when}`, async () => {
      const store = new FailingStore(new MemoryStore());
      const env = new LedgerEnv(options({ store }));
      const handle = must(await createLog(env, newLog, signer));
      const own = new OwnLog(env, handle, new StoreHealth(env, () => undefined), signer);
      const gate = Promise.withResolvers<void>();
      store.gate = gate.promise;
      const many = when === 'while a group is being written' ? 10 : 255 * 4;
      const publishing = own.publish(events(many), undefined);
      while (!store.waits) await new Promise(setImmediate);
      await loadLog(env, handle, handle.row);
      own.reloaded();
      gate.resolve();
      const receipts = must(await publishing).map((result) => must(result));
      assert.deepEqual(
        receipts.map(({ index }) => index),
        receipts.map((_, i) => 2 + i + Math.floor(i / 255)),
      );
      const more = must(await own.publish(events(300, many), undefined));
      for (const result of more) must(result);
      await own.close();
      assert.equal(handle.size, handle.tip?.state.size);
      assert.equal((await auditLog(env, handle)).verdict, 'intact');
    });
  }
});
