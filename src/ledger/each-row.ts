/** Going through the rows of a range. */
import { ok, type Result } from '../result.ts';
import type { Store, StoreEntry, StoreRange } from './store.ts';

/**
 * Hands out each row of a range in order, read in pages of `page` rows; a fault of `take` ends it.
 * Codes: those of the store and of `take`.
 */
export async function eachRow(
  store: Pick<Store, 'scan'>,
  range: StoreRange,
  page: number,
  take: (row: StoreEntry) => Promise<Result<void> | void> | Result<void> | void,
): Promise<Result<void>> {
  await using scan = store.scan(range);
  for (;;) {
    const rows = await scan.next(page);
    if (!rows.ok) return rows;
    if (rows.value.length === 0) return ok(undefined);
    for (const row of rows.value) {
      const taken = await take(row);
      if (taken?.ok === false) return taken;
    }
  }
}
