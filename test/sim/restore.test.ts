import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { makeEvent } from '../../src/event/make.ts';
import { foundNetwork } from '../../src/gossip/network-document.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { asTimeMs, type ParsedEvent } from '../../src/types.ts';
import { Dice } from './dice.ts';
import { SimNetwork } from './sim-network.ts';
import { must, SimNode } from './sim-node.ts';
import { epochMs, VirtualTime } from './virtual-time.ts';

function event(id: string): ParsedEvent {
  const attributes = { specversion: '1.0', id, source: '/orders', type: 'order' };
  return must(makeEvent(attributes, 0));
}

describe('a producer restored from an older copy', () => {
  it('fetches its own blocks back from peers before it signs again', async () => {
    const time = new VirtualTime();
    const dice = new Dice(11);
    const network = new SimNetwork(time, dice);
    const document = must(
      foundNetwork(nodeCrypto, signerFromSeed(dice.bytes(32)), {
        name: 'simulation',
        created: asTimeMs(epochMs),
        membership: 'open',
        members: [],
        bootstrap: [],
        witnesses: [],
      }),
    );
    const run = async <T>(work: Promise<T>): Promise<T> => {
      let settled = false;
      const watched = work.finally(() => {
        settled = true;
      });
      watched.catch(() => undefined);
      assert.ok(await time.until(() => settled, 60_000), 'it never ends');
      return watched;
    };
    const [writer, replica] = [0, 1].map(
      (i) => new SimNode(network, dice.fork(), document, `n${i}`),
    );
    assert.ok(writer !== undefined && replica !== undefined);
    replica.options = { ...replica.options, bootstrap: [writer.peer] };
    writer.options = { ...writer.options, bootstrap: [replica.peer] };
    await run(writer.start());
    await run(replica.start());
    const logId = await run(writer.create('orders'));
    await run(replica.follow(logId));
    const publish = async (id: string): Promise<string> => {
      const results = await writer.ledger?.publish(logId, [event(id)]);
      assert.ok(results !== undefined);
      return results.ok ? 'acknowledged' : results.error.code;
    };
    const size = (node: SimNode): number => node.ledger?.log(logId)?.size ?? 0;
    assert.equal(await run(publish('one')), 'acknowledged');
    const copy = await run(writer.copy());
    for (const id of ['two', 'three']) assert.equal(await run(publish(id)), 'acknowledged');
    const before = writer.ledger?.log(logId)?.checkpoint;
    assert.ok(await time.until(() => size(replica) === size(writer), 60_000), 'replicated');

    await run(writer.restore(copy));
    assert.ok(size(writer) < size(replica));
    assert.equal(writer.ledger?.log(logId)?.state, 'waiting');
    const early = publish('four');
    assert.ok(await time.until(() => size(writer) === size(replica), 60_000), 'it came back');
    assert.equal(writer.ledger?.log(logId)?.state, 'open');
    assert.match(await run(early), /acknowledged|store-behind-guard|log-waiting/);
    assert.equal(await run(publish('five')), 'acknowledged');
    assert.ok(await time.until(() => size(replica) === size(writer), 60_000), 'and goes on');
    assert.notEqual(writer.ledger?.log(logId)?.checkpoint, before);
    assert.equal(replica.ledger?.log(logId)?.state, 'open', 'no fork');
    const report = must(
      await run(replica.ledger?.verify(logId) ?? Promise.reject(new Error('down'))),
    );
    assert.equal(report.verdict, 'intact');
    await run(Promise.all([writer.stop(), replica.stop()]));
  });
});
