import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { HeadwaterError } from '../../src/errors.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { RecentBlocks } from '../../src/ledger/recent-blocks.ts';
import { asLogIndex } from '../../src/types.ts';
import { FailingStore } from '../support/failing-store.ts';
import { events, publish, withLog } from '../support/ledger-home.ts';

describe('recent blocks', () => {
  it('keep as many bytes as they may, the newest', () => {
    const recent = new RecentBlocks(250);
    for (const first of [0, 10, 20]) recent.add(1, first, new Uint8Array(100).fill(first));
    assert.equal(recent.bytes, 200);
    assert.equal(recent.get(1, 0), undefined);
    assert.deepEqual(recent.get(1, 10), new Uint8Array(100).fill(10));
    assert.deepEqual(recent.get(1, 20), new Uint8Array(100).fill(20));
    recent.add(1, 30, new Uint8Array(251));
    assert.equal(recent.bytes, 0);
  });

  it('count a block once, and forget a log with all its blocks', () => {
    const recent = new RecentBlocks(1000);
    recent.add(1, 0, new Uint8Array(10));
    recent.add(1, 0, new Uint8Array(10));
    recent.add(12, 0, new Uint8Array(7));
    assert.equal(recent.bytes, 17);
    recent.drop(1);
    assert.equal(recent.get(1, 0), undefined);
    assert.equal(recent.bytes, 7);
    assert.equal(recent.get(12, 0)?.length, 7);
  });

  it('serve those who follow a log without a look at the store', async () => {
    const store = new FailingStore(new MemoryStore());
    const { ledger, log } = await withLog({ store });
    await publish(ledger, log, events(3));
    await publish(ledger, log, events(3, 3));
    store.failReads = 'store-failed';
    const ids: unknown[] = [];
    const abort = new AbortController();
    for await (const batch of ledger.tail(log, asLogIndex(2), { signal: abort.signal })) {
      for (let index: number = batch.from; index < batch.to; index++) {
        const event = batch.event(index);
        if (event !== undefined) {
          ids.push(JSON.parse(new TextDecoder().decode(event.attributes))['id']);
        }
      }
      if (ids.length === 6) abort.abort();
    }
    assert.deepEqual(ids, ['0', '1', '2', '3', '4', '5']);
    store.failReads = undefined;
    await ledger.close();
  });

  it('are not asked by those who read what is stored', async () => {
    const { ledger, log } = await withLog({ limits: { maxRecentBlockBytes: 1 << 20 } });
    await publish(ledger, log, events(3));
    await ledger.close();
    const reading = async (): Promise<void> => {
      for await (const _batch of ledger.batches(log, asLogIndex(2))) assert.fail('nothing is read');
    };
    await assert.rejects(reading, HeadwaterError);
  });
});
