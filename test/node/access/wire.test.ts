/** Grants between peers over the simulator's network: what a reader, a stranger and a thief get. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { handOn, orderGrant } from '../../../src/access/grant.ts';
import { mintRevocation } from '../../../src/access/revoke.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { networkIdText } from '../../../src/gossip/network-document.ts';
import { topicOf } from '../../../src/gossip/topics.ts';
import { limits } from '../../../src/limits.ts';
import type { AccessGate } from '../../../src/node/access/access-gate.ts';
import { ok } from '../../../src/result.ts';
import { asLogIndex, asTimeMs, asTreeSize } from '../../../src/types.ts';
import { fakeLogId } from '../../gossip/fake-ledger.ts';
import { count, value, World } from '../../gossip/support.ts';
import {
  acme,
  alwaysFresh,
  beta,
  card,
  carl,
  gateOf,
  grantTo,
  log,
  orders,
  producer,
  reader,
  sister,
  type Member,
} from './world.ts';

describe('direct logs between peers', () => {
  it('are read live by a holder of a grant, and nobody else learns of them', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const [follower, kit] = await reader(world, beta);
    await grantTo(kit);
    const [thirdParty] = await reader(world, carl);
    await world.greet(follower, writer);
    await world.greet(thirdParty, writer);
    await world.greet(thirdParty, follower);
    await world.until(() => follower.ledger.size(log) === 7, 'the history came');
    writer.ledger.append(log, 2);
    await world.until(() => follower.ledger.size(log) === 9, 'it goes on live');
    await world.time.pass(60_000);
    assert.equal(thirdParty.ledger.size(log), 0);
    assert.equal(count(writer, 'blocksPublished'), 0);
    assert.equal(kit.answers.at(-1), undefined);
  });

  it('are unknown to a stranger, whether they exist or not', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const stranger = await world.add();
    await world.greet(stranger, writer);
    for (const asked of [log, fakeLogId(99)]) {
      const keys = await world.run(stranger.node.keys(asked));
      assert.ok(!keys.ok);
      assert.equal(keys.error.code, 'log-unknown');
      assert.equal(keys.error.message, 'the peer refused: this log is not served here');
    }
  });

  it('give keys to a holder of a grant', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const [follower, kit] = await reader(world, beta);
    await grantTo(kit);
    await world.greet(follower, writer);
    assert.equal(value(await world.run(follower.node.keys(log))).length, 3);
  });

  it('give nothing to a thief with a copied grant', async () => {
    await using world = new World();
    const [writer, kit] = await producer(world);
    const [thief, stolen] = await reader(world, carl);
    await grantTo(stolen);
    await world.greet(thief, writer);
    await world.until(() => stolen.answers.length > 0, 'an answer');
    assert.equal(stolen.answers[0]?.code, 'ucan-audience');
    assert.equal(kit.denied[0]?.code, 'ucan-audience');
    await world.time.pass(60_000);
    assert.equal(thief.ledger.size(log), 0);
  });

  it('end within a second of a revocation, in a live read too', async () => {
    await using world = new World();
    const [writer, kit] = await producer(world);
    const [follower, held] = await reader(world, beta);
    const cids = await grantTo(held);
    await world.greet(follower, writer);
    await world.until(() => follower.ledger.size(log) === 7, 'the history came');
    const told = { id: cids[1] ?? '', path: cids, now: kit.host.clock.now() };
    const token = mintRevocation(acme.peer, kit.host.random, told);
    const atMs = kit.host.clock.monotonic();
    assert.equal(value(await world.run(kit.gate.takeRevocation(token))), 'new');
    await world.until(() => held.answers.some((one) => one?.code === 'ucan-revoked'), 'the end');
    assert.ok(kit.host.clock.monotonic() - atMs < 1000, `${kit.host.clock.monotonic() - atMs} ms`);
    writer.ledger.append(log, 5);
    await world.time.pass(120_000);
    assert.equal(follower.ledger.size(log), 7);
    assert.equal(value(await world.run(kit.gate.takeRevocation(token))), 'known');
  });

  it('end when the grant expires, in a live read too', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const [follower, held] = await reader(world, beta);
    await grantTo(held, { expires: asTimeMs(held.host.clock.now() + 60_000) });
    await world.greet(follower, writer);
    await world.until(() => follower.ledger.size(log) === 7, 'the history came');
    await world.time.pass(60_000 + 60_000 + 30_000);
    writer.ledger.append(log, 5);
    await world.time.pass(60_000);
    assert.equal(follower.ledger.size(log), 7);
    assert.ok(held.answers.some((one) => one?.code === 'ucan-expired'));
  });

  it('are not served by who has a copy, even to who has a grant', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const [follower, kit] = await reader(world, beta);
    await grantTo(kit);
    await world.greet(follower, writer);
    await world.until(() => follower.ledger.size(log) === 7, 'the history came');
    const genesis = follower.ledger.log(log)?.genesis;
    assert.ok(genesis !== undefined);
    const shown = value(kit.gate.show(log, follower.transport.self));
    const asker = { peer: follower.transport.self, organisation: beta.did };
    const decision = kit.gate.may(genesis, shown, asker);
    assert.ok(decision.kind === 'deny' && decision.reason.code === 'grant-owner' && !decision.told);
    const other = await world.add();
    await world.greet(other, follower);
    const keys = await world.run(other.node.keys(log));
    assert.ok(!keys.ok && keys.error.code === 'log-unknown');
  });

  it('are served by another peer of their owner, under the same grants', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const [copy, copied] = await reader(world, sister);
    await world.greet(copy, writer);
    await world.until(() => copy.ledger.size(log) === 7, 'the copy is whole');
    const [follower, kit] = await reader(world, beta);
    const [stranger, refused] = await reader(world, carl);
    const cids = await grantTo(kit);
    await grantTo(refused);
    follower.node.control.ban(writer.transport.self);
    await world.greet(follower, copy);
    await world.greet(stranger, copy);
    await world.until(() => follower.ledger.size(log) === 7, 'the history came from the copy');
    writer.ledger.append(log, 2);
    await world.until(() => follower.ledger.size(log) === 9, 'and what is live');
    await world.until(() => refused.answers.length > 0, 'an answer for the stranger');
    assert.equal(stranger.ledger.size(log), 0);
    assert.equal(refused.answers[0]?.code, 'ucan-audience');
    assert.ok(copied.allowed.includes(follower.transport.self));
    const told = { id: cids[1] ?? '', path: cids, now: copied.host.clock.now() };
    const token = mintRevocation(acme.peer, copied.host.random, told);
    value(await world.run(copied.gate.takeRevocation(token)));
    writer.ledger.append(log, 2);
    await world.until(() => copy.ledger.size(log) === 11, 'the copy goes on');
    await world.time.pass(60_000);
    assert.equal(follower.ledger.size(log), 9);
    assert.equal(kit.answers.at(-1)?.code, 'ucan-revoked');
  });

  it('are asked of one peer of their owner after the other, without a rest between them', async () => {
    for (let seed = 0; seed < 6; seed++) {
      await using world = new World();
      for (let drawn = 0; drawn < seed; drawn++) world.dice.bytes(1);
      const [writer] = await producer(world);
      const lacking = gateOf(world, sister);
      const other = await world.add({
        owner: acme.owner,
        peerKey: sister.peer,
        access: lacking.gate,
      });
      const [follower, kit] = await reader(world, beta);
      await grantTo(kit);
      await world.greet(follower, other);
      await world.greet(follower, writer);
      const fromMs = kit.host.clock.monotonic();
      await world.until(() => follower.ledger.size(log) === 7, 'the history came');
      const tookMs = kit.host.clock.monotonic() - fromMs;
      assert.ok(tookMs < limits.dialIntervalMs / 2, `${tookMs} ms`);
    }
  });

  it('are not served by a peer of their owner that has not heard of revocations for too long', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const stale = { ...alwaysFresh, ageMs: () => limits.maxRevocationLagMs + 1 };
    const [copy] = await reader(world, sister, stale);
    await world.greet(copy, writer);
    await world.until(() => copy.ledger.size(log) === 7, 'the copy is whole');
    const [follower, kit] = await reader(world, beta);
    await grantTo(kit);
    follower.node.control.ban(writer.transport.self);
    await world.greet(follower, copy);
    await world.until(() => kit.answers.length > 0, 'an answer');
    assert.equal(kit.answers[0]?.code, 'revocations-stale');
    await world.time.pass(60_000);
    assert.equal(follower.ledger.size(log), 0);
  });

  it('come to a reader by a grant that was handed on, and from a sister peer by none', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const [first, held] = await reader(world, beta);
    await grantTo(held, { handOns: 2 });
    const [kept] = [...held.grants.got()];
    assert.ok(kept !== undefined);
    const other: Member = { ...beta, peer: carl.peer, peerDid: carl.peerDid };
    const [second, kit] = await reader(world, other);
    await world.greet(first, writer);
    await world.greet(second, writer);
    await world.greet(second, first);
    await world.until(() => first.ledger.size(log) === 7, 'the history came');
    await world.time.pass(60_000);
    assert.equal(second.ledger.size(log), 0);
    const next = { owner: acme.did, audience: other.peerDid };
    const tokens = handOn(beta.peer, held.host.random, kept.tokens, next);
    const grant = value(orderGrant(nodeCrypto, tokens));
    value(await kit.grants.keep('got', grant, kit.host.clock.now()));
    await world.until(() => second.ledger.size(log) === 7, 'the sister peer reads');
  });

  it('are named in no heads, no topic and no answer to strangers, by no peer that has them', async () => {
    await using world = new World();
    const [writer] = await producer(world);
    const [copy] = await reader(world, sister);
    const [follower, held] = await reader(world, beta);
    await grantTo(held);
    await world.greet(copy, writer);
    await world.greet(follower, writer);
    await world.until(() => follower.ledger.size(log) === 7, 'the reader has it');
    await world.until(() => copy.ledger.size(log) === 7, 'the sister peer has it');
    const stranger = await world.add();
    stranger.ledger.follow(log, { visibility: 'public', signer: acme.owner });
    stranger.node.follow(log);
    for (const node of [writer, copy, follower]) await world.greet(stranger, node);
    writer.ledger.append(log, 2);
    await world.time.pass(120_000);
    assert.equal(stranger.ledger.size(log), 0);
    assert.equal(stranger.node.lag(log).entries, 0, 'somebody told a head of it');
    const topic = topicOf(networkIdText(world.document.id), log);
    assert.ok(stranger.transport.subscribed().includes(topic));
    for (const { transport } of [writer, copy, follower]) {
      assert.ok(!transport.subscribed().includes(topic), 'a topic names it');
    }
    const keys = await world.run(stranger.node.keys(log));
    assert.ok(!keys.ok && keys.error.message.endsWith('this log is not served here'));
    const proof = {
      kind: 'inclusion',
      logId: log,
      index: asLogIndex(0),
      size: asTreeSize(0),
    } as const;
    const asked = stranger.node.evidence.lookups.prove(
      proof,
      (answer) => Promise.resolve(ok(answer)),
      new AbortController().signal,
    );
    const proved = await world.run(asked);
    assert.ok(!proved.ok && proved.error.code === 'no-holder');
  });

  it('tell their logs to a holder, and a revocation travels as an alert', async () => {
    await using world = new World();
    const [writer, kit] = await producer(world);
    const [follower, held] = await reader(world, beta);
    const cids = await grantTo(held);
    await world.greet(follower, writer);
    const stream = { owner: acme.did, name: orders };
    const show = (peer: Parameters<AccessGate['showFor']>[1]): ReturnType<AccessGate['showFor']> =>
      held.gate.showFor(stream, peer);
    const text = value(await world.run(follower.node.evidence.access.card(acme.did, show)));
    assert.deepEqual(JSON.parse(text), {
      name: 'orders',
      visibility: 'direct',
      partitions: card.partitions,
    });
    const told = { id: cids[1] ?? '', path: cids, now: held.host.clock.now() };
    const token = mintRevocation(acme.peer, held.host.random, told);
    value(await world.run(writer.node.evidence.access.announce(token)));
    await world.until(() => count(follower, 'revocationsTaken') === 1, 'the alert came');
    assert.ok(held.gate.best(stream) === undefined, 'a revoked grant is not shown any more');
    assert.equal(kit.denied.length, 0);
  });
});
