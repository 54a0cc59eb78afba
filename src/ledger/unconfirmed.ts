/**
 * Own logs that wait for a word of others before they sign (ledger.md "Guard file"), and the
 * publishes that wait with them. A home that was restored brings back its guard as well, so only
 * those who have seen the log can tell that it went further.
 *
 *   waits ──a word of others, or time──► confirmed ──nothing is missing──► gone from here
 *
 * Publishes are held for `restoreGuardMs` at most, and as many as a writer's queue takes; all others
 * get `head-unconfirmed` at once.
 */
import { fault, type Fault } from '../errors.ts';
import type { Host } from '../host.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId, ParsedEvent } from '../types.ts';
import { bodyLength } from './body.ts';

/** `normal` goes on after a while, `strict` waits until someone has confirmed the head. */
export type RestoreGuardMode = 'normal' | 'strict';

export interface RestoreGuard {
  readonly mode: RestoreGuardMode;
  /** How long `normal` waits, and how long a publish is held. */
  readonly waitMs: number;
  /** The home came out of a backup: every log that others may know waits, acknowledged or not. */
  readonly restored: boolean;
}

interface Held {
  readonly release: () => void;
}

interface Entry {
  readonly waiters: Set<Held>;
  /** Monotonic: until then publishes are held. */
  readonly untilMs: number;
  confirmed: boolean;
}

interface HoldLimits {
  readonly maxPendingEvents: number;
  readonly maxPendingBytes: number;
}

export class Unconfirmed {
  readonly #host: Host;
  readonly #limits: HoldLimits;
  readonly #logs = new Map<LogId, Entry>();
  /** A head of an own log that somebody stated, by its checkpoint (confirming.ts). */
  report: (logId: LogId, checkpoint: string) => Promise<void> = () => Promise.resolve();
  #events = 0;
  #bytes = 0;
  #closed = false;

  constructor(host: Host, limits: HoldLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  add(logId: LogId, waitMs: number, confirmed: boolean): void {
    const untilMs = this.#host.clock.monotonic() + waitMs;
    this.#logs.set(logId, { waiters: new Set(), untilMs, confirmed });
  }

  has(logId: LogId): boolean {
    return this.#logs.has(logId);
  }

  /** Logs that nobody has confirmed yet. */
  waiting(): readonly LogId[] {
    return [...this.#logs].flatMap(([logId, { confirmed }]) => (confirmed ? [] : [logId]));
  }

  /** Why the log may not sign, as far as it is known here. */
  reason(logId: LogId): Fault | undefined {
    if (this.#logs.get(logId)?.confirmed !== false) return undefined;
    return fault('head-unconfirmed', 'no peer that keeps this log has told its head yet');
  }

  /** Someone's word came, or its time is over. */
  confirm(logId: LogId): void {
    const entry = this.#logs.get(logId);
    if (entry !== undefined) entry.confirmed = true;
  }

  /** The log signs again; what was held goes on. */
  remove(logId: LogId): void {
    const entry = this.#logs.get(logId);
    this.#logs.delete(logId);
    for (const held of entry?.waiters ?? []) held.release();
  }

  /** The ledger is closing: publishes are held no longer. */
  close(): void {
    this.#closed = true;
    this.releaseHeld();
  }

  /** Those that are held are told; the logs go on waiting. */
  releaseHeld(): void {
    for (const { waiters } of this.#logs.values()) for (const held of waiters) held.release();
  }

  /** Whether a publish to the log may be held now. */
  holds(logId: LogId): boolean {
    const entry = this.#logs.get(logId);
    return !this.#closed && entry !== undefined && this.#host.clock.monotonic() < entry.untilMs;
  }

  /** Resolves when it is worth trying again; `head-unconfirmed` where too much is held already. */
  async hold(
    logId: LogId,
    events: readonly ParsedEvent[],
    signal: AbortSignal | undefined,
  ): Promise<Result<void>> {
    const entry = this.#logs.get(logId);
    if (entry === undefined) return ok(undefined);
    const bytes = events.reduce((sum, event) => sum + bodyLength(event), 0);
    const { maxPendingEvents, maxPendingBytes } = this.#limits;
    if (this.#events + events.length > maxPendingEvents || this.#bytes + bytes > maxPendingBytes) {
      const message = `${this.#events} events, ${this.#bytes} bytes wait for the head to be confirmed`;
      return err(fault('head-unconfirmed', message));
    }
    this.#events += events.length;
    this.#bytes += bytes;
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = { release: resolve };
    entry.waiters.add(held);
    const { clock, timers } = this.#host;
    using _timer = timers.after(Math.max(0, entry.untilMs - clock.monotonic()), resolve);
    const end = (): void => resolve();
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted === true) resolve();
    await promise;
    signal?.removeEventListener('abort', end);
    entry.waiters.delete(held);
    this.#events -= events.length;
    this.#bytes -= bytes;
    return signal?.aborted === true
      ? err(fault('interrupted', 'the call was taken back'))
      : ok(undefined);
  }
}
