/** Finding and reading stored blocks. What is read is compared with its checksum, always. */
import { readUint48 } from '../bytes.ts';
import { at, fault, type Fault } from '../errors.ts';
import { keyspace, logKey, numberKey } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asBlockNumber, type BlockNumber, type LogIndex } from '../types.ts';
import { BlockRecord } from './block-record.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';

/** The block that holds an index. Codes: index-over-head, store-corrupt, those of the store. */
export async function blockNumberAt(
  env: LedgerEnv,
  handle: LogHandle,
  index: LogIndex,
): Promise<Result<BlockNumber>> {
  if (index >= handle.size) {
    return err(fault('index-over-head', `the log has ${handle.size} entries`, { index }));
  }
  const log = handle.row.number;
  await using scan = env.options.store.scan({
    gte: logKey(keyspace.starts, log),
    lt: numberKey(keyspace.starts, log, index + 1),
    reverse: true,
  });
  const found = await scan.next(1);
  if (!found.ok) return err(at(found.error, { index }));
  const value = found.value[0]?.value;
  if (value?.length === 6) return ok(asBlockNumber(readUint48(value, 0)));
  return err(fault('store-corrupt', 'the index of block starts has a hole', { index }));
}

/** Codes: store-corrupt (missing, damaged, another block's), those of the store. */
export async function recordOf(
  env: LedgerEnv,
  handle: LogHandle,
  number: BlockNumber,
): Promise<Result<BlockRecord>> {
  const record = await storedRecord(env, handle, number);
  if (!record.ok) return record;
  return record.value === undefined ? err(missing(number)) : ok(record.value);
}

/** Undefined where there is none. Codes: store-corrupt (damaged, another block's), those of the store. */
export async function storedRecord(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
): Promise<Result<BlockRecord | undefined>> {
  const key = numberKey(keyspace.blocks, handle.row.number, number);
  const value = await env.options.store.get(key);
  if (!value.ok || value.value === undefined) return value.ok ? ok(undefined) : value;
  const record = BlockRecord.read(env.options.crypto, value.value);
  if (!record.ok || record.value.number === number) return record;
  return err(fault('store-corrupt', `block ${number} is stored as another one`));
}

/** The block that holds an index, compared with it. Codes of both above. */
export async function recordAt(
  env: LedgerEnv,
  handle: LogHandle,
  index: LogIndex,
): Promise<Result<BlockRecord>> {
  const number = await blockNumberAt(env, handle, index);
  if (!number.ok) return number;
  const record = await recordOf(env, handle, number.value);
  if (!record.ok) return err(at(record.error, { index }));
  const { firstIndex, size } = record.value;
  if (index >= firstIndex && index < size) return record;
  return err(fault('store-corrupt', 'the index of block starts names the wrong block', { index }));
}

export function missing(number: number): Fault {
  return fault('store-corrupt', `block ${number} is missing in the store`);
}
