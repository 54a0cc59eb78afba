/** A file argument, or stdin for `-`, read once from its start, with a look at how it begins. */
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { concat, fromUtf8 } from '../../bytes.ts';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { fileFault } from '../files.ts';
import type { Context } from './context.ts';

export class FileInput implements AsyncIterable<Uint8Array>, AsyncDisposable {
  /** The first chunk; empty where there is none. */
  readonly head: Uint8Array;
  /** Bytes handed out so far. */
  read = 0;
  readonly #rest: AsyncIterator<Uint8Array>;

  constructor(head: Uint8Array, rest: AsyncIterator<Uint8Array>) {
    this.head = head;
    this.#rest = rest;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let chunk = this.head;
    for (;;) {
      if (chunk.length > 0) {
        this.read += chunk.length;
        yield chunk;
      }
      const next = await this.#rest.next();
      if (next.done === true) return;
      chunk = next.value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest.return?.();
  }
}

/** Code file-unreadable. */
export async function openInput(context: Context, file: string): Promise<Result<FileInput>> {
  const chunks: AsyncIterable<Uint8Array> =
    file === '-'
      ? context.runtime.stdin.chunks(context.signal)
      : createReadStream(resolve(context.runtime.directory, file));
  const rest = chunks[Symbol.asyncIterator]();
  try {
    const first = await rest.next();
    return ok(new FileInput(first.done === true ? new Uint8Array(0) : first.value, rest));
  } catch (cause) {
    return err(fileFault('file-unreadable', file, cause));
  }
}

/** A small text file, or stdin for `-`. Codes: file-unreadable, usage (above `maxBytes`), bad-utf8. */
export async function fileText(
  context: Context,
  file: string,
  maxBytes: number = 262_144,
): Promise<Result<string>> {
  const input = await openInput(context, file);
  if (!input.ok) return input;
  await using open = input.value;
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of open) {
      chunks.push(chunk.slice());
      if (open.read > maxBytes) return err(fault('usage', `${file} is too large`));
    }
  } catch (cause) {
    return err(fileFault('file-unreadable', file, cause));
  }
  return fromUtf8(concat(...chunks));
}
