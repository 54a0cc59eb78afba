/**
 * The ledger of one home: its own logs and those that it follows, over one store and one guard. A
 * thin face: the work is in log-workers.ts (own logs, blocks of others), replay.ts and lookup.ts
 * (reading), prover.ts (proofs) and audit.ts (checking everything).
 */
import type { CborMap } from '../cbor.ts';
import type { Signer } from '../crypto.ts';
import { fault, HeadwaterError, type Fault } from '../errors.ts';
import type { Identities } from '../identities.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogId, type LogIndex, type ParsedEvent, type TimeMs } from '../types.ts';
import { auditLog } from './audit.ts';
import { Cosigned } from './cosigned.ts';
import { BackupRows } from './backup-rows.ts';
import { Confirming } from './confirming.ts';
import { createLog, purgeLog, unknownLog } from './create-log.ts';
import { Cursors } from './cursors.ts';
import type { EpochPolicy } from './epoch-policy.ts';
import type { EpochsOf } from './epochs.ts';
import { followLog } from './follow-log.ts';
import { rowWrite } from './fork-check.ts';
import { Forks } from './forks.ts';
import { flushStore, LedgerEnv } from './ledger-env.ts';
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
import { LineageReader } from './lineage-reader.ts';
import type { LogHandle } from './log-handle.ts';
import { findById, indexAtTime, subjectIndexes, type SubjectRange } from './lookup.ts';
import { loadLedger } from './open-ledger.ts';
import { LogKeys } from './log-keys.ts';
import { LogProofs } from './log-proofs.ts';
import { LogTree } from './log-tree.ts';
import { LogEnds } from './log-ends.ts';
import { LogWorkers } from './log-workers.ts';
import { WitnessBook } from './witness-book.ts';
import { keyChainOf } from './prover.ts';
import { applyWire } from './replica.ts';
import { batchesOf, blocksOf, entriesOf, entryOf, tailOf } from './replay.ts';
import { Retention, type RetentionWriter } from './retention.ts';
import { Scrub } from './scrub.ts';
import type { OpenedEpoch } from './sealing.ts';
import { Shreds } from './shreds.ts';
import { Successors } from './successors.ts';
import { TableRows } from './table-rows.ts';

export class Ledger implements AsyncDisposable {
  readonly proofs: LogProofs;
  readonly forks: Forks;
  readonly successors: Successors;
  /** Logs whose writer was revoked. */
  readonly ends: LogEnds;
  readonly cursors: Cursors;
  /** Tables of other rooms. */
  readonly rows: TableRows;
  readonly tree: LogTree;
  readonly keys: LogKeys;
  /** Checkpoints of the logs here with the lines of witnesses. */
  readonly cosigned: Cosigned;
  /** What this home has cosigned as a witness. */
  readonly witnessed: WitnessBook;
  readonly confirming: Confirming;
  readonly backup: BackupRows;
  readonly retention: Retention;
  readonly scrub: Scrub;
  /** The epochs that a sealed log has opened. */
  readonly epochs: EpochsOf;
  readonly shreds: Shreds;
  readonly identities: Identities;
  readonly #env: LedgerEnv;
  readonly #workers: LogWorkers;
  readonly #flushTimer: Disposable;
  readonly #warnings: readonly Fault[];
  #closing: Promise<void> | undefined;

  private constructor(env: LedgerEnv, warnings: readonly Fault[]) {
    this.#env = env;
    this.#warnings = warnings;
    const { host, limits, store } = env.options;
    const workers = new LogWorkers(env, (logId) => this.confirming.caughtUp(logId));
    this.#workers = workers;
    this.epochs = env.epochs.of;
    this.identities = env.owners;
    this.proofs = new LogProofs(env);
    this.tree = new LogTree(env);
    this.forks = new Forks(env);
    this.keys = new LogKeys(env);
    this.cosigned = new Cosigned(env, this.keys);
    this.witnessed = new WitnessBook(env);
    const writer: RetentionWriter = {
      append: async (logId, map) => {
        const own = workers.writer(logId);
        return own.ok ? own.value.maintain(map) : own;
      },
    };
    this.retention = new Retention(env, writer);
    this.shreds = new Shreds(env, writer);
    this.scrub = new Scrub(env, {
      idsMended: (logId) => workers.idsMended(logId),
      healed: (logId) => workers.reloaded(logId),
    });
    this.cursors = new Cursors(store, limits.maxCursors);
    this.rows = new TableRows(store);
    this.backup = new BackupRows(store, env.options.guard);
    this.confirming = new Confirming(env, (logId) => workers.reloaded(logId));
    this.successors = new Successors(env, workers);
    this.ends = new LogEnds(env, workers);
    this.#flushTimer = host.timers.every(limits.flushIntervalMs, () => void this.flush());
  }

  /**
   * Opens the store's logs: schema, newest block of each log, guard. A log that does not verify is
   * `damaged`, an own log that is behind its guard `waiting`; the ledger opens all the same and
   * `warnings` says why. On failure store and guard stay the caller's. Codes: schema-newer,
   * schema-damaged, guard-failed, those of the store.
   */
  static async open(options: LedgerOptions): Promise<Result<Ledger>> {
    const env = new LedgerEnv(options);
    const warnings = await loadLedger(env);
    if (!warnings.ok) return warnings;
    const ledger = new Ledger(env, warnings.value);
    const waiting = await ledger.confirming.load();
    if (waiting.ok) return ok(ledger);
    ledger.#stop();
    return waiting;
  }

  /** What opening found and mended or could not mend: for the journal. */
  warnings(): readonly Fault[] {
    return this.#warnings;
  }

  /** Makes a log with its genesis block; resolves when it is durable. The signer is attached. */
  async create(log: NewLog, signer: Signer): Promise<Result<LogId>> {
    const handle = await createLog(this.#env, log, signer);
    if (!handle.ok) return handle;
    this.#workers.attach(handle.value, signer);
    return ok(handle.value.logId);
  }

  /** Own logs after a restart. Codes: log-unknown, log-read-only, writer-key (not the key in force). */
  attachSigner(logId: LogId, signer: Signer): Result<void> {
    return this.#workers.attachSigner(logId, signer);
  }

  /** Durable. Following what is known already is no error. */
  follow(logId: LogId): Promise<Result<void>> {
    return followLog(this.#env, logId);
  }

  /** With `purge` all that is stored of the log goes too. Codes: log-unknown, log-exists (an own log). */
  async unfollow(logId: LogId, options: { readonly purge: boolean }): Promise<Result<void>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    if (handle.row.role === 'writer') return err(fault('log-exists', 'the log is written here'));
    handle.row = { ...handle.row, role: 'unfollowed' };
    await this.#workers.settled(logId);
    await this.retention.settled();
    this.#workers.dropReplica(logId);
    const { store } = this.#env.options;
    const stored = await store.batch([rowWrite(handle)], { sync: true });
    if (!stored.ok || !options.purge) return stored;
    this.#env.logs.delete(logId);
    return purgeLog(this.#env, handle, { keepRow: false });
  }

  /** Own and followed logs. */
  logs(): readonly LogSummary[] {
    const active = [...this.#env.logs.values()].filter((one) => one.row.role !== 'unfollowed');
    return active.map((handle) => handle.summary(this.#env));
  }

  log(logId: LogId): LogSummary | undefined {
    const handle = this.#env.logs.get(logId);
    return handle?.row.role === 'unfollowed' ? undefined : handle?.summary(this.#env);
  }

  /**
   * Appends events to an own log; resolves after store and guard are synced, with one result an
   * event in their order. Idempotent by source and id. Outer codes, nothing appended: log-unknown,
   * log-read-only, log-waiting, the reason of a log that is not open, stream-paused,
   * clock-untrusted, busy, batch-too-large, event-too-large, disk-full, store-failed. Inner:
   * event-conflict, parent-unknown, interrupted, and those of a failing store. An aborted signal
   * drops what is not yet in a block.
   */
  async publish(
    logId: LogId,
    events: readonly ParsedEvent[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Result<readonly Result<Receipt>[]>> {
    const own = this.#workers.writer(logId);
    return own.ok ? own.value.publish(events, options.signal) : own;
  }

  /** A control entry of any type but genesis and rotate, in a block of its own. Codes as `publish`. */
  async appendControl(logId: LogId, map: CborMap): Promise<Result<Receipt>> {
    const own = this.#workers.writer(logId);
    return own.ok ? own.value.control(map, undefined) : own;
  }

  /** Passes the log on to another writer key; later blocks are signed by it. Codes as `publish`. */
  async rotate(logId: LogId, newSigner: Signer): Promise<Result<Receipt>> {
    const own = this.#workers.writer(logId);
    return own.ok ? own.value.control(undefined, newSigner) : own;
  }

  /**
   * Opens the next key epoch of an own sealed log: with keys of the same root, or of a fresh one that
   * begins a new generation. Codes: epoch-order (not sealed), epoch-keys-missing, those of `publish`.
   */
  async openEpoch(logId: LogId, what: 'epoch' | 'generation'): Promise<Result<OpenedEpoch>> {
    const own = this.#workers.writer(logId);
    return own.ok ? own.value.openEpoch(what) : own;
  }
  /** When a sealed log opens its next epoch. Codes as `epochs`. */
  epochPolicy(logId: LogId): Promise<Result<EpochPolicy>> {
    return this.#env.epochs.policy(logId);
  }

  /** The writer refuses with `stream-paused`; a replica goes on. Kept until the process ends. */
  pause(logId: LogId): Result<void> {
    return this.#setPaused(logId, true);
  }
  resume(logId: LogId): Result<void> {
    return this.#setPaused(logId, false);
  }

  /**
   * Judges a block of a followed log and stores it if it is next. `wire` must not change
   * afterwards. Never throws; faults of our own are `ignore`.
   */
  async apply(wire: Uint8Array, via: 'gossip' | 'sync'): Promise<ApplyOutcome> {
    return applyWire(this.#env, wire, via, (handle) => this.#workers.replica(handle));
  }

  /** Resolves when all that replicas have stored so far is on the disk. */
  flush(): Promise<Result<void>> {
    return flushStore(this.#env);
  }

  /** Whole blocks from the one that holds `from`; throws HeadwaterError (store-corrupt, log-unknown …). */
  blocks(logId: LogId, from: LogIndex, options?: ReadOptions): AsyncIterable<StoredBlock> {
    return blocksOf(this.#env, this.#handleOf(logId), from, options);
  }
  /** Entries [from, to), up to the head at the time of the call where `to` is left out; throws. */
  entries(
    logId: LogId,
    from: LogIndex,
    to?: LogIndex,
    options?: ReadOptions,
  ): AsyncIterable<LedgerEntry> {
    return entriesOf(this.#env, this.#handleOf(logId), from, to, options);
  }
  /** The same, block by block: the fast form. */
  batches(
    logId: LogId,
    from: LogIndex,
    to?: LogIndex,
    options?: ReadOptions,
  ): AsyncIterable<EntryBatch> {
    return batchesOf(this.#env, this.#handleOf(logId), from, to, options);
  }
  /** History from `from`, then live, without gap or duplicate, until the signal aborts; throws. */
  tail(
    logId: LogId,
    from: LogIndex,
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<EntryBatch> {
    return tailOf(this.#env, this.#handleOf(logId), from, options.signal);
  }
  /** Codes: log-unknown, index-over-head, store-corrupt, those of the store. */
  async entry(logId: LogId, index: LogIndex): Promise<Result<LedgerEntry>> {
    return this.#with(logId, (handle) => entryOf(this.#env, handle, index));
  }
  /** First entry recorded at or after the time; the size where there is none. */
  async indexAtTime(logId: LogId, time: TimeMs): Promise<Result<LogIndex>> {
    return this.#with(logId, (handle) => indexAtTime(this.#env, handle, time));
  }
  async find(logId: LogId, source: string, id: string): Promise<Result<LogIndex | undefined>> {
    return this.#with(logId, (handle) => findById(this.#env, handle, source, id));
  }
  /** Indexes of events with this subject, ascending or with `reverse` from the newest; throws. */
  subjectIndexes(logId: LogId, subject: string, range?: SubjectRange): AsyncIterable<LogIndex> {
    return subjectIndexes(this.#env, this.#handleOf(logId), subject, range);
  }

  /** Genesis and control entries with inclusion paths to one size; pages of up to `maxBytes`. */
  async keyChain(
    logId: LogId,
    options: { readonly from?: LogIndex; readonly maxBytes?: number } = {},
  ): Promise<Result<KeyChainPage>> {
    const { from = asLogIndex(0), maxBytes = Number.MAX_SAFE_INTEGER } = options;
    return this.#with(logId, (handle) => keyChainOf(this.#env, handle, from, maxBytes));
  }
  /** Entries with their parents, children and what they verify to; one reader for one trace. */
  lineage(): LineageReader {
    return new LineageReader(this.#env);
  }
  /** Reads and checks everything that is stored of a log. Damage is in the report, never thrown. */
  async verify(logId: LogId, options?: VerifyOptions): Promise<Result<VerifyReport>> {
    return this.#with(logId, async (handle) => ok(await auditLog(this.#env, handle, options)));
  }

  /**
   * Called after a block is durable (own) or stored (replica), in order of each log. A listener
   * must not throw and returns soon: the writer waits for it.
   */
  onAppended(listener: (block: AppendedBlock) => void): Disposable {
    return this.#env.listen(listener);
  }

  stats(): LedgerStats {
    const pending = this.#workers.pending();
    return {
      ...this.#env.counters,
      pendingEvents: pending.events,
      pendingBytes: pending.bytes,
      dedupeFilterBytes: this.#env.filters.used,
      accepting: this.#env.storeFailure === undefined,
    };
  }

  /** Writes what waits, flushes, closes store and guard. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#stop();
    await this.scrub.close();
    await this.successors[Symbol.asyncDispose]();
    await this.retention[Symbol.asyncDispose]();
    await this.#workers.close();
    await this.witnessed.settled();
    await this.flush();
    await this.#env.options.store.close();
    await this.#env.options.guard.close();
  }

  #stop(): void {
    this.#flushTimer[Symbol.dispose]();
    this.confirming[Symbol.dispose]();
    this.ends[Symbol.dispose]();
  }

  #setPaused(logId: LogId, paused: boolean): Result<void> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    handle.paused = paused;
    return ok(undefined);
  }

  #handleOf(logId: LogId): LogHandle {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) throw new HeadwaterError(unknownLog(logId));
    return handle;
  }

  async #with<T>(logId: LogId, run: (handle: LogHandle) => Promise<Result<T>>): Promise<Result<T>> {
    const handle = this.#env.logs.get(logId);
    return handle === undefined ? err(unknownLog(logId)) : run(handle);
  }
}
