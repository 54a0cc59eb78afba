/** node:crypto behind the `Crypto` interface: what a peer runs on. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  hash,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Crypto, RunningHash, Signer } from './crypto.ts';
import { canonicalPoint, canonicalScalar } from './ed25519-rules.ts';
import { limits } from './limits.ts';
import {
  asHash,
  asPublicKey,
  asSignature,
  type Hash,
  type PublicKey,
  type Signature,
} from './types.ts';

// DER headers of RFC 8410: what precedes the 32 raw bytes of a public and of a private key.
const spkiHeader = Buffer.from('302a300506032b6570032100', 'hex');
const pkcs8Header = Buffer.from('302e020100300506032b657004220420', 'hex');

const keyObjects = new LRUCache<string, KeyObject>({ max: limits.maxKeyObjects });

/** A digest as a `binary` (latin1) string costs a sixth of one as a Buffer (measured), so copy it over. */
function sha256Into(data: Uint8Array, out: Uint8Array, at: number): void {
  const digest = hash('sha256', data, 'binary');
  for (let i = 0; i < 32; i++) out[at + i] = digest.charCodeAt(i);
}

function keyObject(key: PublicKey): KeyObject {
  const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
  let object = keyObjects.get(name);
  if (object === undefined) {
    const der = Buffer.concat([spkiHeader, key]);
    object = createPublicKey({ key: der, format: 'der', type: 'spki' });
    keyObjects.set(name, object);
  }
  return object;
}

export const nodeCrypto: Crypto = {
  sha256(data: Uint8Array): Hash {
    const out = new Uint8Array(32);
    sha256Into(data, out, 0);
    return asHash(out);
  },
  sha256Into,
  sha512(data: Uint8Array): Uint8Array {
    const out = new Uint8Array(64);
    const digest = hash('sha512', data, 'binary');
    for (let i = 0; i < 64; i++) out[i] = digest.charCodeAt(i);
    return out;
  },
  startSha256(): RunningHash {
    const running = createHash('sha256');
    return {
      update: (data) => void running.update(data),
      digest: () => asHash(new Uint8Array(running.digest())),
    };
  },
  verify(key: PublicKey, message: Uint8Array, signature: Signature): boolean {
    if (key.length !== 32 || signature.length !== 64) return false;
    if (!canonicalPoint(key) || !canonicalPoint(signature) || !canonicalScalar(signature)) {
      return false;
    }
    try {
      return verify(null, message, keyObject(key), signature);
    } catch {
      return false; // A key that is no point on the curve cannot be imported.
    }
  },
};

/** A signer from a 32-byte Ed25519 seed (RFC 8032 section 5.1.5), which stays the caller's to wipe. */
export function signerFromSeed(seed: Uint8Array): Signer {
  const der = Buffer.concat([pkcs8Header, seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0); // the key object has its own copy
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const publicKey = asPublicKey(new Uint8Array(spki.subarray(spkiHeader.length)));
  return {
    publicKey,
    sign: (message) => asSignature(new Uint8Array(sign(null, message, key))),
  };
}
