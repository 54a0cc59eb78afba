/** The control entries of a log, by their own index: genesis, rotations, redactions … */
import { readUint48 } from '../bytes.ts';
import type { CborMap } from '../cbor.ts';
import { fault } from '../errors.ts';
import { keyspace, numberKey } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex, type LogIndex } from '../types.ts';
import { decodeBlock } from './block-codec.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { recordOf } from './read-block.ts';

export interface ControlEntry {
  readonly index: LogIndex;
  readonly leaf: Uint8Array;
  readonly map: CborMap;
}

/** In order of index, of [from, to), at most `max`. Codes: store-corrupt, those of the store. */
export async function controlsOf(
  env: LedgerEnv,
  handle: LogHandle,
  from: number = 0,
  max: number = Number.MAX_SAFE_INTEGER,
  to: number = handle.size,
): Promise<Result<readonly ControlEntry[]>> {
  const entries: ControlEntry[] = [];
  await using scan = env.options.store.scan({
    gte: numberKey(keyspace.controls, handle.row.number, from),
    lt: numberKey(keyspace.controls, handle.row.number, to),
  });
  while (entries.length < max) {
    const rows = await scan.next(Math.min(64, max - entries.length));
    if (!rows.ok) return rows;
    if (rows.value.length === 0) break;
    for (const { key, value } of rows.value) {
      const entry = await controlAt(env, handle, readUint48(key, 5), readUint48(value, 0));
      if (!entry.ok) return entry;
      entries.push(entry.value);
    }
  }
  return ok(entries);
}

async function controlAt(
  env: LedgerEnv,
  handle: LogHandle,
  index: number,
  number: number,
): Promise<Result<ControlEntry>> {
  const record = await recordOf(env, handle, asBlockNumber(number));
  if (!record.ok) return record;
  const block = decodeBlock(record.value.wire, { reduced: true });
  const entry = block.ok ? block.value.entries[index - block.value.firstIndex] : undefined;
  if (!block.ok || entry?.control === undefined) {
    return err(fault('store-corrupt', 'the index of control entries names another', { index }));
  }
  const leaf = block.value.wire.slice(entry.leafOffset, entry.leafOffset + entry.leafLength);
  return ok({ index: asLogIndex(index), leaf, map: entry.control });
}
