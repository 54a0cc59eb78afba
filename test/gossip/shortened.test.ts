/** What is asked of a peer when our own log loses its end before the answer comes. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { PortBlock } from '../../src/gossip/ledger-port.ts';
import { fakeBlock, fakeLogId } from './fake-ledger.ts';
import { count, ready, World, type TestNode } from './support.ts';

const log = fakeLogId(1);

/** A follower of 14 entries asks for what follows, by sync or live, and has 6 when the answer comes. */
async function shortened(world: World, live: boolean, forge?: (block: PortBlock) => PortBlock) {
  const gossip = !live;
  const writer = await world.add({ gossip, setUp: (ledger) => ledger.create(log) });
  for (let i = 0; i < 7; i++) writer.ledger.append(log, 2);
  const follower = await world.add({
    gossip,
    livePulls: live,
    setUp: (ledger) => ledger.follow(log),
  });
  await world.greet(follower, writer);
  await world.until(() => follower.ledger.size(log) === 14, 'it has all there is');
  if (forge !== undefined) writer.ledger.forge = forge;
  if (live) {
    await world.until(() => follower.node.report().livePulls === 1, 'it reads live');
    await world.time.pass(5000);
    follower.ledger.shorten(log, 6);
    for (let i = 0; i < 2; i++) writer.ledger.append(log, 2);
  } else {
    world.network.partition(new Map([[writer.transport.self, 1]]));
    for (let i = 0; i < 2; i++) writer.ledger.append(log, 2);
    const pages = count(follower, 'syncPages');
    world.network.heal();
    await world.until(() => count(follower, 'syncPages') > pages, 'it asks', 600_000);
    follower.ledger.shorten(log, 6);
  }
  return { writer, follower };
}

function charges(node: TestNode): readonly string[] {
  return [...node.node.report().rejectsByReason.keys()];
}

describe('a log that is shortened while more of it is fetched', () => {
  for (const live of [false, true]) {
    const way = live ? 'live' : 'by sync';
    it(`is fetched anew ${way}, and the peer that answered what was asked pays nothing`, async () => {
      await using world = new World();
      const { writer, follower } = await shortened(world, live);
      await world.until(() => follower.ledger.size(log) === 18, 'it has all of it again', 600_000);
      assert.deepEqual(follower.ledger.root(log), writer.ledger.root(log));
      assert.deepEqual(charges(follower), []);
      assert.ok(ready(follower, writer));
    });
  }

  it('is no excuse for a peer that leaves a gap to what was asked', async () => {
    await using world = new World();
    let forged = 0;
    // Only what is sent first: nothing that comes later is to be charged for.
    const { follower } = await shortened(world, false, (block) => {
      forged += 1;
      if (forged > 2) return block;
      return { ...block, wire: fakeBlock(log, block.firstIndex + 1, 2, Uint8Array.of(1)) };
    });
    await world.until(() => charges(follower).includes('block-order'), 'it pays');
  });

  it('after all that was asked for has come makes nobody a boaster', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (ledger) => ledger.create(log) });
    for (let i = 0; i < 7; i++) writer.ledger.append(log, 2);
    const follower = await world.add({ setUp: (ledger) => ledger.follow(log) });
    using _ = follower.ledger.onAppended(({ size }) => {
      if (size === 14 && follower.ledger.log(log)?.resets === 0) follower.ledger.shorten(log, 0);
    });
    await world.greet(follower, writer);
    await world.until(() => follower.ledger.size(log) === 14, 'it has all of it again', 600_000);
    assert.equal(follower.ledger.log(log)?.resets, 1);
    assert.deepEqual(charges(follower), []);
  });
});
