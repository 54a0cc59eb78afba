/**
 * New generations of own sealed logs (access.md "Sealed streams"): at once when a grant of epoch keys is
 * revoked, by whomever in its chain, and when a grant ends while keys that were leased for it reach
 * further than the log has come. A generation is a fresh root: whatever keys are out open nothing that
 * is written from then on, and those who stay ask for the new ones.
 *
 * At most one for each epoch: where the open one began a generation already, the next begins at its end,
 * a moment before the writer would open an epoch by itself, which would be of the keys that are out.
 * What is due is in the table `leases` before it is done, and found there after a crash.
 */
import type { Fault } from '../../errors.ts';
import type { Host } from '../../host.ts';
import type { EpochPolicy } from '../../ledger/epoch-policy.ts';
import type { AppendedBlock, LogSummary } from '../../ledger/ledger-types.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import { ok, type Result } from '../../result.ts';
import type { LogId, StreamName } from '../../types.ts';
import type { Leases } from './leases.ts';

export interface GenerationLedger {
  logs(): readonly LogSummary[];
  log(logId: LogId): LogSummary | undefined;
  epochs(logId: LogId): Promise<Result<readonly OpenedEpoch[]>>;
  epochPolicy(logId: LogId): Promise<Result<EpochPolicy>>;
  openEpoch(logId: LogId, what: 'generation'): Promise<Result<OpenedEpoch>>;
  onAppended(listener: (block: AppendedBlock) => void): Disposable;
}

export interface GenerationsParts {
  readonly ledger: GenerationLedger;
  readonly leases: Leases;
  readonly host: Pick<Host, 'clock' | 'timers'>;
  readonly track: (work: Promise<unknown>) => void;
  readonly onBegun: (log: LogId, opened: OpenedEpoch) => void;
  readonly warn: (subject: string, problem: Fault) => void;
}

export class Generations implements Disposable {
  readonly #parts: GenerationsParts;
  readonly #listening: Disposable;
  /** Logs whose last attempt failed with this code: told once. */
  readonly #told = new Map<LogId, string>();
  /** Logs that are being looked at, and those to be looked at again after. */
  readonly #busy = new Map<LogId, Promise<void>>();
  readonly #again = new Set<LogId>();
  /** Logs whose open epoch has to end first, and when it does; undefined: not by the clock. */
  readonly #waiting = new Map<LogId, number | undefined>();
  readonly #timers = new Map<LogId, Disposable>();

  constructor(parts: GenerationsParts) {
    this.#parts = parts;
    // What waits for the end of an epoch goes on when the next one opens.
    this.#listening = parts.ledger.onAppended(({ logId, local, controls }) => {
      if (local && controls && parts.leases.of(logId).due) this.look();
    });
  }

  /** A grant of these streams was revoked: all of their logs begin a new generation. */
  revoked(streams: ReadonlySet<StreamName>): void {
    const { ledger, leases, track, warn } = this.#parts;
    const logs = ledger.logs().filter(isOwnSealed);
    for (const { logId, genesis } of logs) {
      if (genesis === undefined || !streams.has(genesis.name)) continue;
      const written = leases.setDue(logId);
      track(written.then((done) => (done.ok ? undefined : warn(`hw:${logId}`, done.error))));
      this.#begin(logId);
    }
  }

  /** Does what is due and can be done; to be called now and then, since grants end by the clock. */
  look(): void {
    for (const logId of this.#parts.leases.logs()) this.#begin(logId);
  }

  /**
   * Until when keys that are out open what is written to a stream, in ms, where a generation is due that
   * cannot begin yet; 0: until an epoch has its events. Undefined: they open nothing new.
   */
  heldUntil(stream: StreamName): number | undefined {
    let until: number | undefined;
    for (const [log, end = 0] of this.#waiting) {
      if (this.#parts.ledger.log(log)?.genesis?.name === stream) until = Math.max(until ?? 0, end);
    }
    return until;
  }

  /** Resolves when everything that was begun is done; a log that waits for others may take its time. */
  async idle(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy.values());
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
  }

  #begin(logId: LogId): void {
    if (this.#busy.has(logId)) {
      this.#again.add(logId);
      return;
    }
    const work = this.#settle(logId).finally(() => {
      this.#busy.delete(logId);
      if (this.#again.delete(logId)) this.#begin(logId);
    });
    this.#busy.set(logId, work);
    this.#parts.track(work);
  }

  async #settle(logId: LogId): Promise<void> {
    const { ledger, leases, host, onBegun } = this.#parts;
    const log = ledger.log(logId);
    if (log === undefined || !isOwnSealed(log))
      return this.#tell(logId, await leases.settled(logId));
    const opened = await ledger.epochs(logId);
    const policy = await ledger.epochPolicy(logId);
    if (!opened.ok || !policy.ok) return this.#tell(logId, opened.ok ? policy : opened);
    const open = opened.value.at(-1);
    // Nothing was ever written: nobody has a key.
    if (open === undefined) return this.#tell(logId, await leases.settled(logId));
    const now = host.clock.now();
    const due = leases.of(logId).due || leases.overrun(logId, open.epoch, now);
    if (!due) {
      this.#wake(logId, leases.firstEnd(logId, open.epoch), now);
      return this.#tell(logId, await leases.forgetEnded(logId, open.epoch, now));
    }
    if (!isFree(opened.value, policy.value, now)) {
      const end = endOf(open, policy.value);
      this.#waiting.set(logId, end);
      this.#wake(logId, end, now);
      // A grant's end becomes due too: it must not be forgotten while it waits.
      return this.#tell(logId, await leases.setDue(logId));
    }
    const begun = await ledger.openEpoch(logId, 'generation');
    if (!begun.ok) return this.#tell(logId, begun);
    onBegun(logId, begun.value);
    this.#waiting.delete(logId);
    return this.#tell(logId, await leases.settled(logId));
  }

  /** Looks again at that time. */
  #wake(logId: LogId, endMs: number | undefined, now: number): void {
    this.#timers.get(logId)?.[Symbol.dispose]();
    if (endMs === undefined) return;
    // No timer is set for longer than a day: `look` sets it again.
    const restMs = Math.min(Math.max(0, endMs - now), 86_400_000);
    const timer = this.#parts.host.timers.after(restMs, () => this.#begin(logId));
    this.#timers.set(logId, timer);
  }

  #tell(logId: LogId, result: Result<unknown>): void {
    if (result.ok) {
      this.#told.delete(logId);
      return;
    }
    const { code } = result.error;
    if (this.#told.get(logId) === code) return;
    this.#told.set(logId, code);
    this.#parts.warn(`hw:${logId}`, result.error);
  }
}

function isOwnSealed({ genesis, createdLocally, state }: LogSummary): boolean {
  return createdLocally && state !== 'closed' && genesis?.visibility === 'sealed';
}

/** May a generation begin now? Not where the open epoch began one and has not come to its end. */
function isFree(opened: readonly OpenedEpoch[], policy: EpochPolicy, now: number): boolean {
  const [open, before] = [opened.at(-1), opened.at(-2)];
  if (open === undefined || before === undefined) return true;
  if (open.generation === before.generation) return true;
  const end = endOf(open, policy);
  return end !== undefined && now >= end;
}

/** When the next generation may begin: a moment before the epoch ends by the clock; undefined: it does not. */
function endOf(open: OpenedEpoch, { everyMs }: EpochPolicy): number | undefined {
  return everyMs === undefined ? undefined : open.time + everyMs - Math.min(250, everyMs / 10);
}

/** Length of an epoch where only time ends it: so long at least until the next one begins. */
export async function epochLength(
  ledger: Pick<GenerationLedger, 'epochPolicy'>,
  logId: LogId,
): Promise<Result<number | undefined>> {
  const policy = await ledger.epochPolicy(logId);
  if (!policy.ok) return policy;
  const { everyMs, everyEvents } = policy.value;
  return ok(everyEvents === undefined ? everyMs : undefined);
}
