/** Delegations in files: dag-cbor as in a home's `keys/*.ucan`, or the text form of a container. */
import { resolve } from 'node:path';
import { parseContainer } from '../../access/ucan-container.ts';
import { decodeDelegation } from '../../access/ucan-delegation.ts';
import { fromUtf8 } from '../../bytes.ts';
import { ok, type Result } from '../../result.ts';
import { at } from '../../errors.ts';
import { readBytes } from '../files.ts';
import type { Context } from './context.ts';

/** Codes: file-unreadable, those of `decodeDelegation` and `parseContainer`, with the file. */
export async function readTokens(
  context: Context,
  files: readonly string[],
): Promise<Result<readonly Uint8Array[]>> {
  const tokens: Uint8Array[] = [];
  for (const given of files) {
    const file = resolve(context.runtime.directory, given);
    const bytes = await readBytes(file);
    if (!bytes.ok) return bytes;
    const text = fromUtf8(bytes.value);
    const read: Result<readonly Uint8Array[]> =
      text.ok && text.value.startsWith('C') ? readLines(text.value) : ok([bytes.value]);
    if (!read.ok) return { ok: false, error: at(read.error, { file }) };
    for (const token of read.value) {
      const link = decodeDelegation(token);
      if (!link.ok) return { ok: false, error: at(link.error, { file }) };
      tokens.push(token);
    }
  }
  return ok(tokens);
}

/** A container in each line, as in keys/enrolled. */
function readLines(text: string): Result<readonly Uint8Array[]> {
  const tokens: Uint8Array[] = [];
  for (const line of text.trim().split('\n')) {
    const read = parseContainer(line);
    if (!read.ok) return read;
    tokens.push(...read.value);
  }
  return ok(tokens);
}
