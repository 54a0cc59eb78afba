/**
 * Whether an own log's head is really its newest (ledger.md "Guard file"). A home that came back from
 * an old copy brings back its guard too, and would sign a second history. So, where `restoreGuard` is
 * given, each own log that another peer or witness ever had waits at the start: whoever keeps the log
 * tells its head, signed by our own key.
 *
 *   ahead of ours    the guard is raised to it: the log is behind its guard, and what is missing is
 *                    fetched from those who have it before anything is signed
 *   equal, or less   it counts as confirmed `confirmSettleMs` later, so that others who are just
 *                    being asked have their say; in `strict`, and in a home that came out of a backup,
 *                    all of `waitMs` is for that: who speaks first may have been away for long
 *   nothing heard    `normal` goes on after `waitMs` with a warning, `strict` waits
 *
 * A signed head beyond ours is a lost state at any later time too, and is treated the same way.
 */
import { equal, writeUint48 } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { keyspace, logKey } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import { asLogIndex, type Hash, type LogId, type TreeSize } from '../types.ts';
import { parseCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import { contradicting } from './fork-check.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { LogKeys } from './log-keys.ts';
import { checkGuard, guardFault } from './open-log.ts';
import { rangeRootOf } from './prover.ts';
import type { StoreWrite } from './store.ts';

/**
 * What happened, for the journal. `confirmed`: others have no more than we do. `behind`: they have
 * more, which is fetched; `caughtUp`: all of it is there. `accepted`: the operator took the risk. `unheard`: nobody answered in time;
 * in the mode `normal` the log goes on, in `strict` it waits.
 */
export interface ConfirmNotice {
  readonly kind: 'confirmed' | 'behind' | 'caughtUp' | 'accepted' | 'unheard';
  readonly logId: LogId;
  readonly problem?: Fault;
}

export class Confirming implements Disposable {
  readonly #env: LedgerEnv;
  readonly #reopened: (logId: LogId) => void;
  readonly #acknowledged = new Set<LogId>();
  readonly #settling = new Map<LogId, Disposable>();
  readonly #listeners = new Set<(notice: ConfirmNotice) => void>();
  readonly #earlier: ConfirmNotice[] = [];
  readonly #keys: LogKeys;
  /** Heads beyond ours that nobody had proved, stated after the time was over. */
  readonly #doubts = new Map<LogId, number>();
  readonly #listening: Disposable;
  #deadline: Disposable | undefined;
  /** Monotonic: until then words are waited for. */
  #untilMs = 0;
  #over = false;

  /** `reopened` is called for each log that may be written again. */
  constructor(env: LedgerEnv, reopened: (logId: LogId) => void) {
    this.#env = env;
    this.#reopened = reopened;
    this.#keys = new LogKeys(env);
    this.#listening = env.forks.listen(({ fork }) => {
      // It signs nothing any more, so nothing is to be waited for.
      this.#unsettle(fork.logId);
      env.unconfirmed.remove(fork.logId);
    });
    env.unconfirmed.report = (logId, checkpoint) => this.reported(logId, checkpoint);
  }

  /** Finds the logs that must wait. Codes: those of the store. */
  async load(): Promise<Result<void>> {
    const { restoreGuard, store, host, limits } = this.#env.options;
    for (const [logId, handle] of this.#env.logs) {
      if (handle.row.role !== 'writer') continue;
      const row = await store.get(logKey(keyspace.acknowledged, handle.row.number));
      if (!row.ok) return row;
      if (row.value !== undefined) this.#acknowledged.add(logId);
      if (restoreGuard === undefined || !this.#mustWait(handle, restoreGuard.restored)) continue;
      // A little longer than the wait itself, so that what was held sees how it ended.
      const heldMs = restoreGuard.waitMs + 2 * limits.confirmSettleMs;
      this.#env.unconfirmed.add(logId, heldMs, false);
      if (handle.row.standing === 'open') await this.#judge(handle);
    }
    if (restoreGuard === undefined || this.waiting().length === 0) return ok(undefined);
    this.#untilMs = host.clock.monotonic() + restoreGuard.waitMs;
    this.#deadline = host.timers.after(restoreGuard.waitMs, () => void this.#timeIsOver());
    return ok(undefined);
  }

  /** Own logs whose head nobody has confirmed yet. */
  waiting(): readonly LogId[] {
    return this.#env.unconfirmed.waiting();
  }

  isWaiting(logId: LogId): boolean {
    return this.#env.unconfirmed.reason(logId) !== undefined;
  }

  /** Another peer or a witness has this log. Kept durably, once. */
  acknowledged(logId: LogId): void {
    const handle = this.#env.logs.get(logId);
    if (handle?.row.role !== 'writer' || this.#acknowledged.has(logId)) return;
    this.#acknowledged.add(logId);
    const value = new Uint8Array(6);
    writeUint48(value, 0, handle.size);
    const key = logKey(keyspace.acknowledged, handle.row.number);
    void this.#keep({ key, value }, logId);
  }

  /**
   * A peer or witness states a head of an own log, by the checkpoint's text. It counts only where our
   * key of that size signed it, and up to our own size only with our root: another one is a fork.
   */
  async reported(logId: LogId, checkpoint: string): Promise<void> {
    const handle = this.#env.logs.get(logId);
    const state = handle?.stored?.state;
    if (handle?.row.role !== 'writer' || state === undefined) return;
    const stated = parseCheckpoint(checkpoint);
    if (!stated.ok || stated.value.logId !== logId) return;
    const { size, root } = stated.value;
    if (size === 0) return;
    if (size <= state.size) return this.#within(handle, checkpoint, size, root);
    const { crypto } = this.#env.options;
    const signed = verifyCheckpoint(crypto, checkpoint, logId, state.writerKey);
    if (signed.ok) await this.#behind(handle, size, root);
    // The key may have been passed on in what we lost: the blocks will show it. Who only says so cannot
    // put it off for ever.
    else if (this.#mayDoubt(logId)) this.#unsettle(logId);
  }

  /** The operator takes the risk: all logs go on. */
  async accept(): Promise<void> {
    for (const logId of this.waiting()) {
      await this.#confirm(logId);
      this.#tell({ kind: 'accepted', logId });
    }
  }

  /** After blocks came back from peers: whether the log has all that is missing. */
  caughtUp(logId: LogId): void {
    const { unconfirmed } = this.#env;
    if (this.#env.logs.get(logId)?.row.standing !== 'open' || !unconfirmed.has(logId)) return;
    unconfirmed.remove(logId);
    this.#tell({ kind: 'caughtUp', logId });
  }

  /** What has happened so far, and what will. */
  listen(listener: (notice: ConfirmNotice) => void): Disposable {
    for (const notice of this.#earlier.splice(0)) listener(notice);
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
    this.#deadline?.[Symbol.dispose]();
    for (const timer of this.#settling.values()) timer[Symbol.dispose]();
    this.#settling.clear();
    this.#env.unconfirmed.close();
  }

  /** On a disk that is full now it is tried again when a peer next shows that it has the log. */
  async #keep(row: StoreWrite, logId: LogId): Promise<void> {
    const stored = await this.#env.options.store.batch([row], { sync: true });
    if (!stored.ok) this.#acknowledged.delete(logId);
  }

  #mustWait({ logId, stored, row }: LogHandle, restored: boolean): boolean {
    if (stored === undefined || stored.state.genesis.visibility === 'direct') return false;
    if (row.standing !== 'open' && row.standing !== 'waiting') return false;
    return restored || this.#acknowledged.has(logId);
  }

  #settle(logId: LogId): void {
    if (!this.isWaiting(logId) || this.#settling.has(logId)) return;
    const { host, limits, restoreGuard } = this.#env.options;
    const patient = restoreGuard?.mode === 'strict' || restoreGuard?.restored === true;
    const leftMs = patient ? this.#untilMs - host.clock.monotonic() : 0;
    const timer = host.timers.after(Math.max(limits.confirmSettleMs, leftMs), () => {
      this.#settling.delete(logId);
      void this.#settled(logId);
    });
    this.#settling.set(logId, timer);
  }

  async #settled(logId: LogId): Promise<void> {
    await this.#confirm(logId);
    if (this.#env.unconfirmed.has(logId)) return; // Behind: `caughtUp` follows.
    this.#tell({ kind: 'confirmed', logId });
  }

  #unsettle(logId: LogId): void {
    this.#settling.get(logId)?.[Symbol.dispose]();
    this.#settling.delete(logId);
  }

  /** A head that lies within our history, or belongs to another one. */
  async #within(handle: LogHandle, checkpoint: string, size: TreeSize, root: Hash): Promise<void> {
    const { logId, stored } = handle;
    const key = await this.#keys.keyAt(handle, size);
    if (!key.ok || key.value === undefined) return;
    if (!verifyCheckpoint(this.#env.options.crypto, checkpoint, logId, key.value).ok) return;
    const ours =
      size === stored?.state.size
        ? ok(stored.state.root)
        : await rangeRootOf(this.#env, handle, asLogIndex(0), asLogIndex(size));
    if (!ours.ok) return;
    if (equal(ours.value, root)) {
      this.acknowledged(logId);
      this.#settle(logId);
      return;
    }
    // What we hold was signed by a home that had forgotten this: nothing more is.
    this.#unsettle(logId);
    await contradicting(this.#env, handle, { checkpoint });
  }

  #mayDoubt(logId: LogId): boolean {
    if (!this.#over) return true;
    const doubts = (this.#doubts.get(logId) ?? 0) + 1;
    this.#doubts.set(logId, doubts);
    return doubts <= this.#env.options.limits.maxConfirmDoubts;
  }

  /** Our key signed more than we have: nothing is signed before that has come back. */
  async #behind(handle: LogHandle, size: number, root: Hash): Promise<void> {
    const { logId, log } = handle;
    const { guard, restoreGuard, limits } = this.#env.options;
    const { unconfirmed } = this.#env;
    this.#unsettle(logId);
    if ((guard.mark(0, log)?.size ?? 0) >= size && unconfirmed.has(logId))
      return this.#settle(logId);
    const known = unconfirmed.has(logId);
    if (!known) unconfirmed.add(logId, restoreGuard?.waitMs ?? limits.restoreGuardMs, true);
    const mark = { kind: 0, id: log, size, root } as const;
    if ((guard.mark(0, log)?.size ?? 0) < size) await guard.advance([mark]);
    await this.#judge(handle);
    const problem = handle.row.reason;
    this.#tell({ kind: 'behind', logId, ...(problem === undefined ? {} : { problem }) });
    this.#settle(logId);
  }

  async #confirm(logId: LogId): Promise<void> {
    const handle = this.#env.logs.get(logId);
    this.#unsettle(logId);
    this.#env.unconfirmed.confirm(logId);
    if (handle === undefined || handle.row.standing !== 'waiting') return;
    await this.#judge(handle);
    if (handle.row.standing !== 'waiting') await this.#open(handle);
  }

  async #open(handle: LogHandle): Promise<void> {
    // What was signed before the start goes into the guard before anything else is signed.
    const failed = await guardFault(this.#env, [handle]);
    if (failed !== undefined) handle.setStanding('waiting', failed);
    this.#reopened(handle.logId);
    this.#env.unconfirmed.remove(handle.logId);
  }

  /** The standing of a log that is open or waits. */
  async #judge(handle: LogHandle): Promise<void> {
    const held = await checkGuard(this.#env, handle);
    const { standing } = handle.row;
    if (standing !== 'open' && standing !== 'waiting') return;
    handle.setStanding(held === undefined ? 'open' : 'waiting', held);
  }

  async #timeIsOver(): Promise<void> {
    this.#over = true;
    const mode = this.#env.options.restoreGuard?.mode ?? 'normal';
    const waited = `nobody who keeps this log was heard within ${this.#env.options.restoreGuard?.waitMs ?? 0} ms`;
    for (const logId of this.waiting()) {
      if (this.#settling.has(logId)) continue;
      if (mode === 'normal') await this.#confirm(logId);
      const waits = this.#env.logs.get(logId)?.row.standing === 'waiting';
      const after = waits ? 'it waits' : 'it goes on, and forks if they have more';
      const problem = fault('head-unconfirmed', `${logId}: ${waited}: ${after}`);
      this.#tell({ kind: 'unheard', logId, problem });
    }
    this.#env.unconfirmed.releaseHeld();
  }

  #tell(notice: ConfirmNotice): void {
    if (this.#listeners.size === 0) this.#earlier.push(notice);
    for (const listener of this.#listeners) listener(notice);
  }
}
