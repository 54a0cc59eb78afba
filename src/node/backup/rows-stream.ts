/** A store's rows as the bytes of `store.rows`, frame by frame, in bounded memory. */
import { HeadwaterError } from '../../errors.ts';
import type { StoreSnapshot } from '../../ledger/backup-rows.ts';
import type { StoreEntry } from '../../ledger/store.ts';
import { limits } from '../../limits.ts';
import { encodeEnd, encodeFrame, encodeStart } from './rows-codec.ts';

const page = 64;

/** Throws HeadwaterError with the fault of the store. The snapshot stays the caller's. */
export async function* rowsStream(snapshot: StoreSnapshot): AsyncGenerator<Uint8Array> {
  yield encodeStart();
  let [rows, bytes, waiting] = [0, 0, 0];
  let gathered: StoreEntry[] = [];
  for (;;) {
    const next = await snapshot.rows.next(page);
    if (!next.ok) throw new HeadwaterError(next.error);
    for (const entry of next.value) {
      const size = entry.key.length + entry.value.length;
      [rows, bytes, waiting] = [rows + 1, bytes + size, waiting + size];
      gathered.push(entry);
    }
    const last = next.value.length === 0;
    if (gathered.length > 0 && (last || waiting >= limits.backupFrameBytes)) {
      yield await encodeFrame(gathered);
      [gathered, waiting] = [[], 0];
    }
    if (last) break;
  }
  yield encodeEnd({ rows, bytes, marks: snapshot.marks() });
}
