/**
 * Cosigners and their lines (C2SP tlog-cosignature, type 0x04 "cosignature/v1"; the bytes are in
 * note.ts). A cosigner is written as its vkey or as the did:key of its key. With the latter it signs
 * under that name:
 *
 *   — did:key:z6Mk… <base64 of key id ‖ uint64 seconds ‖ Ed25519 signature>
 *
 * so everyone can verify its lines, although only a policy can say what they are worth. A
 * cosignature/v1 does not cover the cosigner's name: a key must not serve two cosigners or roles.
 */
import { equal, fromUtf8, utf8 } from '../bytes.ts';
import type { Crypto, Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { didFromKey, didKey, parseDid } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { PublicKey } from '../types.ts';
import {
  formatSignatureLine,
  noteAlgorithm,
  noteKey,
  openNote,
  parseNoteText,
  parseVkey,
  type Note,
  type NoteKey,
  type NoteSignature,
  type VerifiedSignature,
} from './note.ts';

/** The cosigner whose name is the did:key of its key. */
export function selfNamedCosigner(h: Hasher, key: PublicKey): NoteKey {
  return noteKey(h, didFromKey(key), noteAlgorithm.cosignature, key);
}

/**
 * Reads a cosigner: a vkey, or the did:key of one that is named so. The vkey may be of type 0x01, as
 * witnesses often print theirs; it means the key's cosignatures, never its plain signatures. Code
 * bad-vkey.
 */
export function parseCosigner(h: Hasher, text: string): Result<NoteKey> {
  if (!text.includes('+')) {
    const did = parseDid(text);
    if (did.ok) return ok(selfNamedCosigner(h, didKey(did.value)));
    return err(fault('bad-vkey', `neither a vkey nor a did:key: ${did.error.message}`));
  }
  const key = parseVkey(h, text);
  if (!key.ok || key.value.algorithm === noteAlgorithm.cosignature) return key;
  return ok(noteKey(h, key.value.name, noteAlgorithm.cosignature, key.value.publicKey));
}

/** The cosigner that the name of a line says, where that is a did:key. */
export function cosignerNamedIn(h: Hasher, line: NoteSignature): NoteKey | undefined {
  if (!line.name.startsWith('did:key:')) return undefined;
  const did = parseDid(line.name);
  return did.ok ? selfNamedCosigner(h, didKey(did.value)) : undefined;
}

/** The keys without repeats of one name, type and key. */
export function distinctKeys(keys: readonly NoteKey[]): readonly NoteKey[] {
  const distinct: NoteKey[] = [];
  for (const key of keys) {
    if (!includesKey(distinct, key)) distinct.push(key);
  }
  return distinct;
}

/** Is this key, of this type, under this name among them? */
export function includesKey(keys: readonly NoteKey[], key: NoteKey): boolean {
  return keys.some((other) => sameLine(other, key) && equal(other.publicKey, key.publicKey));
}

function sameLine(
  a: { readonly name: string; readonly keyId: number },
  b: { readonly name: string; readonly keyId: number },
): boolean {
  return a.name === b.name && a.keyId === b.keyId;
}

/** A note of some of its lines, in their order. Throws a RangeError where none is kept. */
export function keepLines(note: Note, keep: (line: NoteSignature) => boolean): string {
  const lines = note.signatures.filter(keep);
  if (lines.length === 0) throw new RangeError('a note has at least one signature line');
  return `${note.text}\n${lines.map(formatSignatureLine).join('')}`;
}

/**
 * A signed checkpoint with these lines added; a line takes the place of an older one of its name and
 * key id. Nothing is verified. Codes: note-malformed (also for too many lines).
 */
export function addLines(checkpoint: string, lines: readonly NoteSignature[]): Result<string> {
  const note = parseNoteText(checkpoint);
  if (!note.ok) return note;
  const { text, signatures } = note.value;
  const kept = signatures.filter((old) => !lines.some((line) => sameLine(line, old)));
  const all = [...kept, ...lines];
  if (all.length > protocol.maxNoteSignatures) {
    return err(fault('note-malformed', 'too many signature lines'));
  }
  return ok(keepLines({ text, signatures: all }, () => true));
}

/**
 * Reads what a witness answered to a checkpoint with this text: at least one cosignature by one of
 * these keys. Lines of unknown keys are passed over; a time of zero is refused. Codes:
 * witness-answer, note-malformed, note-unverified, note-key-ambiguous, bad-signature.
 */
export function readCosignatures(
  crypto: Crypto,
  text: string,
  answer: Uint8Array,
  cosigners: readonly NoteKey[],
): Result<readonly VerifiedSignature[]> {
  if (answer.length > protocol.maxWitnessAnswerBytes) {
    return err(fault('witness-answer', `an answer of ${answer.length} bytes`));
  }
  const lines = fromUtf8(answer);
  // A blank line in the answer would move the border between text and signatures.
  if (!lines.ok || lines.value.startsWith('\n') || lines.value.includes('\n\n')) {
    return err(fault('witness-answer', 'the answer is not lines of text'));
  }
  const opened = openNote(crypto, utf8(`${text}\n${lines.value}`), cosigners);
  if (!opened.ok) return opened;
  const { verified } = opened.value;
  if (opened.value.text !== text || verified.some(({ timestamp = 0n }) => timestamp === 0n)) {
    return err(fault('witness-answer', 'a cosignature without a time'));
  }
  return ok(verified);
}
