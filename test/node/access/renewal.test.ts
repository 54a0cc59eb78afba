/** Grants that end: who asks for new ones, when, and what is told; and lists of many. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  handOn,
  mintGrant,
  mintGranting,
  orderGrant,
  type Grant,
} from '../../../src/access/grant.ts';
import { formatContainer } from '../../../src/access/ucan-container.ts';
import { mintRevocation } from '../../../src/access/revoke.ts';
import { readRevocation } from '../../../src/access/ucan-revocations.ts';
import { utf8 } from '../../../src/bytes.ts';
import { encodeCbor } from '../../../src/cbor.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import { didFromKey } from '../../../src/ids.ts';
import { keyspace } from '../../../src/keyspace.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import { TableRows } from '../../../src/ledger/table-rows.ts';
import { limits } from '../../../src/limits.ts';
import { GrantBook, type KeptGrant } from '../../../src/node/access/grant-book.ts';
import { listGrants } from '../../../src/node/access/grant-list.ts';
import { Readers } from '../../../src/node/access/readers.ts';
import { Renewal } from '../../../src/node/access/renewal.ts';
import { RequestBook, type KeptRequest } from '../../../src/node/access/request-book.ts';
import { RevocationBook } from '../../../src/node/access/revocation-book.ts';
import { Views } from '../../../src/node/access/views.ts';
import type { JournalEntry } from '../../../src/node/core/journal.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import {
  asStreamName,
  asTimeMs,
  type Did,
  type StreamName,
  type TimeMs,
} from '../../../src/types.ts';
import {
  now,
  owner,
  peer as ownerPeer,
  thief as reseller,
  value,
  writer as org,
  type Person,
} from '../../access/tokens.ts';
import { must, refused } from '../../support/result.ts';

const signer = signerFromSeed(new Uint8Array(32).fill(31));
const ours: Person = { signer, did: didFromKey(signer.publicKey) };
const hour = 3_600_000;
const orders = asStreamName('orders');
let drawn = 0;
const random = {
  bytes: (length: number) => new Uint8Array(length).fill((drawn = (drawn + 1) % 251)),
};

/** owner → its peer → who, for so long; then the links of `more`. */
function grantFor(who: Did, lifeMs: number, ...more: readonly (readonly [Person, Did])[]): Grant {
  const granting = mintGranting(owner.signer, random, ownerPeer.did);
  const terms = { owner: owner.did, audience: who, stream: orders, handOns: 4, purpose: 'audit' };
  const expires = asTimeMs(now + lifeMs);
  let tokens = mintGrant(ownerPeer.signer, random, [granting], { ...terms, expires });
  for (const [by, audience] of more) {
    tokens = handOn(by.signer, random, tokens, { owner: owner.did, audience });
  }
  return value(orderGrant(nodeCrypto, tokens));
}

interface Kit {
  readonly logs: { genesis: { owner: Did; name: StreamName } }[];
  readonly renewal: Renewal;
  readonly grants: GrantBook;
  readonly requests: RequestBook;
  readonly revocations: RevocationBook;
  readonly views: Views;
  readonly asked: KeptRequest[];
  readonly steps: JournalEntry['data'][];
  readonly pass: (ms: number) => void;
}

async function kit(rows = new TableRows(new MemoryStore()), at = now): Promise<Kit> {
  const [grants, requests] = [new GrantBook(rows, nodeCrypto, 1000), new RequestBook(rows)];
  must(await grants.load());
  must(await requests.load(asTimeMs(0)));
  const revocations = new RevocationBook(rows, nodeCrypto, 100);
  const logs: { genesis: { owner: Did; name: StreamName } }[] = [];
  const asked: KeptRequest[] = [];
  const steps: JournalEntry['data'][] = [];
  let time: TimeMs = at;
  const clock = { now: () => time, monotonic: () => time };
  const isRevoked = (kept: KeptGrant): boolean =>
    revocations.set.first(value(grants.open(kept))) !== undefined;
  const latest = (): KeptGrant | undefined =>
    [...grants.got()]
      .filter((kept) => !isRevoked(kept) && (kept.scope.expires ?? 0) * 1000 > time)
      .toSorted((a, b) => (b.scope.expires ?? 0) - (a.scope.expires ?? 0))[0];
  const renewal = new Renewal({
    organisation: org.did,
    peer: ours.did,
    audience: ours.did,
    host: { clock, random },
    limits,
    journal: { record: ({ data }) => void steps.push(data) },
    grants,
    requests,
    gate: () => ({ best: latest, isRevoked }),
    logs: () => logs,
    ask: async (request) => void asked.push(request),
    nameOf: (_owner, stream) => `acme/${stream}`,
  });
  const views = new Views({
    organisation: owner.did,
    peer: ownerPeer.did,
    registries: { nameOf: () => undefined, profile: () => undefined },
    now: () => time,
    isRevoked,
    isDirect: () => true,
    problemOf: () => undefined,
  });
  const pass = (ms: number): void => void (time = asTimeMs(time + ms));
  return { logs, renewal, grants, requests, revocations, views, asked, steps, pass };
}

describe('a grant that ends', () => {
  it('is asked for again by itself in the last third of its life, once, by the id that its owner knows', async () => {
    const { renewal, grants, asked, pass, requests } = await kit();
    const grant = grantFor(org.did, 3 * hour, [org, ours.did]);
    must(await grants.keep('got', grant, now));
    pass(2 * hour - 1000);
    await renewal.look();
    assert.deepEqual([asked.length, renewal.findings().length], [0, 0]);
    pass(1000);
    await renewal.look();
    await renewal.look();
    assert.equal(asked.length, 1);
    const [request] = asked;
    assert.deepEqual(
      [request?.renews, request?.seconds, request?.purpose, request?.audience, request?.stream],
      [grant.cids[1], 3 * 3600, 'audit', ours.did, 'orders'],
    );
    assert.equal(requests.all('out').length, 1);
    const [finding] = renewal.findings();
    assert.equal(finding?.reason, 'it ends in 60 min, and the request to renew it is pending');
  });

  it('is left alone where another one reaches further, and before its last week', async () => {
    const { renewal, grants, asked, pass } = await kit();
    must(await grants.keep('got', grantFor(ours.did, hour), now));
    must(await grants.keep('got', grantFor(ours.did, 30 * 24 * hour), now));
    pass(50 * 60_000);
    await renewal.look();
    pass(22 * 24 * hour);
    await renewal.look();
    assert.equal(asked.length, 0);
    pass(24 * hour);
    await renewal.look();
    assert.equal(asked.length, 1);
  });

  it('is asked for by hand with other terms, and not where we gave it or it was handed on', async () => {
    const { renewal, grants } = await kit();
    const own = must(await grants.keep('got', grantFor(ours.did, hour), now));
    const made = must(await renewal.renew(own, { seconds: 60, purpose: 'more' }));
    assert.deepEqual([made.seconds, made.purpose, made.state], [60, 'more', 'pending']);
    assert.equal(must(await renewal.renew(own, {})).id, made.id);
    const given = must(await grants.keep('given', grantFor(org.did, hour), now));
    refused(await renewal.renew(given, {}), 'grant-holder');
    const through = grantFor(reseller.did, hour, [reseller, ours.did]);
    refused(await renewal.renew(must(await grants.keep('got', through, now)), {}), 'grant-holder');
  });

  it('is told of when it has ended, on both sides, once, after a restart too', async () => {
    const rows = new TableRows(new MemoryStore());
    const { renewal, grants, steps, pass } = await kit(rows);
    must(await grants.keep('got', grantFor(ours.did, hour), now));
    must(await grants.keep('given', grantFor(org.did, hour), now));
    await renewal.look();
    assert.deepEqual(steps, []);
    pass(hour);
    await renewal.look();
    await renewal.look();
    const ends = steps.map(({ step, side }) => [step, side]);
    assert.deepEqual(ends, [
      ['expired', 'got'],
      ['expired', 'given'],
    ]);
    const again = await kit(rows, asTimeMs(now + 2 * hour));
    await again.renewal.look();
    assert.deepEqual(again.steps, []);
  });
});

describe('a stream whose grants are over', () => {
  it('is a finding as long as it is followed, and says how it came', async () => {
    const { renewal, grants, logs, pass, revocations } = await kit();
    must(await grants.keep('got', grantFor(ours.did, hour), now));
    const grant = grantFor(ours.did, 3 * hour);
    must(await grants.keep('got', grant, asTimeMs(now + 1)));
    logs.push({ genesis: { owner: owner.did, name: orders } });
    pass(2 * hour - 60_000);
    assert.deepEqual(renewal.findings(), []);
    pass(2 * hour);
    const reasons = (): readonly unknown[] => renewal.findings().map(({ reason }) => reason);
    assert.deepEqual(reasons(), ['it has ended: nothing more comes']);
    const told = { id: grant.cids[1] ?? '', path: grant.cids, now };
    const token = mintRevocation(ownerPeer.signer, random, told);
    must(await revocations.take(token, value(readRevocation(nodeCrypto, token))));
    assert.deepEqual(reasons(), ['it was revoked: nothing more comes']);
    logs.pop();
    assert.deepEqual(reasons(), []);
  });
});

describe('what is kept of grants', () => {
  it('is read in the form that had no end yet, and a row of no known side is told and left alone', async () => {
    const rows = new TableRows(new MemoryStore());
    const grant = grantFor(org.did, hour);
    const name = nodeCrypto.sha256(grant.tokens.at(-1) ?? new Uint8Array(0));
    const old = encodeCbor([1, now, [...grant.tokens], 'a card']);
    must(await rows.put(keyspace.grants, { name, value: old }));
    const strange = encodeCbor([3, now, [...grant.tokens], null, {}]);
    const other = nodeCrypto.sha256(name);
    must(await rows.put(keyspace.grants, { name: other, value: strange }));
    const book = new GrantBook(rows, nodeCrypto, 10);
    const problems = must(await book.load());
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['store-corrupt'],
    );
    const kept = book.get(grant.cids.at(-1) ?? '');
    assert.deepEqual(
      [kept?.side, kept?.card, kept?.ended, kept?.since],
      ['got', 'a card', undefined, now],
    );
    assert.equal(must(await rows.all(keyspace.grants)).length, 2);
  });
});

describe('the list of grants', () => {
  it('comes in pages, the oldest first, by stream, state and side', async () => {
    const rows = new TableRows(new MemoryStore());
    const books = await kit(rows);
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      const grant = grantFor(n % 2 === 0 ? org.did : reseller.did, n === 0 ? hour : 9 * hour);
      ids.push(must(await books.grants.keep('given', grant, asTimeMs(now + n))).scope.id);
    }
    for (const { grants, requests, views, pass } of [books, await kit(rows)]) {
      const list = (query: Parameters<typeof listGrants>[2]): readonly string[] =>
        must(listGrants({ grants, requests }, views, query)).grants.map(({ id }) => id);
      assert.deepEqual(list({}), ids);
      const first = must(listGrants({ grants, requests }, views, { limit: 2 }));
      assert.deepEqual([first.grants.length, first.next], [2, ids[1]]);
      assert.deepEqual(list({ limit: 2, after: ids[1] ?? '' }), ids.slice(2, 4));
      const last = must(listGrants({ grants, requests }, views, { limit: 2, after: ids[2] ?? '' }));
      assert.deepEqual([last.grants.length, last.next], [2, undefined]);
      refused(listGrants({ grants, requests }, views, { after: 'nothing' }), 'grant-unknown');
      pass(2 * hour);
      assert.deepEqual(list({ state: 'expired' }), ids.slice(0, 1));
      assert.deepEqual(list({ state: 'active', stream: 'orders' }), ids.slice(1));
      assert.deepEqual(list({ stream: 'prices' }), []);
      assert.deepEqual(list({ side: 'through' }), []);
    }
  });

  it('names who reads through whom, once, and what was taken back from it', async () => {
    const { grants, requests, views, revocations } = await kit();
    const given = grantFor(reseller.did, hour);
    must(await grants.keep('given', given, now));
    const chain = grantFor(reseller.did, hour).tokens;
    assert.equal(chain.length, 2);
    let tokens: readonly Uint8Array[] = given.tokens;
    for (const [by, audience] of [
      [reseller, org.did],
      [org, ours.did],
    ] as const) {
      tokens = handOn(by.signer, random, tokens, { owner: owner.did, audience });
    }
    const shown = value(orderGrant(nodeCrypto, tokens));
    const first: string[] = [];
    const work: Promise<unknown>[] = [];
    const readers = new Readers({
      grants,
      hasher: nodeCrypto,
      now: () => now,
      limits: { maxGrantsThrough: 1 },
      track: (one) => void work.push(one),
      onFirst: ({ scope }) => void first.push(scope.holder),
    });
    const asker = { peer: peerIdFromKey(ours.signer.publicKey), organisation: org.did };
    const permit = {
      args: { stream: orders, from: 0, fields: 'data' },
      owner: owner.did,
      organisation: org.did,
      holder: ours.did,
      untilMs: now + hour,
      ...shown,
    };
    const container = utf8(formatContainer(tokens));
    for (let n = 0; n < 2; n++) readers.allowed(permit, asker, container);
    const own = { peer: peerIdFromKey(reseller.signer.publicKey), organisation: reseller.did };
    readers.allowed({ ...permit, chain: given.chain, cids: given.cids }, own, container);
    await Promise.all(work);
    assert.deepEqual(first, [org.did]);
    const [view, ...none] = must(
      listGrants({ grants, requests }, views, { side: 'through' }),
    ).grants;
    assert.deepEqual([view?.holder, view?.through, none.length], [org.did, [reseller.did], 0]);
    assert.equal(view?.id, shown.cids[2]);
    const told = { id: shown.cids[2] ?? '', path: shown.cids.slice(0, 3), now };
    const token = mintRevocation(ownerPeer.signer, random, told);
    must(await revocations.take(token, value(readRevocation(nodeCrypto, token))));
    const [after] = must(listGrants({ grants, requests }, views, { state: 'revoked' })).grants;
    assert.equal(after?.id, shown.cids[2]);
  });
});
