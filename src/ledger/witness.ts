/**
 * What a witness decides (C2SP tlog-witness, add-checkpoint). Its durable state, the keys that it
 * trusts for an origin and its clock are handed in; nothing is kept here. The request:
 *
 *   old <decimal>
 *   <base64 hash>             0 to 63 lines: consistency proof from old to the checkpoint's size
 *
 *   <signed checkpoint>
 *
 * Answers, the first that applies:
 *
 *   400   the request or its checkpoint is malformed, or has no signature line; a size above 2^53-1
 *   404   the origin is not known
 *   403   no line by a key trusted for the origin, or one of such a key fails
 *   400   old is above the checkpoint's size
 *   409   old is not the size cosigned last (0 if none): that size in decimal and LF
 *   422   the proof does not verify; or is not empty where old is 0 or the size; or the sizes are
 *         equal and the roots not; or size 0 with another root than the empty tree's
 *   200   one cosignature/v1 line by the witness
 *
 * The new state must be durable before 200 is sent, and deciding and storing are one atomic step
 * for each origin. Extension lines are cosigned: a cosignature/v1 covers them and vouches for none.
 */
import { equal, fromUtf8, toBase64, utf8 } from '../bytes.ts';
import type { Crypto, Signer } from '../crypto.ts';
import { fault, type Code, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asTreeSize, type Hash, type TimeMs, type TreeSize } from '../types.ts';
import { parseCheckpointText } from './checkpoint.ts';
import {
  cosignNote,
  formatSignatureLine,
  openNote,
  parseNoteText,
  type NoteKey,
  type VerifiedSignature,
} from './note.ts';
import { verifyConsistency } from './proof.ts';
import { parseDecimal, parseHashLines } from './tlog-proof.ts';
import { emptyRoot } from './tree.ts';

/** A well-formed request; no signature is verified yet. */
export interface AddCheckpoint {
  readonly old: TreeSize;
  readonly proof: readonly Hash[];
  readonly origin: string;
  readonly size: TreeSize;
  readonly root: Hash;
  /** What is signed. */
  readonly text: string;
  /** The signed checkpoint, verbatim. */
  readonly note: string;
}

/** What a witness keeps for an origin. */
export interface Witnessed {
  readonly size: TreeSize;
  readonly root: Hash;
  /** The checkpoint with the verified lines of the log, as it was signed. */
  readonly note: string;
  /** The witness' own line; `note + cosignature` is what monitors are given. */
  readonly cosignature: string;
}

/** What a witness knows of an origin. */
export interface WitnessedOrigin {
  /** Trusted to sign a checkpoint of the size that is asked about. */
  readonly keys: readonly NoteKey[];
  /** Absent where nothing was cosigned. */
  readonly last?: Witnessed;
}

export interface Witness {
  readonly name: string;
  readonly signer: Signer;
}

export interface WitnessRefusal {
  readonly status: 400 | 403 | 404 | 409 | 422;
  readonly contentType: 'text/plain; charset=utf-8' | 'text/x.tlog.size';
  readonly body: string;
  readonly reason: Fault;
  /**
   * The checkpoint with the lines of the log, where those were verified: it was signed, whatever is
   * wrong with the request, and can be held against what is known of the log.
   */
  readonly signed?: string;
  /** It has another root at the size cosigned last: with `Witnessed.note` that is a fork. */
  readonly forked?: true;
}

export interface WitnessAcceptance {
  readonly status: 200;
  readonly contentType: 'text/plain; charset=utf-8';
  readonly body: string;
  /** To be stored before the body is sent. */
  readonly state: Witnessed;
}

export type WitnessAnswer = WitnessAcceptance | WitnessRefusal;

const plainText = 'text/plain; charset=utf-8';
const sizeType = 'text/x.tlog.size';

/** The body of a request. */
export function formatAddCheckpoint(old: TreeSize, proof: readonly Hash[], note: string): string {
  return `old ${old}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${note}`;
}

/**
 * Takes a request apart. All its codes mean 400: witness-request, integer-too-large, bad-base64,
 * proof-hash, proof-length, note-malformed, those of `parseCheckpointText`.
 */
export function parseAddCheckpoint(body: Uint8Array): Result<AddCheckpoint> {
  if (body.length > protocol.maxWitnessRequestBytes) {
    return refuse('witness-request', `a request of ${body.length} bytes`);
  }
  const decoded = fromUtf8(body);
  if (!decoded.ok) return refuse('witness-request', 'not valid UTF-8');
  const end = decoded.value.indexOf('\n\n');
  const [first = '', ...lines] = decoded.value.slice(0, Math.max(end, 0)).split('\n');
  if (end < 0 || !first.startsWith('old ')) {
    return refuse('witness-request', 'no line with the old size, or no blank line');
  }
  const old = parseDecimal(first.slice(4), 'witness-request');
  if (!old.ok) return old;
  const proof = parseHashLines(lines);
  if (!proof.ok) return proof;
  const note = decoded.value.slice(end + 2);
  const parsed = parseNoteText(note);
  if (!parsed.ok) return parsed;
  const { text } = parsed.value;
  const checkpoint = parseCheckpointText(text);
  if (!checkpoint.ok) return checkpoint;
  const { origin, size, root } = checkpoint.value;
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
    return refuse('integer-too-large', 'a size above 2^53-1');
  }
  const sizes = { old: asTreeSize(old.value), size: asTreeSize(Number(size)) };
  return ok({ ...sizes, proof: proof.value, origin, root, text, note });
}

/** The answer to a request that `parseAddCheckpoint` refused. */
export function refuseMalformed(reason: Fault): WitnessRefusal {
  return answer(400, reason);
}

/**
 * Decides on a request; `origin` is what the witness knows of `request.origin`, undefined if it does
 * not. `now` is cut to seconds and must not be 0 then (RangeError). Codes of refusals: those of
 * `openNote` (403), witness-origin, witness-old-size, witness-conflict, checkpoint-root,
 * proof-length, consistency-fails.
 */
export function decideCheckpoint(
  crypto: Crypto,
  witness: Witness,
  request: AddCheckpoint,
  origin: WitnessedOrigin | undefined,
  now: TimeMs,
): WitnessAnswer {
  const seconds = Math.floor(now / 1000);
  if (seconds === 0) throw new RangeError('a cosignature needs a time');
  if (origin === undefined) {
    return answer(404, fault('witness-origin', 'this origin is not witnessed here'));
  }
  const opened = openNote(crypto, utf8(request.note), origin.keys);
  if (!opened.ok) return answer(403, opened.error);
  const { text, size, root } = request;
  const note = signedNote(text, opened.value.verified);
  const refusal = judgeGrowth(crypto, request, origin.last);
  if (refusal !== undefined) return { ...refusal, signed: note };
  const body = cosignNote(crypto, witness.signer, witness.name, text, BigInt(seconds));
  const state = { size, root, note, cosignature: body };
  return { status: 200, contentType: plainText, body, state };
}

/** The checkpoint with the lines of the log alone. */
function signedNote(text: string, lines: readonly VerifiedSignature[]): string {
  return `${text}\n${lines.map(formatSignatureLine).join('')}`;
}

/** Does the checkpoint grow what was cosigned last? */
function judgeGrowth(
  crypto: Crypto,
  request: AddCheckpoint,
  last: Witnessed | undefined,
): WitnessRefusal | undefined {
  const { old, size, root, proof } = request;
  if (old > size) {
    return answer(400, fault('witness-old-size', `old ${old} is above the size ${size}`));
  }
  const known = last?.size ?? 0;
  if (old !== known) {
    const reason = fault('witness-conflict', `the size cosigned last is ${known}`);
    return { status: 409, contentType: sizeType, body: `${known}\n`, reason };
  }
  if (size === 0 && !equal(root, emptyRoot(crypto))) {
    return answer(422, fault('checkpoint-root', 'not the root of the empty tree'));
  }
  if (old === 0) {
    if (proof.length === 0) return undefined;
    return answer(422, fault('proof-length', 'nothing is to be proved from size 0'));
  }
  const from = last?.root ?? root;
  const grown = verifyConsistency(crypto, old, size, proof, from, root);
  if (grown.ok) return undefined;
  const refusal = answer(422, grown.error);
  return old === size && !equal(from, root) ? { ...refusal, forked: true } : refusal;
}

function answer(status: 400 | 403 | 404 | 422, reason: Fault): WitnessRefusal {
  return { status, contentType: plainText, body: `${reason.message}\n`, reason };
}

/**
 * The size that a witness cosigned last, from the body of its 409. Codes: witness-answer,
 * integer-too-large.
 */
export function parseConflict(body: Uint8Array): Result<TreeSize> {
  const text = body.length > 32 ? err(fault('witness-answer', 'too long')) : fromUtf8(body);
  if (!text.ok || !text.value.endsWith('\n')) {
    return refuse('witness-answer', 'the conflict is not a size and a line feed');
  }
  const size = parseDecimal(text.value.slice(0, -1), 'witness-answer');
  return size.ok ? ok(asTreeSize(size.value)) : size;
}

function refuse(code: Code, message: string): { readonly ok: false; readonly error: Fault } {
  return err(fault(code, message));
}
