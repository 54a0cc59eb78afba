import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Unjudged } from '../../src/gossip/unjudged.ts';
import { asPeerId } from '../../src/types.ts';

const a = asPeerId('A');
const b = asPeerId('B');

describe('gossip that waits to be judged', () => {
  it('is bounded for each peer', () => {
    const unjudged = new Unjudged({ maxPerPeer: 2, maxMessages: 10, maxBytes: 1000 });
    const first = unjudged.enter(a, 1);
    assert.ok(first !== undefined && unjudged.enter(a, 1) !== undefined);
    assert.equal(unjudged.enter(a, 1), undefined);
    assert.ok(unjudged.enter(b, 1) !== undefined);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    assert.equal(unjudged.messages, 2);
    assert.ok(unjudged.enter(a, 1) !== undefined);
    assert.equal(unjudged.enter(a, 1), undefined);
    assert.equal(unjudged.refused, 2);
  });

  it('is bounded in number and in bytes', () => {
    const few = new Unjudged({ maxPerPeer: 9, maxMessages: 2, maxBytes: 1000 });
    assert.ok(few.enter(a, 1) !== undefined && few.enter(b, 1) !== undefined);
    assert.equal(few.enter(asPeerId('C'), 1), undefined);
    const small = new Unjudged({ maxPerPeer: 9, maxMessages: 9, maxBytes: 100 });
    const all = small.enter(a, 100);
    assert.ok(all !== undefined);
    assert.equal(small.enter(b, 1), undefined);
    all[Symbol.dispose]();
    assert.ok(small.enter(b, 1) !== undefined);
  });
});
