/**
 * Whether an invocation may do what it asks for (ucan-wg/spec "Validation"; access.md "Tokens").
 *
 *   standard   signature of the invocation · its proofs are all there · the chain of ucan-chain.ts:
 *              signatures, principals, subject, command, time, policies · time of the invocation
 *   here       no `hw` of its own in args · short life · audience is me · nonce not seen · none revoked
 *
 * Policies see `args.hw` = {depth, invokerOrg, now}, which this side adds: the number of delegations,
 * the organisation that invokes, seconds since 1970.
 */
import type { Crypto } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import type { Identities } from '../identities.ts';
import { didKey } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, TimeMs } from '../types.ts';
import type { UcanMap } from './ucan-cbor.ts';
import { decodeChain, verifyChain, type Chain } from './ucan-chain.ts';
import { tokenCid } from './ucan-envelope.ts';
import type { Invocation } from './ucan-invocation.ts';
import { fixedTo } from './ucan-policy.ts';
import type { Replays } from './ucan-replays.ts';
import type { Revocations } from './ucan-revocations.ts';

/** The delegations of an invocation, root first, with their CIDs in the same order. */
export interface Proof {
  readonly chain: Chain;
  readonly cids: readonly string[];
}

/** An invocation of known proofs, its arguments as the policies saw them. */
export interface Judged extends Proof {
  readonly invocation: Invocation;
  readonly args: UcanMap;
}

/**
 * Puts the delegations that came with an invocation in the order of its `prf`. Codes:
 * `ucan-proof-missing` (link in `place.index`), those of `decodeChain`.
 */
export function proofOf(
  crypto: Crypto,
  invocation: Invocation,
  tokens: readonly Uint8Array[],
): Result<Proof> {
  const known = new Map(tokens.map((token) => [tokenCid(crypto, token), token]));
  const chosen: Uint8Array[] = [];
  for (const [index, cid] of invocation.proofs.entries()) {
    const token = known.get(cid);
    if (token === undefined) {
      return err(fault('ucan-proof-missing', `the delegation ${cid} is not there`, { index }));
    }
    chosen.push(token);
  }
  if (chosen.length === 0) return ok({ chain: [], cids: [] });
  const chain = decodeChain(chosen);
  return chain.ok ? ok({ chain: chain.value, cids: invocation.proofs }) : chain;
}

/**
 * The standard's validation. `args` are those that the policies see. Codes: `ucan-signature`,
 * `ucan-chain` (no proof, and the issuer is not the subject), `ucan-expired`, those of `verifyChain`
 * with the link in `place.index`.
 */
export function verifyInvocation(
  crypto: Crypto,
  invocation: Invocation,
  chain: Chain,
  args: UcanMap,
  time: TimeMs,
): Result<void> {
  const { issuer, subject, command, expires } = invocation;
  if (!crypto.verify(didKey(issuer), invocation.signed, invocation.signature)) {
    return err(fault('ucan-signature', 'the invocation is not signed by its issuer'));
  }
  if (chain.length === 0) {
    if (issuer !== subject) return err(fault('ucan-chain', 'no delegation by the subject'));
  } else {
    const verified = verifyChain(crypto, chain, { subject, holder: issuer, command, args, time });
    if (!verified.ok) return verified;
  }
  if (expires !== null && Math.floor(time / 1000) > expires + protocol.tokenSkewSeconds) {
    return err(fault('ucan-expired', 'the invocation has expired'));
  }
  return ok(undefined);
}

/** Who judges, and what it remembers. */
export interface Court {
  readonly crypto: Crypto;
  /** Who is asked to act: an invocation must be made out to it (`aud`, or else its subject). */
  readonly self: Did;
  readonly replays: Replays;
  readonly revocations: Revocations;
  /** Organisations that go by another DID; absent where nobody does. */
  readonly identities?: Pick<Identities, 'all' | 'void'>;
}

/**
 * All checks, in the order of access.md. The nonce counts as seen only once everything else holds,
 * so that nobody can use up another's. Codes: those of `proofOf` and `verifyInvocation`,
 * `ucan-reserved`, `ucan-lifetime`, `ucan-not-yet-valid`, `ucan-audience`, `ucan-revoked`, `did-superseded`,
 * `ucan-replayed`, `rate-limited` (too many invocations at once).
 */
export function judgeInvocation(
  court: Court,
  invocation: Invocation,
  tokens: readonly Uint8Array[],
  caller: { readonly organisation: Did; readonly now: TimeMs },
): Result<Judged> {
  if (Object.hasOwn(invocation.args, 'hw')) {
    return err(fault('ucan-reserved', 'an invocation may not bring args.hw of its own'));
  }
  const proof = proofOf(court.crypto, invocation, tokens);
  if (!proof.ok) return proof;
  const { chain, cids } = proof.value;
  const now = Math.floor(caller.now / 1000);
  const invokerOrg = calledBy(court, caller.organisation, chain);
  const hw = { depth: chain.length, invokerOrg, now };
  const args = { ...invocation.args, hw };
  const verified = verifyInvocation(court.crypto, invocation, chain, args, caller.now);
  if (!verified.ok) return verified;
  const brief = briefly(invocation, now);
  if (!brief.ok) return brief;
  if ((invocation.audience ?? invocation.subject) !== court.self) {
    return err(fault('ucan-audience', 'the invocation is made out to another executor'));
  }
  const revoked = court.revocations.first(proof.value);
  if (revoked !== undefined) {
    return err(fault('ucan-revoked', 'a delegation was revoked', { index: revoked }));
  }
  const stolen =
    superseded(court, proof.value) ?? court.identities?.void(invocation.issuer, undefined);
  if (stolen !== undefined) return err(stolen);
  const fresh = court.replays.admit(invocation, now);
  return fresh.ok ? ok({ invocation, chain, cids, args }) : fresh;
}

/** An organisation with a new DID is still the one that a policy names by an old one. */
export function calledBy({ identities }: Court, organisation: Did, chain: Chain): Did {
  const all = identities?.all(organisation) ?? [];
  if (all.length < 2) return organisation;
  const named = chain.map(({ policy }) => fixedTo(policy, 'hw.invokerOrg'));
  return all.find((did) => named.includes(did)) ?? organisation;
}

/** The first link that was signed by a stolen key and is not one that still counts. Code: did-superseded. */
export function superseded({ identities }: Court, { chain, cids }: Proof): Fault | undefined {
  if (identities === undefined) return undefined;
  for (const [index, { issuer }] of chain.entries()) {
    const stolen = identities.void(issuer, cids[index]);
    if (stolen !== undefined) return { ...stolen, place: { index } };
  }
  return undefined;
}

/** Signed at a stated time, not in the future, for at most five minutes. */
function briefly({ issuedAt, expires }: Invocation, now: number): Result<void> {
  const { maxInvocationSeconds, tokenSkewSeconds } = protocol;
  if (issuedAt === undefined || expires === null || expires - issuedAt > maxInvocationSeconds) {
    const message = `an invocation says when it was issued, and expires within ${maxInvocationSeconds} s`;
    return err(fault('ucan-lifetime', message));
  }
  if (issuedAt > now + tokenSkewSeconds) {
    return err(fault('ucan-not-yet-valid', 'the invocation was issued in the future'));
  }
  return ok(undefined);
}
