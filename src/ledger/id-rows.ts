/**
 * Rows of the id index: source and id of an event → where it is. One form for writer and replica:
 *
 *   key     07 ‖ log uint32 ‖ slice uint16 ‖ id key 16
 *   value   index, in as few bytes as it needs (1 to 6)                         a replica's
 *           content hash, first 8 bytes ‖ index likewise                         a writer's
 */
import { keyspace, sliceKey } from '../keyspace.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogIndex } from '../types.ts';
import type { Slice } from './id-slices.ts';
import type { Store, StoreWrite } from './store.ts';

export const contentCheckBytes = 8;

export interface IdRow {
  readonly index: LogIndex;
  /** First bytes of the content hash; empty in a row that a replica wrote. */
  readonly check: Uint8Array;
}

export function idRow(
  log: number,
  slice: number,
  idKey: Uint8Array,
  index: number,
  contentHash: Uint8Array | undefined,
): StoreWrite {
  const check = contentHash === undefined ? 0 : contentCheckBytes;
  let width = 1;
  while (width < 6 && index >= 256 ** width) width++;
  const value = new Uint8Array(check + width);
  if (contentHash !== undefined) value.set(contentHash.subarray(0, check));
  for (let i = value.length - 1, rest = index; i >= check; i--) {
    value[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return { key: sliceKey(keyspace.ids, log, slice, idKey), value };
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

/** Looks each key up in these slices; where several have it the newest counts. */
export async function lookUpIds(
  store: Store,
  log: number,
  slices: readonly Pick<Slice, 'number'>[],
  idKeys: readonly Uint8Array[],
): Promise<Result<readonly (IdRow | undefined)[]>> {
  const keys = idKeys.flatMap((idKey) =>
    slices.map((slice) => sliceKey(keyspace.ids, log, slice.number, idKey)),
  );
  const values = await store.getMany(keys);
  if (!values.ok) return values;
  const rows: (IdRow | undefined)[] = [];
  for (let i = 0; i < idKeys.length; i++) {
    const found = values.value
      .slice(i * slices.length, (i + 1) * slices.length)
      .findLast((value) => value !== undefined);
    const row = found === undefined ? undefined : readIdRow(found);
    if (row !== undefined && !row.ok) return row;
    rows.push(row?.value);
  }
  return ok(rows);
}
