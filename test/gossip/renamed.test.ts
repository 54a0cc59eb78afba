/** Peers of organisations that go by another DID than they did. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { Identities, type SuccessionTerms } from '../../src/identities.ts';
import { didFromKey, logIdFromHash } from '../../src/ids.ts';
import { ownersPort } from '../../src/node/owners-port.ts';
import { asTimeMs, type Did } from '../../src/types.ts';
import { founder, ready, World, type TestNode } from './support.ts';
import { mintPeerDelegation } from '../../src/access/peer-delegation.ts';

const member = signerFromSeed(new Uint8Array(32).fill(21));
const old = didFromKey(member.publicKey);
const next = didFromKey(signerFromSeed(new Uint8Array(32).fill(22)).publicKey);
const peerKey = signerFromSeed(new Uint8Array(32).fill(23));
const random = { bytes: (length: number) => new Uint8Array(length).fill(5) };
const token = mintPeerDelegation(member, random, { peerKey: peerKey.publicKey });

const log = (did: Did) => logIdFromHash(nodeCrypto.sha256(new TextEncoder().encode(did)));

function succeeded(identities: Identities, terms: SuccessionTerms): void {
  const places = { registry: log(old), successor: log(next), time: asTimeMs(1) };
  identities.replace([{ from: old, to: next, ...places, terms }]);
}

const lost: SuccessionTerms = { reason: 'lost', kept: new Set() };
const stolen: SuccessionTerms = { reason: 'stolen', kept: new Set() };

/** A node that knows of successions, and a peer of the old DID. */
async function two(world: World, identities: Identities): Promise<readonly [TestNode, TestNode]> {
  const did = didFromKey(founder.publicKey);
  const self = { organisation: did, roles: [], software: 'test/1', owners: ownersPort(identities) };
  const own: Signer = signerFromSeed(new Uint8Array(32).fill(24));
  const mine = mintPeerDelegation(founder, random, { peerKey: own.publicKey });
  const here = await world.add({
    peerKey: own,
    owner: founder,
    self: { ...self, delegations: () => [mine] },
  });
  here.known.also = (organisation) => identities.all(organisation);
  const there = await world.add({
    peerKey,
    owner: member,
    self: { organisation: old, delegations: () => [token], roles: [], software: 'test/1' },
  });
  return [here, there];
}

const called = (node: TestNode): readonly (Did | undefined)[] =>
  node.node.report().peers.map(({ organisation }) => organisation);
const refused = (node: TestNode): readonly string[] =>
  node.events.flatMap((event) => (event.kind === 'peerRefused' ? [event.reason.code] : []));

describe('a peer of an organisation that has a new DID', () => {
  it('is called by the new one, in a listed network that knows the old one', async () => {
    await using world = new World({ membership: 'listed', members: [old] });
    const identities = new Identities();
    succeeded(identities, lost);
    const [here, there] = await two(world, identities);
    await world.greet(here, there);
    assert.deepEqual(called(here), [next]);
  });

  it('is called by it from when that is known', async () => {
    await using world = new World();
    const identities = new Identities();
    const [here, there] = await two(world, identities);
    await world.greet(here, there);
    assert.deepEqual(called(here), [old]);
    succeeded(identities, lost);
    assert.deepEqual(called(here), [next]);
    await world.time.pass(60_000);
    assert.ok(ready(here, there), 'it stays');
  });

  it('does not escape a ban', async () => {
    await using world = new World();
    const identities = new Identities();
    const [here, there] = await two(world, identities);
    here.node.control.ban(old);
    succeeded(identities, lost);
    await world.connect(here, there);
    await world.until(() => refused(here).length + refused(there).length > 0, 'refused');
    assert.ok([...refused(here), ...refused(there)].includes('peer-barred'));
  });

  it('is hung up as soon as its key is known to be stolen, and not let in again', async () => {
    await using world = new World();
    const identities = new Identities();
    const [here, there] = await two(world, identities);
    await world.greet(here, there);
    succeeded(identities, stolen);
    await world.until(() => here.transport.peers().length === 0, 'hung up');
    assert.ok(refused(here).includes('did-superseded'));
    assert.ok(!ready(here, there));
  });
});
