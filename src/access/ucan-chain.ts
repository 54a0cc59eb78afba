/**
 * Whether a chain of delegations lets its last audience invoke a command: the proof part of
 * validating an invocation (ucan-wg/spec "Validation"; access.md "Tokens").
 *
 *   subject --[0]--> peer --[1]--> … --[n-1]--> holder      prf runs from root to leaf
 *
 * Checks in this order, each over the whole chain: signatures · principals align · subject equal ·
 * command attenuated · time bounds (60 s skew, both ends inclusive) · policies. A powerline
 * (`sub: null`) is refused at every place. Every fault carries the link in `place.index`.
 */
import type { Crypto } from '../crypto.ts';
import { at, fault, type Code } from '../errors.ts';
import { didKey } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, TimeMs } from '../types.ts';
import type { UcanMap } from './ucan-cbor.ts';
import { covers } from './ucan-command.ts';
import { decodeDelegation, type Delegation } from './ucan-delegation.ts';
import { satisfied } from './ucan-policy.ts';

export type Chain = readonly Delegation[];

/** What the holder of the chain wants to do. */
export interface Claim {
  /** Whose powers are used: the issuer of the first link and the subject of every one. */
  readonly subject: Did;
  /** Who uses them: the audience of the last link. */
  readonly holder: Did;
  readonly command: string;
  readonly args: UcanMap;
  readonly time: TimeMs;
}

/** Decodes 1 to `maxProofLinks` tokens, root first; codes of `decodeDelegation`, `ucan-chain`, `ucan-over-limit`. */
export function decodeChain(tokens: readonly Uint8Array[]): Result<Chain> {
  if (tokens.length === 0) return err(fault('ucan-chain', 'no delegation'));
  if (tokens.length > protocol.maxProofLinks) {
    return err(fault('ucan-over-limit', `a chain of ${tokens.length} delegations`));
  }
  const chain: Delegation[] = [];
  for (const [index, token] of tokens.entries()) {
    const decoded = decodeDelegation(token);
    if (!decoded.ok) return err(at(decoded.error, { index }));
    chain.push(decoded.value);
  }
  return ok(chain);
}

/**
 * Judges a chain. Codes: `ucan-signature`, `ucan-alignment`, `ucan-audience` (the last link is made
 * out to another), `ucan-subject`, `ucan-command`, `ucan-not-yet-valid`, `ucan-expired`, `ucan-policy`.
 */
export function verifyChain(crypto: Crypto, chain: Chain, claim: Claim): Result<void> {
  if (chain.length === 0) return err(fault('ucan-chain', 'no delegation'));
  const seconds = Math.floor(claim.time / 1000);
  const checks: readonly ((link: Delegation, index: number) => Denial | undefined)[] = [
    (link) =>
      crypto.verify(didKey(link.issuer), link.signed, link.signature)
        ? undefined
        : ['ucan-signature', 'the signature is not by the issuer'],
    (link, index) => misaligned(chain, claim, link, index),
    (link) =>
      link.subject === claim.subject ? undefined : ['ucan-subject', 'the subject is not the owner'],
    (link, index) => uncovered(chain, claim, link, index),
    (link) => outOfTime(link, seconds),
    (link) =>
      satisfied(link.policy, claim.args)
        ? undefined
        : ['ucan-policy', 'the policy does not allow these arguments'],
  ];
  for (const check of checks) {
    for (const [index, link] of chain.entries()) {
      const denial = check(link, index);
      if (denial !== undefined) return err(fault(denial[0], denial[1], { index }));
    }
  }
  return ok(undefined);
}

type Denial = readonly [Code, string];

function misaligned(
  chain: Chain,
  claim: Claim,
  link: Delegation,
  index: number,
): Denial | undefined {
  const issuer = index === 0 ? claim.subject : chain[index - 1]?.audience;
  if (link.issuer !== issuer) {
    return index === 0
      ? ['ucan-alignment', 'the chain does not begin with the owner']
      : ['ucan-alignment', 'the issuer is not the audience of the link before'];
  }
  if (index === chain.length - 1 && link.audience !== claim.holder) {
    return ['ucan-audience', 'the chain does not end with its holder'];
  }
  return undefined;
}

function uncovered(
  chain: Chain,
  claim: Claim,
  link: Delegation,
  index: number,
): Denial | undefined {
  const above = chain[index - 1];
  if (above !== undefined && !covers(above.command, link.command)) {
    return ['ucan-command', `${link.command} is wider than ${above.command}`];
  }
  if (index === chain.length - 1 && !covers(link.command, claim.command)) {
    return ['ucan-command', `${link.command} does not cover ${claim.command}`];
  }
  return undefined;
}

function outOfTime(link: Delegation, seconds: number): Denial | undefined {
  const skew = protocol.tokenSkewSeconds;
  if (link.notBefore !== undefined && seconds < link.notBefore - skew) {
    return ['ucan-not-yet-valid', 'the delegation is not valid yet'];
  }
  if (link.expires !== null && seconds > link.expires + skew) {
    return ['ucan-expired', 'the delegation has expired'];
  }
  return undefined;
}
