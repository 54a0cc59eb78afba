/** Peers of the simulator's network with gates and grants of their own. */
import assert from 'node:assert/strict';
import {
  handOn,
  mintGrant,
  mintGranting,
  orderGrant,
  type GrantTerms,
} from '../../../src/access/grant.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { Signer } from '../../../src/crypto.ts';
import type { Fault } from '../../../src/errors.ts';
import type { UsagePort } from '../../../src/gossip/usage-port.ts';
import type { AttributesPort } from '../../../src/gossip/attribute-proofs.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { didFromKey } from '../../../src/ids.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import { TableRows } from '../../../src/ledger/table-rows.ts';
import { limits } from '../../../src/limits.ts';
import { AccessGate, type GateParts } from '../../../src/node/access/access-gate.ts';
import { GrantBook } from '../../../src/node/access/grant-book.ts';
import { RevocationBook } from '../../../src/node/access/revocation-book.ts';
import type { StreamCard } from '../../../src/node/core/cards.ts';
import { ok } from '../../../src/result.ts';
import {
  asStreamName,
  type Did,
  type LogId,
  type PeerId,
  type StreamName,
} from '../../../src/types.ts';
import { fakeLogId } from '../../gossip/fake-ledger.ts';
import { value, type TestNode, type World } from '../../gossip/support.ts';
import { VirtualHost } from '../../sim/virtual-time.ts';

export const log: LogId = fakeLogId(7);
export const orders: StreamName = asStreamName('orders');

export interface Member {
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

export const acme: Member = member(11);
export const beta: Member = member(12);
export const carl: Member = member(13);
/** Another peer of acme. */
export const sister: Member = { ...acme, peer: member(14).peer, peerDid: member(14).peerDid };

/** Who writes the registry. */
export const alwaysFresh: GateParts['freshness'] = {
  ageMs: () => 0,
  wanted: () => [],
  urgent: () => undefined,
  newest: () => Promise.resolve(undefined),
  offer: () => Promise.resolve(ok(undefined)),
};

const none = (): never => assert.fail('nobody asks');

export function gateOf(
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

export interface Kit {
  readonly gate: AccessGate;
  readonly grants: GrantBook;
  readonly host: VirtualHost;
  readonly answers: (Fault | undefined)[];
  readonly denied: Fault[];
  readonly allowed: readonly PeerId[];
}

export const card: StreamCard = {
  owner: acme.did,
  name: orders,
  id: log,
  visibility: 'direct',
  partitions: [{ log, writer: peerIdFromKey(acme.peer.publicKey) }],
};

/** acme writes a direct log of 7 entries. */
export async function producer(
  world: World,
  attributes?: AttributesPort,
  usage?: UsagePort,
): Promise<readonly [TestNode, Kit]> {
  const kit = gateOf(world, acme);
  const node = await world.add({
    owner: acme.owner,
    peerKey: acme.peer,
    access: kit.gate,
    ...(attributes === undefined ? {} : { attributes }),
    ...(usage === undefined ? {} : { usage }),
    setUp: (l) => l.create(log, { visibility: 'direct', signer: acme.owner }),
  });
  node.ledger.append(log, 7);
  return [node, kit];
}

/** Follows the log with what its book holds. */
export async function reader(
  world: World,
  who: Member,
  freshness: GateParts['freshness'] = alwaysFresh,
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
export async function grantTo(
  kit: Kit,
  changes: Partial<GrantTerms> = {},
): Promise<readonly string[]> {
  const { random, clock } = kit.host;
  const terms = { owner: acme.did, audience: beta.did, stream: orders, handOns: 1, ...changes };
  const granting = mintGranting(acme.owner, random, acme.peerDid);
  const given = mintGrant(acme.peer, random, [granting], terms);
  const own = { owner: acme.did, audience: beta.peerDid };
  const grant = value(orderGrant(nodeCrypto, handOn(beta.owner, random, given, own)));
  value(await kit.grants.keep('got', grant, clock.now()));
  return grant.cids;
}
