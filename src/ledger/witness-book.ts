/**
 * What this home has cosigned as a witness, durable before anyone sees a line of it (C2SP
 * tlog-witness): for each origin the newest size, root, checkpoint and cosignature, as a row of the
 * store, and size and root in the guard file too, so that a store brought back from a backup cannot
 * make the witness sign another root for a size. What counts is the larger of the two.
 *
 * Deciding and storing are one step for each origin: requests of one origin take turns. What is
 * decided for many origins meanwhile goes to the disk together (group commit): one synced batch and
 * one frame of the guard.
 */
import { equal, utf8 } from '../bytes.ts';
import { CborReader, CborWriter } from '../cbor.ts';
import { fault, type Fault } from '../errors.ts';
import { keyOf, keyspace, prefixRange } from '../keyspace.ts';
import { RecentMap } from '../recent-map.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asTreeSize, type Hash } from '../types.ts';
import type { GuardMark } from './guard.ts';
import type { LedgerEnv } from './ledger-env.ts';
import { parseNoteText, type NoteKey } from './note.ts';
import type { StoreWrite } from './store.ts';
import {
  decideCheckpoint,
  type AddCheckpoint,
  type Witness,
  type WitnessAnswer,
  type Witnessed,
} from './witness.ts';

/** Two checkpoints of one origin and size with different roots, both signed by a trusted key. */
export interface WitnessConflict {
  readonly origin: string;
  /** The one cosigned; '' where only the guard still knows its root. */
  readonly first: string;
  readonly second: string;
}

export interface WitnessedRow extends Witnessed {
  readonly origin: string;
}

interface Waiting {
  readonly write: StoreWrite;
  readonly mark: GuardMark;
  readonly done: (result: Result<void>) => void;
}

/** States in memory; one that is not there is read. */
const maxCached = 16_384;

export class WitnessBook {
  readonly #env: LedgerEnv;
  readonly #states = new RecentMap<string, Witnessed | undefined>(maxCached);
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #conflicts = new Set<(conflict: WitnessConflict) => void>();
  #count: Promise<Result<number>> | undefined;
  #added = 0;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #queued = 0;

  constructor(env: LedgerEnv) {
    this.#env = env;
  }

  /**
   * Decides on a request and answers once the new state is on the disk. `keys` are those trusted for
   * the origin, undefined where it is not known. Faults, nothing is signed then: rate-limited (too
   * many wait), queue-full (too many origins), those of store and guard.
   */
  async submit(
    witness: Witness,
    request: AddCheckpoint,
    keys: readonly NoteKey[] | undefined,
  ): Promise<Result<WitnessAnswer>> {
    const { crypto, limits } = this.#env.options;
    if (this.#queued >= limits.maxWitnessQueue) {
      return err(fault('rate-limited', 'too many checkpoints wait for the disk'));
    }
    this.#queued += 1;
    const { origin } = request;
    try {
      return await this.#inTurn(origin, () =>
        this.#submit(witness, request, keys, crypto.sha256(utf8(origin))),
      );
    } finally {
      this.#queued -= 1;
    }
  }

  /**
   * A cosignature of our own that others show, verified. Where it is newer than what is here, an old
   * copy of this home came back: it counts from now on, and true is given. Codes: those of store and guard.
   */
  async remember(origin: string, shown: Witnessed): Promise<Result<boolean>> {
    const id = this.#env.options.crypto.sha256(utf8(origin));
    return this.#inTurn(origin, async () => {
      const last = await this.#read(id);
      if (!last.ok) return last;
      const { size = 0, root = shown.root, note = '' } = last.value ?? {};
      if (shown.size === size && !equal(shown.root, root)) {
        for (const listener of this.#conflicts)
          listener({ origin, first: note, second: shown.note });
      }
      if (shown.size <= size) return ok(false);
      const stored = await this.#store(id, shown);
      if (!stored.ok) {
        this.#states.delete(cacheKey(id));
        return stored;
      }
      this.#states.set(cacheKey(id), shown);
      if (last.value === undefined) this.#added += 1;
      return ok(true);
    });
  }

  async #inTurn<T>(origin: string, run: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(origin);
    const turn = (async () => {
      await before;
      return run();
    })();
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(origin, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(origin) === settled) this.#turns.delete(origin);
    }
  }

  /** By the SHA-256 of the origin, as monitors ask. Codes of the store. */
  async last(id: Hash): Promise<Result<Witnessed | undefined>> {
    return this.#read(id);
  }

  /** Everything cosigned, in the order of the origins' hashes, at most `max`. Codes of the store. */
  async list(max: number): Promise<Result<readonly WitnessedRow[]>> {
    const range = prefixRange(Uint8Array.of(keyspace.witnessed.prefix));
    await using scan = this.#env.options.store.scan(range);
    const rows: WitnessedRow[] = [];
    while (rows.length < max) {
      const page = await scan.next(Math.min(256, max - rows.length));
      if (!page.ok) return page;
      if (page.value.length === 0) break;
      for (const { value } of page.value) {
        const row = decodeWitnessed(value);
        if (!row.ok) return row;
        const note = parseNoteText(row.value.note);
        if (note.ok) rows.push({ ...row.value, origin: note.value.text.split('\n', 1)[0] ?? '' });
      }
    }
    return ok(rows);
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Called when two roots of one size were signed; must not throw and returns soon. */
  onConflict(listener: (conflict: WitnessConflict) => void): Disposable {
    const own = (conflict: WitnessConflict): void => listener(conflict);
    this.#conflicts.add(own);
    return { [Symbol.dispose]: () => void this.#conflicts.delete(own) };
  }

  async #submit(
    witness: Witness,
    request: AddCheckpoint,
    keys: readonly NoteKey[] | undefined,
    id: Hash,
  ): Promise<Result<WitnessAnswer>> {
    const { crypto, host } = this.#env.options;
    const last = keys === undefined ? ok(undefined) : await this.#read(id);
    if (!last.ok) return last;
    const origin =
      keys === undefined
        ? undefined
        : { keys, ...(last.value === undefined ? {} : { last: last.value }) };
    const answer = decideCheckpoint(crypto, witness, request, origin, host.clock.now());
    if (answer.status !== 200) {
      if (answer.forked === true && answer.signed !== undefined) {
        const conflict = { origin: request.origin, first: last.value?.note ?? '' };
        for (const listener of this.#conflicts) listener({ ...conflict, second: answer.signed });
      }
      return ok(answer);
    }
    const room = last.value === undefined ? await this.#room() : ok(undefined);
    if (!room.ok) return room;
    const stored = await this.#store(id, answer.state);
    if (!stored.ok) {
      // What is on the disk now is not known: it is read again, and the guard counts too.
      this.#states.delete(cacheKey(id));
      return stored;
    }
    this.#states.set(cacheKey(id), answer.state);
    if (last.value === undefined) this.#added += 1;
    return ok(answer);
  }

  async #room(): Promise<Result<void>> {
    this.#count ??= this.#countRows();
    const count = await this.#count;
    if (!count.ok) {
      this.#count = undefined;
      return count;
    }
    if (count.value + this.#added < this.#env.options.limits.maxWitnessedLogs) return ok(undefined);
    return err(fault('queue-full', 'this witness takes no further logs'));
  }

  async #countRows(): Promise<Result<number>> {
    const range = prefixRange(Uint8Array.of(keyspace.witnessed.prefix));
    await using scan = this.#env.options.store.scan({ ...range, keysOnly: true });
    for (let count = 0; ;) {
      const page = await scan.next(1024);
      if (!page.ok) return page;
      if (page.value.length === 0) return ok(count);
      count += page.value.length;
    }
  }

  async #read(id: Hash): Promise<Result<Witnessed | undefined>> {
    const name = cacheKey(id);
    if (this.#states.has(name)) return ok(this.#states.get(name));
    const { store, guard } = this.#env.options;
    const bytes = await store.get(keyOf(keyspace.witnessed, id));
    if (!bytes.ok) return bytes;
    const row = bytes.value === undefined ? ok(undefined) : decodeWitnessed(bytes.value);
    if (!row.ok) return row;
    const mark = guard.mark(1, id);
    const state = newer(row.value, mark);
    if (!state.ok) return state;
    this.#states.set(cacheKey(id), state.value);
    return state;
  }

  #store(id: Hash, state: Witnessed): Promise<Result<void>> {
    const { promise, resolve } = Promise.withResolvers<Result<void>>();
    this.#waiting.push({
      write: { key: keyOf(keyspace.witnessed, id), value: encodeWitnessed(state) },
      mark: { kind: 1, id, size: state.size, root: state.root },
      done: resolve,
    });
    this.#writing ??= this.#drain();
    return promise;
  }

  /** One synced batch and one frame of the guard for all who wait, until nobody does. */
  async #drain(): Promise<void> {
    const { store, guard } = this.#env.options;
    // Whatever else was decided in this turn of the event loop goes with the first.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const writes = group.map(({ write }) => write);
      const marks = group.map(({ mark }) => mark);
      const [stored, guarded] = await Promise.all([
        store.batch(writes, { sync: true }),
        guard.advance(marks),
      ]);
      for (const { done } of group) done(stored.ok ? guarded : stored);
    }
    this.#writing = undefined;
  }
}

function cacheKey(id: Hash): string {
  return String.fromCharCode(...id);
}

/** What counts: the larger of row and mark; they never say two roots for one size. */
function newer(
  row: Witnessed | undefined,
  mark: GuardMark | undefined,
): Result<Witnessed | undefined> {
  if (mark === undefined || (row !== undefined && row.size > mark.size)) return ok(row);
  if (row === undefined || row.size < mark.size) {
    return ok({ size: asTreeSize(mark.size), root: mark.root, note: '', cosignature: '' });
  }
  return equal(row.root, mark.root) ? ok(row) : err(damaged('store and guard differ'));
}

/** dag-cbor [1, size, root 32, checkpoint text, cosignature line]. */
export function encodeWitnessed({ size, root, note, cosignature }: Witnessed): Uint8Array {
  const writer = new CborWriter(512).list(5).uint(1).uint(size).bytes(root);
  return writer.text(note).text(cosignature).finish();
}

/** Code: store-corrupt. */
export function decodeWitnessed(bytes: Uint8Array): Result<Witnessed> {
  const reader = new CborReader(bytes);
  const sound = reader.list() === 5 && reader.uint() === 1;
  const size = reader.uint();
  const root = reader.bytes();
  const [note, cosignature] = [reader.text(), reader.text()];
  reader.end();
  if (!sound || reader.failed !== undefined || root.length !== 32) {
    return err(damaged('the row of a cosigned checkpoint'));
  }
  return ok({ size: asTreeSize(size), root: asHash(root.slice()), note, cosignature });
}

function damaged(what: string): Fault {
  return fault('store-corrupt', `what this witness has cosigned is damaged: ${what}`);
}
