/** Grants between peers over the simulator's network: what a reader, a stranger and a thief get. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  handOn,
  mintGrant,
  mintGranting,
  orderGrant,
  type GrantTerms,
} from '../../../src/access/grant.ts';
import { mintRevocation } from '../../../src/access/revoke.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { Signer } from '../../../src/crypto.ts';
import type { Fault } from '../../../src/errors.ts';
import { didFromKey } from '../../../src/ids.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import { TableRows } from '../../../src/ledger/table-rows.ts';
import { AccessGate, type GateParts } from '../../../src/node/access/access-gate.ts';
import { GrantBook } from '../../../src/node/access/grant-book.ts';
import { RevocationBook } from '../../../src/node/access/revocation-book.ts';
import type { StreamCard } from '../../../src/node/core/cards.ts';
import { ok } from '../../../src/result.ts';
import { limits } from '../../../src/limits.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { asStreamName, asTimeMs, type Did, type PeerId } from '../../../src/types.ts';
import { VirtualHost } from '../../sim/virtual-time.ts';
import { fakeLogId } from '../../gossip/fake-ledger.ts';
import { count, value, World, type TestNode } from '../../gossip/support.ts';

const log = fakeLogId(7);
const orders = asStreamName('orders');

interface Member {
  readonly owner: Signer;
  readonly peer: Signer;
  readonly did: Did;
  readonly peerDid: Did;
}

function member(n: number): Member {
  const [owner, peer] = [n, n + 100].map((byte) => signerFromSeed(new Uint8Array(32).fill(byte)));
  assert.ok(owner !== undefined && peer !== undefined);
  return { owner, peer, did: didFromKey(owner.publicKey), peerDid: didFromKey(peer.publicKey) };
}

const [acme, beta, carl] = [member(11), member(12), member(13)];
/** Another peer of acme. */
const sister: Member = { ...acme, peer: member(14).peer, peerDid: member(14).peerDid };

/** Who writes the registry. */
const alwaysFresh: GateParts['freshness'] = {
  ageMs: () => 0,
  wanted: () => [],
  urgent: () => undefined,
  newest: () => Promise.resolve(undefined),
  offer: () => Promise.resolve(ok(undefined)),
};

const none = (): never => assert.fail('nobody asks');

function gateOf(
  world: World,
  { peer, did, owner, peerDid }: Member,
  freshness: GateParts['freshness'] = alwaysFresh,
): Kit {
  const rows = new TableRows(new MemoryStore());
  const grants = new GrantBook(rows, nodeCrypto, 100);
  const revocations = new RevocationBook(rows, nodeCrypto, 100);
  const host = new VirtualHost(world.time, world.dice.fork());
  const answers: (Fault | undefined)[] = [];
  const denied: Fault[] = [];
  const allowed: PeerId[] = [];

  const gate = new AccessGate({
    host,
    crypto: nodeCrypto,
    signer: peer,
    organisation: did,
    grants,
    revocations,
    limits,
    freshness,
    knows: () => true,
    cardOf: (stream) => (stream === 'orders' ? card : undefined),
    kinship: [mintGranting(owner, host.random, peerDid)],
    onAllowed: (_permit, asker) => allowed.push(asker.peer),
    onDenied: (_asker, reason) => denied.push(reason),
    onAnswered: (_grant, refusal) => answers.push(refusal),
    desk: { request: none, stateOf: none, withdraw: none },
  });
  return { gate, grants, host, answers, denied, allowed };
}

interface Kit {
  readonly gate: AccessGate;
  readonly grants: GrantBook;
  readonly host: VirtualHost;
  readonly answers: (Fault | undefined)[];
  readonly denied: Fault[];
  readonly allowed: readonly PeerId[];
}

const card: StreamCard = {
  owner: acme.did,
  name: orders,
  id: log,
  visibility: 'direct',
  partitions: [{ log, writer: peerIdFromKey(acme.peer.publicKey) }],
};

/** acme writes a direct log of 7 entries. */
async function producer(world: World): Promise<readonly [TestNode, Kit]> {
  const kit = gateOf(world, acme);
  const node = await world.add({
    owner: acme.owner,
    peerKey: acme.peer,
    access: kit.gate,
    setUp: (l) => l.create(log, { visibility: 'direct', signer: acme.owner }),
  });
  node.ledger.append(log, 7);
  return [node, kit];
}

/** Follows the log with what its book holds. */
async function reader(
  world: World,
  who: Member,
  freshness = alwaysFresh,
): Promise<readonly [TestNode, Kit]> {
  const kit = gateOf(world, who, freshness);
  kit.gate.follow(card);
  const node = await world.add({
    owner: who.owner,
    peerKey: who.peer,
    access: kit.gate,
    setUp: (l) => l.follow(log, { visibility: 'direct', signer: acme.owner }),
  });
  node.node.follow(log);
  return [node, kit];
}

/** A grant for beta, handed to its peer; kept in the book of `kit`. */
async function grantTo(kit: Kit, changes: Partial<GrantTerms> = {}): Promise<readonly string[]> {
  const { random, clock } = kit.host;
  const terms = { owner: acme.did, audience: beta.did, stream: orders, handOns: 1, ...changes };
  const granting = mintGranting(acme.owner, random, acme.peerDid);
  const given = mintGrant(acme.peer, random, [granting], terms);
  const own = { owner: acme.did, audience: beta.peerDid };
  const grant = value(orderGrant(nodeCrypto, handOn(beta.owner, random, given, own)));
  value(await kit.grants.keep('got', grant, clock.now()));
  return grant.cids;
}

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
