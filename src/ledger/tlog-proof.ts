/**
 * Proof of one entry of any log (C2SP tlog-proof), a text file with the ending .tlog-proof:
 *
 *   c2sp.org/tlog-proof@v1
 *   extra <base64>            optional; not signed
 *   index <decimal>           from 0, without leading zeros, at most 2^53-1
 *   <base64 hash>             0 to 63 lines: RFC 6962 section 2.1.1, the leaf's sibling first
 *
 *   <signed checkpoint, verbatim>
 *
 * Lines end in LF. What is in `extra` of Headwater's proofs says event-proof.ts.
 */
import { fromBase64, fromUtf8, toBase64, utf8 } from '../bytes.ts';
import type { Crypto } from '../crypto.ts';
import { at, fault, type Code, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asLogIndex, type Hash, type LogIndex } from '../types.ts';
import { parseCheckpointText, type CheckpointText } from './checkpoint.ts';
import { distinctKeys, includesKey } from './cosignature.ts';
import { openNote, type NoteKey, type VerifiedSignature } from './note.ts';
import { verifyInclusion } from './proof.ts';
import { quorumMet, type TrustPolicy } from './trust-policy.ts';

const header = 'c2sp.org/tlog-proof@v1';

export interface TlogProof {
  readonly extra?: Uint8Array;
  readonly index: LogIndex;
  readonly hashes: readonly Hash[];
  /** The signed note, not empty; not parsed. */
  readonly checkpoint: string;
}

/** The text above. Throws a RangeError for what `parseTlogProof` would refuse by its length. */
export function formatTlogProof(proof: TlogProof): string {
  if (proof.hashes.length > protocol.maxProofHashes || proof.checkpoint === '') {
    throw new RangeError('not a proof');
  }
  const extra = proof.extra === undefined ? '' : `extra ${toBase64(proof.extra)}\n`;
  const hashes = proof.hashes.map((hash) => `${toBase64(hash)}\n`).join('');
  return `${header}\n${extra}index ${proof.index}\n${hashes}\n${proof.checkpoint}`;
}

/**
 * Reads a proof without verifying anything. Codes: proof-too-large, bad-utf8, proof-header,
 * proof-syntax, integer-too-large, bad-base64, proof-hash, proof-length.
 */
export function parseTlogProof(bytes: Uint8Array): Result<TlogProof> {
  if (bytes.length > protocol.maxProofBytes) {
    return refuse('proof-too-large', `a proof of ${bytes.length} bytes`);
  }
  const text = fromUtf8(bytes);
  if (!text.ok) return text;
  const end = text.value.indexOf('\n\n');
  const [first, ...lines] = text.value.slice(0, Math.max(end, 0)).split('\n');
  if (!text.value.startsWith(`${header}\n`)) return refuse('proof-header', 'not a tlog-proof v1');
  if (end < 0 || end + 2 === text.value.length || first !== header) {
    return refuse('proof-syntax', 'no blank line with a checkpoint after it');
  }
  const extra = lines[0]?.startsWith('extra ') ? fromBase64(lines.shift()?.slice(6) ?? '') : null;
  if (extra?.ok === false) return err(at(extra.error, { line: 2 }));
  const indexLine = lines.shift();
  if (!indexLine?.startsWith('index ')) return refuse('proof-syntax', 'no line with the index');
  const index = parseDecimal(indexLine.slice(6), 'proof-syntax');
  if (!index.ok) return index;
  const hashes = parseHashLines(lines);
  if (!hashes.ok) return hashes;
  const checkpoint = text.value.slice(end + 2);
  const proof = { index: asLogIndex(index.value), hashes: hashes.value, checkpoint };
  return ok(extra === null ? proof : { extra: extra.value, ...proof });
}

/**
 * A decimal without sign or leading zeros, at most 2^53-1. Codes: the given one, integer-too-large.
 */
export function parseDecimal(text: string, code: Code): Result<number> {
  if (!/^(?:0|[1-9][0-9]*)$/.test(text)) return refuse(code, 'not a canonical decimal number');
  const value = Number(text);
  if (Number.isSafeInteger(value)) return ok(value);
  return refuse('integer-too-large', 'a number above 2^53-1');
}

/** Base64 hashes, a line each. Codes: proof-length (more than 63), bad-base64, proof-hash. */
export function parseHashLines(lines: readonly string[]): Result<readonly Hash[]> {
  if (lines.length > protocol.maxProofHashes) {
    return refuse('proof-length', `more than ${protocol.maxProofHashes} hashes`);
  }
  const hashes: Hash[] = [];
  for (const line of lines) {
    const hash = fromBase64(line);
    if (!hash.ok) return hash;
    if (hash.value.length !== 32) return refuse('proof-hash', 'a hash is not 32 bytes');
    hashes.push(asHash(hash.value));
  }
  return ok(hashes);
}

export interface VerifiedTlogProof {
  readonly checkpoint: CheckpointText;
  readonly log: NoteKey;
  /** Known witnesses whose cosignatures were verified, one for each key. */
  readonly cosignatures: readonly VerifiedSignature[];
}

/**
 * Verifies a proof of any log: signed by a log of the policy under its origin, cosigned by the
 * quorum, and the leaf in its tree. Lines of unknown keys are passed over, as C2SP says. Codes:
 * note-malformed, note-unverified, note-key-ambiguous, bad-signature, checkpoint-origin, those of
 * `parseCheckpointText`, integer-too-large, those of `verifyInclusion`, quorum-missing.
 */
export function verifyTlogProof(
  crypto: Crypto,
  proof: TlogProof,
  leaf: Hash,
  policy: TrustPolicy,
): Result<VerifiedTlogProof> {
  const keys = distinctKeys([...policy.logs, ...policy.witnesses]);
  const opened = openNote(crypto, utf8(proof.checkpoint), keys);
  if (!opened.ok) return opened;
  const { text, verified } = opened.value;
  const checkpoint = parseCheckpointText(text);
  if (!checkpoint.ok) return checkpoint;
  const { origin, size, root } = checkpoint.value;
  const signers = verified.filter(({ key }) => includesKey(policy.logs, key));
  const log = signers.find(({ key }) => key.name === origin)?.key;
  if (log === undefined) {
    if (signers.length === 0) return refuse('note-unverified', 'not signed by a log of the policy');
    return refuse('checkpoint-origin', 'the key that signed is of another log');
  }
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
    return refuse('integer-too-large', 'a size above 2^53-1');
  }
  const { index, hashes } = proof;
  const included = verifyInclusion(crypto, leaf, index, Number(size), hashes, root);
  if (!included.ok) return included;
  const cosignatures = verified.filter(
    ({ key, timestamp }) => timestamp !== undefined && includesKey(policy.witnesses, key),
  );
  const keysMet = cosignatures.map(({ key }) => key.publicKey);
  if (!quorumMet(policy.quorum, keysMet)) {
    return refuse('quorum-missing', `cosigned by ${cosignatures.length} known witnesses`);
  }
  return ok({ checkpoint: checkpoint.value, log, cosignatures });
}

function refuse(code: Code, message: string): { readonly ok: false; readonly error: Fault } {
  return err(fault(code, message));
}
