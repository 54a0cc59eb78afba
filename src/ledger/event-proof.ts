/**
 * Proof of one entry of a Headwater log, offline and trusting nobody: a C2SP tlog-proof whose
 * `extra` line carries the leaf, the key chain and what is disclosed of the event (proof-extra.ts).
 *
 * What is checked, in this order: the form; the key chain, from the log's id to the key in force at
 * the checkpoint's size, and that the owner let that log be opened; that the entry can stand at its
 * index; what is disclosed against the commitments in the leaf; inclusion in the signed root; every
 * signature line; then the stream's own witness policy and the one that the verifier states.
 *
 * **Every line must be understood.** A general tlog-proof may have lines of keys that a verifier
 * does not know. Here such a line makes the proof `untrusted` (`cosigner-unknown`), so that no byte
 * of a proof can be changed without notice; the maker leaves out lines that only some could check.
 * Known are the writer, the witnesses in the genesis, those of the verifier's policy, and cosigners
 * that are named by their key (cosignature.ts). None is listed twice.
 *
 * What a proof cannot show: that a rotation was left out of its key chain (then a thief of the old
 * key signed another history: a fork proof shows that), and what the leaf's times are worth, which
 * are the producer's word. Cosignature times are their cosigners'.
 */
import { equal, utf8 } from '../bytes.ts';
import type { Crypto, Hasher } from '../crypto.ts';
import { at, fault, type Code, type Fault } from '../errors.ts';
import { didFromKey } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Attributes, Did, Hash, LogId, LogIndex, PublicKey, TreeSize } from '../types.ts';
import { parseCheckpoint, type ParsedCheckpoint } from './checkpoint.ts';
import { checkDisclosure } from './check-disclosure.ts';
import { cosignerNamedIn, distinctKeys, keepLines } from './cosignature.ts';
import type { Genesis } from './genesis.ts';
import type { BlockEnv } from './judges.ts';
import type { KeyEntry } from './key-chain.ts';
import type { Leaf } from './leaf.ts';
import { noteAlgorithm, noteKey, openNote, type NoteKey } from './note.ts';
import { verifyInclusion } from './proof.ts';
import {
  decodeExtra,
  encodeExtra,
  proofKeyChain,
  type Disclosure,
  type ProofExtra,
} from './proof-extra.ts';
import { checkEntryPlace, readProofKeys } from './proof-keys.ts';
import { formatTlogProof, parseTlogProof } from './tlog-proof.ts';
import { leafHash } from './tree.ts';
import {
  isStated,
  noPolicy,
  quorumMet,
  streamPolicy,
  type Quorum,
  type TrustPolicy,
} from './trust-policy.ts';

/** A cosignature that was verified. */
export interface ProvenCosignature {
  readonly name: string;
  readonly key: PublicKey;
  /** The cosigner's word for when, in seconds since 1970. */
  readonly timestamp: bigint;
  /** Listed by the verifier's policy or the stream's own; else worth nothing by itself. */
  readonly listed: boolean;
}

/** What a sound proof shows. */
export interface ProvenEntry {
  readonly logId: LogId;
  readonly index: LogIndex;
  readonly leaf: Uint8Array;
  readonly leafHash: Hash;
  /** The leaf taken apart; its recorded time is the producer's word. */
  readonly entry: Leaf;
  readonly genesis: Genesis;
  readonly size: TreeSize;
  readonly root: Hash;
  /** The writer key that signed the checkpoint. */
  readonly signer: PublicKey;
  readonly disclosed: Disclosure;
  /** The attributes read, where they are disclosed. */
  readonly context?: Attributes;
  readonly cosignatures: readonly ProvenCosignature[];
  /**
   * Seconds since 1970: by then the entry existed, on the word of the quorum that was asked for (the
   * verifier's, else the stream's).
   */
  readonly attestedBy?: bigint;
  /** Did the verifier state a policy? */
  readonly stated: boolean;
}

/** `broken` says what is wrong, `untrusted` what the policies miss in a sound proof. */
export type ProofVerdict =
  | { readonly verdict: 'intact'; readonly proven: ProvenEntry }
  | {
      readonly verdict: 'untrusted';
      readonly reasons: readonly Fault[];
      readonly proven: ProvenEntry;
    }
  | { readonly verdict: 'broken'; readonly reason: Fault };

export interface EventProofInput {
  readonly index: LogIndex;
  readonly leaf: Uint8Array;
  /** Audit path of the leaf in the tree of the checkpoint. */
  readonly path: readonly Hash[];
  /** Signed by the writer, with any number of cosignature lines. */
  readonly checkpoint: string;
  /** The log's genesis and control entries, at least the rotations, in order. */
  readonly controls: readonly KeyEntry[];
  /** Nothing where absent. */
  readonly disclosed?: Disclosure;
  /** Cosigners whose lines are kept although a verifier knows them only by his own policy. */
  readonly cosigners?: readonly NoteKey[];
}

/**
 * The text of a proof. All but the signatures is checked as `verifyEventProof` does, so what our own
 * disk returned damaged is not handed out. Codes: its own for `broken`, proof-too-large.
 */
export function makeEventProof(env: BlockEnv, input: EventProofInput): Result<string> {
  const parsed = parseCheckpoint(input.checkpoint);
  if (!parsed.ok) return parsed;
  const keyChain = proofKeyChain(input.controls, parsed.value.size);
  if (!keyChain.ok) return keyChain;
  const disclosed = input.disclosed ?? {};
  const extra = { leaf: input.leaf, keyChain: keyChain.value, disclosed };
  const { index, path: hashes } = input;
  const sound = checkAllButLines(env, { index, hashes, extra }, parsed.value);
  if (!sound.ok) return sound;
  const known = knownKeys(env.crypto, sound.value, input.cosigners ?? []);
  const named = (line: { name: string; keyId: number }): boolean =>
    known.keys.some((key) => key.name === line.name && key.keyId === line.keyId);
  if (!parsed.value.signatures.some(named)) {
    return refuse('checkpoint-key-id', 'no line is of a key that the proof shows');
  }
  const checkpoint = keepLines(parsed.value, named);
  const text = formatTlogProof({ extra: encodeExtra(extra), index, hashes, checkpoint });
  if (utf8(text).length <= protocol.maxProofBytes) return ok(text);
  return refuse('proof-too-large', `a proof is at most ${protocol.maxProofBytes} bytes`);
}

/**
 * Verifies a proof file. Codes of `broken`: those of `parseTlogProof`, `decodeExtra`,
 * `parseCheckpoint`, `readProofKeys`, `checkEntryPlace`, `checkDisclosure`, `verifyInclusion`, and
 * bad-signature, checkpoint-key-id (the writer key did not sign), checkpoint-signatures (a line
 * twice), note-key-ambiguous. Codes of `untrusted`: cosigner-unknown, witness-policy,
 * quorum-missing, owner-untrusted, log-untrusted.
 */
export function verifyEventProof(
  env: BlockEnv,
  file: Uint8Array,
  policy: TrustPolicy = noPolicy,
): ProofVerdict {
  const proof = parseTlogProof(file);
  if (!proof.ok) return broken(proof.error);
  const { index, hashes, checkpoint: note } = proof.value;
  if (proof.value.extra === undefined) {
    return broken(fault('proof-extra', 'the extra line is missing'));
  }
  const extra = decodeExtra(proof.value.extra);
  if (!extra.ok) return broken(extra.error);
  const checkpoint = parseCheckpoint(note);
  if (!checkpoint.ok) return broken(checkpoint.error);
  const parts = { index, hashes, extra: extra.value };
  const sound = checkAllButLines(env, parts, checkpoint.value);
  if (!sound.ok) return broken(sound.error);
  const signed = checkLines(env.crypto, note, sound.value, policy);
  if (!signed.ok) return broken(signed.error);
  const { cosignatures, reasons, asked } = signed.value;
  const attestedBy = attestedTime(asked, cosignatures);
  const { checkpoint: _, ...shown } = sound.value;
  const proven: ProvenEntry = {
    ...shown,
    cosignatures,
    stated: isStated(policy),
    ...(attestedBy === undefined ? {} : { attestedBy }),
  };
  return reasons.length === 0
    ? { verdict: 'intact', proven }
    : { verdict: 'untrusted', reasons, proven };
}

/** What is shown before any line of the checkpoint is verified. */
interface Shown extends Omit<ProvenEntry, 'cosignatures' | 'attestedBy' | 'stated'> {
  readonly checkpoint: ParsedCheckpoint;
}

interface ProofParts {
  readonly index: LogIndex;
  readonly hashes: readonly Hash[];
  readonly extra: ProofExtra;
}

function checkAllButLines(
  env: BlockEnv,
  proof: ProofParts,
  checkpoint: ParsedCheckpoint,
): Result<Shown> {
  const { leaf, keyChain, disclosed } = proof.extra;
  const { logId, size, root } = checkpoint;
  const keys = readProofKeys(env, logId, keyChain, size);
  if (!keys.ok) return keys;
  const { genesis, signer } = keys.value;
  const { index, hashes } = proof;
  const entry = checkEntryPlace(logId, genesis, keyChain, index, leaf);
  if (!entry.ok) return err(at(entry.error, { index }));
  const opened = checkDisclosure(env, entry.value, leaf, disclosed);
  if (!opened.ok) return err(at(opened.error, { index }));
  const hash = leafHash(env.crypto, leaf);
  const included = verifyInclusion(env.crypto, hash, index, size, hashes, root);
  if (!included.ok) return err(at(included.error, { index }));
  const context = opened.value === undefined ? {} : { context: opened.value };
  const where = { logId, index, leaf, leafHash: hash, entry: entry.value, genesis };
  return ok({ ...where, size, root, signer, disclosed, ...context, checkpoint });
}

interface KnownKeys {
  readonly writer: NoteKey;
  /** The writer and every known cosigner. */
  readonly keys: readonly NoteKey[];
  /** Undefined where the stream states none; a fault where it states nonsense. */
  readonly own: Result<TrustPolicy | undefined>;
}

function knownKeys(h: Hasher, shown: Shown, stated: readonly NoteKey[]): KnownKeys {
  const { checkpoint, signer, genesis } = shown;
  const origin = checkpoint.text.slice(0, checkpoint.text.indexOf('\n'));
  const writer = noteKey(h, origin, noteAlgorithm.ed25519, signer);
  const own = streamPolicy(h, genesis.witnesses);
  const listed = own.ok && own.value !== undefined ? own.value.witnesses : [];
  const named = checkpoint.signatures.map((line) => cosignerNamedIn(h, line));
  const cosigners = [...stated, ...listed, ...named.filter((key) => key !== undefined)];
  return { writer, keys: [writer, ...distinctKeys(cosigners)], own };
}

interface CheckedLines {
  readonly cosignatures: readonly ProvenCosignature[];
  readonly reasons: readonly Fault[];
  /** The quorum whose word counts for a time. */
  readonly asked: Quorum;
}

function checkLines(
  crypto: Crypto,
  note: string,
  shown: Shown,
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
  shown: Shown,
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
function attestedTime(
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

function broken(reason: Fault): ProofVerdict {
  return { verdict: 'broken', reason };
}

function refuse(code: Code, message: string): { readonly ok: false; readonly error: Fault } {
  return err(fault(code, message));
}
