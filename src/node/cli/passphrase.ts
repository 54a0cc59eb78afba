/** Where the passphrase of the key files comes from: a file, stdin, `$HW_PASSPHRASE_FILE`, the terminal. */
import { resolve } from 'node:path';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { readText } from '../files.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';

/** A passphrase that opens existing keys; asked for when first needed. */
export function existingPassphrase(
  context: Context,
  options: Options,
): () => Promise<Result<string>> {
  return async () => {
    const given = await fromFile(context, options);
    if (given !== undefined) return given;
    const typed = await context.runtime.stdin.secret(
      'Passphrase of the key files: ',
      context.signal,
    );
    if (typed !== undefined) return ok(typed);
    return err(
      fault(
        'key-passphrase-needed',
        'the key files are protected by a passphrase',
        undefined,
        'Give --passphrase-file FILE, or set HW_PASSPHRASE_FILE, or run this on a terminal.',
      ),
    );
  };
}

/** The passphrase for new keys: undefined where none was asked for. */
export async function newPassphrase(
  context: Context,
  options: Options,
): Promise<Result<string | undefined>> {
  const given = await fromFile(context, options);
  if (given !== undefined) return given;
  if (!options.flag('passphrase')) return ok(undefined);
  const { stdin } = context.runtime;
  const first = await stdin.secret('New passphrase: ', context.signal);
  if (first === undefined) {
    return err(
      fault('usage', '--passphrase needs a terminal', undefined, 'Use --passphrase-file.'),
    );
  }
  const second = await stdin.secret('The same again: ', context.signal);
  if (first === '') return err(fault('usage', 'the passphrase is empty'));
  return first === second ? ok(first) : err(fault('usage', 'the two passphrases differ'));
}

async function fromFile(context: Context, options: Options): Promise<Result<string> | undefined> {
  const { runtime } = context;
  const file = options.text('passphraseFile') ?? runtime.environment['HW_PASSPHRASE_FILE'];
  if (file === undefined || file === '') return undefined;
  const text =
    file === '-' ? ok(await stdinText(context)) : await readText(resolve(runtime.directory, file));
  if (!text.ok) return text;
  const passphrase = text.value.split(/\r?\n/, 1)[0] ?? '';
  if (passphrase !== '') return ok(passphrase);
  return err(fault('usage', 'the passphrase file is empty', { file }));
}

async function stdinText(context: Context): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of context.runtime.stdin.chunks(context.signal)) parts.push(chunk);
  return Buffer.concat(parts).toString('utf8');
}
