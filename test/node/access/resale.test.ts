/** What a home hands on of what it holds, and what it does not. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  checkGrant,
  mintGrant,
  mintGranting,
  orderGrant,
  type GrantTerms,
} from '../../../src/access/grant.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import { TableRows } from '../../../src/ledger/table-rows.ts';
import { GrantBook, type KeptGrant } from '../../../src/node/access/grant-book.ts';
import { Resale } from '../../../src/node/access/resale.ts';
import { asStreamName, asTimeMs, type TimeMs } from '../../../src/types.ts';
import {
  now,
  owner,
  peer as ownerPeer,
  thief as reader,
  writer as holder,
} from '../../access/tokens.ts';
import { must, refused } from '../../support/result.ts';

const hour = 3_600_000;
const later = (ms: number): TimeMs => asTimeMs(now + ms);
const orders = { owner: owner.did, name: asStreamName('orders') };
let drawn = 0;
const random = {
  bytes: (length: number) => new Uint8Array(length).fill((drawn = (drawn + 1) % 251)),
};

interface Kit {
  readonly resale: Resale;
  readonly revoked: Set<string>;
  readonly hold: (terms?: Partial<GrantTerms>) => Promise<KeptGrant>;
  readonly give: () => Promise<KeptGrant>;
}

/** A peer that holds what the owner's peer made out to it. */
function kit(): Kit {
  const grants = new GrantBook(new TableRows(new MemoryStore()), nodeCrypto, 100);
  const revoked = new Set<string>();
  const resale = new Resale({
    signer: holder.signer,
    host: { clock: { now: () => now, monotonic: () => 0 }, random },
    grants,
    gate: () => ({
      isRevoked: ({ scope }) => revoked.has(scope.id),
      isSame: (a, b) => a === b,
    }),
  });
  const keep = async (side: 'given' | 'got', terms: Partial<GrantTerms>): Promise<KeptGrant> => {
    const all = {
      owner: owner.did,
      audience: holder.did,
      stream: orders.name,
      handOns: 2,
      ...terms,
    };
    const granting = mintGranting(owner.signer, random, ownerPeer.did);
    const grant = must(
      orderGrant(nodeCrypto, mintGrant(ownerPeer.signer, random, [granting], all)),
    );
    return must(await grants.keep(side, grant, now));
  };
  return {
    resale,
    revoked,
    hold: (terms = {}) => keep('got', terms),
    give: () => keep('given', { audience: reader.did }),
  };
}

describe('a part of what is held', () => {
  it('is signed by the peer, and holds for its next holder', async () => {
    const { resale, hold } = kit();
    await hold({ purpose: 'audit', expires: later(9 * hour) });
    const part = must(await resale.part(orders, reader.did, { seconds: 60, from: later(hour) }));
    const { scope, side, tokens } = part;
    assert.deepEqual([side, tokens.length, scope.holder], ['given', 3, reader.did]);
    assert.deepEqual(
      [scope.from, scope.expires, scope.purpose, scope.handOns],
      [now + hour, now / 1000 + 60, 'audit', 1],
    );
    must(checkGrant(nodeCrypto, must(orderGrant(nodeCrypto, tokens)), now));
  });

  it('is taken from a grant that covers it, whichever that is', async () => {
    const { resale, hold } = kit();
    const wide = await hold({ expires: later(hour), handOns: 3 });
    const long = await hold({ expires: later(9 * hour), from: later(hour) });
    const under = async (input: Parameters<Resale['part']>[2]): Promise<string> => {
      const { tokens } = must(await resale.part(orders, reader.did, input));
      return tokens[1] === wide.tokens[1] ? 'wide' : tokens[1] === long.tokens[1] ? 'long' : '';
    };
    assert.equal(await under({}), 'long');
    assert.equal(await under({ seconds: 8 * 3600 }), 'long');
    assert.equal(await under({ from: now }), 'wide');
    assert.equal(await under({ depth: 2 }), 'wide');
    const both = await resale.part(orders, reader.did, { from: now, seconds: 8 * 3600 });
    refused(both, 'grant-wider');
  });

  it('gives as much depth as there is where nobody says how much, and none beyond', async () => {
    const { resale, hold } = kit();
    await hold({ handOns: 1 });
    assert.equal(must(await resale.part(orders, reader.did, {})).scope.handOns, 0);
    refused(await resale.part(orders, reader.did, { depth: 1 }), 'grant-wider');
    const last = kit();
    await last.hold({ handOns: 0 });
    refused(await last.resale.part(orders, reader.did, {}), 'grant-wider');
  });

  it('is of nothing that was revoked, has ended, was given here or is for one organisation', async () => {
    const { resale, hold, give, revoked } = kit();
    refused(await resale.part(orders, reader.did, {}), 'grant-none');
    revoked.add((await hold()).scope.id);
    await hold({ expires: now });
    await hold({ stream: asStreamName('prices') });
    await give();
    refused(await resale.part(orders, reader.did, {}), 'grant-none');
    await hold({ within: holder.did });
    refused(await resale.part(orders, reader.did, {}), 'grant-wider');
  });
});

describe('the whole of what is held', () => {
  it('goes to a peer by its id or its did:key, under the same terms', async () => {
    const { resale, hold } = kit();
    const held = await hold({ purpose: 'audit', within: holder.did, handOns: 1 });
    const id = peerIdFromKey(reader.signer.publicKey);
    for (const peer of [id, reader.did]) {
      const { scope, tokens } = must(await resale.whole(held.scope.id, peer));
      assert.deepEqual([scope.holder, scope.purpose, scope.handOns], [reader.did, 'audit', 0]);
      assert.equal(scope.within, holder.did);
      assert.deepEqual(tokens.slice(0, 2), held.tokens);
    }
  });

  it('is refused for what is not held, may not be handed on, and to nobody', async () => {
    const { resale, hold, give } = kit();
    const held = await hold({ handOns: 0 });
    refused(await resale.whole(held.scope.id, reader.did), 'grant-wider');
    refused(await resale.whole(held.scope.id, 'somebody'), 'usage');
    refused(await resale.whole((await give()).scope.id, reader.did), 'grant-holder');
    refused(await resale.whole('nothing', reader.did), 'grant-unknown');
  });
});
