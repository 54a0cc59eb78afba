/** `hw prove`: the proof of one event, by the running node or from the store of a stopped one. */
import { resolve } from 'node:path';
import { fault } from '../../errors.ts';
import { parseReference } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import { disclosures, isDisclosedPart, type DisclosedPart } from '../core/prove.ts';
import type { ApiRequest } from '../api-client.ts';
import { replaceFile } from '../files.ts';
import { lockHolder } from '../home-lock.ts';
import type { Action } from './command.ts';
import { connect, type Connection } from './connect.ts';
import type { Context } from './context.ts';
import { eventPath } from './endpoints.ts';
import type { Options } from './options.ts';
import { withStoppedStreams } from './stopped.ts';

export const prove: Action = async (context, [event = ''], options) => {
  const part = options.text('disclose') ?? 'all';
  if (!isDisclosedPart(part)) {
    const message = `--disclose is one of ${disclosures.join(', ')}`;
    return err(fault('usage', message, { pointer: '--disclose' }));
  }
  const file = options.text('out');
  if (context.json && file === undefined) {
    const hint = 'Write it with --out FILE, or leave --json out.';
    return err(fault('usage', 'a proof is text of its own form, not JSON', undefined, hint));
  }
  const range = parseReference(event);
  if (range.ok && range.value.to > range.value.from + 1) {
    const { proveRange } = await import('./prove-range.ts');
    return proveRange(context, event, range.value, options);
  }
  if (options.text('index') !== undefined) {
    return err(
      fault('usage', '--index is for a range hw:<log>/<from>-<to>', { pointer: '--index' }),
    );
  }
  const holder = await lockHolder(context.paths, context.runtime);
  const text =
    holder === undefined
      ? await proveStopped(context, options, event, part)
      : await proveOnline(context, event, part);
  if (!text.ok) return text;
  return written(context, event, text.value, file, { disclosed: part });
};

/** To `--out` or stdout. */
export async function written(
  context: Context,
  event: string,
  text: string,
  file: string | undefined,
  more: Readonly<Record<string, string | number>>,
): Promise<Result<number>> {
  if (file === undefined) {
    await context.runtime.stdout.write(text);
    return ok(0);
  }
  const path = resolve(context.runtime.directory, file);
  const stored = await replaceFile(path, text, 0o644);
  if (!stored.ok) return stored;
  await context.value({ event, file, ...more, bytes: Buffer.byteLength(text) });
  await context.say(`${file}: proof of ${event}; hw verify ${file} checks it anywhere`);
  return ok(0);
}

async function proveOnline(
  context: Context,
  event: string,
  part: DisclosedPart,
): Promise<Result<string>> {
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const path = await eventPath(open, context, event);
  if (!path.ok) return path;
  return await textAnswer(open, context, `${path.value}/proof`, { disclose: part });
}

/** An answer that is text, whole. */
export async function textAnswer(
  { client }: Connection,
  context: Context,
  path: string,
  query: NonNullable<ApiRequest['query']>,
): Promise<Result<string>> {
  const { signal } = context;
  const answer = await client.open({ method: 'GET', path, query, accept: 'text/plain', signal });
  if (!answer.ok) return answer;
  const parts: Uint8Array[] = [];
  try {
    for await (const chunk of answer.value.chunks) parts.push(chunk);
  } catch {
    return err(fault('node-unreachable', 'the node broke off in the middle of its answer'));
  }
  if (signal.aborted) return err(fault('interrupted', 'interrupted'));
  return ok(Buffer.concat(parts).toString('utf8'));
}

function proveStopped(
  context: Context,
  options: Options,
  event: string,
  part: DisclosedPart,
): Promise<Result<string>> {
  return withStoppedStreams(context, options, async ({ streams, ledger, sealed }) => {
    const { eventOf } = await import('../core/lineage.ts');
    const found = eventOf(streams, event);
    if (!found.ok) return found;
    const { proveEvent } = await import('../core/prove.ts');
    const { Disclosing } = await import('../sealed/disclosing.ts');
    const { logId, index } = found.value;
    return await proveEvent(ledger, logId, index, part, new Disclosing(ledger, sealed));
  });
}
