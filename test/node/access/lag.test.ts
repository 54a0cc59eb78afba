/**
 * Serving while the view of the owner's revocations is fresh, and no longer: two peers of one owner,
 * of which one writes the registry, and readers at the other one, over the simulator's network.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { handOn, mintGrant, mintGranting, orderGrant } from '../../../src/access/grant.ts';
import { mintRevocation } from '../../../src/access/revoke.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { Signer } from '../../../src/crypto.ts';
import type { Fault } from '../../../src/errors.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { didFromKey } from '../../../src/ids.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import { TableRows } from '../../../src/ledger/table-rows.ts';
import { limits } from '../../../src/limits.ts';
import { AccessGate } from '../../../src/node/access/access-gate.ts';
import { FreshnessBook, type FreshnessLedger } from '../../../src/node/access/freshness-book.ts';
import { GrantBook } from '../../../src/node/access/grant-book.ts';
import { RevocationBook } from '../../../src/node/access/revocation-book.ts';
import type { StreamCard } from '../../../src/node/core/cards.ts';
import { ok } from '../../../src/result.ts';
import { asStreamName, asTimeMs, type LogId, type PeerId } from '../../../src/types.ts';
import { fakeLogId, FakeLedger } from '../../gossip/fake-ledger.ts';
import { count, value, World, type TestNode } from '../../gossip/support.ts';
import { VirtualHost } from '../../sim/virtual-time.ts';

const signer = (n: number): Signer => signerFromSeed(new Uint8Array(32).fill(n));
const [acme, beta, freshKey] = [signer(21), signer(22), signer(23)];
const [owner, reader] = [didFromKey(acme.publicKey), didFromKey(beta.publicKey)];
const [registry, direct, open] = [fakeLogId(1), fakeLogId(2), fakeLogId(3)];
const orders = asStreamName('orders');
const card: StreamCard = {
  owner,
  name: orders,
  id: direct,
  visibility: 'direct',
  partitions: [{ log: direct, writer: peerIdFromKey(signer(32).publicKey) }],
};
const none = (): never => assert.fail('nobody asks');

interface Peer {
  readonly gate: AccessGate;
  readonly freshness: FreshnessBook;
  readonly key: Signer;
  readonly host: VirtualHost;
  readonly answers: (Fault | undefined)[];
  readonly grants: GrantBook;
  node: TestNode;
}

/** Its place in the network is made by `set`, which the books look at. */
async function peerOf(
  world: World,
  org: Signer,
  key: Signer,
  set: (ledger: FakeLedger) => void,
): Promise<Peer> {
  const rows = new TableRows(new MemoryStore());
  const grants = new GrantBook(rows, nodeCrypto, 100);
  const revocations = new RevocationBook(rows, nodeCrypto, 100);
  const host = new VirtualHost(world.time, world.dice.fork());
  const organisation = didFromKey(org.publicKey);
  let ledger = new FakeLedger();
  const roots: FreshnessLedger['proofs'] = {
    rangeRoot: (logId) => Promise.resolve(ok(ledger.root(logId) ?? none())),
  };
  const freshness = new FreshnessBook({
    host,
    crypto: nodeCrypto,
    ledger: {
      log: (logId) => {
        const log = ledger.log(logId);
        if (log === undefined) return undefined;
        const { size, checkpoint, state, genesis } = log;
        return { logId, size, checkpoint, state, ...(genesis && { genesis }) };
      },
      proofs: roots,
      cosigned: { policy: () => ok(undefined) },
      onAppended: () => ({ [Symbol.dispose]: () => undefined }),
    },
    registries: {
      owners: () => [owner],
      freshness: () => ({
        key: didFromKey(freshKey.publicKey),
        since: { log: registry, index: 0 },
      }),
      registryOf: (asked) => (asked === owner ? registry : undefined),
    },
    organisation,
    ownRegistry: () => {
      const log = ledger.log(registry);
      if (log?.role !== 'writer') return undefined;
      const { logId, size, checkpoint, state } = log;
      return { logId, size, checkpoint, state };
    },
    signer: freshKey,
    limits,
    track: () => undefined,
  });
  const answers: (Fault | undefined)[] = [];
  const gate = new AccessGate({
    host,
    crypto: nodeCrypto,
    signer: key,
    organisation,
    grants,
    revocations,
    limits,
    freshness,
    knows: () => true,
    cardOf: () => undefined,
    kinship: [],
    onAllowed: () => undefined,
    onDenied: () => undefined,
    onAnswered: (_grant, refusal) => answers.push(refusal),
    desk: { request: none, stateOf: none, withdraw: none },
  });
  if (org === beta) gate.follow(card);
  const setUp = (made: FakeLedger): void => {
    ledger = made;
    set(made);
  };
  const node = await world.add({ owner: org, peerKey: key, access: gate, setUp });
  return { gate, freshness, key, host, answers, grants, node };
}

interface Scene {
  readonly world: World;
  /** Writes the registry. */
  readonly home: Peer;
  /** Another peer of acme, who serves a direct and a public log. */
  readonly branch: Peer;
  /** Reads at the branch by a grant. */
  readonly reader: Peer;
  readonly cids: readonly string[];
}

async function scene(world: World): Promise<Scene> {
  const home = await peerOf(world, acme, signer(31), (l) =>
    l.create(registry, { name: '_registry', signer: acme }),
  );
  home.node.ledger.append(registry, 3);
  const branch = await peerOf(world, acme, signer(32), (l) => {
    l.follow(registry, { name: '_registry', signer: acme });
    l.create(direct, { visibility: 'direct', signer: acme });
    l.create(open, { name: 'open', signer: acme });
  });
  branch.node.ledger.append(direct, 4);
  const at = await peerOf(world, beta, signer(33), (l) => {
    l.follow(direct, { visibility: 'direct', signer: acme });
    l.follow(open, { name: 'open', signer: acme });
  });
  const peer = didFromKey(branch.key.publicKey);
  const { random, clock } = home.host;
  const granting = mintGranting(acme, random, peer);
  const terms = { owner, audience: reader, stream: orders, handOns: 1 };
  const given = mintGrant(branch.key, random, [granting], terms);
  const audience = didFromKey(at.key.publicKey);
  const grant = value(orderGrant(nodeCrypto, handOn(beta, random, given, { owner, audience })));
  value(await at.grants.keep('got', grant, clock.now()));
  await world.greet(branch.node, home.node);
  await world.until(() => branch.freshness.ageMs(owner) !== undefined, 'the branch hears');
  for (const log of [direct, open]) at.node.node.follow(log);
  await world.greet(at.node, branch.node);
  await world.until(() => size(at, direct) === 4, 'the history came');
  return { world, home, branch, reader: at, cids: grant.cids };
}

const size = (peer: Peer, log: LogId): number => peer.node.ledger.size(log);

/** The registry's writer on one side, the others on the other one. */
function split({ world, home, branch, reader: at }: Scene): void {
  const sides = new Map<PeerId, number>([[home.node.transport.self, 0]]);
  for (const { node } of [branch, at]) sides.set(node.transport.self, 1);
  world.network.partition(sides);
}

describe('a serving peer of an owner', () => {
  it('stays fresh while it hears of the registry, for hours', async () => {
    await using world = new World();
    const all = await scene(world);
    let oldest = 0;
    for (let n = 0; n < 120; n++) {
      await world.time.pass(60_000);
      oldest = Math.max(oldest, all.branch.freshness.ageMs(owner) ?? Infinity);
    }
    assert.ok(oldest <= 61_000, `${oldest} ms`);
    all.branch.node.ledger.append(direct, 2);
    await world.until(() => size(all.reader, direct) === 6, 'it goes on');
    // One line each 30 s at most, however many ask.
    assert.ok(count(all.branch.node, 'freshnessKept') <= 7200 / 30 + 1);
  });

  it('stops granted reads beyond the lag, says why to their holder, and goes on when it hears again', async () => {
    await using world = new World();
    const all = await scene(world);
    const { branch, reader: at } = all;
    split(all);
    const since = world.time.nowMs;
    // Within the lag it serves what it writes.
    await world.time.pass(limits.maxRevocationLagMs - 61_000);
    branch.node.ledger.append(direct, 2);
    await world.until(() => size(at, direct) === 6, 'within the lag');
    const told = (): boolean => at.answers.some((one) => one?.code === 'revocations-stale');
    await world.until(told, 'the live read ends', 600_000);
    const ranMs = world.time.nowMs - since;
    assert.ok(ranMs <= limits.maxRevocationLagMs + 12_000, `${ranMs} ms`);
    branch.node.ledger.append(direct, 2);
    branch.node.ledger.append(open, 3);
    await world.until(() => size(at, open) === 3, 'public data never stops');
    await world.time.pass(600_000);
    assert.equal(size(at, direct), 6);
    world.network.heal();
    await world.greet(branch.node, all.home.node);
    await world.until(() => size(at, direct) === 8, 'it goes on');
  });

  it('that never heard of the registry serves nothing by grant', async () => {
    await using world = new World();
    const all = await scene(world);
    const lone = await peerOf(world, acme, signer(34), (l) => {
      l.follow(registry, { name: '_registry', signer: acme });
      l.create(direct, { visibility: 'direct', signer: acme });
    });
    lone.node.ledger.append(direct, 4);
    const shown = value(all.reader.gate.show(direct, lone.node.transport.self));
    const genesis = lone.node.ledger.log(direct)?.genesis ?? none();
    const asker = { peer: all.reader.node.transport.self, organisation: reader };
    const decision = lone.gate.may(genesis, shown, asker);
    assert.ok(decision.kind === 'deny' && decision.told);
    assert.equal(decision.reason.code, 'revocations-stale');
    // A stranger is not even told that there is something.
    const stranger = { ...asker, organisation: didFromKey(signer(35).publicKey) };
    const other = lone.gate.may(genesis, undefined, stranger);
    assert.ok(other.kind === 'deny' && !other.told);
  });

  it('hears through a stranger who passes lines on', async () => {
    await using world = new World();
    const home = await peerOf(world, acme, signer(31), (l) =>
      l.create(registry, { name: '_registry', signer: acme }),
    );
    home.node.ledger.append(registry, 3);
    const follow = (l: FakeLedger): void => l.follow(registry, { name: '_registry', signer: acme });
    const between = await peerOf(world, beta, signer(33), follow);
    const branch = await peerOf(world, acme, signer(32), follow);
    await world.greet(between.node, home.node);
    await world.greet(branch.node, between.node);
    await world.until(() => branch.freshness.ageMs(owner) !== undefined, 'it hears', 300_000);
  });

  it('ends a live read within a second of a revocation that arrives at it as an alert', async () => {
    await using world = new World();
    const all = await scene(world);
    const { home, branch, reader: at, cids } = all;
    const { random, clock } = home.host;
    const told = { id: cids[1] ?? '', path: cids, now: asTimeMs(clock.now()) };
    const token = mintRevocation(acme, random, told);
    const sinceMs = world.time.nowMs;
    value(await world.run(home.node.node.evidence.access.announce(token)));
    await world.until(() => count(branch.node, 'revocationsTaken') === 1, 'the alert came');
    const arrivedMs = world.time.nowMs;
    const ended = (): boolean => at.answers.some((one) => one?.code === 'ucan-revoked');
    await world.until(ended, 'the read ended');
    assert.ok(world.time.nowMs - arrivedMs < 1000, `${world.time.nowMs - arrivedMs} ms`);
    assert.ok(world.time.nowMs - sinceMs < 2000);
    branch.node.ledger.append(direct, 3);
    await world.time.pass(120_000);
    assert.equal(size(at, direct), 4);
  });
});
