/** Values within the lines of a bundle: base64 and lists of hashes. */
import { fromBase64 } from '../bytes.ts';
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, type Hash } from '../types.ts';

/** Code bundle-line. */
export function bytesOf(text: string): Result<Uint8Array> {
  const bytes = fromBase64(text);
  return bytes.ok ? bytes : err(fault('bundle-line', 'base64 that is not canonical'));
}

/** Codes: proof-length, bundle-line, proof-hash. */
export function hashesOf(texts: readonly string[]): Result<readonly Hash[]> {
  // A range proof has three parts of up to 63 hashes each.
  if (texts.length > 3 * protocol.maxProofHashes) {
    return err(fault('proof-length', `a proof of ${texts.length} hashes`));
  }
  const hashes: Hash[] = [];
  for (const text of texts) {
    const bytes = bytesOf(text);
    if (!bytes.ok) return bytes;
    if (bytes.value.length !== 32) return err(fault('proof-hash', 'a hash is not 32 bytes'));
    hashes.push(asHash(bytes.value));
  }
  return ok(hashes);
}
