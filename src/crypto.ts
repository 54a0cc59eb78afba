/**
 * Hashes and signatures as the rest of Headwater sees them. The implementation is handed in:
 * `crypto-node.ts` for speed, `crypto-noble.ts` for browsers and as the second opinion.
 */
import type { Hash, PublicKey, Signature } from './types.ts';

export interface Hasher {
  /** SHA-256 of `data` in a fresh array. */
  sha256(data: Uint8Array): Hash;
  /** Writes SHA-256 of `data` to `out[at, at + 32)`: no allocation, for hot paths. */
  sha256Into(data: Uint8Array, out: Uint8Array, at: number): void;
  /** SHA-512 of `data`, 64 bytes. */
  sha512(data: Uint8Array): Uint8Array;
  /** SHA-256 of what is given bit by bit. */
  startSha256(): RunningHash;
}

export interface RunningHash {
  update(data: Uint8Array): void;
  /** To be called once. */
  digest(): Hash;
}

export interface Crypto extends Hasher {
  /**
   * Strict, cofactorless Ed25519 (ledger.md "Keys, rotation, recovery"): S < L; A and R canonical
   * and not of small order; encode(S·B − k·A) equals R. Never throws.
   */
  verify(key: PublicKey, message: Uint8Array, signature: Signature): boolean;
}

/** Holds a private key that cannot be read back. */
export interface Signer {
  readonly publicKey: PublicKey;
  sign(message: Uint8Array): Signature;
}
