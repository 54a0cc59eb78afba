/** Grants by and to an organisation that goes by another DID. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { utf8 } from '../../src/bytes.ts';
import { Identities, type SuccessionTerms } from '../../src/identities.ts';
import { didFromKey, logIdFromHash } from '../../src/ids.ts';
import { asStreamName, asTimeMs, type Did, type TimeMs } from '../../src/types.ts';
import {
  handOn,
  mintGrant,
  mintGranting,
  mintReading,
  orderGrant,
  scopeOf,
  widestArgs,
  type Grant,
  type GrantTerms,
} from '../../src/access/grant.ts';
import { may, stillMay, type AccessState, type Decision } from '../../src/access/may.ts';
import { rememberingCrypto } from '../../src/access/verified-signatures.ts';
import { Replays } from '../../src/access/ucan-replays.ts';
import { Revocations } from '../../src/access/ucan-revocations.ts';
import { now, owner, peer as serving, thief, writer as org, value, type Person } from './tokens.ts';

const orders = asStreamName('orders');
const person = (seed: number): Person => {
  const signer = signerFromSeed(new Uint8Array(32).fill(seed));
  return { signer, did: didFromKey(signer.publicKey) };
};
/** The reader's peer, and the DIDs that succeed the owner and the reader's organisation. */
const [reader, newOwner, newOrg] = [person(9), person(61), person(62)];
let drawn = 0;
const random = {
  bytes: (length: number) => new Uint8Array(length).fill((drawn = (drawn + 1) % 251)),
};

/** owner → its peer → an organisation → a peer of it. */
function grant(
  to: Person = reader,
  terms: Partial<GrantTerms> = {},
  given = granted(terms),
): Grant {
  const own = { owner: owner.did, audience: to.did };
  return value(orderGrant(nodeCrypto, handOn(org.signer, random, given, own)));
}

function granted(terms: Partial<GrantTerms> = {}): readonly Uint8Array[] {
  const granting = mintGranting(owner.signer, random, serving.did);
  const base = { owner: owner.did, audience: org.did, stream: orders, handOns: 1 };
  return mintGrant(serving.signer, random, [granting], { ...base, ...terms });
}

function state(changes: { readonly of: Person; readonly identities: Identities }): AccessState {
  return {
    court: {
      crypto: rememberingCrypto(nodeCrypto, 100),
      self: serving.did,
      replays: new Replays(now / 1000 - 10, 100),
      revocations: new Revocations(100),
      identities: changes.identities,
    },
    organisation: changes.of.did,
    now,
    viewAgeMs: () => 0,
    maxRevocationLagMs: 300_000,
  };
}

const log = (did: Did) => logIdFromHash(nodeCrypto.sha256(utf8(did)));

function succeeded(from: Person, to: Person, terms: SuccessionTerms): Identities {
  const identities = new Identities();
  const places = { registry: log(from.did), successor: log(to.did), time: asTimeMs(1) };
  identities.replace([{ from: from.did, to: to.did, ...places, terms }]);
  return identities;
}

const lost: SuccessionTerms = { reason: 'lost', kept: new Set() };
const stolen = (...kept: readonly (string | undefined)[]): SuccessionTerms => ({
  reason: 'stolen',
  kept: new Set(kept.filter((cid) => cid !== undefined)),
});

interface Asking {
  readonly by?: Person;
  readonly of?: Person;
  readonly as?: Person;
  readonly identities: Identities;
  readonly at?: TimeMs;
}

/** `of` is what the owner is called now, `as` what the asker's organisation is called now. */
function ask(shown: Grant, { by = reader, of = owner, as = org, identities }: Asking): Decision {
  const args = widestArgs(value(scopeOf(shown)));
  const reading = { owner: owner.did, audience: serving.did, args, now };
  const wanted = { owner: of.did, stream: orders, visibility: 'direct' as const };
  const container = utf8(mintReading(by.signer, random, shown, reading));
  return may(
    { wanted, grant: container, peer: by.did, organisation: as.did },
    state({ of, identities }),
  );
}

function denied(decision: Decision, code: string, link?: number): void {
  assert.ok(decision.kind === 'deny', 'it was allowed');
  assert.equal(decision.reason.code, code, decision.reason.message);
  assert.equal(decision.reason.place?.index, link);
}

describe('grants after a succession', () => {
  it('of an owner whose key was lost go on, under the new DID', () => {
    const identities = succeeded(owner, newOwner, lost);
    const decision = ask(grant(), { of: newOwner, identities });
    assert.equal(decision.kind, 'allow');
  });

  it('of an owner whose key was stolen go on where the succession names their first link', () => {
    const shown = grant();
    const named = succeeded(owner, newOwner, stolen(shown.cids[0]));
    assert.equal(ask(shown, { of: newOwner, identities: named }).kind, 'allow');
    const other = succeeded(owner, newOwner, stolen('another'));
    denied(ask(shown, { of: newOwner, identities: other }), 'did-superseded', 0);
  });

  it('are none that a thief of the owner’s key makes, whenever he says that he did', () => {
    const own = grant();
    const identities = succeeded(owner, newOwner, stolen(own.cids[0]));
    const terms = { owner: owner.did, audience: thief.did, stream: orders, handOns: 1 };
    const tokens = mintGrant(owner.signer, random, [], terms);
    const forged = value(orderGrant(nodeCrypto, tokens));
    denied(ask(forged, { by: thief, of: newOwner, as: thief, identities }), 'did-superseded', 0);
  });

  it('do not let a thief read as the owner itself', () => {
    const identities = succeeded(owner, newOwner, stolen());
    const args = { stream: orders, from: 0, fields: 'data' };
    const none = { tokens: [], chain: [], cids: [] };
    const reading = { owner: owner.did, audience: serving.did, args, now };
    const shown = utf8(mintReading(owner.signer, random, none, reading));
    const wanted = { owner: newOwner.did, stream: orders, visibility: 'direct' as const };
    const request = { wanted, grant: shown, peer: owner.did, organisation: newOwner.did };
    denied(may(request, state({ of: newOwner, identities })), 'did-superseded');
  });

  it('to an organisation that has another DID go on, also those within it alone', () => {
    const shown = grant(reader, { within: org.did });
    const identities = succeeded(org, newOrg, stolen(shown.cids[2]));
    assert.equal(ask(shown, { as: newOrg, identities }).kind, 'allow');
  });

  it('to an organisation whose key was stolen are not handed on by the thief', () => {
    const given = granted();
    const own = grant(reader, {}, given);
    const identities = succeeded(org, newOrg, stolen(own.cids[2]));
    const his = grant(thief, {}, given);
    denied(ask(his, { by: thief, as: thief, identities }), 'did-superseded', 2);
    assert.equal(ask(own, { as: newOrg, identities }).kind, 'allow');
  });

  it('that are in use end as soon as the succession is known', () => {
    const identities = new Identities();
    const decision = ask(grant(), { identities });
    assert.ok(decision.kind === 'allow' && decision.permit !== undefined);
    const before = state({ of: owner, identities });
    assert.equal(stillMay(decision.permit, before), undefined);
    const after = state({ of: newOwner, identities: succeeded(owner, newOwner, stolen()) });
    assert.equal(stillMay(decision.permit, after)?.code, 'did-superseded');
  });

  it('of another owner are not helped by it', () => {
    const identities = succeeded(thief, newOwner, lost);
    denied(ask(grant(), { of: newOwner, identities }), 'ucan-subject');
  });
});
