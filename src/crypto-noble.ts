/** Pure TypeScript hashes and signatures (@noble): for browsers, and to check `crypto-node.ts`. */
import { Point } from '@noble/ed25519';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { concat, equal } from './bytes.ts';
import type { Crypto, RunningHash } from './crypto.ts';
import { canonicalPoint, canonicalScalar } from './ed25519-rules.ts';
import { asHash, type Hash, type PublicKey, type Signature } from './types.ts';

function bigintFrom(littleEndian: Uint8Array): bigint {
  let value = 0n;
  for (let i = littleEndian.length - 1; i >= 0; i--) {
    value = (value << 8n) | BigInt(littleEndian[i] ?? 0);
  }
  return value;
}

export const nobleCrypto: Crypto = {
  sha256: (data: Uint8Array): Hash => asHash(sha256(data)),
  sha256Into(data: Uint8Array, out: Uint8Array, at: number): void {
    out.set(sha256(data), at);
  },
  sha512: (data: Uint8Array): Uint8Array => sha512(data),
  startSha256(): RunningHash {
    const running = sha256.create();
    return {
      update: (data) => void running.update(data),
      digest: () => asHash(running.digest()),
    };
  },
  /** noble's own `verify` is cofactored and accepts more; this is the cofactorless equation. */
  verify(key: PublicKey, message: Uint8Array, signature: Signature): boolean {
    if (key.length !== 32 || signature.length !== 64) return false;
    if (!canonicalPoint(key) || !canonicalPoint(signature) || !canonicalScalar(signature)) {
      return false;
    }
    try {
      const r = signature.subarray(0, 32);
      const s = bigintFrom(signature.subarray(32));
      const k = bigintFrom(sha512(concat(r, key, message))) % Point.CURVE().n;
      const a = Point.fromBytes(key);
      const expected = Point.BASE.multiply(s, false).subtract(a.multiply(k, false));
      return equal(expected.toBytes(), r);
    } catch {
      return false; // not a point on the curve
    }
  },
};
