/**
 * Checkpoints (C2SP tlog-checkpoint v1.0.0) and the form that a block carries (ledger.md "Tree,
 * seal, checkpoint"):
 *
 *   headwater/<logId>        origin, also the key name
 *   <size>                   decimal without leading zeros, at most 2^53-1
 *   <root>                   canonical padded base64 of 32 bytes
 *
 *   — headwater/<logId> <base64 of key id ‖ Ed25519 signature>
 *
 * No extension lines; exactly one signature line, by the writer key in force at that size.
 * Cosignatures travel beside blocks, not in them.
 */
import { equal, fromBase64, toBase64, utf8 } from '../bytes.ts';
import type { Crypto, Hasher, Signer } from '../crypto.ts';
import { fault, type Code } from '../errors.ts';
import { parseLogId } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asHash,
  asSignature,
  asTreeSize,
  type Hash,
  type LogId,
  type PublicKey,
  type TreeSize,
} from '../types.ts';
import {
  formatVkey,
  noteAlgorithm,
  noteKey,
  noteKeyId,
  parseNoteText,
  signNote,
  type NoteSignature,
} from './note.ts';
import { emptyRoot } from './tree.ts';

/** What a checkpoint says. */
export interface Checkpoint {
  readonly logId: LogId;
  readonly size: TreeSize;
  readonly root: Hash;
}

/** A checkpoint of any number of signature lines; nothing is verified yet. */
export interface ParsedCheckpoint extends Checkpoint {
  /** The signed text: three lines, the last LF included. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A checkpoint text of any log, ours or not (C2SP tlog-checkpoint). */
export interface CheckpointText {
  readonly origin: string;
  /** At most 2^63-1. */
  readonly size: bigint;
  readonly root: Hash;
  /** Not empty each. */
  readonly extensions: readonly string[];
}

/** `headwater/<logId>`: first line and key name. */
export function checkpointOrigin(logId: LogId): string {
  return `headwater/${logId}`;
}

/** The three lines that are signed. */
export function checkpointText(logId: LogId, size: TreeSize, root: Hash): string {
  return `${checkpointOrigin(logId)}\n${size}\n${toBase64(root)}\n`;
}

/** The verifier key of a log's writer key, for other people's tools. */
export function checkpointVkey(h: Hasher, logId: LogId, key: PublicKey): string {
  return formatVkey(noteKey(h, checkpointOrigin(logId), noteAlgorithm.ed25519, key));
}

/** The signed note of a block: three lines, blank line, one signature line. */
export function signCheckpoint(
  h: Hasher,
  signer: Signer,
  logId: LogId,
  size: TreeSize,
  root: Hash,
): string {
  return signNote(h, signer, checkpointOrigin(logId), checkpointText(logId, size, root));
}

/**
 * Reads the text of a checkpoint of any log. Codes: `checkpoint-lines` (fewer than three, no final
 * LF, an empty origin or extension line), `checkpoint-size`, `integer-too-large` (above 2^63-1),
 * `bad-base64`, `checkpoint-root`.
 */
export function parseCheckpointText(text: string): Result<CheckpointText> {
  const lines = text.slice(0, -1).split('\n');
  const [origin = '', sizeText = '', rootText = '', ...extensions] = lines;
  if (!text.endsWith('\n') || lines.length < 3 || origin === '' || extensions.includes('')) {
    return refuse('checkpoint-lines', 'not three lines, with only non-empty lines after them');
  }
  if (!/^(?:0|[1-9][0-9]*)$/.test(sizeText)) {
    return refuse('checkpoint-size', 'the size is not a canonical decimal number');
  }
  // No need to convert what is longer than 2^63 in digits.
  if (sizeText.length > 19 || BigInt(sizeText) >= 2n ** 63n) {
    return refuse('integer-too-large', 'a size above 2^63-1');
  }
  const root = fromBase64(rootText);
  if (!root.ok) return root;
  if (root.value.length !== 32) return refuse('checkpoint-root', 'the root is not 32 bytes');
  return ok({ origin, size: BigInt(sizeText), root: asHash(root.value), extensions });
}

/**
 * Reads a Headwater checkpoint, whose log may not be known yet, without verifying it. Codes:
 * `note-malformed`, `checkpoint-lines` (extension lines too), `checkpoint-origin`,
 * `checkpoint-size`, `integer-too-large`, `bad-base64`, `checkpoint-root`.
 */
export function parseCheckpoint(note: string): Result<ParsedCheckpoint> {
  const parsed = parseNoteText(note);
  if (!parsed.ok) return parsed;
  const { text, signatures } = parsed.value;
  const origin = text.slice(0, text.indexOf('\n'));
  const logId = parseLogId(origin.startsWith('headwater/') ? origin.slice(10) : '');
  if (!logId.ok) return refuse('checkpoint-origin', 'the origin is not headwater/<logId>');
  const checkpoint = readText(text, logId.value);
  return checkpoint.ok ? ok({ ...checkpoint.value, text, signatures }) : checkpoint;
}

/** The three lines of this log's checkpoint. */
function readText(text: string, logId: LogId): Result<Checkpoint> {
  const parsed = parseCheckpointText(text);
  if (!parsed.ok) return parsed;
  const { origin, size, root, extensions } = parsed.value;
  if (extensions.length > 0) return refuse('checkpoint-lines', 'extension lines');
  if (origin !== checkpointOrigin(logId)) {
    return refuse('checkpoint-origin', `the origin is not that of ${logId}`);
  }
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
    return refuse('integer-too-large', 'a size above 2^53-1');
  }
  return ok({ logId, size: asTreeSize(Number(size)), root });
}

/**
 * Verifies the checkpoint of a block: of this log, by this key, in the one form that blocks carry.
 * Codes: those of `parseCheckpoint`, `checkpoint-signatures`, `checkpoint-key-name`,
 * `checkpoint-key-id`, `bad-signature`. Whether size and root are those of the leaves is up to the
 * caller.
 */
export function verifyCheckpoint(
  c: Crypto,
  note: string,
  logId: LogId,
  key: PublicKey,
): Result<Checkpoint> {
  const parsed = parseNoteText(note);
  if (!parsed.ok) return parsed;
  const { text, signatures } = parsed.value;
  const [line, another] = signatures;
  if (line === undefined || another !== undefined) {
    return refuse('checkpoint-signatures', `${signatures.length} signature lines`);
  }
  if (line.signature.length !== 64) {
    return refuse('note-malformed', 'key id and Ed25519 signature are not 68 bytes');
  }
  const checkpoint = readText(text, logId);
  if (!checkpoint.ok) return checkpoint;
  const { size, root } = checkpoint.value;
  if (size === 0 && !equal(root, emptyRoot(c))) {
    return refuse('checkpoint-root', 'the root of size 0 is not that of the empty tree');
  }
  const origin = checkpointOrigin(logId);
  if (line.name !== origin) {
    return refuse('checkpoint-key-name', 'the key name is not the origin');
  }
  if (line.keyId !== noteKeyId(c, origin, noteAlgorithm.ed25519, key)) {
    return refuse('checkpoint-key-id', 'the key id is not that of the key in force');
  }
  if (c.verify(key, utf8(text), asSignature(line.signature))) return checkpoint;
  return refuse('bad-signature', 'the signature does not verify');
}

function refuse(
  code: Code,
  message: string,
): { readonly ok: false; readonly error: ReturnType<typeof fault> } {
  return err(fault(code, message));
}
