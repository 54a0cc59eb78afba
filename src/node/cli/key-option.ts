/** `--key FILE`: a key that is kept outside of the home, for one command. */
import { resolve } from 'node:path';
import { readKeyFile } from '../../access/key-file-store.ts';
import type { Signer } from '../../crypto.ts';
import { didKey } from '../../ids.ts';
import { equal } from '../../bytes.ts';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Did } from '../../types.ts';
import { askedSigner } from '../asked-signer.ts';
import type { KeySource } from '../organisation-key.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';
import { existingPassphrase } from './passphrase.ts';

/** What the node is told, which reads the file itself: where it is, and its passphrase if it needs one. */
export async function keySource(context: Context, options: Options): Promise<Result<KeySource>> {
  const given = options.text('key');
  if (given === undefined) return ok({});
  const named = { keyFile: resolve(context.runtime.directory, given) };
  const file = await readKeyFile(named.keyFile);
  if (!file.ok) return file;
  if (!file.value.locked) {
    file.value.seed.fill(0);
    return ok(named);
  }
  const passphrase = await existingPassphrase(context, options)();
  return passphrase.ok ? ok({ ...named, passphrase: passphrase.value }) : passphrase;
}

/** The key of this DID from the file that `--key` names; undefined without it. Code also: usage. */
export async function keyOf(
  context: Context,
  options: Options,
  did: Did,
): Promise<Result<Signer | undefined>> {
  const given = options.text('key');
  if (given === undefined) return ok(undefined);
  const file = resolve(context.runtime.directory, given);
  const signer = await askedSigner(file, existingPassphrase(context, options));
  if (!signer.ok || equal(signer.value.publicKey, didKey(did))) return signer;
  return err(fault('usage', `${file} is not the key of ${did}`, { pointer: '--key' }));
}
