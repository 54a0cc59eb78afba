import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BoundedMessageCache, type CachedMessage } from '../../src/gossip/message-cache.ts';

const limits = { maxBytes: 10_000, maxAnnouncedBytes: 4000, keepBeats: 3, announceBeats: 2 };
const message = (topic: string, length: number): CachedMessage => ({
  topic,
  data: new Uint8Array(length),
});
const id = (n: number): { msgId: Uint8Array; msgIdStr: string } => ({
  msgId: Uint8Array.of(n),
  msgIdStr: `m${n}`,
});

describe('the cache of gossip', () => {
  it('keeps a message for some heartbeats and announces it for fewer', () => {
    const cache = new BoundedMessageCache<CachedMessage>(limits);
    assert.equal(cache.put(id(1), message('t', 100), true), true);
    assert.equal(cache.put(id(1), message('t', 100), true), false);
    const announced = (): number => cache.getGossipIDs(new Set(['t'])).get('t')?.length ?? 0;
    const seen = [announced()];
    for (let beat = 0; beat < 3; beat++) {
      cache.shift();
      seen.push(announced());
    }
    assert.deepEqual([seen, cache.size, cache.bytes], [[1, 1, 0, 0], 0, 0]);
  });

  it('drops the oldest above its bytes', () => {
    const cache = new BoundedMessageCache<CachedMessage>(limits);
    for (let n = 0; n < 10; n++) cache.put(id(n), message('t', 2000), false);
    assert.equal(cache.size, 3);
    assert.equal(cache.notValidatedCount, 3);
    assert.ok(cache.bytes <= limits.maxBytes);
    assert.equal(cache.validate('m0'), null);
    assert.ok(cache.validate('m9') !== null);
    assert.equal(cache.notValidatedCount, 2);
  });

  it('announces the newest of the topics asked for, and no more than may be answered', () => {
    const cache = new BoundedMessageCache<CachedMessage>(limits);
    for (let n = 0; n < 4; n++) cache.put(id(n), message(n === 3 ? 'u' : 't', 1300), true);
    cache.put(id(9), message('t', 1300), false);
    const ids = cache.getGossipIDs(new Set(['t']));
    assert.deepEqual([...ids], [['t', [Uint8Array.of(2), Uint8Array.of(1)]]]);
  });

  it('answers a neighbour up to a limit in a heartbeat, and nothing that is not judged', () => {
    const cache = new BoundedMessageCache<CachedMessage>(limits);
    cache.put(id(1), message('t', 3000), true);
    cache.put(id(2), message('t', 100), false);
    assert.equal(cache.getWithIWantCount('m2', 'A'), null);
    const counts = [1, 2, 3].map(() => cache.getWithIWantCount('m1', 'A')?.count);
    assert.deepEqual(counts, [1, 2, undefined]);
    assert.equal(cache.getWithIWantCount('m1', 'B')?.count, 1);
    cache.shift();
    assert.equal(cache.getWithIWantCount('m1', 'A')?.count, 3);
  });

  it('remembers who sent a message while it was judged', () => {
    const cache = new BoundedMessageCache<CachedMessage>(limits);
    cache.put(id(1), message('t', 10), false);
    cache.observeDuplicate('m1', 'A');
    assert.deepEqual(cache.validate('m1')?.originatingPeers, new Set(['A']));
    cache.observeDuplicate('m1', 'B');
    assert.deepEqual(cache.remove('m1')?.originatingPeers, new Set());
    assert.deepEqual([cache.size, cache.remove('m1')], [0, null]);
  });
});
