/**
 * The index rows that a stored block must have beside it, and those of them that it lacks: what a
 * scrub compares, and what a repair writes. All follow from the block; only the slice of an id row
 * was chosen by the head of its time, so it is looked for.
 */
import { equal, writeUint48 } from '../bytes.ts';
import { keyspace, numberKey, pairKey } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import { asLogIndex, type ParsedEvent } from '../types.ts';
import { subjectRowKey } from './append-batch.ts';
import type { VerifiedBlock } from './block.ts';
import { contentCheckBytes, idRow, lookUpIds, type IdRow } from './id-rows.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { lineageRows } from './lineage-rows.ts';
import { eventAt } from './open-sealed.ts';
import type { StoreWrite } from './store.ts';

/** Rows that are missing or wrong, with what belongs there. */
export interface MissingRows {
  /** Index of the first entry that one of them is about. */
  readonly index: number;
  readonly writes: readonly StoreWrite[];
  /** Id rows are among them: filters over them must be made anew. */
  readonly ids: boolean;
}

interface Wanted extends StoreWrite {
  readonly value: Uint8Array;
  readonly index: number;
}

/** Undefined where the block has all its rows. Codes: those of the store. */
export async function missingRows(
  env: LedgerEnv,
  handle: LogHandle,
  verified: VerifiedBlock,
): Promise<Result<MissingRows | undefined>> {
  const wanted = wantedRows(env, handle.row.number, verified);
  const stored = await getEach(
    env,
    wanted.map(({ key }) => key),
  );
  const lacking = wanted.filter((row, i) => !equal(stored[i] ?? absent, row.value));
  const ids = await lackingIds(env, handle, verified);
  if (!ids.ok) return ids;
  const first = Math.min(
    ...lacking.map(({ index }) => index),
    ...ids.value.map(({ index }) => index),
  );
  if (first === Infinity) return ok(undefined);
  const writes = [...lacking, ...ids.value].map(({ key, value }) => ({ key, value }));
  return ok({ index: first, writes, ids: ids.value.length > 0 });
}

const absent = new Uint8Array(64);
const nothing = new Uint8Array(0);

/** All rows but those of ids. */
function wantedRows(
  env: LedgerEnv,
  log: number,
  { block, events, state }: VerifiedBlock,
): Wanted[] {
  const { firstIndex, entries } = block;
  const number = state.blocks - 1;
  const starts = numberKey(keyspace.starts, log, firstIndex);
  const times = pairKey(keyspace.times, log, state.time, number);
  const rows: Wanted[] = [
    { key: starts, value: uint48(number), index: firstIndex },
    { key: times, value: uint48(firstIndex), index: firstIndex },
  ];
  for (const [i, entry] of entries.entries()) {
    const index = firstIndex + i;
    if (entry.control !== undefined) {
      rows.push({ key: numberKey(keyspace.controls, log, index), value: uint48(number), index });
    }
    const subject = events[i]?.context['subject'];
    if (typeof subject !== 'string') continue;
    const key = subjectRowKey(log, env.ids.subjectKey(subject), index);
    rows.push({ key, value: nothing, index });
  }
  const cited: StoreWrite[] = [];
  lineageRows(log, block, cited);
  for (const { key } of cited) rows.push({ key, value: nothing, index: firstIndex });
  return rows;
}

/** As `getMany`; a row that cannot be read counts as missing. */
async function getEach(
  env: LedgerEnv,
  keys: readonly Uint8Array[],
): Promise<readonly (Uint8Array | undefined)[]> {
  const { store } = env.options;
  const all = await store.getMany(keys);
  if (all.ok) return all.value;
  const values: (Uint8Array | undefined)[] = [];
  for (const key of keys) {
    const value = await store.get(key);
    values.push(value.ok ? value.value : undefined);
  }
  return values;
}

async function lackingIds(
  env: LedgerEnv,
  handle: LogHandle,
  verified: VerifiedBlock,
): Promise<Result<readonly Wanted[]>> {
  const { firstIndex } = verified.block;
  const named: { readonly index: number; readonly event: ParsedEvent; readonly key: Uint8Array }[] =
    [];
  for (const [i, event] of verified.events.entries()) {
    if (event === undefined) continue;
    const { source, id } = event.context;
    const key = env.ids.idKey(String(source), String(id));
    named.push({ index: firstIndex + i, event, key });
  }
  const known = handle.stored?.slices ?? [];
  const usual =
    known.findLast((slice) => slice.firstIndex <= firstIndex)?.number ?? known[0]?.number ?? 0;
  const own = handle.row.role === 'writer';
  let open = named;
  // In nearly all cases the first slice asked has them all; older ones are asked for the rest.
  for (const slices of [[usual], others(usual, known.at(-1)?.number ?? 0)]) {
    if (open.length === 0 || slices.length === 0) continue;
    const rows = await idRows(
      env,
      handle,
      slices,
      open.map(({ key }) => key),
    );
    const still: typeof open = [];
    for (const [i, one] of open.entries()) {
      if (!(await rightRow(env, handle, rows[i], one, own))) still.push(one);
    }
    open = still;
  }
  return ok(
    open.map(({ index, event, key }) => {
      const hash = own ? env.ids.contentHash(event) : undefined;
      const row = idRow(handle.row.number, usual, key, index, hash);
      return { key: row.key, value: row.value ?? nothing, index };
    }),
  );
}

function others(usual: number, newest: number): readonly number[] {
  return Array.from({ length: newest + 1 }, (_, number) => number).filter((one) => one !== usual);
}

async function idRows(
  env: LedgerEnv,
  handle: LogHandle,
  numbers: readonly number[],
  keys: readonly Uint8Array[],
): Promise<readonly (IdRow | undefined)[]> {
  const { store } = env.options;
  const slices = numbers.map((number) => ({ number }));
  const all = await lookUpIds(store, handle.row.number, () => slices, keys);
  if (all.ok) return all.value;
  const rows: (IdRow | undefined)[] = [];
  for (const key of keys) {
    const row = await lookUpIds(store, handle.row.number, () => slices, [key]);
    rows.push(row.ok ? row.value[0] : undefined);
  }
  return rows;
}

/** A row that names another index is right where that entry has the same source and id. */
async function rightRow(
  env: LedgerEnv,
  handle: LogHandle,
  row: IdRow | undefined,
  wanted: { readonly index: number; readonly event: ParsedEvent; readonly key: Uint8Array },
  own: boolean,
): Promise<boolean> {
  if (row === undefined) return false;
  if (row.index === wanted.index) {
    if (!own || row.check.length === 0) return true;
    const hash = env.ids.contentHash(wanted.event).subarray(0, contentCheckBytes);
    return equal(row.check, hash);
  }
  // The writer used the id again, and the newer place counts.
  return row.index > wanted.index && row.index < handle.size
    ? equal((await idKeyAt(env, handle, row.index)) ?? nothing, wanted.key)
    : false;
}

/** The id key of the event at an index, made from its body; undefined where there is none. */
async function idKeyAt(
  env: LedgerEnv,
  handle: LogHandle,
  index: number,
): Promise<Uint8Array | undefined> {
  const event = await contextAt(env, handle, index);
  return event === undefined
    ? undefined
    : env.ids.idKey(String(event['source']), String(event['id']));
}

/** The attributes of the event at an index; undefined where it is none, gone, or sealed for us. */
export async function contextAt(
  env: LedgerEnv,
  handle: LogHandle,
  index: number,
): Promise<ParsedEvent['context'] | undefined> {
  if (index >= handle.size) return undefined;
  const event = await eventAt(env, handle, asLogIndex(index));
  return event.ok ? event.value.context : undefined;
}

function uint48(value: number): Uint8Array {
  const bytes = new Uint8Array(6);
  writeUint48(bytes, 0, value);
  return bytes;
}
