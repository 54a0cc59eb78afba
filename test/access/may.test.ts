import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { utf8 } from '../../src/bytes.ts';
import { asStreamName, asTimeMs, type Did, type TimeMs } from '../../src/types.ts';
import {
  checkGrant,
  handOn,
  mintGrant,
  mintGranting,
  mintReading,
  orderGrant,
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
  type Permit,
} from '../../src/access/may.ts';
import { mintRevocation } from '../../src/access/revoke.ts';
import { rememberingCrypto } from '../../src/access/verified-signatures.ts';
import { formatContainer, parseContainer } from '../../src/access/ucan-container.ts';
import type { UcanMap } from '../../src/access/ucan-cbor.ts';
import { mintDelegation } from '../../src/access/ucan-delegation.ts';
import { tokenCid } from '../../src/access/ucan-envelope.ts';
import { mintInvocation, type InvocationTerms } from '../../src/access/ucan-invocation.ts';
import { atMost, is } from '../../src/access/ucan-policy.ts';
import { Replays } from '../../src/access/ucan-replays.ts';
import { readRevocation, Revocations } from '../../src/access/ucan-revocations.ts';
import {
  now,
  owner,
  peer as serving,
  thief,
  writer as readerOrg,
  value,
  type Person,
} from './tokens.ts';
import { signerFromSeed } from '../../src/crypto-node.ts';
import { didFromKey } from '../../src/ids.ts';
import { refused } from '../support/result.ts';

const readerSigner = signerFromSeed(new Uint8Array(32).fill(9));
const reader: Person = { signer: readerSigner, did: didFromKey(readerSigner.publicKey) };
const orders = asStreamName('orders');
let drawn = 0;
const random = {
  bytes: (length: number) => new Uint8Array(length).fill((drawn = (drawn + 1) % 251)),
};
const later = (ms: number): TimeMs => asTimeMs(now + ms);
const hour = 3_600_000;

/** owner → its peer → the reader's organisation → the reader's peer. */
function grant(changes: Partial<GrantTerms> = {}): Grant {
  const granting = mintGranting(owner.signer, random, serving.did);
  const terms: GrantTerms = {
    owner: owner.did,
    audience: readerOrg.did,
    stream: orders,
    handOns: 1,
    expires: later(hour),
    ...changes,
  };
  const given = mintGrant(serving.signer, random, [granting], terms);
  const own = { owner: owner.did, audience: reader.did };
  return value(orderGrant(nodeCrypto, handOn(readerOrg.signer, random, given, own)));
}

function state(changes: Partial<AccessState> = {}): AccessState {
  return {
    court: {
      crypto: rememberingCrypto(nodeCrypto, 100),
      self: serving.did,
      replays: new Replays(now / 1000 - 10, 100),
      revocations: new Revocations(100),
    },
    organisation: owner.did,
    now,
    viewAgeMs: () => 0,
    maxRevocationLagMs: 300_000,
    ...changes,
  };
}

interface Showing {
  readonly by?: Person;
  readonly args?: Partial<ReadArgs>;
  readonly audience?: Did;
  readonly at?: TimeMs;
}

function shown(of: Grant, { by = reader, args, audience, at = now }: Showing = {}): Uint8Array {
  const scope = value(scopeOf(of));
  const asked = { ...widestArgs(scope), ...args };
  const reading = { owner: owner.did, audience: audience ?? serving.did, args: asked, now: at };
  return utf8(mintReading(by.signer, random, of, reading));
}

function ask(
  show: Uint8Array | undefined,
  at: AccessState = state(),
  from: Person = reader,
): Decision {
  return may(
    {
      wanted: { owner: owner.did, stream: orders, visibility: 'direct' },
      grant: show,
      peer: from.did,
      organisation: readerOrg.did,
    },
    at,
  );
}

function permit(decision: Decision): Permit {
  assert.ok(decision.kind === 'allow', decision.kind === 'deny' ? decision.reason.code : '');
  assert.ok(decision.permit !== undefined);
  return decision.permit;
}

function denied(decision: Decision, code: string, told: boolean, link?: number): void {
  assert.ok(decision.kind === 'deny', 'it was allowed');
  assert.equal(decision.reason.code, code, decision.reason.message);
  assert.equal(decision.told, told, 'whether the asker is told');
  assert.equal(decision.reason.place?.index, link);
}

describe('the decision who may read', () => {
  it('lets everybody read public and sealed logs, without a grant', () => {
    for (const visibility of ['public', 'sealed'] as const) {
      const wanted = { owner: owner.did, stream: orders, visibility };
      const all = { wanted, peer: thief.did, organisation: thief.did };
      assert.deepEqual(may(all, state({ organisation: thief.did })), { kind: 'allow' });
    }
  });

  it('lets a holder read by a chain from the owner over its peer and the organisation', () => {
    const found = permit(ask(shown(grant({ from: now, to: later(hour) }))));
    assert.deepEqual(found.args, { stream: 'orders', from: now, to: now + hour, fields: 'data' });
    assert.equal(found.chain.length, 3);
    assert.equal(stillMay(found, state()), undefined);
  });

  it('refuses a stranger without a grant as it would for a log that is not there', () => {
    denied(ask(undefined), 'grant-missing', false);
    denied(ask(utf8('Cnonsense')), 'ucan-container', false);
  });

  it('refuses a thief with a copied grant, who has another key (wrong audience)', () => {
    const copied = grant();
    denied(ask(shown(copied, { by: thief }), state(), thief), 'ucan-audience', true, 2);
  });

  it('refuses a thief who shows an invocation of its victim', () => {
    denied(ask(shown(grant()), state(), thief), 'grant-holder', true);
  });

  it('refuses a replayed nonce, and what was issued before the start (replay after restart)', () => {
    const at = state();
    const show = shown(grant());
    permit(ask(show, at));
    denied(ask(show, at), 'ucan-replayed', true);
    const restarted = state();
    const court = { ...restarted.court, replays: new Replays(now / 1000 + 1, 100) };
    denied(ask(show, { ...restarted, court }), 'ucan-replayed', true);
  });

  it('refuses an invocation made out to another peer, and one that is too old', () => {
    denied(ask(shown(grant(), { audience: thief.did })), 'ucan-audience', true);
    denied(ask(shown(grant()), state({ now: later(400_000) })), 'ucan-expired', true);
  });

  it('refuses another stream, and does not tell whether it exists', () => {
    const other = grant({ stream: asStreamName('prices') });
    denied(ask(shown(other)), 'grant-args', false);
    denied(ask(shown(other, { args: { stream: orders } })), 'ucan-policy', false, 1);
  });

  it('refuses a range, a purpose and fields that were not granted (time widened)', () => {
    const some = grant({ from: now, to: later(hour), purpose: 'billing' });
    denied(ask(shown(some, { args: { from: now - 1 } })), 'ucan-policy', true, 1);
    denied(ask(shown(some, { args: { to: now + hour + 1 } })), 'ucan-policy', true, 1);
    denied(ask(shown(some, { args: { purpose: 'resale' } })), 'ucan-policy', true, 1);
    denied(ask(shown(some, { args: { fields: 'attributes' } })), 'fields-unsupported', true);
  });

  it('refuses an invocation without an end where the grant has one', () => {
    const some = grant({ to: later(hour) });
    const args = { stream: 'orders', from: 0, fields: 'data' };
    denied(ask(invoked(some, args)), 'ucan-policy', true, 1);
  });

  it('refuses a grant that a reader made itself for a stream of the same name (wrong subject)', () => {
    const own = { owner: reader.did, audience: reader.did, stream: orders, handOns: 1 };
    const given = value(orderGrant(nodeCrypto, mintGrant(reader.signer, random, [], own)));
    const args = { stream: 'orders', from: 0, fields: 'data' };
    denied(ask(invoked(given, args, { subject: reader.did })), 'ucan-subject', false);
    denied(ask(invoked(given, args, { subject: owner.did })), 'ucan-alignment', false, 0);
  });

  it('refuses an invocation of something else that the grant would cover, and two at once', () => {
    const args = { stream: 'orders', from: 0, fields: 'data' };
    const more = invoked(grant(), args, { command: '/flow/read/more' });
    denied(ask(more), 'ucan-command', true);
    const given = grant();
    const two = [invoked(given, args), invoked(given, { ...args, from: 1 })].flatMap((show) =>
      value(parseContainer(new TextDecoder().decode(show))),
    );
    denied(ask(utf8(formatContainer(two))), 'ucan-container', false);
  });

  it('ends a permit in use when a policy about the time does not hold any more', () => {
    const policy = [is('stream', 'orders'), atMost('hw.now', now / 1000 + 100)];
    const token = mintDelegation(owner.signer, {
      audience: reader.did,
      subject: owner.did,
      command: '/flow/read',
      policy,
      nonce: random.bytes(12),
      expires: null,
    });
    const args = { stream: 'orders', from: 0, fields: 'data' };
    const timed = { tokens: [token], cids: [tokenCid(nodeCrypto, token)] };
    const found = permit(ask(invoked(timed, args)));
    assert.equal(stillMay(found, state({ now: later(100_999) })), undefined);
    const after = stillMay(found, state({ now: later(101_000) }));
    assert.equal(after?.code, 'ucan-policy');
    assert.equal(after?.place?.index, 0);
  });

  it('refuses unknown arguments, and args.hw of its own', () => {
    const args = { stream: 'orders', from: 0, fields: 'data' };
    denied(ask(invoked(grant(), { ...args, rows: 7 })), 'grant-args', true);
    denied(ask(invoked(grant(), { ...args, hw: { depth: 0 } })), 'ucan-reserved', true);
    denied(ask(invoked(grant(), { ...args, from: -1 })), 'grant-args', true);
  });

  it('refuses a grant that was handed on too often', () => {
    const given = grant({ handOns: 0 });
    denied(ask(shown(given)), 'ucan-policy', true, 1);
    const further = handOn(reader.signer, random, grant().tokens, {
      owner: owner.did,
      audience: thief.did,
    });
    const four = value(orderGrant(nodeCrypto, further));
    denied(ask(shown(four, { by: thief }), state(), thief), 'ucan-policy', true, 1);
  });

  it('refuses an expired grant, and ends a permit in use when it expires', () => {
    const short = grant({ expires: later(1000) });
    const found = permit(ask(shown(short)));
    assert.equal(stillMay(found, state({ now: later(61_999) })), undefined);
    assert.equal(stillMay(found, state({ now: later(62_000) }))?.code, 'ucan-expired');
    const late = later(62_000);
    denied(ask(shown(short, { at: late }), state({ now: late })), 'ucan-expired', true, 1);
  });

  it('refuses at each revoked link, ends a permit in use, and passes over a revocation by a stranger', () => {
    for (const [link, by] of [owner, serving, readerOrg].entries()) {
      const given = grant();
      const at = state();
      const found = permit(ask(shown(given), at));
      for (const [who, ends] of [
        [thief, false],
        [by, true],
      ] as const) {
        const revoked = { id: given.cids[link] ?? '', path: given.cids, now };
        const token = mintRevocation(who.signer, random, revoked);
        value(at.court.revocations.add(value(readRevocation(nodeCrypto, token))));
        const after = stillMay(found, at);
        assert.equal(after?.code, ends ? 'ucan-revoked' : undefined);
        if (ends) assert.equal(after?.place?.index, link);
      }
      denied(ask(shown(given), at), 'ucan-revoked', true, link);
    }
  });

  it('lets nobody in on the word of who revoked more than is kept', () => {
    const given = grant();
    const full = state();
    const at = { ...full, court: { ...full.court, revocations: new Revocations(1) } };
    const { revocations } = at.court;
    value(revocations.add({ ucan: 'of another grant', revoker: thief.did, path: [] }));
    const found = permit(ask(shown(given), at));
    refused(
      revocations.add({ ucan: 'which one?', revoker: thief.did, path: [] }),
      'revocations-full',
    );
    assert.equal(stillMay(found, at), undefined);
    refused(
      revocations.add({ ucan: 'which one?', revoker: serving.did, path: [] }),
      'revocations-full',
    );
    assert.equal(stillMay(found, at)?.code, 'ucan-revoked');
    denied(ask(shown(given), at), 'ucan-revoked', true, 1);
  });

  it('stops beyond the lag of revocations, and at a peer that is not of the owner', () => {
    const show = shown(grant());
    denied(ask(show, state({ viewAgeMs: () => 300_001 })), 'revocations-stale', true);
    denied(ask(show, state({ viewAgeMs: () => undefined })), 'revocations-stale', true);
    const found = permit(ask(show, state({ viewAgeMs: () => 300_000 })));
    assert.equal(stillMay(found, state({ viewAgeMs: () => 300_001 }))?.code, 'revocations-stale');
    denied(ask(shown(grant()), state({ organisation: readerOrg.did })), 'grant-owner', false);
  });

  it('refuses a chain that another began, is in reverse, lacks a link, has one too many or is widened', () => {
    const good = grant();
    const [root, middle, leaf] = good.tokens;
    assert.ok(root !== undefined && middle !== undefined && leaf !== undefined);
    const [a = '', b = '', c = ''] = good.cids;
    const args = { stream: 'orders', from: 0, fields: 'data' };
    denied(ask(invoked({ ...good, cids: [c, b, a] }, args)), 'ucan-alignment', false, 0);
    denied(ask(invoked({ ...good, cids: [a, c] }, args)), 'ucan-alignment', false, 1);
    denied(ask(invoked({ ...good, tokens: [root, leaf] }, args)), 'ucan-proof-missing', false, 1);
    denied(ask(invoked({ ...good, cids: [a, b, c, a] }, args)), 'ucan-alignment', false, 3);
    const foreign = mintGrant(thief.signer, random, [], {
      owner: owner.did,
      audience: reader.did,
      stream: orders,
      handOns: 3,
    });
    const begun = {
      tokens: foreign,
      chain: [],
      cids: [tokenCid(nodeCrypto, foreign[0] ?? new Uint8Array(0))],
    };
    denied(ask(invoked(begun, args)), 'ucan-alignment', false, 0);
    const wider = mintDelegation(readerOrg.signer, {
      audience: reader.did,
      subject: owner.did,
      command: '/flow',
      policy: [is('stream', 'orders')],
      nonce: random.bytes(12),
      expires: null,
    });
    const widened = {
      tokens: [root, middle, wider],
      chain: [],
      cids: [a, b, tokenCid(nodeCrypto, wider)],
    };
    denied(ask(invoked(widened, args)), 'ucan-command', false, 2);
  });

  it('refuses a tampered grant', () => {
    const good = grant();
    const tokens = value(parseContainer(new TextDecoder().decode(shown(good))));
    const bad = tokens.map((token) => token.slice());
    const hit = bad.find((token) => token.length === good.tokens[1]?.length);
    assert.ok(hit !== undefined);
    hit[20] = (hit[20] ?? 0) ^ 1;
    denied(ask(utf8(formatContainer(bad))), 'ucan-proof-missing', false, 1);
  });

  it('says what a grant allows, whatever the order in its file', () => {
    const given = grant({ from: now, to: later(hour), purpose: 'billing' });
    const text = formatContainer(given.tokens);
    const again = value(orderGrant(nodeCrypto, value(parseContainer(text))));
    assert.deepEqual(again.cids, given.cids);
    const scope = value(checkGrant(nodeCrypto, again, now));
    assert.deepEqual(scope, {
      command: '/flow/read',
      owner: owner.did,
      holder: reader.did,
      id: given.cids[2],
      stream: 'orders',
      from: now,
      to: now + hour,
      purpose: 'billing',
      expires: (now + hour) / 1000,
      handOns: 0,
    });
  });
});

function invoked(
  of: Pick<Grant, 'tokens' | 'cids'>,
  args: UcanMap,
  changes: Partial<InvocationTerms> = {},
): Uint8Array {
  const token = mintInvocation(reader.signer, {
    subject: owner.did,
    audience: serving.did,
    command: '/flow/read',
    args,
    proofs: of.cids,
    nonce: random.bytes(16),
    issuedAt: now / 1000,
    expires: now / 1000 + 300,
    ...changes,
  });
  return utf8(formatContainer([...of.tokens, token]));
}
