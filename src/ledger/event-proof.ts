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
 * What is disclosed by the key of a sealed event is opened and held against the same commitments. A
 * verifier without an opener (`BlockEnv.opener`) cannot: then the proof is `incomplete`, and shows all
 * but that the key opens what it should.
 *
 * What a proof cannot show: that a rotation was left out of its key chain (then a thief of the old
 * key signed another history: a fork proof shows that), and what the leaf's times are worth, which
 * are the producer's word. Cosignature times are their cosigners'.
 */
import { utf8 } from '../bytes.ts';
import { at, fault, type Code, type Fault } from '../errors.ts';
import { logIdHash } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Attributes, Hash, LogId, LogIndex, PublicKey, TreeSize } from '../types.ts';
import { parseCheckpoint, type ParsedCheckpoint } from './checkpoint.ts';
import { checkDisclosure } from './check-disclosure.ts';
import type { Genesis } from './genesis.ts';
import type { BlockEnv } from './judges.ts';
import type { KeyEntry } from './key-chain.ts';
import { decodeLeaf, type Leaf } from './leaf.ts';
import type { NoteKey } from './note.ts';
import { verifyInclusion } from './proof.ts';
import {
  decodeExtra,
  encodeExtra,
  proofKeyChain,
  type Disclosure,
  type ProofExtra,
} from './proof-extra.ts';
import { checkEntryPlace, readProofKeys } from './proof-keys.ts';
import {
  broken,
  judgeLines,
  understoodLines,
  type Attested,
  type ProvenVerdict,
} from './proven.ts';
import { prepareBody } from './sealed-body.ts';
import { formatTlogProof, parseTlogProof } from './tlog-proof.ts';
import { leafHash } from './tree.ts';
import { noPolicy, type TrustPolicy } from './trust-policy.ts';

/** What a sound proof shows. */
export interface ProvenEntry extends Attested {
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
}

export type ProofVerdict =
  | ProvenVerdict<ProvenEntry>
  | {
      readonly verdict: 'incomplete';
      readonly reasons: readonly Fault[];
      readonly proven: ProvenEntry;
    };

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
  const checkpoint = understoodLines(env.crypto, sound.value, input.cosigners ?? []);
  if (!checkpoint.ok) return checkpoint;
  const text = formatTlogProof({
    extra: encodeExtra(extra),
    index,
    hashes,
    checkpoint: checkpoint.value,
  });
  if (utf8(text).length <= protocol.maxProofBytes) return ok(text);
  return refuse('proof-too-large', `a proof is at most ${protocol.maxProofBytes} bytes`);
}

/**
 * Verifies a proof file. Codes of `broken`: those of `parseTlogProof`, `decodeExtra`,
 * `parseCheckpoint`, `readProofKeys`, `checkEntryPlace`, `checkDisclosure`, `verifyInclusion`, and
 * bad-signature, checkpoint-key-id (the writer key did not sign), checkpoint-signatures (a line
 * twice), note-key-ambiguous. Codes of `untrusted`: cosigner-unknown, witness-policy,
 * quorum-missing, owner-untrusted, log-untrusted. Code of `incomplete`: cipher-missing.
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
  const { checkpoint: _, unopened, ...shown } = sound.value;
  const verdict = judgeLines(env.crypto, note, sound.value, shown, policy);
  return unopened === true ? withUnopened(verdict) : verdict;
}

/** Nothing is wrong, but what the key opens was not looked at. */
function withUnopened(verdict: ProvenVerdict<ProvenEntry>): ProofVerdict {
  if (verdict.verdict === 'broken') return verdict;
  const reason = fault('cipher-missing', 'the sealed body was not opened with the key beside it');
  const { proven } = verdict;
  if (verdict.verdict === 'intact') return { verdict: 'incomplete', reasons: [reason], proven };
  return { ...verdict, reasons: [...verdict.reasons, reason] };
}

/**
 * For a verifier whose opener works ahead (`Opener.prepare`): before `verifyEventProof` of the same
 * file. A file that cannot be read needs no preparation.
 */
export async function prepareEventProof(env: BlockEnv, file: Uint8Array): Promise<void> {
  const proof = parseTlogProof(file);
  const extra =
    proof.ok && proof.value.extra !== undefined ? decodeExtra(proof.value.extra) : undefined;
  if (extra?.ok !== true || env.opener === undefined) return;
  const { leaf, disclosed } = extra.value;
  const decoded = decodeLeaf(leaf);
  if (disclosed.sealed === undefined || !decoded.ok || decoded.value.kind !== 1) return;
  const { key, body } = disclosed.sealed;
  await prepareBody(env.opener, leaf, key, body);
}

/** What is shown before any line of the checkpoint is verified. */
interface Shown extends Omit<ProvenEntry, keyof Attested> {
  readonly checkpoint: ParsedCheckpoint;
  readonly unopened?: true;
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
  const place = { log: logIdHash(logId), index, leaf, entry: entry.value };
  const opened = checkDisclosure(env, place, disclosed);
  if (!opened.ok) return err(at(opened.error, { index }));
  const hash = leafHash(env.crypto, leaf);
  const included = verifyInclusion(env.crypto, hash, index, size, hashes, root);
  if (!included.ok) return err(at(included.error, { index }));
  const where = { logId, index, leaf, leafHash: hash, entry: entry.value, genesis };
  return ok({ ...where, size, root, signer, ...opened.value, checkpoint });
}

function refuse(code: Code, message: string): { readonly ok: false; readonly error: Fault } {
  return err(fault(code, message));
}
