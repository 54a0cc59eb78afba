/**
 * Opens sealed bodies by WebCrypto, which every browser has: in pages served over https or from this
 * machine (a secure context; elsewhere there is no `crypto.subtle`). It answers by promises and the
 * verifier does not wait, so what will be asked is worked out ahead (`Opener.prepare`), found again by
 * all of its bytes, and given once.
 */
import { equal } from './bytes.ts';
import type { Opener } from './cipher.ts';

/** The part of `SubtleCrypto` that is used; K is its CryptoKey. */
export interface WebSubtle<K> {
  importKey(
    format: 'raw',
    key: Uint8Array<ArrayBuffer>,
    algorithm: 'AES-GCM',
    extractable: boolean,
    usages: 'decrypt'[],
  ): Promise<K>;
  decrypt(
    algorithm: {
      name: 'AES-GCM';
      iv: Uint8Array<ArrayBuffer>;
      additionalData: Uint8Array<ArrayBuffer>;
      tagLength: 128;
    },
    key: K,
    data: Uint8Array<ArrayBuffer>,
  ): Promise<ArrayBuffer>;
}

/** As many as one block has events: the verifier asks for them before it prepares the next. */
const most = 256;

interface Prepared {
  readonly asked: readonly Uint8Array[];
  readonly plaintext: Uint8Array | undefined;
}

export function webOpener<K>(subtle: WebSubtle<K>): Opener {
  const ready: Prepared[] = [];
  return {
    async prepare(key, nonce, aad, sealed): Promise<void> {
      const asked = [key, nonce, aad, sealed].map((part) => part.slice());
      const plaintext = await decrypted(subtle, asked);
      ready.push({ asked, plaintext });
      if (ready.length > most) ready.shift();
    },
    open(key, nonce, aad, sealed): Uint8Array | undefined {
      const given = [key, nonce, aad, sealed];
      const found = ready.findLastIndex(({ asked }) =>
        asked.every((part, i) => equal(part, given[i] ?? empty)),
      );
      const [prepared] = found < 0 ? [] : ready.splice(found, 1);
      // "It does not open" would be held against the file.
      if (prepared === undefined) throw new RangeError('not prepared: await prepareEventProof');
      return prepared.plaintext;
    },
  };
}

const empty = new Uint8Array(0);

async function decrypted<K>(
  subtle: WebSubtle<K>,
  asked: readonly Uint8Array<ArrayBuffer>[],
): Promise<Uint8Array | undefined> {
  const [key = empty, iv = empty, additionalData = empty, sealed = empty] = asked;
  try {
    const imported = await subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
    const algorithm = { name: 'AES-GCM', iv, additionalData, tagLength: 128 } as const;
    return new Uint8Array(await subtle.decrypt(algorithm, imported, sealed));
  } catch {
    return undefined; // the tag does not fit
  }
}
