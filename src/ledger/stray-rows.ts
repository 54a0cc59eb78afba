/**
 * Index rows that point at nothing: a flipped bit in a key leaves one behind, beside the row that is
 * missing. They are found by count first, which costs little, and only then one by one against the
 * entries that they name.
 */
import { equal, readUint48 } from '../bytes.ts';
import { keyspace, logKey, prefixRange, type Table } from '../keyspace.ts';
import { countIndexes } from './audit-indexes.ts';
import { contextAt } from './block-rows.ts';
import { readIdRow, storedIdBytes } from './id-rows.ts';
import type { LedgerEnv } from './ledger-env.ts';
import { leafKind } from './leaf.ts';
import type { LogHandle } from './log-handle.ts';
import { readBlock } from './state-before.ts';
import type { StoreEntry, StoreWrite } from './store.ts';
import { asLogIndex } from '../types.ts';
import { recordAt } from './read-block.ts';

/** What a walk over the whole log counted. */
export interface RowCounts {
  readonly subjects: number;
  readonly controls: number;
  readonly events: number;
}

const page = 256;

/** Deletes that take stray rows out; empty where the counts fit, or while the log grows. */
export async function strayRows(
  env: LedgerEnv,
  handle: LogHandle,
  counts: RowCounts,
): Promise<readonly StoreWrite[]> {
  const { stored } = handle;
  if (stored === undefined || handle.tip !== stored) return [];
  const { blocks } = stored.state;
  const tables: readonly (readonly [Table, number])[] = [
    [keyspace.starts, blocks],
    [keyspace.times, blocks],
    [keyspace.controls, counts.controls],
    [keyspace.subjects, counts.subjects],
    [keyspace.ids, counts.events],
  ];
  const writes: StoreWrite[] = [];
  for (const [table, wanted] of tables) {
    const found = await countIndexes(env, handle.row.number, table);
    if (handle.tip !== stored) return [];
    if (found !== undefined && found > wanted) writes.push(...(await straysOf(env, handle, table)));
  }
  return writes;
}

async function straysOf(
  env: LedgerEnv,
  handle: LogHandle,
  table: Table,
): Promise<readonly StoreWrite[]> {
  const writes: StoreWrite[] = [];
  await using scan = env.options.store.scan(prefixRange(logKey(table, handle.row.number)));
  for (;;) {
    const rows = await scan.next(page);
    if (!rows.ok || rows.value.length === 0) return writes;
    for (const row of rows.value) {
      if (await isStray(env, handle, table, row)) writes.push({ key: row.key });
    }
  }
}

async function isStray(
  env: LedgerEnv,
  handle: LogHandle,
  table: Table,
  { key, value }: StoreEntry,
): Promise<boolean> {
  switch (table) {
    case keyspace.starts:
      return !(await beginsAt(env, handle, readUint48(value, 0), readUint48(key, 5)));
    case keyspace.times:
      return !(await beginsAt(env, handle, readUint48(key, 11), readUint48(value, 0), key));
    case keyspace.controls:
      return !(await isControl(env, handle, readUint48(key, 5)));
    case keyspace.subjects: {
      const index = readUint48(key, key.length - 6);
      const context = await contextAt(env, handle, index);
      // Of what is sealed and has no key here nothing is known, so its row stays.
      if (context === undefined && (await isSealed(env, handle, index))) return false;
      const subject = context?.['subject'];
      return (
        typeof subject !== 'string' ||
        !equal(env.ids.subjectKey(subject), key.subarray(5, key.length - 6))
      );
    }
    default:
      return !(await isIdOf(env, handle, key, value));
  }
}

async function beginsAt(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
  firstIndex: number,
  key?: Uint8Array,
): Promise<boolean> {
  if (number >= (handle.stored?.state.blocks ?? 0)) return false;
  const read = await readBlock(env, handle, number);
  // Of a block that cannot be read nothing is known, so its row stays.
  if (!read.ok) return true;
  const { record } = read.value;
  if (record.firstIndex !== firstIndex) return false;
  return key === undefined || readUint48(key, 5) === record.time(record.count - 1);
}

async function isControl(env: LedgerEnv, handle: LogHandle, index: number): Promise<boolean> {
  if (index >= handle.size) return false;
  const record = await recordAt(env, handle, asLogIndex(index));
  return !record.ok || record.value.kind(index - record.value.firstIndex) === 3;
}

async function isSealed(env: LedgerEnv, handle: LogHandle, index: number): Promise<boolean> {
  if (index >= handle.size) return false;
  const record = await recordAt(env, handle, asLogIndex(index));
  return record.ok && record.value.kind(index - record.value.firstIndex) === leafKind.sealed;
}

/** The id rows of events whose bodies are gone stay: nothing can be held against them. */
async function isIdOf(
  env: LedgerEnv,
  handle: LogHandle,
  key: Uint8Array,
  value: Uint8Array,
): Promise<boolean> {
  const row = readIdRow(value);
  if (!row.ok || row.value.index >= handle.size) return false;
  const { index } = row.value;
  const record = await recordAt(env, handle, index);
  if (!record.ok) return true;
  const position = index - record.value.firstIndex;
  if (record.value.kind(position) > leafKind.sealed) return false;
  if (record.value.body(position) === undefined) return true;
  const context = await contextAt(env, handle, index);
  if (context === undefined) return true;
  const idKey = env.ids.idKey(String(context['source']), String(context['id']));
  return equal(idKey.subarray(0, storedIdBytes), key.subarray(7));
}
