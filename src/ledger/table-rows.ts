/** Small tables that other rooms keep in the store (keyspace.ts names the room): rows by name, durable. */
import { keyOf, prefixRange, type Table } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import { eachRow } from './each-row.ts';
import type { Store } from './store.ts';

export interface TableRow {
  /** The key after the prefix. */
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

export class TableRows {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** All rows in the order of their names: for tables that fit in memory. Codes: those of the store. */
  async all(table: Table): Promise<Result<readonly TableRow[]>> {
    const rows: TableRow[] = [];
    const range = prefixRange(Uint8Array.of(table.prefix));
    const read = await eachRow(this.#store, range, 1000, ({ key, value }) => {
      rows.push({ name: key.slice(1), value });
    });
    return read.ok ? ok(rows) : read;
  }

  /** Durable when it resolves. */
  put(table: Table, { name, value }: TableRow): Promise<Result<void>> {
    return this.#store.batch([{ key: keyOf(table, name), value }], { sync: true });
  }

  /** All or none; durable when it resolves. */
  putAll(table: Table, rows: readonly TableRow[]): Promise<Result<void>> {
    const writes = rows.map(({ name, value }) => ({ key: keyOf(table, name), value }));
    return this.#store.batch(writes, { sync: true });
  }

  remove(table: Table, name: Uint8Array): Promise<Result<void>> {
    return this.#store.batch([{ key: keyOf(table, name) }], { sync: true });
  }
}
