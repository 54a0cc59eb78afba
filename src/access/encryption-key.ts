/**
 * Encryption keys of organisations (access.md "Identities and keys"): X25519, drawn on their own and
 * never made from a signing key. The public half stands in the organisation's signed profile as
 *
 *   x25519:<base64url 32>
 *
 * The key file holds 32 random bytes from which DeriveKeyPair (RFC 9180 section 7.1.3) makes the pair.
 */
import { fromBase64url, toBase64url } from '../bytes.ts';
import type { Cipher } from '../cipher.ts';
import { deriveKeyPair, type KeyPair } from './hpke.ts';

const prefix = 'x25519:';

/** An organisation's pairs: the one in its profile, and those that were there before it. */
export interface EncryptionKeys {
  readonly current: KeyPair;
  readonly older: readonly KeyPair[];
}

/** `seed` is 32 bytes and stays the caller's. */
export function encryptionPair(cipher: Cipher, seed: Uint8Array): KeyPair {
  return deriveKeyPair(cipher, seed);
}

export function formatEncryptionKey(publicKey: Uint8Array): string {
  return prefix + toBase64url(publicKey);
}

/** 32 bytes; undefined for another algorithm or a malformed text, which is as good as no key. */
export function parseEncryptionKey(text: string): Uint8Array | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const key = fromBase64url(text.slice(prefix.length));
  return key.ok && key.value.length === 32 ? key.value : undefined;
}
