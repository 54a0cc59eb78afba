/**
 * The schema number of a store. A store that a newer version wrote is refused, an older one is
 * migrated in place, step by step; each step is one or more batches that may be repeated after a
 * crash, and the number moves when the step is done.
 */
import { readUint32, utf8, writeUint32 } from '../bytes.ts';
import { fault } from '../errors.ts';
import { keyOf, keyspace, schemaVersion } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import type { Store } from './store.ts';

export type Migration = (store: Store) => Promise<Result<void>>;

/** From this number to the next. Empty: version 1 is the first. */
const migrations: Readonly<Record<number, Migration>> = {};

const schemaKey = keyOf(keyspace.meta, utf8('schema'));

/**
 * Brings the store to `current`. Codes: schema-newer, schema-damaged, those of the store.
 * `current` and `steps` are handed in by tests only.
 */
export async function openSchema(
  store: Store,
  current: number = schemaVersion,
  steps: Readonly<Record<number, Migration>> = migrations,
): Promise<Result<void>> {
  const stored = await store.get(schemaKey);
  if (!stored.ok) return stored;
  if (stored.value === undefined) {
    const empty = await isEmpty(store);
    if (!empty.ok) return empty;
    if (empty.value) return setSchema(store, current);
    return err(fault('schema-damaged', 'the store has data but no schema number'));
  }
  if (stored.value.length !== 4) {
    return err(fault('schema-damaged', 'the schema number of the store is damaged'));
  }
  let version = readUint32(stored.value, 0);
  if (version > current) {
    const message = `the store has schema ${version}, this version knows up to ${current}`;
    return err(fault('schema-newer', message));
  }
  while (version < current) {
    const step = steps[version];
    if (step === undefined) {
      return err(fault('schema-damaged', `schema ${version} of the store was never released`));
    }
    const done = await step(store);
    if (!done.ok) return done;
    version += 1;
    const set = await setSchema(store, version);
    if (!set.ok) return set;
  }
  return ok(undefined);
}

function setSchema(store: Store, version: number): Promise<Result<void>> {
  const value = new Uint8Array(4);
  writeUint32(value, 0, version);
  return store.batch([{ key: schemaKey, value }], { sync: true });
}

async function isEmpty(store: Store): Promise<Result<boolean>> {
  await using scan = store.scan({
    gte: new Uint8Array(0),
    lt: Uint8Array.of(0xff),
    keysOnly: true,
  });
  const first = await scan.next(1);
  return first.ok ? ok(first.value.length === 0) : first;
}
