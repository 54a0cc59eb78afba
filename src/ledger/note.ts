/**
 * Signed notes (C2SP signed-note v1.0.0) and Ed25519 cosignatures (tlog-cosignature, type 0x04).
 *
 *   note       <text, ends with LF, may contain blank lines> LF <signature line>…
 *   line       — <key name> <base64 of key id ‖ signature> LF      (the dash is U+2014)
 *   key id     first 4 bytes of SHA-256(name ‖ 0x0A ‖ algorithm ‖ public key)
 *   vkey       <name>+<key id, 8 hex digits>+<base64 of algorithm ‖ public key>
 *
 * The split is at the last blank line; the signed text keeps its final LF. A note is valid UTF-8
 * without bytes below 0x20 other than LF. A key name is not empty and has neither `+` nor a space
 * of any kind. Algorithm 0x01 signs the text with Ed25519 (64 bytes). Algorithm 0x04 is a
 * cosignature/v1: uint64 seconds ‖ Ed25519 over
 *
 *   cosignature/v1 LF time <seconds> LF <text>
 *
 * Stricter than golang/mod: base64 must be canonical. As there: at most 100 signature lines, a line
 * of an unknown key is passed over, a line of a known key that fails refuses the whole note, and
 * repeats of one name and id count once.
 */
import { concat, fromBase64, fromUtf8, readUint32, toBase64, toHex, utf8 } from '../bytes.ts';
import type { Crypto, Hasher, Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asPublicKey, asSignature, type PublicKey } from '../types.ts';

/** Signature types of C2SP signed-note that we know. */
export const noteAlgorithm = { ed25519: 1, cosignature: 4 } as const;
export type NoteAlgorithm = 1 | 4;

export interface NoteSignature {
  readonly name: string;
  /** Big-endian uint32. */
  readonly keyId: number;
  /** What follows the key id; at least one byte. */
  readonly signature: Uint8Array;
}

/** A well-formed note; nothing is verified yet. */
export interface Note {
  /** What is signed, its final LF included. */
  readonly text: string;
  /** In the order of the lines, at least one. */
  readonly signatures: readonly NoteSignature[];
}

/** A public key with the name it signs under. */
export interface NoteKey {
  readonly name: string;
  readonly keyId: number;
  readonly algorithm: NoteAlgorithm;
  readonly publicKey: PublicKey;
}

export interface VerifiedSignature extends NoteSignature {
  readonly key: NoteKey;
  /** Seconds since 1970 of a cosignature; up to 2^63-1. */
  readonly timestamp?: bigint;
}

export interface OpenedNote {
  readonly text: string;
  /** At least one; one for each key. */
  readonly verified: readonly VerifiedSignature[];
  /** Lines of keys that are not known; identical lines once. */
  readonly unverified: readonly NoteSignature[];
}

/** First 4 bytes of SHA-256(name ‖ LF ‖ algorithm ‖ public key), as a number. */
export function noteKeyId(
  h: Hasher,
  name: string,
  algorithm: NoteAlgorithm,
  key: PublicKey,
): number {
  return readUint32(h.sha256(concat(utf8(`${name}\n`), Uint8Array.of(algorithm), key)), 0);
}

/** A key under a name, with its key id computed. */
export function noteKey(
  h: Hasher,
  name: string,
  algorithm: NoteAlgorithm,
  publicKey: PublicKey,
): NoteKey {
  return { name, keyId: noteKeyId(h, name, algorithm, publicKey), algorithm, publicKey };
}

/** The text form above, which `parseVkey` reads. */
export function formatVkey(key: NoteKey): string {
  const material = toBase64(concat(Uint8Array.of(key.algorithm), key.publicKey));
  return `${key.name}+${hexKeyId(key.keyId)}+${material}`;
}

/** 8 lower-case hex digits. */
export function hexKeyId(keyId: number): string {
  return keyId.toString(16).padStart(8, '0');
}

const vkeyPattern = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u;

/** Reads a verifier key of a known algorithm; `bad-vkey` otherwise. */
export function parseVkey(h: Hasher, text: string): Result<NoteKey> {
  const [, name = '', keyId, encoded = ''] = vkeyPattern.exec(text) ?? [];
  const material = fromBase64(encoded);
  if (!isKeyName(name) || !material.ok || material.value.length !== 33) {
    return err(fault('bad-vkey', 'not a verifier key of 32 bytes'));
  }
  const algorithm = material.value[0];
  if (algorithm !== noteAlgorithm.ed25519 && algorithm !== noteAlgorithm.cosignature) {
    return err(fault('bad-vkey', `signature type ${algorithm} is not known`));
  }
  const key = noteKey(h, name, algorithm, asPublicKey(material.value.slice(1)));
  if (hexKeyId(key.keyId) === keyId) return ok(key);
  return err(fault('bad-vkey', 'the key id does not belong to this name and key'));
}

/** Not empty, without `+` and without any white space of Unicode. */
export function isKeyName(name: string): boolean {
  return /^[^+\p{White_Space}]+$/u.test(name);
}

const dash = '\u2014 ';
// oxlint-disable-next-line no-control-regex -- the rule is about control characters
const controls = /[\u0000-\u0009\u000b-\u001f]/;

/** Takes a note apart: `note-malformed` unless it has the form above. */
export function parseNote(bytes: Uint8Array): Result<Note> {
  if (bytes.length > protocol.maxNoteBytes) return malformed('longer than a note may be');
  const decoded = fromUtf8(bytes);
  return decoded.ok ? parseNoteText(decoded.value) : malformed('not valid UTF-8');
}

/**
 * `parseNote` of text that is decoded already (and so has no lone surrogates). The limit of length
 * counts UTF-16 units here: whoever decoded the bytes has bounded them.
 */
export function parseNoteText(note: string): Result<Note> {
  if (note.length > protocol.maxNoteBytes) return malformed('longer than a note may be');
  if (controls.test(note)) return malformed('a control character in the note');
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n') || split + 2 === note.length) {
    return malformed('no blank line before the signatures, or no final newline');
  }
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > protocol.maxNoteSignatures) return malformed('too many signature lines');
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const signature = parseSignatureLine(line);
    if (signature === undefined) return malformed('a line that is not a signature');
    signatures.push(signature);
  }
  return ok({ text: note.slice(0, split + 1), signatures });
}

/** One line without its LF. */
function parseSignatureLine(line: string): NoteSignature | undefined {
  if (!line.startsWith(dash)) return undefined;
  const space = line.indexOf(' ', dash.length);
  const name = line.slice(dash.length, Math.max(space, 0));
  const blob = fromBase64(line.slice(space + 1));
  if (space < 0 || !isKeyName(name) || !blob.ok || blob.value.length < 5) return undefined;
  return { name, keyId: readUint32(blob.value, 0), signature: blob.value.slice(4) };
}

/** `— <name> <base64> LF`. */
export function formatSignatureLine(signature: NoteSignature): string {
  const blob = new Uint8Array(4 + signature.signature.length);
  new DataView(blob.buffer).setUint32(0, signature.keyId);
  blob.set(signature.signature, 4);
  return `${dash}${signature.name} ${toBase64(blob)}\n`;
}

/**
 * Signs `text`, which must end in LF, under a key name. Throws a RangeError for a text or name
 * that no note can carry.
 */
export function signNote(h: Hasher, signer: Signer, name: string, text: string): string {
  if (!text.endsWith('\n') || controls.test(text) || !isKeyName(name)) {
    throw new RangeError('not a text and key name that a note can carry');
  }
  const keyId = noteKeyId(h, name, noteAlgorithm.ed25519, signer.publicKey);
  const signature = signer.sign(utf8(text));
  return `${text}\n${formatSignatureLine({ name, keyId, signature })}`;
}

/**
 * Verifies a note against known keys, in the order of its lines. Codes: `note-malformed`;
 * `note-key-ambiguous` where two known keys share name and id of a line; `bad-signature` where a
 * line of a known key fails; `note-unverified` where no line is of a known key.
 */
export function openNote(
  crypto: Crypto,
  bytes: Uint8Array,
  keys: readonly NoteKey[],
): Result<OpenedNote> {
  const note = parseNote(bytes);
  if (!note.ok) return note;
  const verified = new Map<NoteKey, VerifiedSignature>();
  const unverified = new Map<string, NoteSignature>();
  for (const line of note.value.signatures) {
    const [key, another] = keys.filter((k) => k.name === line.name && k.keyId === line.keyId);
    if (another !== undefined) {
      return err(fault('note-key-ambiguous', `two keys ${line.name}+${hexKeyId(line.keyId)}`));
    }
    if (key === undefined) unverified.set(formatSignatureLine(line), line);
    if (key === undefined || verified.has(key)) continue;
    const signature = verifyLine(crypto, note.value.text, line, key);
    if (!signature.ok) return signature;
    verified.set(key, signature.value);
  }
  if (verified.size === 0) return err(fault('note-unverified', 'no line is of a known key'));
  return ok({
    text: note.value.text,
    verified: [...verified.values()],
    unverified: [...unverified.values()],
  });
}

function verifyLine(
  crypto: Crypto,
  text: string,
  line: NoteSignature,
  key: NoteKey,
): Result<VerifiedSignature> {
  const bad = err(fault('bad-signature', `the signature by ${line.name} does not verify`));
  if (key.algorithm === noteAlgorithm.ed25519) {
    if (line.signature.length !== 64) return bad;
    const sound = crypto.verify(key.publicKey, utf8(text), asSignature(line.signature));
    return sound ? ok({ ...line, key }) : bad;
  }
  const cosignature = parseCosignature(line.signature);
  if (!cosignature.ok) return bad;
  const { timestamp, signature } = cosignature.value;
  const message = cosignedMessage(text, timestamp);
  if (!crypto.verify(key.publicKey, message, asSignature(signature))) return bad;
  return ok({ ...line, key, timestamp });
}

export interface Cosignature {
  /** Seconds since 1970, at most 2^63-1. */
  readonly timestamp: bigint;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Reads the 72 bytes after the key id of a cosignature/v1 line: `bad-cosignature`. */
export function parseCosignature(bytes: Uint8Array): Result<Cosignature> {
  if (bytes.length !== 72) return err(fault('bad-cosignature', `${bytes.length} bytes, not 72`));
  const timestamp = BigInt(`0x${toHex(bytes.subarray(0, 8))}`);
  if (timestamp >= 2n ** 63n) return err(fault('bad-cosignature', 'a time above 2^63-1'));
  return ok({ timestamp, signature: bytes.slice(8) });
}

/** The bytes that a cosignature/v1 signs. */
export function cosignedMessage(text: string, timestamp: bigint): Uint8Array {
  return utf8(`cosignature/v1\ntime ${timestamp}\n${text}`);
}

/** The signature line of a cosigner for a checkpoint text, at `timestamp` seconds since 1970. */
export function cosignNote(
  h: Hasher,
  signer: Signer,
  name: string,
  text: string,
  timestamp: bigint,
): string {
  const keyId = noteKeyId(h, name, noteAlgorithm.cosignature, signer.publicKey);
  const signature = new Uint8Array(72);
  new DataView(signature.buffer).setBigUint64(0, timestamp);
  signature.set(signer.sign(cosignedMessage(text, timestamp)), 8);
  return formatSignatureLine({ name, keyId, signature });
}

/** Lower-case hex SHA-256 of an origin: its place at a witness' monitoring prefix. */
export function originHash(h: Hasher, origin: string): string {
  return toHex(h.sha256(utf8(origin)));
}

function malformed(message: string): ReturnType<typeof err<ReturnType<typeof fault>>> {
  return err(fault('note-malformed', message));
}
