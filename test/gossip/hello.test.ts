import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { mintPeerDelegation } from '../../src/access/peer-delegation.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { encodeAlert } from '../../src/gossip/announcement-codec.ts';
import { foundNetwork, KnownNetwork, reviseNetwork } from '../../src/gossip/network-document.ts';
import { alertsTopic } from '../../src/gossip/topics.ts';
import { didFromKey } from '../../src/ids.ts';
import { asTimeMs } from '../../src/types.ts';
import { epochMs } from '../sim/virtual-time.ts';
import { fakeLogId } from './fake-ledger.ts';
import { founder, ready, value, World, type TestNode } from './support.ts';

const log = fakeLogId(1);
const member = signerFromSeed(new Uint8Array(32).fill(21));

function refusals(node: TestNode): string[] {
  return node.events.flatMap((event) => (event.kind === 'peerRefused' ? [event.reason.code] : []));
}

function revised(world: World, changes: Parameters<typeof reviseNetwork>[3]): Uint8Array {
  return value(reviseNetwork(nodeCrypto, founder, world.document, changes)).wire;
}

describe('hello', () => {
  it('lets two peers of one network know each other’s organisation', async () => {
    await using world = new World();
    const [a, b] = [await world.add(), await world.add()];
    await world.greet(a, b);
    const [peer] = a.node.report().peers;
    assert.equal(peer?.organisation, b.organisation);
    assert.equal(peer?.software, 'test/1');
    assert.deepEqual(a.events[0], {
      kind: 'peerReady',
      peer: b.transport.self,
      organisation: b.organisation,
    });
  });

  it('refuses a peer of another network with wrong-network, and hangs up', async () => {
    await using world = new World();
    const here = await world.add();
    const other = foundNetwork(nodeCrypto, member, { ...world.document, name: 'other' });
    const known = new KnownNetwork(nodeCrypto, value(other).id);
    const there = await world.add({ network: known });
    await world.connect(there, here);
    await world.until(() => refusals(there).length + refusals(here).length > 0, 'refused');
    await world.until(() => here.transport.peers().length === 0, 'hung up');
    assert.ok([...refusals(there), ...refusals(here)].includes('wrong-network'));
    assert.ok(!ready(here, there));
    await world.time.pass(60_000);
    assert.ok(here.transport.peers().length === 0, 'it is not dialled again soon');
  });

  it('refuses a delegation for another peer key', async () => {
    await using world = new World();
    const here = await world.add();
    const stolen = mintPeerDelegation(
      member,
      { bytes: (n) => new Uint8Array(n) },
      {
        peerKey: signerFromSeed(new Uint8Array(32).fill(3)).publicKey,
      },
    );
    const thief = await world.add({
      self: {
        organisation: didFromKey(member.publicKey),
        delegations: () => [stolen],
        roles: [],
        software: 'thief/1',
      },
    });
    await world.connect(thief, here);
    const apart = (): boolean =>
      here.transport.peers().length + thief.transport.peers().length === 0;
    await world.until(apart, 'hung up');
    assert.ok(!here.events.some((event) => event.kind === 'peerReady'));
    assert.match([...refusals(here), ...refusals(thief)].join(), /ucan/);
  });

  it('refuses one that is not a member of a listed network, whoever asks', async () => {
    const listed = { membership: 'listed' as const, members: [didFromKey(member.publicKey)] };
    await using world = new World(listed);
    for (let round = 0; round < 6; round++) {
      const inside = await world.add({ owner: member });
      const outside = await world.add({ setUp: (l) => l.follow(log) });
      await world.connect(outside, inside);
      await world.until(() => inside.transport.peers().length === 0, 'hung up');
      assert.ok(!ready(inside, outside));
      assert.ok([...refusals(inside), ...refusals(outside)].includes('not-a-member'));
    }
  });

  it('gives a newcomer the network document, and believes the newest one first', async () => {
    await using world = new World({ membership: 'listed', members: [] });
    const inside = await world.add({ owner: founder });
    const joiner = await world.add({ owner: member, newcomer: true });
    await world.connect(joiner, inside);
    await world.until(() => refusals(joiner).length + refusals(inside).length > 0, 'refused');
    const asked = inside.events.find((event) => event.kind === 'peerRefused');
    if (asked !== undefined) assert.equal(asked.organisation, didFromKey(member.publicKey));
    const members = [didFromKey(member.publicKey)];
    const wire = revised(world, { created: asTimeMs(2), members });
    value(inside.known.offer(wire));
    await world.run(inside.node.announceNetwork(wire));
    await world.time.pass(180_000);
    await world.connect(joiner, inside);
    await world.until(() => ready(joiner, inside) && ready(inside, joiner), 'it is let in');
    assert.equal(joiner.known.version(), 2);
    assert.ok(joiner.events.some((event) => event.kind === 'networkChanged'));
    // One who missed the news learns it from the member whom it would have refused.
    const late = await world.add({ owner: founder });
    assert.equal(late.known.version(), 1);
    await world.greet(late, joiner);
    assert.equal(late.known.version(), 2);
  });

  it('spreads a new document and hangs up who belongs no more', async () => {
    const members = [didFromKey(member.publicKey)];
    await using world = new World({ membership: 'listed', members });
    const [a, b] = [await world.add({ owner: founder }), await world.add({ owner: founder })];
    const expelled = await world.add({ owner: member });
    await world.greet(a, b);
    await world.greet(b, expelled);
    const wire = revised(world, { created: asTimeMs(2), members: [] });
    value(a.known.offer(wire));
    await world.run(a.node.announceNetwork(wire));
    await world.until(() => b.known.version() === 2, 'it spread');
    await world.until(() => !ready(b, expelled), 'hung up');
    assert.ok(ready(b, a));
  });

  it('ignores an older document and rejects a forged one', async () => {
    await using world = new World();
    const [a, b] = [await world.add(), await world.add()];
    await world.greet(a, b);
    const second = revised(world, { created: asTimeMs(2) });
    value(b.known.offer(second));
    await world.run(a.node.announceNetwork(world.document.wire));
    await world.time.pass(1000);
    assert.equal(b.known.version(), 2);
    assert.equal(b.node.report().rejectsByReason.size, 0);
    const forged = second.slice();
    forged[40] = (forged[40] ?? 0) ^ 1;
    value(
      await a.transport.publish(
        alertsTopic(a.known.text),
        encodeAlert({ kind: 'network', document: forged }),
      ),
    );
    await world.until(() => b.node.report().rejectsByReason.size > 0, 'it costs the sender');
  });

  it('hangs up a peer that never says hello', async () => {
    await using world = new World();
    const here = await world.add();
    const mute = await world.add();
    await mute.node[Symbol.asyncDispose]();
    await mute.transport.handle('/headwater/1/hello', async (stream) => {
      await stream.receive();
      await stream.receive();
    });
    await world.connect(mute, here);
    await world.time.pass(1000);
    assert.equal(here.transport.peers().length, 1);
    await world.until(() => here.transport.peers().length === 0, 'hung up', 30_000);
  });

  it('refuses requests before the hello, and after a ban', async () => {
    await using world = new World();
    const here = await world.add({ setUp: (l) => l.create(log) });
    here.ledger.append(log, 1);
    const other = await world.add({ setUp: (l) => l.follow(log) });
    await world.greet(other, here);
    await world.until(() => other.ledger.size(log) === 1, 'synced');
    here.node.control.ban(other.organisation);
    here.node.enforce();
    await world.until(() => here.transport.peers().length === 0, 'hung up');
    await world.time.pass(120_000);
    assert.ok(!ready(other, here));
    here.node.control.unban(other.organisation);
    await world.connect(other, here);
    await world.until(() => ready(other, here), 'pardoned');
  });

  it('takes and serves nothing while a peer is paused, and goes on after it', async () => {
    await using world = new World();
    const here = await world.add({ setUp: (l) => l.create(log) });
    const other = await world.add({ setUp: (l) => l.follow(log) });
    await world.greet(other, here);
    await world.time.pass(1000);
    other.node.control.pause(here.transport.self);
    here.ledger.append(log, 5);
    await world.time.pass(90_000);
    assert.equal(other.ledger.size(log), 0);
    assert.equal(other.node.report().peers[0]?.state, 'paused');
    assert.equal(here.transport.peers().length, 1, 'it stays connected');
    other.node.control.resume(here.transport.self);
    await world.until(() => other.ledger.size(log) === 5, 'it catches up');
  });

  it('ends the standing of a peer whose delegation expires', async () => {
    await using world = new World();
    const here = await world.add();
    const key = signerFromSeed(new Uint8Array(32).fill(77));
    const short = mintPeerDelegation(
      member,
      { bytes: (n) => new Uint8Array(n) },
      {
        peerKey: key.publicKey,
        expires: asTimeMs(epochMs + 90_000),
      },
    );
    const other = await world.add({
      peerKey: key,
      self: {
        organisation: didFromKey(member.publicKey),
        delegations: () => [short],
        roles: [],
        software: 'test/1',
      },
    });
    await world.greet(other, here);
    await world.time.pass(30_000);
    assert.ok(ready(here, other));
    await world.time.pass(200_000);
    assert.ok(!ready(here, other));
  });
});
