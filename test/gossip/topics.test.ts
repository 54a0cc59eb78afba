import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { allTopics, bucketOf, bucketTopic, topicOf } from '../../src/gossip/topics.ts';
import { logIdFromHash } from '../../src/ids.ts';
import { asHash } from '../../src/types.ts';

describe('gossip topics', () => {
  it('names the bucket of a log by the first 12 bits of its hash', () => {
    const hash = new Uint8Array(32);
    hash.set([0x0a, 0xbc, 0xff]);
    const logId = logIdFromHash(asHash(hash));
    assert.equal(bucketOf(logId), 0x0ab);
    assert.equal(topicOf('net', logId), '/headwater/1/net/blocks/0ab');
  });

  it('lists registry, alerts and all 4,096 buckets, each once', () => {
    const topics = allTopics('net');
    assert.equal(new Set(topics).size, 4098);
    assert.deepEqual(topics.slice(0, 2), ['/headwater/1/net/registry', '/headwater/1/net/alerts']);
    assert.equal(topics.at(-1), '/headwater/1/net/blocks/fff');
  });

  it('gives every log a topic of the list', () => {
    const topics = new Set(allTopics('n'));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const logId = logIdFromHash(asHash(bytes));
        assert.equal(topicOf('n', logId), bucketTopic('n', bucketOf(logId)));
        assert.ok(topics.has(topicOf('n', logId)));
      }),
    );
  });
});
