/** A key file from anywhere, which may be locked by a passphrase of its own. */
import { readSigner } from '../access/key-file-store.ts';
import type { Signer } from '../crypto.ts';
import type { Result } from '../result.ts';
import type { AskPassphrase } from './home-keys.ts';

/** `known` is tried first, where there is one. Codes of `readSigner`, and those of the asking. */
export async function askedSigner(
  file: string,
  ask: AskPassphrase | undefined,
  known?: string,
): Promise<Result<Signer>> {
  const first = await readSigner(file, known);
  if (first.ok || first.error.code !== 'key-passphrase-needed' || ask === undefined) return first;
  const asked = await ask();
  return asked.ok ? readSigner(file, asked.value) : asked;
}
