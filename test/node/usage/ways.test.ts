/** Proofs and attributes that a holder of a grant reads are told to the book, and nothing for a stranger. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { AttributesPort } from '../../../src/gossip/attribute-proofs.ts';
import type { Consumer, Handed, UsagePort } from '../../../src/gossip/usage-port.ts';
import { ok } from '../../../src/result.ts';
import { asLogIndex } from '../../../src/types.ts';
import { value, World } from '../../gossip/support.ts';
import { beta, carl, grantTo, log, producer, reader } from '../access/world.ts';

class Told implements UsagePort {
  readonly all: (readonly [Consumer, Handed])[] = [];
  meter(consumer: Consumer): { delivered(handed: Handed): void } {
    return { delivered: (handed) => this.delivered(consumer, handed) };
  }
  delivered(consumer: Consumer, handed: Handed): void {
    this.all.push([consumer, handed]);
  }
}

/** Recorded at 100 times its index; what is odd is an event. */
const port: AttributesPort = {
  indexAt: (_log, time) => Promise.resolve(ok(asLogIndex(Math.ceil(time / 100)))),
  prove: (_log, index) => Promise.resolve(ok(index % 2 === 0 ? undefined : `p${index}`)),
};

describe('what is not blocks', () => {
  it('is told too: attributes of the events of a range, by who reads them and which grant', async () => {
    await using world = new World();
    const told = new Told();
    const [writer] = await producer(world, port, told);
    const [node, kit] = await reader(world, beta);
    const cids = await grantTo(kit, { fields: 'attributes', from: 200, to: 600 });
    await world.greet(node, writer);
    const signal = new AbortController().signal;
    const asked = { from: asLogIndex(0), count: 10 };
    const answer = await world.run(
      node.node.evidence.lookups.attributes(
        log,
        asked,
        (page) => Promise.resolve(ok(page)),
        signal,
      ),
    );
    assert.deepEqual(value(answer).proofs, ['p3', 'p5']);
    const [[consumer, handed] = assert.fail('nothing was told'), ...more] = told.all;
    assert.deepEqual(more, []);
    assert.deepEqual(handed, { from: 3, to: 6, count: 2, bytes: 4 });
    assert.equal(consumer.way, 'attributes');
    assert.equal(consumer.organisation, beta.did);
    assert.equal(consumer.peer, node.transport.self);
    assert.deepEqual(consumer.cids, cids);
  });

  it('is nothing for who gets nothing', async () => {
    await using world = new World();
    const told = new Told();
    const [writer] = await producer(world, port, told);
    const [stranger] = await reader(world, carl);
    await world.greet(stranger, writer);
    await world.time.pass(60_000);
    assert.equal(stranger.ledger.size(log), 0);
    assert.deepEqual(told.all, []);
  });
});
