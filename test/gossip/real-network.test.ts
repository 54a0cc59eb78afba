/** Real ledgers and real libp2p on loopback, without a node around them. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { makeEvent } from '../../src/event/make.ts';
import type { ParsedEvent } from '../../src/types.ts';
import { until } from '../support/until.ts';
import { orders, owner, realPeer, type RealPeer } from './real-peer.ts';
import { value, World } from './support.ts';

function events(from: number, count: number): ParsedEvent[] {
  return Array.from({ length: count }, (_, i) =>
    value(
      makeEvent(
        { specversion: '1.0', id: `e${from + i}`, source: '/test', type: 'test' },
        3,
        new Uint8Array(300).fill(i),
      ),
    ),
  );
}

function gossiped(at: RealPeer): number {
  return at.node.report().counts.get('gossipAccepted') ?? 0;
}

describe('gossip node over libp2p and real ledgers', function () {
  this.timeout(20_000);

  it('brings history by sync and news by gossip, to a late joiner too', async () => {
    const { document } = new World();
    await using writer = await realPeer(document);
    const logId = value(await writer.ledger.create(orders, owner));
    value(await writer.ledger.publish(logId, events(0, 2000)));
    const servers = [{ peer: writer.transport.self, addresses: writer.transport.addresses() }];
    const size = (at: RealPeer): number => at.ledger.log(logId)?.size ?? 0;
    const same = (at: RealPeer): boolean => size(at) === size(writer);

    await using follower = await realPeer(document, [logId]);
    follower.node.follow(logId, servers);
    await until(() => same(follower), 'the history', 8000);
    // Subscriptions take a heartbeat or two to meet.
    for (let i = 0; i < 100 && gossiped(follower) < 3; i++) {
      value(await writer.ledger.publish(logId, events(10_000 + 10 * i, 10)));
      await until(() => same(follower), 'the news', 8000);
    }
    assert.ok(gossiped(follower) >= 3, 'some of it by gossip');

    await using late = await realPeer(document, [logId]);
    late.node.follow(logId, [
      { peer: follower.transport.self, addresses: follower.transport.addresses() },
    ]);
    await until(() => same(late), 'the late one', 8000);
    const roots = [writer, follower, late].map((at) => at.ledger.log(logId)?.checkpoint);
    assert.equal(new Set(roots).size, 1);
    assert.deepEqual([...late.node.report().rejectsByReason], []);
  });
});
