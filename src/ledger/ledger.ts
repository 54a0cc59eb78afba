/**
 * The ledger of one home: its own logs and those that it follows, over one store and one guard. A
 * thin face: the work is in writer.ts (own logs), replica.ts (blocks of others), replay.ts
 * (reading), proofs and audit.ts (checking everything).
 */
import type { CborMap } from '../cbor.ts';
import type { Signer } from '../crypto.ts';
import type { Result } from '../result.ts';
import type { Hash, LogId, LogIndex, ParsedEvent, TimeMs, TreeSize } from '../types.ts';
import type { Position } from './cursors.ts';
import type {
  AppendedBlock,
  ApplyOutcome,
  EntryBatch,
  KeyChainPage,
  LedgerEntry,
  LedgerOptions,
  LedgerStats,
  LogSummary,
  NewLog,
  ReadOptions,
  Receipt,
  StoredBlock,
  VerifyOptions,
  VerifyReport,
} from './ledger-types.ts';

export abstract class Ledger implements AsyncDisposable {
  /**
   * Opens the store's logs: schema, newest block of each log, guard. A log that does not verify is
   * `damaged`, an own log that is behind its guard `waiting`; the ledger opens all the same.
   * Codes: schema-newer, schema-damaged, those of the store.
   */
  static open(_options: LedgerOptions): Promise<Result<Ledger>> {
    throw new Error('not built yet');
  }

  /** Makes a log with its genesis block; resolves when it is durable. Without signer policy checks. */
  abstract create(log: NewLog, signer: Signer): Promise<Result<LogId>>;
  /** Own logs after a restart. The signer must hold the key in force. */
  abstract attachSigner(logId: LogId, signer: Signer): Result<void>;
  /** Durable. Following what is known already is no error. */
  abstract follow(logId: LogId): Promise<Result<void>>;
  /** With `purge` all that is stored of the log goes too. Own logs: `log-exists`. */
  abstract unfollow(logId: LogId, options: { readonly purge: boolean }): Promise<Result<void>>;
  abstract logs(): readonly LogSummary[];
  abstract log(logId: LogId): LogSummary | undefined;

  /**
   * Appends events to an own log; resolves after store and guard are synced, with one result an
   * event in their order. Idempotent by source and id. Outer codes, nothing appended: log-unknown,
   * log-read-only, log-waiting and its reasons, stream-paused, clock-untrusted, busy,
   * batch-too-large, event-too-large, disk-full, store-failed. Inner: event-conflict,
   * parent-unknown, and those of a failing store. An aborted signal drops what is not yet in a
   * block (`interrupted`).
   */
  abstract publish(
    logId: LogId,
    events: readonly ParsedEvent[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<Result<readonly Result<Receipt>[]>>;
  /** A control entry of any type but genesis and rotate, in a block of its own. */
  abstract appendControl(logId: LogId, map: CborMap): Promise<Result<Receipt>>;
  /** Passes the log on to another writer key; later blocks are signed by it. */
  abstract rotate(logId: LogId, newSigner: Signer): Promise<Result<Receipt>>;
  /** The writer refuses with `stream-paused`; a replica goes on. Kept until the process ends. */
  abstract pause(logId: LogId): Result<void>;
  abstract resume(logId: LogId): Result<void>;

  /** Judges a block of a followed log and stores it if it is next. Never throws. */
  abstract apply(wire: Uint8Array, via: 'gossip' | 'sync'): Promise<ApplyOutcome>;
  /** Resolves when all that replicas have stored so far is on the disk. */
  abstract flush(): Promise<Result<void>>;

  /** Whole blocks from the one that holds `from`; throws HeadwaterError (`store-corrupt`, …). */
  abstract blocks(logId: LogId, from: LogIndex, options?: ReadOptions): AsyncIterable<StoredBlock>;
  /** Entries [from, to), up to the head at the time of the call where `to` is left out. */
  abstract entries(
    logId: LogId,
    from: LogIndex,
    to?: LogIndex,
    options?: ReadOptions,
  ): AsyncIterable<LedgerEntry>;
  /** The same, block by block: the fast form. */
  abstract batches(
    logId: LogId,
    from: LogIndex,
    to?: LogIndex,
    options?: ReadOptions,
  ): AsyncIterable<EntryBatch>;
  /** History from `from`, then live, without gap or duplicate, until the signal aborts. */
  abstract tail(
    logId: LogId,
    from: LogIndex,
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<EntryBatch>;
  /** `index-over-head`, `store-corrupt`, … */
  abstract entry(logId: LogId, index: LogIndex): Promise<Result<LedgerEntry>>;
  /** First entry recorded at or after the time; the size where there is none. */
  abstract indexAtTime(logId: LogId, time: TimeMs): Promise<Result<LogIndex>>;
  abstract find(logId: LogId, source: string, id: string): Promise<Result<LogIndex | undefined>>;
  /** Indexes of events with this subject in ascending order, or descending from the head. */
  abstract subjectIndexes(
    logId: LogId,
    subject: string,
    options?: { readonly from?: LogIndex; readonly to?: LogIndex; readonly reverse?: boolean },
  ): AsyncIterable<LogIndex>;

  /** Genesis and control entries with inclusion paths to one size; pages of up to `maxBytes`. */
  abstract keyChain(
    logId: LogId,
    options?: { readonly from?: LogIndex; readonly maxBytes?: number },
  ): Promise<Result<KeyChainPage>>;
  /** Checked against the root before it is given. `size` is the head's unless said. */
  abstract inclusionProof(
    logId: LogId,
    index: LogIndex,
    size?: TreeSize,
  ): Promise<Result<readonly Hash[]>>;
  abstract consistencyProof(
    logId: LogId,
    from: TreeSize,
    to?: TreeSize,
  ): Promise<Result<readonly Hash[]>>;
  /** Range root of [from, to): what a parent reference cites. */
  abstract rangeRoot(logId: LogId, from: LogIndex, to: LogIndex): Promise<Result<Hash>>;

  /** Reads and checks everything that is stored of a log. Damage is in the report, never thrown. */
  abstract verify(logId: LogId, options?: VerifyOptions): Promise<Result<VerifyReport>>;

  abstract cursor(name: string): Promise<Result<Position | undefined>>;
  /** Durable when it resolves. */
  abstract setCursor(name: string, position: Position): Promise<Result<void>>;
  abstract removeCursor(name: string): Promise<Result<void>>;
  abstract cursors(): Promise<Result<readonly string[]>>;

  /** Called after a block is durable (own) or stored (replica), in order of each log. */
  abstract onAppended(listener: (block: AppendedBlock) => void): Disposable;
  abstract stats(): LedgerStats;
  /** Ends writing, flushes, closes store and guard. */
  abstract close(): Promise<void>;
  abstract [Symbol.asyncDispose](): Promise<void>;
}
