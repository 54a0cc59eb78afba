/** Which events have been superseded by a later one of their subject. */
import { caught, ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex } from '../types.ts';
import { decodeBody } from './body.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { subjectIndexes } from './lookup.ts';
import { blockNumberAt, recordOf } from './read-block.ts';

export interface Superseded {
  /** Ascending, each once. */
  readonly indexes: readonly number[];
  /** Index behind the last event that was compared: where to go on. */
  readonly next: number;
}

/**
 * Compares the events of up to `retentionCompactBlocks` blocks, from the one that holds `from`: what
 * they leave of their subjects' earlier events. Codes: those of the store; damaged blocks are passed
 * over.
 */
export async function supersededBy(
  env: LedgerEnv,
  handle: LogHandle,
  from: number,
): Promise<Result<Superseded>> {
  const begin = await blockNumberAt(env, handle, asLogIndex(from));
  if (!begin.ok) return begin;
  const blocks = handle.stored?.state.blocks ?? 0;
  const end = Math.min(blocks, begin.value + env.options.limits.retentionCompactBlocks);
  const newest = new Map<string, number>();
  let next = from;
  for (let number: number = begin.value; number < end; number++) {
    const record = await recordOf(env, handle, asBlockNumber(number));
    if (!record.ok && record.error.code !== 'store-corrupt') return record;
    if (!record.ok) continue;
    const { firstIndex, count, size } = record.value;
    for (let i = 0; i < count; i++) {
      const body = record.value.kind(i) === 0 ? record.value.body(i) : undefined;
      const event = body === undefined ? undefined : decodeBody(body);
      const judged = event?.ok === true ? env.options.judges.event(event.value) : undefined;
      const subject = judged?.ok === true ? judged.value['subject'] : undefined;
      if (typeof subject === 'string') newest.set(subject, firstIndex + i);
    }
    next = size;
  }
  if (next === from) next = handle.size; // Nothing of it can be read.
  return caught(async () => {
    const indexes: number[] = [];
    for (const [subject, index] of newest) {
      const range = { to: asLogIndex(index) };
      for await (const older of subjectIndexes(env, handle, subject, range)) indexes.push(older);
    }
    return ok({ indexes: indexes.toSorted((a, b) => a - b), next });
  });
}
