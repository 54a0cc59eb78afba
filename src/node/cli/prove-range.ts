/** `hw prove hw:<log>/<from>-<to>`: the proof of a range, by the node or from a stopped one's store. */
import { fault } from '../../errors.ts';
import type { Reference } from '../../ids.ts';
import { err, type Result } from '../../result.ts';
import { lockHolder } from '../home-lock.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';
import { textAnswer, written } from './prove.ts';
import { withStoppedHome } from './stopped.ts';

export async function proveRange(
  context: Context,
  event: string,
  range: Reference,
  options: Options,
): Promise<Result<number>> {
  if (options.text('disclose') !== undefined) {
    return err(fault('usage', '--disclose is for one event', { pointer: '--disclose' }));
  }
  const index = options.count('index');
  if (!index.ok) return index;
  const file = options.text('out');
  const holder = await lockHolder(context.paths, context.runtime);
  const text =
    holder === undefined
      ? await stopped(context, options, range, index.value)
      : await online(context, range, index.value);
  return text.ok ? written(context, event, text.value, file, {}) : text;
}

async function online(
  context: Context,
  { logId, from, to }: Reference,
  index: number | undefined,
): Promise<Result<string>> {
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  return await textAnswer(open, context, `/logs/${logId}/range/proof`, { from, to, index });
}

function stopped(
  context: Context,
  options: Options,
  { logId, from, to }: Reference,
  index: number | undefined,
): Promise<Result<string>> {
  return withStoppedHome(context, options, async (_home, ledger) => {
    const { proveRangeFile } = await import('../core/prove-range.ts');
    return await proveRangeFile(ledger, logId, from, to, index);
  });
}
