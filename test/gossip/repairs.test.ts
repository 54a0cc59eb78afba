/** Blocks for a damaged store are asked of peers, and whoever hands out wrong ones pays. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fault } from '../../src/errors.ts';
import type { RepairStep } from '../../src/gossip/repairs.ts';
import { asLogIndex } from '../../src/types.ts';
import { fakeLogId } from './fake-ledger.ts';
import { World, type TestNode } from './support.ts';

const log = fakeLogId(1);
const zero = asLogIndex(0);

/** A node that has 20 blocks, and one that follows it and has them all. */
async function pair(world: World): Promise<readonly [TestNode, TestNode]> {
  const writer = await world.add({ setUp: (ledger) => ledger.create(log) });
  for (let i = 0; i < 20; i++) writer.ledger.append(log, 1);
  const follower = await world.add({ setUp: (ledger) => ledger.follow(log) });
  await world.greet(follower, writer);
  await world.until(() => follower.ledger.size(log) === 20, 'it has all');
  return [writer, follower];
}

function points(at: TestNode, other: TestNode): number {
  return (
    at.node.report().peers.find(({ peer }) => peer === other.transport.self)?.score ?? Infinity
  );
}

describe('repairs from peers', () => {
  it('gets blocks that it has by its size, from the index on, until it has enough', async () => {
    await using world = new World();
    const [writer, follower] = await pair(world);
    const senders = new Set<string>();
    let count = 0;
    const take = async (_wire: Uint8Array, sender: string): Promise<RepairStep> => {
      senders.add(sender);
      count += 1;
      return count === 3 ? 'done' : 'more';
    };
    const { repairs } = follower.node.evidence;
    const signal = new AbortController().signal;
    const done = await world.run(repairs.fetch(log, asLogIndex(5), take, signal));
    assert.ok(done.ok);
    assert.deepEqual([count, [...senders]], [3, [writer.transport.self]]);
    assert.equal(points(follower, writer), 0);
  });

  it('makes the sender of a wrong block pay, and nobody for what another may do better', async () => {
    await using world = new World();
    const [writer, follower] = await pair(world);
    const { repairs } = follower.node.evidence;
    const signal = new AbortController().signal;
    const next = await world.run(repairs.fetch(log, zero, async () => 'next', signal));
    assert.equal(!next.ok && next.error.code, 'no-holder');
    assert.equal(points(follower, writer), 0);
    const wrong = fault('root-mismatch', 'not ours');
    const refused = await world.run(repairs.fetch(log, zero, async () => wrong, signal));
    assert.equal(!refused.ok && refused.error.code, 'no-holder');
    assert.ok(points(follower, writer) > 40);
  });

  it('says so where nobody is connected or has the log', async () => {
    await using world = new World();
    const alone = await world.add({ setUp: (ledger) => ledger.create(log) });
    const { repairs } = alone.node.evidence;
    const signal = new AbortController().signal;
    const none = await world.run(repairs.fetch(log, zero, async () => 'more', signal));
    assert.match(none.ok ? '' : none.error.message, /no peer is connected/);
    const other = await world.add();
    await world.greet(alone, other);
    const missing = await world.run(repairs.fetch(log, zero, async () => 'more', signal));
    assert.match(missing.ok ? '' : missing.error.message, /none of 1 connected peers/);
  });
});
