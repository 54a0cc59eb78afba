import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { makeEvent } from '../../src/event/make.ts';
import { type ParsedEvent } from '../../src/types.ts';
import { Dice } from './dice.ts';
import { SimNetwork } from './sim-network.ts';
import { must, SimNode, simNetworkDocument } from './sim-node.ts';
import { VirtualTime } from './virtual-time.ts';

function event(id: string): ParsedEvent {
  const attributes = { specversion: '1.0', id, source: '/orders', type: 'order' };
  return must(makeEvent(attributes, 0));
}

describe('a producer restored from an older copy', () => {
  for (const seed of [11, 12, 13, 14, 15]) {
    it(`with its old guard too signs no second history (seed ${seed})`, async () => {
      const time = new VirtualTime();
      const dice = new Dice(seed);
      const network = new SimNetwork(time, dice);
      const document = simNetworkDocument(dice);
      const run = <T>(work: Promise<T>): Promise<T> => time.run(work);
      const nodes = [0, 1, 2].map((i) => new SimNode(network, dice.fork(), document, `n${i}`));
      const [writer, replica, stale] = nodes;
      assert.ok(writer !== undefined && replica !== undefined && stale !== undefined);
      const restoreGuard = { mode: 'strict', waitMs: 10_000, restored: false } as const;
      for (const node of nodes) {
        const bootstrap = nodes.filter((one) => one !== node).map(({ peer }) => peer);
        node.options = { ...node.options, bootstrap };
        await run(node.start());
      }
      writer.options = { ...writer.options, restoreGuard };
      const logId = await run(writer.create('orders'));
      await run(Promise.all([replica.follow(logId), stale.follow(logId)]));
      const size = (node: SimNode): number => node.ledger?.log(logId)?.size ?? 0;
      const publish = async (id: string): Promise<string> => {
        const results = await writer.ledger?.publish(logId, [event(id)]);
        return results === undefined ? 'down' : results.ok ? 'acknowledged' : results.error.code;
      };
      const same = (node: SimNode): Promise<boolean> =>
        time.until(() => size(node) === size(writer), 60_000);
      assert.equal(await run(publish('one')), 'acknowledged');
      assert.ok((await same(replica)) && (await same(stale)));
      await time.until(() => false, 2000); // The word of the followers is kept by now.
      const copy = await run(writer.copy());
      const marks = writer.marks();
      await time.until(() => writer.ledger?.log(logId)?.state === 'open', 60_000);
      // One follower leaves here and is the first to be met again.
      stale.crash('nothing');
      for (const id of ['two', 'three']) assert.equal(await run(publish(id)), 'acknowledged');
      assert.ok(await same(replica), 'replicated');
      await run(stale.start());
      await run(writer.restoreHome(copy, marks));
      assert.equal(writer.ledger?.log(logId)?.reason?.code, 'head-unconfirmed');
      const early = await run(publish('four'));
      assert.match(early, /acknowledged|head-unconfirmed|store-behind-guard/);
      assert.ok(await time.until(() => writer.ledger?.log(logId)?.state === 'open', 60_000));
      assert.equal(await run(publish('five')), 'acknowledged');
      for (const node of [replica, stale]) {
        assert.ok(await same(node), 'and goes on');
        assert.equal(node.ledger?.log(logId)?.state, 'open', 'no fork');
        assert.equal(node.ledger?.log(logId)?.checkpoint, writer.ledger?.log(logId)?.checkpoint);
      }
      await run(Promise.all(nodes.map((node) => node.stop())));
    });
  }

  it('fetches its own blocks back from peers before it signs again', async () => {
    const time = new VirtualTime();
    const dice = new Dice(11);
    const network = new SimNetwork(time, dice);
    const document = simNetworkDocument(dice);
    const run = <T>(work: Promise<T>): Promise<T> => time.run(work);
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
