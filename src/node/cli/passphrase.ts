/** Where the passphrase of the key files comes from: a file, stdin, `$HW_PASSPHRASE_FILE`, the terminal. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { fileFault } from '../files.ts';
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
  if (file === undefined || file === '') return misplaced(runtime.environment);
  const text =
    file === '-'
      ? ok(await stdinText(context))
      : await secretText(resolve(runtime.directory, file));
  if (!text.ok) return text;
  const passphrase = text.value.split(/\r?\n/, 1)[0] ?? '';
  if (passphrase !== '') return ok(passphrase);
  return err(fault('usage', 'the passphrase file is empty', { file }));
}

/** Who puts it into the environment hands it to every program that is started from there. */
function misplaced(environment: Context['runtime']['environment']): Result<string> | undefined {
  if (environment['HW_PASSPHRASE'] === undefined) return undefined;
  const message = 'a passphrase is not read from the environment';
  const hint = 'Unset HW_PASSPHRASE; give --passphrase-file FILE, or - for stdin.';
  return err(fault('usage', message, { pointer: 'HW_PASSPHRASE' }, hint));
}

/**
 * The text of a file that nobody else can read or write; of a pipe, whoever made it. Codes:
 * passphrase-file-mode, file-unreadable.
 */
async function secretText(path: string): Promise<Result<string>> {
  try {
    await using file = await open(path, 'r');
    const { mode } = await file.stat();
    const others = mode & 0o077;
    if ((mode & constants.S_IFMT) === constants.S_IFREG && others !== 0) {
      const text = (mode & 0o777).toString(8).padStart(4, '0');
      const message = `${path} has mode ${text}: others than its owner may use it`;
      const hint = `Run chmod 600 ${path}; if others could read it, change the passphrase.`;
      return err(fault('passphrase-file-mode', message, { file: path }, hint));
    }
    return ok(await file.readFile('utf8'));
  } catch (cause) {
    return err(fileFault('file-unreadable', path, cause));
  }
}

async function stdinText(context: Context): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of context.runtime.stdin.chunks(context.signal)) parts.push(chunk);
  return Buffer.concat(parts).toString('utf8');
}
