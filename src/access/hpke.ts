/**
 * HPKE, mode base, one message a context (RFC 9180), in the one suite of access.md "Sealed streams":
 * DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002.
 */
import { concat, utf8, writeUint16 } from '../bytes.ts';
import type { Cipher } from '../cipher.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';

const none = new Uint8Array(0);
const version = utf8('HPKE-v1');
const kemId = uint16(0x0020);
const kem = concat(utf8('KEM'), kemId);
const suite = concat(utf8('HPKE'), kemId, uint16(0x0001), uint16(0x0002));

export interface KeyPair {
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface HpkeMessage {
  /** The encapsulated key, 32 bytes. */
  readonly enc: Uint8Array;
  /** Ciphertext and its 16-byte tag. */
  readonly ciphertext: Uint8Array;
}

/** What is bound to a message without being in it. */
export interface HpkeContext {
  readonly info: Uint8Array;
  readonly aad: Uint8Array;
}

/** DeriveKeyPair (section 7.1.3); `ikm` is at least 32 bytes that nobody else knows. */
export function deriveKeyPair(cipher: Cipher, ikm: Uint8Array): KeyPair {
  const prk = labeledExtract(cipher, kem, none, 'dkp_prk', ikm);
  const secret = labeledExpand(cipher, kem, prk, 'sk', none, 32);
  return { secret, publicKey: cipher.x25519PublicKey(secret) };
}

/**
 * SealBase for one recipient; `ikm` is 32 fresh random bytes, never used again. Code: `hpke-key`
 * (the recipient's key is a point that gives zero, or no key).
 */
export function hpkeSeal(
  cipher: Cipher,
  ikm: Uint8Array,
  recipient: Uint8Array,
  context: HpkeContext,
  plaintext: Uint8Array,
): Result<HpkeMessage> {
  const { secret, publicKey: enc } = deriveKeyPair(cipher, ikm);
  const shared = sharedSecret(cipher, secret, recipient, enc, recipient);
  if (shared === undefined) return err(fault('hpke-key', 'not the key of a recipient'));
  const { key, nonce } = schedule(cipher, shared, context.info);
  return ok({ enc, ciphertext: cipher.seal(key, nonce, context.aad, plaintext) });
}

/** OpenBase. Codes: `hpke-key` (a useless encapsulated key), `hpke-open` (not for us, or changed). */
export function hpkeOpen(
  cipher: Cipher,
  own: KeyPair,
  context: HpkeContext,
  { enc, ciphertext }: HpkeMessage,
): Result<Uint8Array> {
  const shared = sharedSecret(cipher, own.secret, enc, enc, own.publicKey);
  if (shared === undefined) return err(fault('hpke-key', 'not an encapsulated key'));
  const { key, nonce } = schedule(cipher, shared, context.info);
  const plaintext = cipher.open(key, nonce, context.aad, ciphertext);
  if (plaintext === undefined) return err(fault('hpke-open', 'the message does not open'));
  return ok(plaintext);
}

/** ExtractAndExpand over the Diffie-Hellman result; the KEM context is enc ‖ recipient's key. */
function sharedSecret(
  cipher: Cipher,
  secret: Uint8Array,
  theirs: Uint8Array,
  enc: Uint8Array,
  recipient: Uint8Array,
): Uint8Array | undefined {
  const dh = cipher.x25519(secret, theirs);
  if (dh === undefined) return undefined;
  const prk = labeledExtract(cipher, kem, none, 'eae_prk', dh);
  return labeledExpand(cipher, kem, prk, 'shared_secret', concat(enc, recipient), 32);
}

/** KeySchedule without pre-shared key; sequence number 0 leaves the base nonce as it is. */
function schedule(
  cipher: Cipher,
  shared: Uint8Array,
  info: Uint8Array,
): { readonly key: Uint8Array; readonly nonce: Uint8Array } {
  const context = concat(
    Uint8Array.of(0),
    labeledExtract(cipher, suite, none, 'psk_id_hash', none),
    labeledExtract(cipher, suite, none, 'info_hash', info),
  );
  const secret = labeledExtract(cipher, suite, shared, 'secret', none);
  return {
    key: labeledExpand(cipher, suite, secret, 'key', context, 32),
    nonce: labeledExpand(cipher, suite, secret, 'base_nonce', context, 12),
  };
}

function labeledExtract(
  cipher: Cipher,
  suiteId: Uint8Array,
  salt: Uint8Array,
  label: string,
  ikm: Uint8Array,
): Uint8Array {
  return cipher.hmacSha256(salt, concat(version, suiteId, utf8(label), ikm));
}

/** At most 32 bytes, which is one round of HKDF-Expand. */
function labeledExpand(
  cipher: Cipher,
  suiteId: Uint8Array,
  prk: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
): Uint8Array {
  const labeled = concat(uint16(length), version, suiteId, utf8(label), info, Uint8Array.of(1));
  return cipher.hmacSha256(prk, labeled).slice(0, length);
}

function uint16(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  writeUint16(bytes, 0, value);
  return bytes;
}
