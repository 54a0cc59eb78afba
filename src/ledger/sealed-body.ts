/**
 * Bodies of sealed events (access.md "Sealed streams"; FACTS.md section 7):
 *
 *   plaintext   dag-cbor [attributes salt 32, data salt 32, kind uint, attributes bytes, data bytes]
 *   key         SHA-256(`headwater/seal/1` ‖ epoch key ‖ log 32 ‖ uint64 index ‖ attributes commitment
 *               ‖ data commitment)
 *   body        AES-256-GCM(key, 12 zero bytes, aad, plaintext) ‖ tag 16
 *   aad         the leaf with the hash of the body zero
 *
 * Fresh salts make each key single-use. Not GCM but the two commitments in the signed leaf bind what
 * was said: they are recomputed before anything is given out.
 */
import { concat, utf8, writeUint16, writeUint32, writeUint64 } from '../bytes.ts';
import { CborReader } from '../cbor.ts';
import type { Cipher, Opener } from '../cipher.ts';
import type { Hasher } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { EventBytes, Hash } from '../types.ts';
import { checkSealedBody } from './block-leaves.ts';
import { bodyLength, headBytes, isKind } from './body.ts';
import { checkOpening, saltsBytes } from './commitment.ts';
import { leafAt } from './leaf.ts';

const keyPrefix = utf8('headwater/seal/1');
const nonce = new Uint8Array(12);
const tagBytes = 16;

/** Where a sealed event stands. */
export interface SealedPlace {
  /** The log's id as bytes. */
  readonly log: Hash;
  readonly index: number;
  /** Its leaf, of kind 1. */
  readonly leaf: Uint8Array;
}

/** Bytes of a sealed body above those of the public one: two salts with their heads, and the tag. */
export const sealedOverhead: number = 2 * (2 + 32) + tagBytes;

/** Length of the body of an event, which its leaf says before it is sealed. */
export function sealedLength(event: EventBytes): number {
  return bodyLength(event) + sealedOverhead;
}

/**
 * The body. `leaf` is complete but for the hash of the body, which is zero here and is then put in.
 * `salts` are 64 fresh random bytes, those of the commitments in the leaf.
 */
export function sealBody(
  cipher: Cipher,
  h: Hasher,
  place: SealedPlace,
  epochKey: Uint8Array,
  salts: Uint8Array,
  event: EventBytes,
): Uint8Array {
  const { leaf } = place;
  const hash = leaf.subarray(leafAt.bodyHash, leafAt.bodyHash + 32);
  const aad = hash.every((byte) => byte === 0) ? leaf : associated(leaf);
  return cipher.seal(sealedKey(h, place, epochKey), nonce, aad, plaintextOf(salts, event));
}

/** An opened body. With `salts` one event can be disclosed to others. */
export interface OpenedBody {
  readonly event: EventBytes;
  /** 64 bytes. */
  readonly salts: Uint8Array;
}

/**
 * Opens a body with the key of its epoch. Codes: `body-length`, `sealed-body-hash`,
 * `sealed-decrypt`, `sealed-plaintext`, `body-kind`, `attributes-commitment`, `data-commitment`.
 */
export function openBody(
  cipher: Opener,
  h: Hasher,
  place: SealedPlace,
  epochKey: Uint8Array,
  body: Uint8Array,
): Result<OpenedBody> {
  return openBodyWith(cipher, h, place, sealedKey(h, place, epochKey), body);
}

/** The same with the key of this one event: what an auditor is given. */
export function openBodyWith(
  cipher: Opener,
  h: Hasher,
  place: SealedPlace,
  key: Uint8Array,
  body: Uint8Array,
): Result<OpenedBody> {
  const wrong = checkSealedBody(h, place.leaf, body);
  return wrong === undefined ? openChecked(cipher, h, place, key, body) : err(wrong);
}

/**
 * As `openBody`, of a body out of our own store, where a checksum has vouched for it: its tag binds it to
 * the leaf as well as the hash in the leaf does.
 */
export function openStoredBody(
  cipher: Opener,
  h: Hasher,
  place: SealedPlace,
  epochKey: Uint8Array,
  body: Uint8Array,
): Result<OpenedBody> {
  return openChecked(cipher, h, place, sealedKey(h, place, epochKey), body);
}

function openChecked(
  cipher: Opener,
  h: Hasher,
  place: SealedPlace,
  key: Uint8Array,
  body: Uint8Array,
): Result<OpenedBody> {
  const { leaf } = place;
  const plaintext = cipher.open(key, nonce, associated(leaf), body);
  if (plaintext === undefined) {
    const message = 'the ciphertext does not authenticate under this key, index and leaf';
    return err(fault('sealed-decrypt', message));
  }
  const opened = readPlaintext(plaintext);
  if (!opened.ok) return opened;
  const { salts, event } = opened.value;
  const untrue = checkOpening(h, salts, event, leaf, leafAt.attributesCommitment);
  return untrue === undefined ? opened : err(untrue);
}

/** Has an opener that works ahead do what `openBodyWith` will ask of it. */
export async function prepareBody(
  opener: Opener,
  leaf: Uint8Array,
  key: Uint8Array,
  body: Uint8Array,
): Promise<void> {
  await opener.prepare?.(key, nonce, associated(leaf), body);
}

/** The single-use key of one event: given to an auditor it opens this event only. */
export function sealedKey(h: Hasher, place: SealedPlace, epochKey: Uint8Array): Hash {
  const both = place.leaf.subarray(leafAt.attributesCommitment, leafAt.attributesCommitment + 64);
  const at = keyPrefix.length;
  keyInput.set(epochKey, at);
  keyInput.set(place.log, at + 32);
  writeUint64(keyInput, at + 64, place.index);
  keyInput.set(both, at + 72);
  const key = h.sha256(keyInput);
  keyInput.fill(0, at, at + 32);
  return key;
}
// Laid out here and hashed at once, as in commitment.ts.
const keyInput = concat(keyPrefix, new Uint8Array(32 + 32 + 8 + 64));

function associated(leaf: Uint8Array): Uint8Array {
  const aad = leaf.slice();
  aad.fill(0, leafAt.bodyHash, leafAt.bodyHash + 32);
  return aad;
}

// Laid out here and encrypted at once: sealing never yields between.
let scratch = new Uint8Array(8192);

/** A view, good until the next call. */
function plaintextOf(salts: Uint8Array, event: EventBytes): Uint8Array {
  const { attributes, kind, data } = event;
  const length = sealedLength(event) - tagBytes;
  if (scratch.length < length) scratch = new Uint8Array(2 * length);
  scratch[0] = 0x85;
  let at = writeBytes(1, salts.subarray(0, 32));
  at = writeBytes(at, salts.subarray(32, saltsBytes));
  scratch[at] = kind;
  at = writeBytes(at + 1, attributes);
  at = writeBytes(at, data);
  return scratch.subarray(0, at);
}

/** A byte string of dag-cbor at a place of the scratch; the place behind it. */
function writeBytes(at: number, bytes: Uint8Array): number {
  const { length } = bytes;
  const head = headBytes(length);
  if (head === 1) scratch[at] = 0x40 | length;
  else scratch[at] = head === 2 ? 0x58 : head === 3 ? 0x59 : 0x5a;
  if (head === 2) scratch[at + 1] = length;
  else if (head === 3) writeUint16(scratch, at + 1, length);
  else if (head === 5) writeUint32(scratch, at + 1, length);
  scratch.set(bytes, at + head);
  return at + head + length;
}

function readPlaintext(bytes: Uint8Array): Result<OpenedBody> {
  const reader = new CborReader(bytes);
  if (reader.list() !== 5) return err(malformed());
  const salts = [reader.bytes(), reader.bytes()] as const;
  if (salts.some((salt) => salt.length !== 32)) return err(malformed());
  const kind = reader.uint();
  const attributes = reader.bytes();
  const data = reader.bytes();
  reader.end();
  if (reader.failed !== undefined) return err(malformed());
  if (!isKind(kind)) return err(fault('body-kind', 'the kind is not 0..3'));
  if (kind === 0 && data.length > 0) return err(fault('body-kind', 'kind none with data'));
  return ok({ event: { attributes, kind, data }, salts: concat(...salts) });
}

function malformed(): Fault {
  return fault('sealed-plaintext', 'not [attributesSalt, dataSalt, kind, attributes, data]');
}
