/**
 * A `Crypto` that remembers which signatures were good, so that the delegations of a grant are
 * verified once and not at every request. Only success is remembered, under a hash of key, message
 * and signature: nothing else can meet it.
 */
import { concat, toHex } from '../bytes.ts';
import type { Crypto } from '../crypto.ts';
import { RecentMap } from '../recent-map.ts';
import type { PublicKey, Signature } from '../types.ts';

/** Remembers the last `max` good signatures. */
export function rememberingCrypto(crypto: Crypto, max: number): Crypto {
  const known = new RecentMap<string, true>(max);
  return {
    sha256: (data) => crypto.sha256(data),
    sha256Into: (data, out, at) => crypto.sha256Into(data, out, at),
    sha512: (data) => crypto.sha512(data),
    startSha256: () => crypto.startSha256(),
    verify: (key: PublicKey, message: Uint8Array, signature: Signature): boolean => {
      const name = toHex(crypto.sha256(concat(key, signature, message)));
      if (known.has(name)) return true;
      if (!crypto.verify(key, message, signature)) return false;
      known.set(name, true);
      return true;
    },
  };
}
