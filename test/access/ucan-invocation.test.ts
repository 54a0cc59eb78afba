import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { CID } from 'multiformats/cid';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { protocol } from '../../src/limits.ts';
import { asTimeMs, type TimeMs } from '../../src/types.ts';
import { decodeDelegation } from '../../src/access/ucan-delegation.ts';
import { tokenCid } from '../../src/access/ucan-envelope.ts';
import {
  decodeInvocation,
  mintInvocation,
  type InvocationTerms,
} from '../../src/access/ucan-invocation.ts';
import {
  judgeInvocation,
  proofOf,
  verifyInvocation,
  type Court,
} from '../../src/access/ucan-judge.ts';
import { atMost, is } from '../../src/access/ucan-policy.ts';
import { Replays } from '../../src/access/ucan-replays.ts';
import { readRevocation, Revocations, type Revocation } from '../../src/access/ucan-revocations.ts';
import type { Result } from '../../src/result.ts';
import { ran, suite } from '../support/vectors.ts';
import {
  chainOf,
  forge,
  nodeCrypto,
  now,
  owner,
  peer,
  refused,
  seconds,
  thief,
  token,
  value,
  writer,
  type Person,
} from './tokens.ts';

interface Fixture {
  readonly name: string;
  readonly valid: boolean;
  readonly error?: string;
  readonly time: number;
  readonly invocation_base64: string;
  readonly invocation_cid: string;
  readonly proofs: readonly { base64: string; cid: string }[];
}

/** Our codes for the errors that the fixtures name. */
const codes: Readonly<Record<string, RegExp>> = {
  InvalidClaim: /^ucan-(?:chain|subject|alignment)$/,
  UnavailableProof: /^ucan-proof-missing$/,
  Expired: /^ucan-expired$/,
  TooEarly: /^ucan-not-yet-valid$/,
  InvalidAudience: /^ucan-(?:alignment|audience)$/,
  InvalidSubject: /^ucan-(?:subject|alignment)$/,
  InvalidSignature: /^ucan-signature$/,
  MatchError: /^ucan-policy$/,
};

/** The standard's validation alone, by both kinds of crypto. */
function validate(bytes: Uint8Array, proofs: readonly Uint8Array[], time: TimeMs): Result<void> {
  const invocation = decodeInvocation(bytes);
  if (!invocation.ok) return invocation;
  const proof = proofOf(nodeCrypto, invocation.value, proofs);
  if (!proof.ok) return proof;
  const { args } = invocation.value;
  const result = verifyInvocation(nodeCrypto, invocation.value, proof.value.chain, args, time);
  const again = verifyInvocation(nobleCrypto, invocation.value, proof.value.chain, args, time);
  assert.deepEqual(again, result);
  return result;
}

describe('invocations', () => {
  for (const release of ['1.0.0', '1.0.0-rc.1']) {
    it(`of the ${release} fixtures are judged as published, but no powerline is`, function () {
      const path = `ucan/invocations-${release}.json`;
      const { cases } = suite<{ cases: Fixture[] }>(this, path);
      for (const c of cases) {
        const bytes = new Uint8Array(Buffer.from(c.invocation_base64, 'base64'));
        assert.equal(tokenCid(nodeCrypto, bytes), c.invocation_cid, c.name);
        const proofs = c.proofs.map((p) => new Uint8Array(Buffer.from(p.base64, 'base64')));
        const result = validate(bytes, proofs, asTimeMs(c.time * 1000));
        if (c.name === 'powerline') refused(result, 'ucan-subject');
        else if (c.valid) assert.deepEqual(result, { ok: true, value: undefined }, c.name);
        else {
          assert.ok(!result.ok, c.name);
          assert.match(result.error.code, codes[c.error ?? ''] ?? /^$/, c.name);
        }
        // Any other byte of it must not pass: the fixtures' bad signatures have another size.
        const flipped = bytes.slice();
        flipped[20] = (flipped[20] ?? 0) ^ 1;
        assert.ok(!validate(flipped, proofs, asTimeMs(c.time * 1000)).ok, c.name);
      }
      ran(path, cases.length);
    });
  }

  it('give back what was minted, and refuse every other form', () => {
    const bytes = invoke(writer, { meta: { note: 'x' }, audience: owner.did });
    const { release, signature, signed, issuer, ...terms } = value(decodeInvocation(bytes));
    assert.equal(release, '1.0.0');
    assert.equal(issuer, writer.did);
    assert.equal(signature.length + signed.length + 3, bytes.length);
    assert.deepEqual(mintInvocation(writer.signer, terms), bytes);
    const fields = {
      iss: writer.did,
      sub: owner.did,
      cmd: '/flow/read',
      args: {},
      prf: [],
      nonce: new Uint8Array(12),
      exp: seconds,
    };
    const forged = (changes: Record<string, unknown>): Result<unknown> =>
      decodeInvocation(forge({ ...fields, ...changes }, { tag: 'ucan/inv@1.0.0', by: writer }));
    assert.ok(forged({}).ok);
    const link = CID.parse(tokenCid(nodeCrypto, bytes));
    for (const [name, bad] of Object.entries({
      args: [],
      prf: {},
      nonce: 'text',
      exp: 'text',
      iat: null,
      meta: 1,
      cause: 'text',
      sub: null,
      aud: 'did:web:example.org',
      nbf: 0,
    })) {
      const result = forged({ [name]: bad });
      refused(result, 'ucan-field');
      assert.equal(!result.ok && result.error.place?.pointer, name);
    }
    refused(forged({ prf: ['text'] }), 'ucan-field');
    refused(forged({ cmd: '/Flow' }), 'ucan-command');
    const many = Array.from({ length: protocol.maxProofLinks + 1 }, () => link);
    refused(forged({ prf: many }), 'ucan-over-limit');
    refused(decodeInvocation(token(owner)), 'ucan-version');
    refused(decodeDelegation(bytes), 'ucan-version');
  });

  it('never throw on any bytes', () => {
    const bytes = invoke(writer);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(bytes.length - 1),
        fc.nat(255),
        (noise, at, byte) => {
          assert.equal(decodeInvocation(noise).ok, false);
          assert.equal(decodeInvocation(bytes.subarray(0, at)).ok, false);
          const changed = bytes.slice();
          changed[at] = byte;
          const read = decodeInvocation(changed);
          if (!read.ok) assert.match(read.error.code, /^ucan-/);
          const revoked = readRevocation(nodeCrypto, changed);
          assert.equal(revoked.ok, false);
        },
      ),
    );
  });
});

/** owner → peer → writer for `/flow/read`. */
const proofs = chainOf({ command: '/flow/read' }, { command: '/flow/read' });
const cids = proofs.map((bytes) => tokenCid(nodeCrypto, bytes));

let drawn = 0;
function invoke(from: Person, changes: Partial<InvocationTerms> = {}): Uint8Array {
  drawn += 1;
  return mintInvocation(from.signer, {
    subject: owner.did,
    command: '/flow/read',
    args: { stream: 'orders' },
    proofs: cids,
    nonce: new Uint8Array(12).fill(drawn),
    issuedAt: seconds,
    expires: seconds + 60,
    ...changes,
  });
}

function court(): Court & { readonly revocations: Revocations } {
  return {
    crypto: nodeCrypto,
    self: owner.did,
    replays: new Replays(seconds - 10, 3),
    revocations: new Revocations(3),
  };
}

function judge(
  bytes: Uint8Array,
  changes: {
    readonly court?: Court;
    readonly tokens?: readonly Uint8Array[];
    readonly at?: number;
  } = {},
): Result<unknown> {
  const invocation = value(decodeInvocation(bytes));
  const time = asTimeMs(now + 1000 * (changes.at ?? 0));
  const caller = { organisation: writer.did, now: time };
  return judgeInvocation(changes.court ?? court(), invocation, changes.tokens ?? proofs, caller);
}

describe('attacks on an invocation', () => {
  it('what every check allows is allowed, with the proofs in any order', () => {
    const judged = value(judge(invoke(writer), { tokens: proofs.toReversed() }));
    assert.deepEqual((judged as { args: unknown }).args, {
      stream: 'orders',
      hw: { depth: 2, invokerOrg: writer.did, now: seconds },
    });
    assert.ok(judge(invoke(owner, { proofs: [] }), { tokens: [] }).ok);
  });

  it('other signer, missing link, chain order reversed, extra link', () => {
    refused(judge(invoke(thief)), 'ucan-audience', 1);
    refused(judge(invoke(writer, { proofs: [] })), 'ucan-chain');
    refused(judge(invoke(writer), { tokens: proofs.slice(0, 1) }), 'ucan-proof-missing', 1);
    refused(judge(invoke(writer, { proofs: cids.toReversed() })), 'ucan-alignment', 0);
    refused(judge(invoke(writer, { proofs: [...cids, cids[1] ?? ''] })), 'ucan-alignment', 2);
  });

  it('wrong audience: made out to another executor', () => {
    refused(judge(invoke(writer, { audience: thief.did })), 'ucan-audience');
    refused(judge(invoke(writer), { court: { ...court(), self: peer.did } }), 'ucan-audience');
    const named = { ...court(), self: peer.did };
    assert.ok(judge(invoke(writer, { audience: peer.did }), { court: named }).ok);
  });

  it('own hw in args', () => {
    refused(judge(invoke(writer, { args: { hw: { depth: 0 } } })), 'ucan-reserved');
  });

  it('redelegation beyond the depth that a policy allows', () => {
    for (const [depth, code] of [
      [1, 'ucan-policy'],
      [2, undefined],
    ] as const) {
      const limited = chainOf(
        { command: '/flow/read', policy: [atMost('hw.depth', depth)] },
        { command: '/flow/read' },
      );
      const named = limited.map((bytes) => tokenCid(nodeCrypto, bytes));
      const result = judge(invoke(writer, { proofs: named }), { tokens: limited });
      if (code === undefined) assert.ok(result.ok);
      else refused(result, code, 0);
    }
  });

  it('a copied token of another organisation', () => {
    const bound = chainOf(
      { command: '/flow/read' },
      { command: '/flow/read', policy: [is('hw', 1)] },
    );
    const named = bound.map((bytes) => tokenCid(nodeCrypto, bytes));
    refused(judge(invoke(writer, { proofs: named }), { tokens: bound }), 'ucan-policy', 1);
    refused(judge(invoke(thief, { proofs: cids })), 'ucan-audience', 1);
  });

  it('expired, not yet valid, far future, long-lived', () => {
    refused(judge(invoke(writer), { at: 121 }), 'ucan-expired');
    assert.ok(judge(invoke(writer), { at: 120 }).ok);
    refused(judge(invoke(writer, { issuedAt: seconds + 61 })), 'ucan-not-yet-valid');
    assert.ok(judge(invoke(writer, { issuedAt: seconds + 60 })).ok);
    for (const life of [{ expires: seconds + 301 }, { expires: null }, { expires: 2 ** 53 - 1 }]) {
      refused(judge(invoke(writer, life)), 'ucan-lifetime');
    }
    const unstated = invoke(writer, { expires: seconds + 60 });
    const { issuedAt: _issuedAt, ...rest } = value(decodeInvocation(unstated));
    refused(judge(mintInvocation(writer.signer, rest)), 'ucan-lifetime');
  });

  it('replayed nonce', () => {
    const here = court();
    const bytes = invoke(writer);
    assert.ok(judge(bytes, { court: here }).ok);
    refused(judge(bytes, { court: here }), 'ucan-replayed');
    const { nonce } = value(decodeInvocation(bytes));
    refused(judge(invoke(writer, { nonce, args: {} }), { court: here }), 'ucan-replayed');
    assert.ok(judge(invoke(owner, { nonce, proofs: [] }), { court: here }).ok);
    refused(judge(invoke(writer, { nonce: new Uint8Array(11) })), 'ucan-field');
  });

  it('replayed nonce of an invocation that the skew still keeps alive', () => {
    const here = court();
    const bytes = invoke(writer);
    assert.ok(judge(bytes, { court: here }).ok);
    for (const n of [1, 2]) {
      const other = { issuedAt: seconds + n, expires: seconds + 200 };
      assert.ok(judge(invoke(writer, other), { court: here, at: 2 }).ok);
    }
    // Its 60 s are over, its skew is not; the memory is full and forgets what it may.
    const late = invoke(writer, { issuedAt: seconds + 115, expires: seconds + 200 });
    refused(judge(late, { court: here, at: 115 }), 'rate-limited');
    refused(judge(bytes, { court: here, at: 115 }), 'ucan-replayed');
  });

  it('replay after restart', () => {
    const bytes = invoke(writer, { issuedAt: seconds - 11 });
    refused(judge(bytes), 'ucan-replayed');
    assert.ok(judge(invoke(writer, { issuedAt: seconds - 10 })).ok);
  });

  it('a refused invocation does not use up its nonce', () => {
    const here = court();
    const bytes = invoke(writer);
    refused(judge(bytes, { court: here, tokens: [] }), 'ucan-proof-missing', 0);
    assert.ok(judge(bytes, { court: here }).ok);
  });

  it('more invocations than are remembered', () => {
    const here = court();
    for (let n = 0; n < 3; n++) assert.ok(judge(invoke(writer), { court: here }).ok);
    refused(judge(invoke(writer), { court: here }), 'rate-limited');
    const later = invoke(writer, { issuedAt: seconds + 130, expires: seconds + 180 });
    assert.ok(judge(later, { court: here, at: 130 }).ok);
  });
});

function revoke(by: Person, target: string, changes: Partial<InvocationTerms> = {}): Uint8Array {
  const { issuedAt: _issuedAt, ...plain } = value(decodeInvocation(invoke(by)));
  const args = { ucan: CID.parse(target) };
  const terms = { ...plain, command: '/ucan/revoke', subject: by.did, proofs: [], args };
  return mintInvocation(by.signer, {
    ...terms,
    expires: null,
    nonce: new Uint8Array(),
    ...changes,
  });
}

function read(bytes: Uint8Array): Revocation {
  return value(readRevocation(nodeCrypto, bytes));
}

describe('revocations', () => {
  it('revoked at each depth, by any issuer of the chain', () => {
    for (const [by, target] of [
      [owner, 0],
      [owner, 1],
      [peer, 1],
    ] as const) {
      const here = court();
      assert.equal(value(here.revocations.add(read(revoke(by, cids[target] ?? '')))), true);
      refused(judge(invoke(writer), { court: here }), 'ucan-revoked', target);
    }
  });

  it('revocation by a stranger changes nothing', () => {
    const here = court();
    value(here.revocations.add(read(revoke(thief, cids[0] ?? ''))));
    assert.ok(judge(invoke(writer), { court: here }).ok);
  });

  it('revocation late, twice, out of order', () => {
    const here = court();
    assert.ok(judge(invoke(writer), { court: here }).ok);
    const late = read(revoke(owner, cids[1] ?? ''));
    assert.equal(value(here.revocations.add(late)), true);
    assert.equal(value(here.revocations.add(late)), false);
    assert.equal(here.revocations.size, 1);
    refused(judge(invoke(writer), { court: here }), 'ucan-revoked', 1);
    here.revocations.forget(cids[1] ?? '');
    assert.equal(here.revocations.size, 0);
  });

  it('are bounded, and say when they are full', () => {
    const here = new Revocations(1);
    assert.ok(here.add({ ucan: 'a', revoker: owner.did, path: [] }).ok);
    refused(here.add({ ucan: 'b', revoker: owner.did, path: [] }), 'revocations-full');
  });

  it('refuse another command, arguments that they do not know, and a forged signature', () => {
    const target = cids[0] ?? '';
    const args = { ucan: CID.parse(target), path: cids.map((cid) => CID.parse(cid)) };
    assert.deepEqual(read(revoke(owner, target, { args })).path, cids);
    const no = (changes: Partial<InvocationTerms>) =>
      readRevocation(nodeCrypto, revoke(owner, target, changes));
    refused(no({ command: '/ucan' }), 'ucan-command');
    refused(no({ args: {} }), 'ucan-field');
    refused(no({ args: { ...args, more: 1 } }), 'ucan-field');
    refused(no({ args: { ucan: target } }), 'ucan-field');
    refused(no({ args: { ...args, path: [1] } }), 'ucan-field');
    for (const path of [{}, 7, 'text']) refused(no({ args: { ...args, path } }), 'ucan-field');
    const long = Array.from({ length: protocol.maxProofLinks + 1 }, () => CID.parse(target));
    assert.ok(no({ args: { ...args, path: long.slice(1) } }).ok);
    refused(no({ args: { ...args, path: long } }), 'ucan-field');
    const forged = revoke(owner, target);
    forged[10] = (forged[10] ?? 0) ^ 1;
    refused(readRevocation(nodeCrypto, forged), 'ucan-signature');
  });
});
