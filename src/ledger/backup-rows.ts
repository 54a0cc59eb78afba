/**
 * All that a home's store holds, as of one moment, for a backup of a running node: an iterator of the
 * store sees it as it was when it began, and what is written meanwhile goes on undisturbed.
 */
import type { Guard, GuardMark } from './guard.ts';
import type { Store, StoreScan } from './store.ts';

export interface StoreSnapshot extends AsyncDisposable {
  /**
   * Every row, in the order of the keys. A store that had to be opened anew meanwhile ends it with
   * `store-failed`: it would be two moments.
   */
  readonly rows: StoreScan;
  /** What must not go back. Of own logs no more than the rows have, unless the store is behind. */
  marks(): readonly GuardMark[];
}

export class BackupRows {
  readonly #store: Store;
  readonly #guard: Guard;

  constructor(store: Store, guard: Guard) {
    this.#store = store;
    this.#guard = guard;
  }

  /** Owned by the caller. */
  open(): StoreSnapshot {
    // A block is in the store before its mark is in the guard: marks first, so that no mark is
    // ahead of its rows and a home without followers can go on after a restore.
    const signed = this.#guard.marks().filter(({ kind }) => kind === 0);
    const everything = { gte: new Uint8Array(0), lt: Uint8Array.of(0xff) };
    const rows = this.#store.scan({ ...everything, snapshot: true });
    return {
      rows,
      // Of the other kinds the newest: they are promises to others, and no row need fit them.
      marks: () => [...signed, ...this.#guard.marks().filter(({ kind }) => kind !== 0)],
      [Symbol.asyncDispose]: () => rows[Symbol.asyncDispose](),
    };
  }
}
