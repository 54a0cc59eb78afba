/**
 * Who signed a checkpoint that travels with a proof or bundle, and what the policies make of it: the
 * writer's line, cosigners' lines, the stream's own witness policy and the one that the verifier
 * states. What is understood of the lines says event-proof.ts.
 */
import { equal, utf8 } from '../bytes.ts';
import type { Crypto, Hasher } from '../crypto.ts';
import { fault, type Code, type Fault } from '../errors.ts';
import { didFromKey } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, PublicKey } from '../types.ts';
import type { ParsedCheckpoint } from './checkpoint.ts';
import { cosignerNamedIn, distinctKeys } from './cosignature.ts';
import type { Genesis } from './genesis.ts';
import { noteAlgorithm, noteKey, openNote, type NoteKey } from './note.ts';
import {
  noPolicy,
  quorumMet,
  streamPolicy,
  type Quorum,
  type TrustPolicy,
} from './trust-policy.ts';

/** A checkpoint with what says who may have signed it. */
export interface SignedLines {
  readonly checkpoint: ParsedCheckpoint;
  /** The writer key in force at its size. */
  readonly signer: PublicKey;
  readonly genesis: Genesis;
}

/** A cosignature that was verified. */
export interface ProvenCosignature {
  readonly name: string;
  readonly key: PublicKey;
  /** The cosigner's word for when, in seconds since 1970. */
  readonly timestamp: bigint;
  /** Listed by the verifier's policy or the stream's own; else worth nothing by itself. */
  readonly listed: boolean;
}

export interface KnownKeys {
  readonly writer: NoteKey;
  /** The writer and every known cosigner. */
  readonly keys: readonly NoteKey[];
  /** Undefined where the stream states none; a fault where it states nonsense. */
  readonly own: Result<TrustPolicy | undefined>;
}

/** Whose lines are understood: the writer's, those of listed cosigners, and of such as their name says. */
export function knownKeys(h: Hasher, shown: SignedLines, stated: readonly NoteKey[]): KnownKeys {
  const { checkpoint, signer, genesis } = shown;
  const origin = checkpoint.text.slice(0, checkpoint.text.indexOf('\n'));
  const writer = noteKey(h, origin, noteAlgorithm.ed25519, signer);
  const own = streamPolicy(h, genesis.witnesses);
  const listed = own.ok && own.value !== undefined ? own.value.witnesses : [];
  const named = checkpoint.signatures.map((line) => cosignerNamedIn(h, line));
  const cosigners = [...stated, ...listed, ...named.filter((key) => key !== undefined)];
  return { writer, keys: [writer, ...distinctKeys(cosigners)], own };
}

export interface CheckedLines {
  readonly cosignatures: readonly ProvenCosignature[];
  readonly reasons: readonly Fault[];
  /** The quorum whose word counts for a time. */
  readonly asked: Quorum;
}

/**
 * Verifies every line of the note. Codes: checkpoint-key-id (the writer key did not sign),
 * checkpoint-signatures (a line twice), bad-signature, note-key-ambiguous, note-malformed. What the
 * policies miss is in `reasons`.
 */
export function checkLines(
  crypto: Crypto,
  note: string,
  shown: SignedLines,
  policy: TrustPolicy,
): Result<CheckedLines> {
  const { writer, keys, own } = knownKeys(crypto, shown, policy.witnesses);
  const { signatures } = shown.checkpoint;
  const opened = openNote(crypto, utf8(note), keys);
  if (!opened.ok) {
    if (opened.error.code !== 'note-unverified') return opened;
    return refuse('checkpoint-key-id', 'not signed by the writer key in force at this size');
  }
  const { verified, unverified } = opened.value;
  if (!verified.some(({ key }) => key === writer)) {
    return refuse('checkpoint-key-id', 'not signed by the writer key in force at this size');
  }
  if (verified.length + unverified.length !== signatures.length) {
    return refuse('checkpoint-signatures', 'a signature line stands twice');
  }
  const ownPolicy = own.ok ? own.value : undefined;
  const listed = [...policy.witnesses, ...(ownPolicy?.witnesses ?? [])];
  const cosignatures = verified.flatMap(({ key, timestamp }) => {
    if (key === writer || timestamp === undefined) return [];
    const isListed = listed.some(({ publicKey }) => equal(publicKey, key.publicKey));
    return [{ name: key.name, key: key.publicKey, timestamp, listed: isListed }];
  });
  const reasons = unverified.map(({ name }) =>
    fault('cosigner-unknown', `nobody here knows the key of the cosigner ${name}`),
  );
  if (!own.ok) reasons.push(own.error);
  const keysMet = cosignatures.map(({ key }) => key);
  reasons.push(...judgePolicies(shown, policy, ownPolicy, keysMet));
  const asked = policy.quorum.kind === 'none' ? ownPolicy?.quorum : policy.quorum;
  return ok({ cosignatures, reasons, asked: asked ?? noPolicy.quorum });
}

/** What the two policies miss. */
function judgePolicies(
  shown: SignedLines,
  stated: TrustPolicy,
  own: TrustPolicy | undefined,
  cosigners: readonly PublicKey[],
): readonly Fault[] {
  const { genesis, signer, checkpoint } = shown;
  const reasons: Fault[] = [];
  if (own !== undefined && !quorumMet(own.quorum, cosigners)) {
    reasons.push(fault('quorum-missing', "the stream's own witness policy is not met"));
  }
  if (!quorumMet(stated.quorum, cosigners)) {
    reasons.push(fault('quorum-missing', 'the witness policy that was stated is not met'));
  }
  if (stated.owners.length > 0 && !isOneOf(stated.owners, genesis, signer)) {
    reasons.push(fault('owner-untrusted', `the owner is ${genesis.owner}`));
  }
  if (stated.logs.length === 0) return reasons;
  const origin = `headwater/${checkpoint.logId}`;
  const isListed = stated.logs.some((log) => log.name === origin && equal(log.publicKey, signer));
  if (!isListed) {
    reasons.push(fault('log-untrusted', `the policy does not list ${origin} with this key`));
  }
  return reasons;
}

function isOneOf(owners: readonly Did[], genesis: Genesis, signer: PublicKey): boolean {
  const key = didFromKey(signer);
  return owners.some((did) => did === genesis.owner || did === key);
}

/** The earliest time by which a quorum of these had signed. */
export function attestedTime(
  quorum: Quorum,
  cosignatures: readonly ProvenCosignature[],
): bigint | undefined {
  if (quorum.kind === 'none') return undefined;
  const inTime = [...cosignatures].sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
  for (const [i, { timestamp }] of inTime.entries()) {
    const keys = inTime.slice(0, i + 1).map(({ key }) => key);
    if (quorumMet(quorum, keys)) return timestamp;
  }
  return undefined;
}

function refuse(code: Code, message: string): { readonly ok: false; readonly error: Fault } {
  return err(fault(code, message));
}
