import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { FailingStore } from '../support/failing-store.ts';
import { events, idsOf, publish, withLog } from '../support/ledger-home.ts';
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
});
