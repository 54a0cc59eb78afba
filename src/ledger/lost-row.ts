/**
 * The row of a log says by which number its other rows are found. Where it is damaged, the head of
 * the log still names the log, and the guard knows whether we sign it: so the log is opened all the
 * same, as damaged, and the scrub writes the row anew.
 */
import { equal, readUint32 } from '../bytes.ts';
import type { Fault } from '../errors.ts';
import { keyspace, logKey, prefixRange, type Table } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import type { Hash } from '../types.ts';
import { decodeHead } from './head-record.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogRow } from './log-row.ts';
import type { StoreRange } from './store.ts';

/**
 * What the row must have said. Without a head the log has a number of its own behind all that are
 * used, so that nothing is mistaken for its rows. Codes: those of the store.
 */
export async function lostRow(env: LedgerEnv, log: Hash, reason: Fault): Promise<Result<LogRow>> {
  const { store, guard, crypto } = env.options;
  const role = guard.mark(0, log) === undefined ? 'replica' : 'writer';
  const row = { role, standing: 'damaged', reason, clockAhead: false } as const;
  await using scan = store.scan(prefixRange(Uint8Array.of(keyspace.heads.prefix)));
  for (;;) {
    const page = await scan.next(256);
    if (!page.ok) return page;
    if (page.value.length === 0) break;
    for (const { key, value } of page.value) {
      const head = decodeHead(crypto, value);
      if (!head.ok || !equal(head.value.state.log, log)) continue;
      const number = readUint32(key, 1);
      const successors = await anyKey(env, prefixRange(logKey(keyspace.successors, number)));
      if (!successors.ok) return successors;
      const standing = successors.value === undefined ? row.standing : 'closed';
      return ok({ ...row, number, standing });
    }
  }
  const heads = await lastNumber(env, keyspace.heads);
  const blocks = await lastNumber(env, keyspace.blocks);
  if (!heads.ok) return heads;
  if (!blocks.ok) return blocks;
  return ok({ ...row, number: Math.max(heads.value, blocks.value) + 1 });
}

async function lastNumber(env: LedgerEnv, table: Table): Promise<Result<number>> {
  const range = prefixRange(Uint8Array.of(table.prefix));
  const last = await anyKey(env, { ...range, reverse: true });
  if (!last.ok) return last;
  return ok(last.value === undefined ? 0 : readUint32(last.value, 1));
}

async function anyKey(
  { options }: LedgerEnv,
  range: StoreRange,
): Promise<Result<Uint8Array | undefined>> {
  await using scan = options.store.scan({ ...range, keysOnly: true });
  const page = await scan.next(1);
  return page.ok ? ok(page.value[0]?.key) : page;
}
