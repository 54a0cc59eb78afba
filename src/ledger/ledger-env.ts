/** What all parts of the ledger share: the outside world, counters, listeners, caches. */
import { utf8 } from '../bytes.ts';
import type { Fault } from '../errors.ts';
import { Identities } from '../identities.ts';
import { keyOf, keyspace } from '../keyspace.ts';
import { RecentMap } from '../recent-map.ts';
import { ok, type Result } from '../result.ts';
import type { LogId, TreeSize } from '../types.ts';
import { FilterMemory } from './dedupe.ts';
import { Epochs } from './epochs.ts';
import { ForkBook } from './fork-book.ts';
import { IdKeys } from './id-keys.ts';
import type { AppendedBlock, LedgerOptions } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import type { PackedTile } from './packed-tile.ts';
import { RecentBlocks } from './recent-blocks.ts';
import { Unconfirmed } from './unconfirmed.ts';

/** Counters as they are kept; `LedgerStats` is what others see. */
export interface Counters {
  publishedEvents: number;
  publishedBlocks: number;
  appliedEvents: number;
  appliedBlocks: number;
  duplicates: number;
  conflicts: number;
  busy: number;
  storeFailures: number;
  forks: number;
  dedupeLookups: number;
  droppedBodies: number;
  redactedBodies: number;
  retentionFailures: number;
}

export class LedgerEnv {
  readonly options: LedgerOptions;
  readonly ids: IdKeys;
  readonly filters: FilterMemory;
  /** Full ones: they never change, so only their number is bounded. */
  readonly tiles: RecentMap<string, PackedTile>;
  readonly recent: RecentBlocks;
  readonly unconfirmed: Unconfirmed;
  readonly forks: ForkBook;
  /** Owners that go by a newer DID; the node fills it. */
  readonly owners: Identities = new Identities();
  readonly epochs: Epochs;
  /** Where logs end whose writer was revoked (log-ends.ts). */
  readonly ends: Map<LogId, TreeSize> = new Map();
  /** The next block of the log goes beyond its end. */
  atEnd: (handle: LogHandle) => void = () => undefined;
  /** By log id; the ledger adds and removes. */
  readonly logs: Map<LogId, LogHandle> = new Map();
  readonly counters: Counters = {
    publishedEvents: 0,
    publishedBlocks: 0,
    appliedEvents: 0,
    appliedBlocks: 0,
    duplicates: 0,
    conflicts: 0,
    busy: 0,
    storeFailures: 0,
    forks: 0,
    dedupeLookups: 0,
    droppedBodies: 0,
    redactedBodies: 0,
    retentionFailures: 0,
  };
  /** Why the store takes no writes; undefined while it does. */
  storeFailure: Fault | undefined;
  /** For the next log that becomes known. */
  nextLogNumber = 1;
  /** Something was written without sync since the last flush. */
  unsynced = false;
  /** Sets blocks aside that are not of the history which a log's owner chose (successors.ts). */
  leaveHistory: (handle: LogHandle) => Promise<void> = () => Promise.resolve();
  flushing: Promise<unknown> | undefined;
  readonly #listeners = new Set<(block: AppendedBlock) => void>();

  constructor(options: LedgerOptions) {
    this.options = options;
    this.ids = new IdKeys(options.crypto, options.nodeSecret);
    this.filters = new FilterMemory(options.limits.maxDedupeFilterBytes);
    this.forks = new ForkBook(options.store);
    this.epochs = new Epochs(this);
    this.tiles = new RecentMap(options.limits.maxCachedTiles);
    this.recent = new RecentBlocks(options.limits.maxRecentBlockBytes);
    this.unconfirmed = new Unconfirmed(options.host, options.limits);
  }

  listen(listener: (block: AppendedBlock) => void): Disposable {
    // A wrapper of its own, so that a function that is registered twice is called twice.
    const own = (block: AppendedBlock): void => listener(block);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  announce(block: AppendedBlock): void {
    for (const listener of this.#listeners) listener(block);
  }
}

const flushKey = keyOf(keyspace.meta, utf8('flush'));

/** Resolves when all that was written without sync is on the disk. */
export async function flushStore(env: LedgerEnv): Promise<Result<void>> {
  // A flush that is under way may have begun before what is meant now was written.
  while (env.flushing !== undefined) await env.flushing;
  if (!env.unsynced) return ok(undefined);
  env.unsynced = false;
  const flushing = env.options.store.batch([{ key: flushKey, value: utf8('1') }], { sync: true });
  env.flushing = flushing.finally(() => {
    env.flushing = undefined;
  });
  const done = await flushing;
  if (!done.ok) env.unsynced = true;
  return done;
}
