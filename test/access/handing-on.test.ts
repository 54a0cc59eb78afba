/**
 * Chains over a reseller, as the peer that serves judges them:
 *
 *   owner → its peer → reseller → its peer → reader → its peer          links 0 to 4
 */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { handOnsLeft, widening, type Part } from '../../src/access/handing-on.ts';
import {
  checkGrant,
  handOn,
  mintGrant,
  mintGranting,
  mintReading,
  orderGrant,
  readCommand,
  scopeOf,
  widestArgs,
  type Grant,
  type GrantTerms,
  type ReadArgs,
} from '../../src/access/grant.ts';
import {
  may,
  stillMay,
  type AccessState,
  type Decision,
  type Serving,
} from '../../src/access/may.ts';
import { mintRevocation } from '../../src/access/revoke.ts';
import { mintDelegation } from '../../src/access/ucan-delegation.ts';
import { tokenCid } from '../../src/access/ucan-envelope.ts';
import { atLeast, atMost, is, type Statement } from '../../src/access/ucan-policy.ts';
import { Replays } from '../../src/access/ucan-replays.ts';
import { readRevocation, Revocations } from '../../src/access/ucan-revocations.ts';
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { didFromKey } from '../../src/ids.ts';
import { asStreamName, asTimeMs, type Did, type TimeMs } from '../../src/types.ts';
import { now, owner, peer as serving, thief, value, type Person } from './tokens.ts';

function person(byte: number): Person {
  const signer = signerFromSeed(new Uint8Array(32).fill(byte));
  return { signer, did: didFromKey(signer.publicKey) };
}

const [reseller, resellerPeer, reader, readerPeer] = [
  person(21),
  person(22),
  person(23),
  person(24),
];
const people = [owner, serving, reseller, resellerPeer, reader] as const;
const orders = asStreamName('orders');
const hour = 3_600_000;
const later = (ms: number): TimeMs => asTimeMs(now + ms);
let drawn = 0;
const random = {
  bytes: (length: number) => new Uint8Array(length).fill((drawn = (drawn + 1) % 251)),
};

/** What the reseller's peer holds: three links. */
function held(changes: Partial<GrantTerms> = {}): Grant {
  const granting = mintGranting(owner.signer, random, serving.did);
  const terms: GrantTerms = {
    owner: owner.did,
    audience: reseller.did,
    stream: orders,
    handOns: 3,
    from: now,
    to: later(10 * hour),
    expires: later(5 * hour),
    ...changes,
  };
  const given = mintGrant(serving.signer, random, [granting], terms);
  const next = { owner: owner.did, audience: resellerPeer.did };
  return value(orderGrant(nodeCrypto, handOn(reseller.signer, random, given, next)));
}

/** What the reader's peer has in the end: five links. */
function resold(of: Grant = held(), changes: Partial<GrantTerms> = {}): Grant {
  const terms = { owner: owner.did, audience: reader.did, stream: orders, handOns: 1, ...changes };
  const given = mintGrant(resellerPeer.signer, random, of.tokens, terms);
  const next = { owner: owner.did, audience: readerPeer.did };
  return value(orderGrant(nodeCrypto, handOn(reader.signer, random, given, next)));
}

/** A link that no minter of ours makes, behind what the reseller holds, for the reader's peer. */
function forged(
  policy: readonly Statement[],
  of: Grant = held(),
  by: Person = resellerPeer,
): Grant {
  const token = mintDelegation(by.signer, {
    audience: readerPeer.did,
    subject: owner.did,
    command: readCommand,
    policy,
    nonce: random.bytes(12),
    expires: null,
  });
  return value(orderGrant(nodeCrypto, [...of.tokens, token]));
}

function state(changes: Partial<AccessState> = {}): AccessState {
  return {
    court: {
      crypto: nodeCrypto,
      self: serving.did,
      replays: new Replays(now / 1000 - 10, 1000),
      revocations: new Revocations(100),
    },
    organisation: owner.did,
    now,
    viewAgeMs: () => 0,
    maxRevocationLagMs: 300_000,
    ...changes,
  };
}

interface Asked {
  readonly args?: Partial<ReadArgs>;
  readonly as?: Serving;
  readonly organisation?: Did;
}

function ask(
  of: Grant,
  { args, as = 'blocks', organisation = reader.did }: Asked = {},
  at: AccessState = state(),
  by: Person = readerPeer,
): Decision {
  const asked = { ...widestArgs(value(scopeOf(of))), ...args };
  const reading = { owner: owner.did, audience: serving.did, args: asked, now };
  return may(
    {
      wanted: { owner: owner.did, stream: orders, visibility: 'direct' },
      grant: utf8(mintReading(by.signer, random, of, reading)),
      peer: by.did,
      organisation,
      as,
    },
    at,
  );
}

function denied(decision: Decision, code: string, link?: number): void {
  assert.ok(decision.kind === 'deny', 'it was allowed');
  assert.equal(decision.reason.code, code, decision.reason.message);
  assert.equal(decision.reason.place?.index, link);
}

describe('a grant that a reseller hands on', () => {
  it('opens the part that it says, at a peer of the owner', () => {
    const some = resold(held(), { from: later(hour), to: later(2 * hour), purpose: 'billing' });
    assert.equal(some.chain.length, 5);
    const decision = ask(some);
    assert.ok(decision.kind === 'allow' && decision.permit !== undefined);
    assert.deepEqual(decision.permit.args, {
      stream: 'orders',
      from: now + hour,
      to: now + 2 * hour,
      fields: 'data',
      purpose: 'billing',
    });
    assert.equal(value(checkGrant(nodeCrypto, some, now)).handOns, 0);
  });

  it('is refused with more than the reseller has, whatever its own links say (policy widened)', () => {
    const wide = [is('stream', 'orders'), atLeast('from', 0), atMost('to', now + 99 * hour)];
    const args = { from: 0, to: now + 99 * hour };
    denied(ask(forged(wide), { args }), 'ucan-policy', 1);
    const part = resold(held(), { from: later(hour), to: later(2 * hour) });
    denied(ask(part, { args: { from: now } }), 'ucan-policy', 3);
    denied(ask(part, { args: { to: now + 3 * hour } }), 'ucan-policy', 3);
    denied(ask(resold(held({ purpose: 'audit' }), { purpose: 'resale' })), 'ucan-policy', 3);
    const attributes = resold(held({ fields: 'attributes' }), { fields: 'data' });
    denied(ask(attributes, { args: { fields: 'data' } }), 'ucan-policy', 1);
  });

  it('is refused for another stream of the same owner (policy widened)', () => {
    const other = forged([is('stream', 'prices')]);
    denied(ask(other), 'ucan-policy', 3);
  });

  it('is refused beyond the depth that the producer gave, at whatever link (depth exceeded)', () => {
    denied(ask(resold(held({ handOns: 2 }))), 'ucan-policy', 1);
    denied(ask(resold(held(), { handOns: 0 })), 'ucan-policy', 3);
    const far = handOn(readerPeer.signer, random, resold().tokens, {
      owner: owner.did,
      audience: thief.did,
    });
    const six = value(orderGrant(nodeCrypto, far));
    denied(ask(six, {}, state(), thief), 'ucan-policy', 1);
  });

  it('is refused where a link is by nobody of the chain (extra link)', () => {
    const token = mintDelegation(thief.signer, {
      audience: readerPeer.did,
      subject: owner.did,
      command: readCommand,
      policy: [],
      nonce: random.bytes(12),
      expires: null,
    });
    const good = held();
    const extra = {
      tokens: [...good.tokens, token],
      chain: good.chain,
      cids: [...good.cids, tokenCid(nodeCrypto, token)],
    };
    denied(ask(extra), 'ucan-alignment', 3);
  });

  it('ends with each link that its issuer takes back, and with no word of anybody else', () => {
    for (const [link, by] of people.entries()) {
      const given = resold();
      const at = state();
      const decision = ask(given, {}, at);
      assert.ok(decision.kind === 'allow' && decision.permit !== undefined);
      for (const [who, ends] of [
        [thief, false],
        [by, true],
      ] as const) {
        const told = { id: given.cids[link] ?? '', path: given.cids, now };
        const token = mintRevocation(who.signer, random, told);
        value(at.court.revocations.add(value(readRevocation(nodeCrypto, token))));
        const after = stillMay(decision.permit, at);
        assert.deepEqual(
          [after?.code, after?.place?.index],
          ends ? ['ucan-revoked', link] : [undefined, undefined],
        );
      }
      denied(ask(given, {}, at), 'ucan-revoked', link);
    }
  });

  it('ends where the producer takes back the link that the reseller made, whose issuer he is not', () => {
    const given = resold();
    const at = state();
    const told = { id: given.cids[3] ?? '', path: given.cids, now };
    const token = mintRevocation(serving.signer, random, told);
    value(at.court.revocations.add(value(readRevocation(nodeCrypto, token))));
    denied(ask(given, {}, at), 'ucan-revoked', 3);
    assert.equal(ask(resold(), {}, at).kind, 'allow');
  });

  it('stays with the organisation that it was given to, where it says so', () => {
    const bound = held({ within: reseller.did });
    denied(ask(resold(bound)), 'ucan-policy', 1);
    const sister = handOn(resellerPeer.signer, random, bound.tokens, {
      owner: owner.did,
      audience: readerPeer.did,
    });
    const own = value(orderGrant(nodeCrypto, sister));
    assert.equal(ask(own, { organisation: reseller.did }).kind, 'allow');
    assert.equal(value(checkGrant(nodeCrypto, own, now)).within, reseller.did);
  });

  it('for attributes opens proofs and no blocks', () => {
    const some = resold(held(), { fields: 'attributes' });
    denied(ask(some), 'fields-unsupported');
    assert.equal(ask(some, { as: 'proofs' }).kind, 'allow');
    denied(ask(some, { as: 'proofs', args: { fields: 'data' } }), 'ucan-policy', 3);
    denied(ask(some, { as: 'proofs', args: { fields: 'keys' } }), 'fields-unsupported');
  });
});

describe('what a holder may hand on', () => {
  const scope = value(scopeOf(held({ purpose: 'audit' })));

  it('is a part, and says why more is not', () => {
    const refusals: readonly (readonly [Part, string])[] = [
      [{ handOns: 2 }, 'may be handed on 1 more'],
      [{ handOns: 0, from: later(-1) }, 'this grant begins at'],
      [{ handOns: 0, to: later(10 * hour + 1) }, 'this grant covers until'],
      [{ handOns: 0, expires: later(5 * hour + 1) }, 'this grant expires'],
      [{ handOns: 0, purpose: 'resale' }, 'for "audit"'],
    ];
    for (const [part, reason] of refusals) {
      const refusal = widening(scope, 3, part);
      assert.equal(refusal?.code, 'grant-wider');
      assert.ok(refusal.message.includes(reason), refusal.message);
    }
    const all = { handOns: 1, from: now, to: later(10 * hour), expires: later(5 * hour) };
    assert.equal(widening(scope, 3, { ...all, purpose: 'audit' }), undefined);
    assert.equal(widening(scope, 3, { handOns: 0 }), undefined);
  });

  it('is nothing where the depth is used up, and attributes where these alone were given', () => {
    const none = value(scopeOf(held({ handOns: 1 })));
    assert.equal(handOnsLeft(none, 3), -1);
    assert.equal(
      widening(none, 3, { handOns: 0 })?.message,
      'this grant may not be handed on any further',
    );
    const attributes = value(scopeOf(held({ fields: 'attributes' })));
    assert.equal(widening(attributes, 3, { handOns: 0, fields: 'data' })?.code, 'grant-wider');
    assert.equal(widening(attributes, 3, { handOns: 0 }), undefined);
    assert.equal(handOnsLeft({}, 3), 4);
  });

  it('is accepted here exactly where the peer that serves accepts all that it says', () => {
    const terms = fc.record(
      {
        from: fc.integer({ min: -2, max: 2 }).map((n) => later(n * hour)),
        to: fc.integer({ min: 8, max: 12 }).map((n) => later(n * hour)),
        purpose: fc.constantFrom('audit', 'resale'),
        fields: fc.constantFrom('data' as const, 'attributes' as const),
      },
      { requiredKeys: [] },
    );
    const of = held({ purpose: 'audit' });
    const judge = (part: Partial<Part>): boolean => {
      const given = resold(of, { ...part, handOns: 1 });
      const { fields = 'data', from = now, to = later(10 * hour), purpose = 'audit' } = part;
      return ask(given, { as: 'proofs', args: { fields, from, to, purpose } }).kind === 'allow';
    };
    fc.assert(
      fc.property(terms, (part) => {
        const mine = widening(value(scopeOf(of)), 3, { ...part, handOns: 1 });
        assert.equal(mine === undefined, judge(part), mine?.message);
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});
