/** Asking for epoch keys over the network: who asks is what its connection and its hello have proved. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { AskKeys, KeysAnswer } from '../../../src/gossip/access-codec.ts';
import type { Asker } from '../../../src/gossip/access-port.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { fault } from '../../../src/errors.ts';
import { err, ok } from '../../../src/result.ts';
import { asSignature } from '../../../src/types.ts';
import { refused } from '../../support/result.ts';
import { value, World } from '../../gossip/support.ts';
import { acme, beta, log, producer, reader } from '../access/world.ts';

const answer: KeysAnswer = {
  kind: 'keys',
  next: 9,
  deliveries: [
    {
      generation: 1,
      from: 2,
      to: 9,
      enc: new Uint8Array(32).fill(1),
      ciphertext: new Uint8Array(60).fill(2),
      signature: asSignature(new Uint8Array(64).fill(3)),
    },
  ],
};
const grant = new Uint8Array(50).fill(4);

describe('epoch keys over /headwater/1/access', () => {
  it('are asked of a peer of the owner, who is told whose peer asks', async () => {
    await using world = new World();
    const [writer, kit] = await producer(world);
    const [follower] = await reader(world, beta);
    const asked: (readonly [AskKeys, Asker])[] = [];
    kit.gate.keys = (ask, asker) => {
      asked.push([ask, asker]);
      return Promise.resolve(ok(answer));
    };
    const { access } = follower.node.evidence;
    refused(await world.run(access.keys(acme.did, log, 5, () => ok(grant))), 'no-holder');
    await world.greet(follower, writer);
    const got = value(await world.run(access.keys(acme.did, log, 5, () => ok(grant))));
    assert.deepEqual(got, { peer: peerIdFromKey(acme.peer.publicKey), answer });
    const asker = { peer: peerIdFromKey(beta.peer.publicKey), organisation: beta.did };
    assert.deepEqual(asked, [[{ kind: 'askKeys', log, from: 5, grant }, asker]]);
  });

  it('of a node that has none are those of a log that there is not', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const [follower] = await reader(world, beta);
    await world.greet(follower, writer);
    const { access } = follower.node.evidence;
    refused(await world.run(access.keys(acme.did, log, 0, () => ok(grant))), 'log-unknown');
  });

  it('are not asked for where there is nothing to show', async () => {
    await using world = new World();
    const [writer, kit] = await producer(world);
    const [follower] = await reader(world, beta);
    await world.greet(follower, writer);
    kit.gate.keys = () => assert.fail('it was asked');
    const none = err(fault('grant-none', 'no grant'));
    const { access } = follower.node.evidence;
    refused(await world.run(access.keys(acme.did, log, 0, () => none)), 'grant-none');
  });
});
