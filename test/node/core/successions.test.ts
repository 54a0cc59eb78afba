/** What a peer believes of registries and of the DIDs of organisations: over real ledgers, without a network. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { mintPeerDelegation } from '../../../src/access/peer-delegation.ts';
import { toBase64url } from '../../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { Signer } from '../../../src/crypto.ts';
import type { Fault } from '../../../src/errors.ts';
import { makeEvent } from '../../../src/event/make.ts';
import type { SuccessionTerms } from '../../../src/identities.ts';
import { didFromKey, logIdFromHash, logIdHash } from '../../../src/ids.ts';
import {
  checkRecovery,
  checkRotation,
  makeRecovery,
  makeRotation,
} from '../../../src/ledger/key-chain.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import {
  profileData,
  registryTypes,
  streamData,
  succeededData,
} from '../../../src/node/core/cards.ts';
import { OtherRegistries } from '../../../src/node/core/other-registries.ts';
import { RegistryFeed } from '../../../src/node/core/registry-feed.ts';
import { Registries } from '../../../src/node/core/registries.ts';
import { openOwners, type Successions } from '../../../src/node/core/successions.ts';
import {
  asLogIndex,
  asPeerId,
  asStreamName,
  dataKind,
  type Did,
  type LogId,
} from '../../../src/types.ts';
import { newLog, openLedger } from '../../support/ledger-home.ts';
import { must } from '../../support/result.ts';
import { nextHash, recovery, recoveryHash, sync } from '../../support/succession.ts';

const person = (seed: number): { readonly signer: Signer; readonly did: Did } => {
  const signer = signerFromSeed(new Uint8Array(32).fill(seed));
  return { signer, did: didFromKey(signer.publicKey) };
};
/** Their keys write their registries themselves: so no delegation is needed. */
const [old, next, second, self] = [person(81), person(82), person(83), person(84)];
const thiefRecovery = signerFromSeed(new Uint8Array(32).fill(85));
const name = asStreamName('_registry');
const random = { bytes: (length: number) => new Uint8Array(length).fill(7) };
const orders = asStreamName('orders');
const lost: SuccessionTerms = { reason: 'lost', kept: new Set() };

async function registry(
  ledger: Ledger,
  by: { readonly signer: Signer; readonly did: Did } = old,
  hash = recoveryHash,
): Promise<LogId> {
  const log = must(
    await ledger.create({ ...newLog, owner: by.did, name, recoveryHash: hash }, by.signer),
  );
  const peer = asPeerId('12D3KooWtest');
  await say(
    ledger,
    log,
    registryTypes.profile,
    profileData({ owner: by.did, name: 'acme', peers: [] }),
  );
  const card = { owner: by.did, name: orders, id: log, visibility: 'public' as const };
  const partitions = [{ log, writer: peer }];
  await say(ledger, log, registryTypes.created, streamData({ ...card, partitions }));
  return log;
}

let said = 0;
async function say(ledger: Ledger, log: LogId, type: string, data: Uint8Array): Promise<void> {
  const id = String((said += 1));
  const attributes = {
    specversion: '1.0',
    id,
    source: '/test',
    type,
    datacontenttype: 'application/json',
  };
  const event = must(makeEvent(attributes, dataKind.json, data));
  must(must(await ledger.publish(log, [event]))[0] ?? assert.fail());
}

async function succeed(
  ledger: Ledger,
  log: LogId,
  to = next,
  by = recovery,
  terms: SuccessionTerms = lost,
): Promise<LogId> {
  const plan = { owner: to.did, recoveryHash, proof: [] };
  const successor = must(await ledger.successors.succeed(log, plan, by, to.signer));
  await say(ledger, successor, registryTypes.succeeded, succeededData(to.did, terms));
  return successor;
}

const naming = (by: Signer, of: LogId): Uint8Array =>
  mintPeerDelegation(by, random, { peerKey: self.signer.publicKey, registry: of });

class Watcher implements AsyncDisposable {
  readonly ledger: Ledger;
  readonly owners: Successions;
  readonly registries: Registries;
  readonly feed: RegistryFeed;
  readonly others: OtherRegistries;
  readonly problems: string[] = [];

  private constructor(ledger: Ledger, owners: Successions) {
    this.ledger = ledger;
    this.owners = owners;
    this.registries = new Registries(self.did, new Map([['acme', old.did]]), owners);
    const problem = (_: string, { code }: Fault): void => void this.problems.push(code);
    const events = { problem, unfollowed: () => undefined, track: () => undefined };
    this.others = new OtherRegistries(ledger, owners, events);
    this.feed = new RegistryFeed(ledger, this.registries, {
      stream: () => undefined,
      problem,
      other: (owner, logId) => this.others.met(owner, logId),
    });
    ledger.successors.onNews(({ kind, logId }) => {
      if (kind !== 'closed') return;
      owners.refresh();
      this.feed.closed(logId);
    });
  }

  static async open(store = new MemoryStore()): Promise<Watcher> {
    const ledger = await openLedger({ store });
    const watcher = new Watcher(ledger, must(await openOwners(ledger)));
    await watcher.feed.start();
    return watcher;
  }

  async takes(from: Ledger, ...logs: readonly LogId[]): Promise<void> {
    for (const log of logs) await sync(from, this.ledger, log);
    await this.feed.settled();
    assert.equal(await this.owners.pins.settled(), undefined);
  }

  /** Who owns acme/orders, as a user writes it. */
  owner(): Did {
    return must(this.registries.parse('acme/orders')).owner;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.feed[Symbol.asyncDispose]();
    await this.ledger.close();
  }
}

describe('the successions of organisations', () => {
  it('are followed: alias, card, profile and logs are the new DID’s', async () => {
    await using home = await Watcher.open();
    await using peer = await Watcher.open();
    const log = await registry(home.ledger);
    await peer.takes(home.ledger, log);
    assert.equal(peer.owner(), old.did);
    const successor = await succeed(home.ledger, log);
    await peer.takes(home.ledger, successor);
    assert.equal(peer.owner(), next.did);
    for (const did of [old.did, next.did]) {
      assert.equal(peer.registries.card({ owner: did, name: orders })?.owner, next.did);
      assert.equal(peer.registries.nameOf(did), 'acme');
      assert.deepEqual(must(peer.registries.organisation(did)), next.did);
    }
    assert.equal(peer.ledger.log(log)?.genesis?.owner, next.did);
    assert.equal(peer.ledger.log(log)?.formerOwner, old.did);
    assert.deepEqual([...peer.registries.owners()], [next.did]);
    // What the new log says is read as the old one's was.
    const renamed = profileData({ owner: next.did, name: 'acme-two', peers: [] });
    await say(home.ledger, successor, registryTypes.profile, renamed);
    await peer.takes(home.ledger, successor);
    assert.equal(peer.registries.profile(next.did)?.name, 'acme-two');
    assert.deepEqual(peer.problems, []);
  });

  it('are known after a restart, before anything is read', async () => {
    const store = new MemoryStore();
    await using home = await Watcher.open();
    const log = await registry(home.ledger);
    const successor = await succeed(home.ledger, log);
    {
      await using peer = await Watcher.open(store);
      await peer.takes(home.ledger, log, successor);
      await peer.ledger.flush();
    }
    const ledger = await openLedger({ store: store.crash('unsynced') });
    const { identities } = must(await openOwners(ledger));
    assert.equal(identities.now(old.did), next.did);
    await ledger.close();
  });

  it('come in any order: the successor first, its predecessor later', async () => {
    await using home = await Watcher.open();
    await using peer = await Watcher.open();
    const log = await registry(home.ledger);
    const successor = await succeed(home.ledger, log, next, recovery, {
      reason: 'stolen',
      kept: new Set(['kept']),
    });
    await peer.takes(home.ledger, successor, log);
    assert.equal(peer.owner(), next.did);
    const { identities } = peer.owners;
    assert.equal(identities.void(old.did, 'kept'), undefined);
    assert.equal(identities.void(old.did, 'other')?.code, 'did-superseded');
  });

  it('go on: an organisation is succeeded twice', async () => {
    await using home = await Watcher.open();
    await using peer = await Watcher.open();
    const log = await registry(home.ledger);
    await peer.takes(home.ledger, log);
    const first = await succeed(home.ledger, log);
    const again = await succeed(home.ledger, first, second);
    await peer.takes(home.ledger, first, again);
    assert.equal(peer.owner(), second.did);
    assert.deepEqual(peer.owners.identities.all(old.did), [second.did, next.did, old.did]);
    assert.equal(peer.registries.registryOf(next.did), log);
    assert.deepEqual(peer.problems, []);
  });

  it('without the recovery key are none (succession without the recovery key): nothing is closed', async () => {
    await using home = await Watcher.open();
    await using thief = await Watcher.open();
    await using peer = await Watcher.open();
    const log = await registry(home.ledger);
    await peer.takes(home.ledger, log);
    await sync(home.ledger, thief.ledger, log);
    // The owner's own key signs, which is what the thief has.
    const plan = { owner: second.did, recoveryHash, proof: [] };
    const tried = await thief.ledger.successors.succeed(log, plan, old.signer, second.signer);
    assert.ok(!tried.ok && tried.error.code === 'recovery-key');
    assert.equal(peer.owner(), old.did);
  });

  it('that a thief makes of a registry of his own are not believed where one is known', async () => {
    await using home = await Watcher.open();
    await using thief = await Watcher.open();
    await using peer = await Watcher.open();
    await peer.takes(home.ledger, await registry(home.ledger));
    const hash = nodeCrypto.sha256(thiefRecovery.publicKey);
    const his = await registry(thief.ledger, old, hash);
    const successor = await succeed(thief.ledger, his, second, thiefRecovery);
    await peer.takes(thief.ledger, his, successor);
    assert.equal(peer.owner(), old.did);
    assert.equal(peer.owners.identities.now(old.did), old.did);
    assert.equal(peer.ledger.log(his), undefined, 'it is no longer fetched');
    assert.ok(peer.problems.includes('registry-known'));
  });

  it('of which there are two count as the first that was known, and are told (two successions)', async () => {
    await using home = await Watcher.open();
    await using twin = await Watcher.open();
    await using peer = await Watcher.open();
    const log = await registry(home.ledger);
    await peer.takes(home.ledger, log);
    // Whoever else has the recovery key has the registry too.
    await sync(home.ledger, twin.ledger, log);
    const one = await succeed(home.ledger, log, next);
    const other = await succeed(twin.ledger, log, second);
    await peer.takes(home.ledger, one);
    assert.deepEqual(peer.owners.findings(), []);
    await peer.takes(twin.ledger, other);
    assert.equal(peer.owner(), next.did);
    assert.equal(peer.ledger.log(one)?.state, 'frozen');
    assert.match(peer.owners.findings()[0]?.reason ?? '', /two successions/);
  });

  it('to a DID that has a registry of its own are none', async () => {
    await using home = await Watcher.open();
    await using other = await Watcher.open();
    await using peer = await Watcher.open();
    await peer.takes(other.ledger, await registry(other.ledger, next));
    const log = await registry(home.ledger);
    await peer.takes(home.ledger, log, await succeed(home.ledger, log));
    assert.equal(peer.owner(), old.did);
    assert.equal(peer.owners.identities.now(old.did), old.did);
  });

  it('are said by the first event of the new log, and nowhere else', async () => {
    await using home = await Watcher.open();
    await using peer = await Watcher.open();
    const log = await registry(home.ledger);
    await say(home.ledger, log, registryTypes.succeeded, succeededData(next.did, lost));
    const plan = { owner: next.did, recoveryHash: nextHash, proof: [] };
    const successor = must(await home.ledger.successors.succeed(log, plan, recovery, next.signer));
    await say(home.ledger, successor, registryTypes.succeeded, succeededData(second.did, lost));
    await peer.takes(home.ledger, log, successor);
    assert.deepEqual(peer.problems, ['registry-entry', 'registry-entry']);
    assert.equal(peer.owners.identities.of(old.did)?.terms, undefined);
    assert.equal(peer.owner(), next.did, 'the genesis says who goes on');
  });
});

describe('the registry of an organisation', () => {
  it('is not replaced by another, told by others (second registry for a known DID)', async () => {
    await using home = await Watcher.open();
    await using thief = await Watcher.open();
    await using peer = await Watcher.open();
    const log = await registry(home.ledger);
    await peer.takes(home.ledger, log);
    const his = await registry(thief.ledger);
    await peer.takes(thief.ledger, his);
    assert.deepEqual(peer.problems, ['registry-known']);
    assert.ok(peer.others.has(his));
    assert.equal(peer.registries.registryOf(old.did), log);
  });

  it('is replaced once where the organisation names another than others told, then never', async () => {
    await using home = await Watcher.open();
    await using thief = await Watcher.open();
    await using peer = await Watcher.open();
    const told = await registry(thief.ledger);
    const named = await registry(home.ledger);
    await peer.takes(thief.ledger, told);
    assert.equal(peer.feed.name(old.did, named), undefined);
    await peer.takes(home.ledger, named);
    assert.equal(peer.registries.registryOf(old.did), named);
    assert.equal(peer.feed.name(old.did, told)?.code, 'registry-known');
    assert.equal(peer.registries.registryOf(old.did), named);
  });

  it('is named by a delegation of the organisation that stands in it, and by no other', async () => {
    await using home = await Watcher.open();
    await using thief = await Watcher.open();
    await using peer = await Watcher.open();
    const log = await registry(home.ledger);
    await peer.takes(home.ledger, log);
    const profile = (delegation: Uint8Array): Uint8Array =>
      profileData({ owner: old.did, name: 'acme', peers: [], delegation: toBase64url(delegation) });
    const his = await registry(thief.ledger);
    for (const wrong of [naming(second.signer, log), naming(old.signer, his)]) {
      await say(home.ledger, log, registryTypes.profile, profile(wrong));
      await peer.takes(home.ledger, log);
      assert.equal(peer.owners.pins.of(old.did)?.named, false);
    }
    await say(home.ledger, log, registryTypes.profile, profile(naming(old.signer, log)));
    await peer.takes(home.ledger, log);
    assert.equal(peer.owners.pins.of(old.did)?.named, true);
    assert.equal(peer.feed.name(old.did, his)?.code, 'registry-known');
  });

  it('stays the one that was named over a restart', async () => {
    const store = new MemoryStore();
    await using home = await Watcher.open();
    const named = await registry(home.ledger);
    {
      await using peer = await Watcher.open(store);
      assert.equal(peer.feed.name(old.did, named), undefined);
      assert.equal(await peer.owners.pins.settled(), undefined);
    }
    await using peer = await Watcher.open(store.crash('unsynced'));
    await using thief = await Watcher.open();
    const his = await registry(thief.ledger);
    await peer.takes(thief.ledger, his);
    assert.equal(peer.feed.name(old.did, his)?.code, 'registry-known');
    assert.deepEqual(peer.problems, ['registry-known']);
  });
});

describe('a thief of the organisation’s key', () => {
  it('cannot pass a log on to a key of his own (rotation by a thief)', () => {
    const log = logIdHash(logIdFromHash(nodeCrypto.sha256(new Uint8Array(1))));
    const index = asLogIndex(4);
    const writer = second.signer.publicKey;
    const his = makeRotation(log, index, old.signer, thiefRecovery);
    const rotated = checkRotation(nodeCrypto, log, index, writer, his);
    assert.equal(rotated?.code, 'rotation-old-signature');
    const hash = nodeCrypto.sha256(thiefRecovery.publicKey);
    const change = makeRecovery(log, index, old.signer, hash);
    assert.equal(checkRecovery(nodeCrypto, log, index, recoveryHash, change)?.code, 'recovery-key');
  });
});
