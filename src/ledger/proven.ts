/**
 * What is made of a proof once all below its checkpoint holds: proofs of events (event-proof.ts) and of
 * ranges (range-file.ts) end alike, with the lines of the checkpoint and the policies.
 */
import type { Crypto, Hasher } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import {
  attestedTime,
  checkLines,
  knownKeys,
  type ProvenCosignature,
  type SignedLines,
} from './checkpoint-lines.ts';
import { keepLines } from './cosignature.ts';
import type { NoteKey } from './note.ts';
import { isStated, type TrustPolicy } from './trust-policy.ts';

export interface Attested {
  readonly cosignatures: readonly ProvenCosignature[];
  /**
   * Seconds since 1970: by then it existed, on the word of the quorum that was asked for (the
   * verifier's, else the stream's).
   */
  readonly attestedBy?: bigint;
  /** Did the verifier state a policy? */
  readonly stated: boolean;
}

/** `broken` says what is wrong, `untrusted` what the policies miss in a sound proof. */
export type ProvenVerdict<P> =
  | { readonly verdict: 'intact'; readonly proven: P }
  | { readonly verdict: 'untrusted'; readonly reasons: readonly Fault[]; readonly proven: P }
  | { readonly verdict: 'broken'; readonly reason: Fault };

export function broken(reason: Fault): { readonly verdict: 'broken'; readonly reason: Fault } {
  return { verdict: 'broken', reason };
}

/** `shown` is what the proof shows below `note`, the checkpoint's text. Codes: those of `checkLines`. */
export function judgeLines<S>(
  crypto: Crypto,
  note: string,
  signed: SignedLines,
  shown: S,
  policy: TrustPolicy,
): ProvenVerdict<S & Attested> {
  const lines = checkLines(crypto, note, signed, policy);
  if (!lines.ok) return broken(lines.error);
  const { cosignatures, reasons, asked } = lines.value;
  const by = attestedTime(asked, cosignatures);
  const attested = { cosignatures, stated: isStated(policy) };
  const proven = { ...shown, ...attested, ...(by === undefined ? {} : { attestedBy: by }) };
  return reasons.length === 0
    ? { verdict: 'intact', proven }
    : { verdict: 'untrusted', reasons, proven };
}

/** The checkpoint's text without the lines that only some could check. Code: checkpoint-key-id. */
export function understoodLines(
  h: Hasher,
  signed: SignedLines,
  cosigners: readonly NoteKey[],
): Result<string> {
  const { keys } = knownKeys(h, signed, cosigners);
  const known = (line: { readonly name: string; readonly keyId: number }): boolean =>
    keys.some(({ name, keyId }) => name === line.name && keyId === line.keyId);
  if (signed.checkpoint.signatures.some(known)) return ok(keepLines(signed.checkpoint, known));
  return err(fault('checkpoint-key-id', 'no line is of a key that the proof shows'));
}
