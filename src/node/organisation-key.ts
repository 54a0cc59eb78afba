/** The organisation's key for one thing, where it is kept elsewhere: read for it and not kept. */
import { readSigner } from '../access/key-file-store.ts';
import type { Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { keyPath } from './home-keys.ts';
import type { Home } from './home.ts';

/** Where it is: a file on the machine of the node; the home's own where it is not said. */
export interface KeySource {
  readonly keyFile?: string;
  readonly passphrase?: string;
}

/** Whose key it is the caller checks. Codes: key-file-missing, those of `readSigner`. */
export async function organisationKey(
  { keys, paths }: Pick<Home, 'keys' | 'paths'>,
  { keyFile, passphrase }: KeySource,
): Promise<Result<Signer>> {
  if (keyFile === undefined && keys.organisation !== undefined) return ok(keys.organisation);
  const file = keyFile ?? keyPath(paths, 'organisation');
  const signer = await readSigner(file, passphrase);
  if (signer.ok || signer.error.code !== 'key-file-missing') return signer;
  const hint =
    "The organisation's key is kept elsewhere: bring its file, and name it with --key FILE.";
  return err(fault('key-file-missing', `there is no key at ${file}`, { file }, hint));
}
