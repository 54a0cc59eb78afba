import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { mintGrant, mintGranting, orderGrant } from '../../../src/access/grant.ts';
import { mintRevocation } from '../../../src/access/revoke.ts';
import { readRevocation } from '../../../src/access/ucan-revocations.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import type { AccessAnswer, GrantRequest } from '../../../src/gossip/access-codec.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { keyspace } from '../../../src/keyspace.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import { TableRows } from '../../../src/ledger/table-rows.ts';
import { parseRules } from '../../../src/node/access-rules.ts';
import { GrantBook } from '../../../src/node/access/grant-book.ts';
import { Incoming, type Answering } from '../../../src/node/access/incoming.ts';
import { RequestBook } from '../../../src/node/access/request-book.ts';
import { RevocationBook } from '../../../src/node/access/revocation-book.ts';
import type { Journal, JournalEntry } from '../../../src/node/core/journal.ts';
import { asStreamName, asTimeMs, type Did } from '../../../src/types.ts';
import { must, refused } from '../../support/result.ts';
import { now, owner, peer, random, thief, writer } from '../../access/tokens.ts';

const asker = { peer: peerIdFromKey(writer.signer.publicKey), organisation: writer.did };
const request: GrantRequest = {
  kind: 'request',
  id: 'ab'.repeat(16),
  stream: 'orders',
  purpose: 'billing for 2026',
  seconds: 86_400,
  audience: writer.did,
  renews: '',
};

interface Kit {
  readonly incoming: Incoming;
  readonly book: RequestBook;
  readonly steps: readonly string[];
  readonly rows: TableRows;
}

async function kit(
  rules: readonly unknown[] = [],
  rows = new TableRows(new MemoryStore()),
  isSame: (a: Did, b: Did) => boolean = (a, b) => a === b,
): Promise<Kit> {
  const book = new RequestBook(rows);
  must(await book.load(asTimeMs(0)));
  const steps: string[] = [];
  const journal: Pick<Journal, 'record'> = {
    record: ({ data }: JournalEntry) => void steps.push(String(data['step'])),
  };
  const grants = new GrantBook(rows, nodeCrypto, 10);
  const answering: Answering = {
    exists: (stream) => stream === 'orders',
    renewable: ({ renews }) => renews === 'known',
    wasRevoked: ({ purpose }) => purpose.startsWith('taken back'),
    give: async ({ stream, audience }, { seconds = 0 }) => {
      const granting = mintGranting(owner.signer, random, peer.did);
      const tokens = mintGrant(peer.signer, random, [granting], {
        owner: owner.did,
        audience,
        stream: asStreamName(stream),
        handOns: 1,
        expires: asTimeMs(now + seconds * 1000),
      });
      return grants.keep('given', must(orderGrant(nodeCrypto, tokens)), now);
    },
  };
  const parsed = parseRules(rules);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error);
  const parts = {
    book,
    journal: journal as Journal,
    owner: owner.did,
    isSame,
    now: () => now,
    rules: parsed.value,
    aliases: { carl: writer.did },
    limits: { maxGrantRequests: 20, maxGrantRequestsPerOrganisation: 3 },
  };
  return { incoming: new Incoming(parts, answering), book, steps, rows };
}

const pending: AccessAnswer = {
  kind: 'answer',
  id: request.id,
  state: 'pending',
  reason: '',
  grant: '',
};

describe('requests for grants', () => {
  it('wait for the operator, and a stream that there is not waits as well', async () => {
    const { incoming, steps } = await kit();
    assert.deepEqual(must(await incoming.request(request, asker)), pending);
    const other = { ...request, id: 'cd'.repeat(16), stream: 'nothing' };
    assert.deepEqual(must(await incoming.request(other, asker)), { ...pending, id: other.id });
    assert.deepEqual(must(await incoming.stateOf('ef'.repeat(16), asker)), {
      ...pending,
      id: 'ef'.repeat(16),
    });
    assert.deepEqual(steps, ['requested', 'requested']);
  });

  it('are one however often they come, and only their asker learns the answer', async () => {
    const { incoming, book } = await kit();
    must(await incoming.request(request, asker));
    must(await incoming.request(request, asker));
    assert.equal(book.all('in').length, 1);
    const [kept] = book.all('in');
    assert.ok(kept !== undefined);
    must(await incoming.accept(kept, {}));
    const answer = must(await incoming.request(request, asker));
    assert.equal(answer.state, 'accepted');
    assert.match(answer.grant, /^C/);
    const stranger = { peer: peerIdFromKey(thief.signer.publicKey), organisation: thief.did };
    assert.deepEqual(must(await incoming.request(request, stranger)), pending);
    assert.deepEqual(must(await incoming.stateOf(request.id, stranger)), pending);
    assert.deepEqual(must(await incoming.withdraw(request.id, stranger)), pending);
  });

  it('of an organisation are its own under a new DID too', async () => {
    const heir = { ...asker, organisation: thief.did };
    const same = [asker.organisation, heir.organisation];
    const isSame = (a: Did, b: Did): boolean => same.includes(a) && same.includes(b);
    const { incoming, book } = await kit([], undefined, isSame);
    must(await incoming.request(request, asker));
    const [kept] = book.all('in');
    assert.ok(kept !== undefined);
    must(await incoming.accept(kept, {}));
    assert.equal(must(await incoming.request(request, heir)).state, 'accepted');
    assert.equal(must(await incoming.stateOf(request.id, heir)).state, 'accepted');
  });

  it('that renew a grant are known to rules as such; what was taken back is given by no rule', async () => {
    const rules = [
      { when: { exact: { renews: 'yes' } }, answer: 'accept' },
      { when: { prefix: { purpose: 'taken' } }, answer: 'accept' },
    ];
    const { incoming, steps, book } = await kit(rules);
    const renewing = { ...request, renews: 'known' };
    assert.equal(must(await incoming.request(renewing, asker)).state, 'accepted');
    assert.deepEqual(steps, ['renewal requested', 'accepted by rule']);
    assert.equal(book.get('in', request.id)?.renews, 'known');
    const unknown = { ...renewing, id: '03'.repeat(16), renews: 'somebody else' };
    assert.equal(must(await incoming.request(unknown, asker)).state, 'pending');
    assert.equal(book.get('in', unknown.id)?.renews, '');
    const back = { ...request, id: '04'.repeat(16), purpose: 'taken back' };
    assert.equal(must(await incoming.request(back, asker)).state, 'pending');
    const other = { ...request, id: '05'.repeat(16), purpose: 'taken' };
    assert.equal(must(await incoming.request(other, asker)).state, 'accepted');
  });

  it('survive a restart, and are forgotten when they are old', async () => {
    const { incoming, rows } = await kit();
    must(await incoming.request(request, asker));
    const again = await kit([], rows);
    const [kept] = again.book.all('in');
    assert.deepEqual(
      [kept?.id, kept?.purpose, kept?.state],
      [request.id, request.purpose, 'pending'],
    );
    const old = new RequestBook(rows);
    must(await old.load(asTimeMs(now + 1)));
    assert.equal(old.all('in').length, 0);
    assert.equal(must(await rows.all(keyspace.grantRequests)).length, 0);
  });

  it('are for the organisation that asks or its peer, and bounded', async () => {
    const { incoming } = await kit();
    refused(await incoming.request({ ...request, audience: thief.did }, asker), 'grant-args');
    refused(await incoming.request({ ...request, stream: '../orders' }, asker), 'grant-args');
    for (let n = 0; n < 3; n++) {
      must(await incoming.request({ ...request, id: `${n}`.repeat(32) }, asker));
    }
    refused(await incoming.request(request, asker), 'requests-full');
    must(await incoming.withdraw('0'.repeat(32), asker));
    must(await incoming.request(request, asker));
    const { incoming: small } = await kit();
    for (let n = 0; n < 20; n++) {
      const id = n.toString(16).padStart(32, 'c');
      must(await small.request({ ...request, id }, asker));
      must(await small.withdraw(id, asker));
    }
    refused(await small.request(request, asker), 'requests-full');
  });

  it('are answered by the first rule that fits, for no longer than it says', async () => {
    const rules = [
      { when: { suffix: { purpose: 'resale' } }, answer: 'reject', reason: 'not for resale' },
      {
        when: {
          all: [{ exact: { stream: 'orders', alias: 'carl' } }, { prefix: { purpose: 'bill' } }],
        },
        answer: 'accept',
        for: '1h',
      },
    ];
    const { incoming, steps, book } = await kit(rules);
    assert.equal(must(await incoming.request(request, asker)).state, 'accepted');
    assert.deepEqual(steps, ['requested', 'accepted by rule']);
    const grants = new GrantBook((await kit(rules)).rows, nodeCrypto, 10);
    assert.equal(grants.size, 0);
    const resale = { ...request, id: '01'.repeat(16), purpose: 'bill for resale' };
    const rejected = must(await incoming.request(resale, asker));
    assert.deepEqual([rejected.state, rejected.reason], ['rejected', 'not for resale']);
    const other = { ...request, id: '02'.repeat(16), purpose: 'curiosity' };
    assert.equal(must(await incoming.request(other, asker)).state, 'pending');
    assert.equal(book.all('in').length, 3);
  });

  it('are not judged by rules of another shape', () => {
    for (const [value, wrong] of [
      [{}, 'a list of rules'],
      [[{ when: {}, answer: 'accept' }], 'exact, prefix'],
      [[{ when: { exact: { stream: 1 } }, answer: 'accept' }], 'a text for stream'],
      [[{ when: { not: { near: {} } }, answer: 'accept' }], 'exact, prefix'],
      [[{ when: { exact: { a: 'b' } }, answer: 'yes' }], 'accept or reject'],
      [[{ when: { exact: { a: 'b' } }, answer: 'accept', for: 'ever' }], '30d'],
      [[{ when: { exact: { a: 'b' } }, answer: 'accept', to: 'x' }], 'not to'],
    ] as const) {
      const parsed = parseRules(value);
      assert.ok(!parsed.ok);
      assert.ok(parsed.error.includes(wrong), parsed.error);
    }
  });
});

describe('what a home keeps of grants', () => {
  it('comes back from the store: grants, cards, revocations', async () => {
    const rows = new TableRows(new MemoryStore());
    const book = new GrantBook(rows, nodeCrypto, 1);
    const terms = {
      owner: owner.did,
      audience: writer.did,
      stream: asStreamName('orders'),
      handOns: 0,
    };
    const grant = must(orderGrant(nodeCrypto, mintGrant(owner.signer, random, [], terms)));
    must(await book.keep('got', grant, now, '{"card":1}'));
    const second = must(
      orderGrant(nodeCrypto, mintGrant(owner.signer, random, [], { ...terms, handOns: 3 })),
    );
    refused(await book.keep('given', second, now), 'grant-full');
    const again = new GrantBook(rows, nodeCrypto, 1);
    assert.deepEqual(must(await again.load()), []);
    const kept = must(again.find((grant.cids[0] ?? '').slice(-8)));
    assert.deepEqual([kept.side, kept.since, kept.card], ['got', now, '{"card":1}']);
    refused(again.find('nothing-like-it'), 'grant-unknown');

    const revocations = new RevocationBook(rows, nodeCrypto, 10);
    const told = { id: grant.cids[0] ?? '', path: grant.cids, now };
    const token = mintRevocation(owner.signer, random, told);
    const revocation = must(readRevocation(nodeCrypto, token));
    assert.equal(must(await revocations.take(token, revocation)), true);
    assert.equal(must(await revocations.take(token, revocation)), false);
    const later = new RevocationBook(rows, nodeCrypto, 10);
    must(await later.load());
    assert.ok(later.knows(revocation));
    assert.equal(later.set.first(grant), 0);
  });
});
