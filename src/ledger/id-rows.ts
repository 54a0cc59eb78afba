/**
 * Rows of the id index: source and id of an event → where it is. One form for writer and replica:
 *
 *   key     07 ‖ log uint32 ‖ slice uint16 ‖ id key, first 10 bytes
 *   value   index, in as few bytes as it needs (1 to 6)                         a replica's
 *           content hash, first 6 bytes ‖ index likewise, in 7 bytes and more    a writer's
 *
 * There is a row an event, so hashes are cut to what keeps chance out: two ids of a hundred million
 * share 80 bits with a probability of 4 in a thousand million.
 */
import { keyspace, sliceKey } from '../keyspace.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogIndex } from '../types.ts';
import type { Slice } from './id-slices.ts';
import { RowRoom } from './row-room.ts';
import type { Store, StoreWrite } from './store.ts';

export const contentCheckBytes = 6;
export const storedIdBytes = 10;

export interface IdRow {
  readonly index: LogIndex;
  /** First bytes of the content hash; empty in a row that a replica wrote. */
  readonly check: Uint8Array;
}

/** Room that one row needs at most. */
export const maxIdRowBytes: number = 7 + storedIdBytes + contentCheckBytes + 6;

export function idRow(
  log: number,
  slice: number,
  idKey: Uint8Array,
  index: number,
  contentHash: Uint8Array | undefined,
  room: RowRoom = new RowRoom(maxIdRowBytes),
): StoreWrite {
  const key = rowKey(log, slice, idKey, room.take(7 + storedIdBytes));
  const check = contentHash === undefined ? 0 : contentCheckBytes;
  const value = room.take(check + indexBytes(index));
  for (let i = 0; i < check; i++) value[i] = contentHash?.[i] ?? 0;
  for (let i = value.length - 1, rest = index; i >= check; i--) {
    value[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return { key, value };
}

/** As few as it needs, at least one. */
function indexBytes(index: number): number {
  let width = 1;
  for (let limit = 256; width < 6 && index >= limit; limit *= 256) width++;
  return width;
}

function rowKey(log: number, slice: number, idKey: Uint8Array, key?: Uint8Array): Uint8Array {
  return sliceKey(keyspace.ids, log, slice, idKey.subarray(0, storedIdBytes), key);
}

/** Code: store-corrupt. */
export function readIdRow(value: Uint8Array): Result<IdRow> {
  const check = value.length > contentCheckBytes ? contentCheckBytes : 0;
  const width = value.length - check;
  if (width < 1 || width > 6)
    return err(fault('store-corrupt', 'a row of the id index is damaged'));
  let index = 0;
  for (const byte of value.subarray(check)) index = index * 256 + byte;
  return ok({ index: asLogIndex(index), check: value.subarray(0, check) });
}

/** Looks each key up in its slices, in order; where several have it the newest counts. */
export async function lookUpIds(
  store: Store,
  log: number,
  slicesOf: (idKey: Uint8Array) => readonly Pick<Slice, 'number'>[],
  idKeys: readonly Uint8Array[],
): Promise<Result<readonly (IdRow | undefined)[]>> {
  const slices = idKeys.map(slicesOf);
  const keys = idKeys.flatMap((idKey, i) =>
    (slices[i] ?? []).map((slice) => rowKey(log, slice.number, idKey)),
  );
  const values = await store.getMany(keys);
  if (!values.ok) return values;
  const rows: (IdRow | undefined)[] = [];
  let at = 0;
  for (const { length } of slices) {
    const found = values.value.slice(at, at + length).findLast((value) => value !== undefined);
    at += length;
    const row = found === undefined ? undefined : readIdRow(found);
    if (row !== undefined && !row.ok) return row;
    rows.push(row?.value);
  }
  return ok(rows);
}

/** Keys of the rows of one event, in whatever slice they are. */
export async function idRowKeys(
  store: Store,
  log: number,
  slices: number,
  idKey: Uint8Array,
  index: number,
): Promise<Result<readonly Uint8Array[]>> {
  const keys = Array.from({ length: slices }, (_, i) => rowKey(log, i, idKey));
  const values = await store.getMany(keys);
  if (!values.ok) return values;
  return ok(
    keys.filter((_, i) => {
      const value = values.value[i];
      const row = value === undefined ? undefined : readIdRow(value);
      return row?.ok === true && row.value.index === index;
    }),
  );
}

/** Slices asked at once for the rows of one id. */
const rewritePage = 256;

/** Writes that take the content hash out of the rows of one event, in whatever slice they are. */
export async function idRowsOf(
  store: Store,
  log: number,
  slices: number,
  idKey: Uint8Array,
  index: number,
): Promise<Result<readonly StoreWrite[]>> {
  const writes: StoreWrite[] = [];
  for (let from = 0; from < slices; from += rewritePage) {
    const count = Math.min(rewritePage, slices - from);
    const values = await store.getMany(
      Array.from({ length: count }, (_, i) => rowKey(log, from + i, idKey)),
    );
    if (!values.ok) return values;
    for (const [i, value] of values.value.entries()) {
      const row = value === undefined ? undefined : readIdRow(value);
      if (row?.ok !== true || row.value.index !== index || row.value.check.length === 0) continue;
      writes.push(idRow(log, from + i, idKey, index, undefined));
    }
  }
  return ok(writes);
}
