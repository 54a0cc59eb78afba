/** The lines to publish, from files or stdin, each with its place. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LineSplitter, type TextLine } from '../../event/ndjson.ts';
import { fault, HeadwaterError } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { fileFault } from '../files.ts';
import type { Context } from './context.ts';

export interface Source {
  /** As the user named it; `stdin` for `-`. */
  readonly name: string;
  readonly path: string | undefined;
  /** 0 where it is not known. */
  readonly bytes: number;
}

export interface InputLine extends TextLine {
  readonly source: Source;
}

/** Every file must be there before the first is read. No file means stdin, unless it is a terminal. */
export async function findSources(
  context: Context,
  files: readonly string[],
): Promise<Result<readonly Source[]>> {
  const { runtime } = context;
  if (files.length === 0 && runtime.stdin.terminal) {
    return err(fault('usage', 'nothing to publish', undefined, 'Name a file, or pipe NDJSON in.'));
  }
  const sources: Source[] = [];
  for (const name of files.length === 0 ? ['-'] : files) {
    if (name === '-') {
      sources.push({ name: 'stdin', path: undefined, bytes: 0 });
      continue;
    }
    const path = resolve(runtime.directory, name);
    try {
      const found = await stat(path);
      if (found.isDirectory())
        return err(fault('file-unreadable', `${name} is a folder`, { file: name }));
      sources.push({ name, path, bytes: found.size });
    } catch (cause) {
      return err(fileFault('file-unreadable', name, cause));
    }
  }
  return ok(sources);
}

/** Lines of one source that are not blank, a chunk's worth at a time. Throws a coded fault where reading fails. */
export async function* linesOf(
  context: Context,
  source: Source,
): AsyncGenerator<readonly InputLine[]> {
  const splitter = new LineSplitter(limits.maxEventTextBytes);
  const chunks: AsyncIterable<Uint8Array> =
    source.path === undefined
      ? context.runtime.stdin.chunks(context.signal)
      : createReadStream(source.path, { highWaterMark: 262_144 });
  try {
    for await (const chunk of chunks) {
      yield splitter.push(chunk).map((line) => ({ ...line, source }));
    }
  } catch (cause) {
    throw new HeadwaterError(fileFault('file-unreadable', source.name, cause));
  }
  yield splitter.end().map((line) => ({ ...line, source }));
}
