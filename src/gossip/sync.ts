/**
 * Catching up. A log that is behind waits in a queue; a worker asks one of the peers that have more
 * for a page, applies it, and goes on with the same or another peer until nobody claims more. At
 * most `maxConcurrentSyncs` logs and `maxSyncsPerPeer` of one peer at once. A peer that does not
 * keep its word loses its claim (and some score), one that does not answer rests, one that sends bad
 * blocks is barred; the others go on.
 */
import type { LogId, LogIndex, PeerId } from '../types.ts';
import type { Applier } from './applier.ts';
import { maxLeaves } from './closing.ts';
import { pullBlocks, type PullEnd } from './blocks-client.ts';
import type { Result } from '../result.ts';
import { penalise, shuffled, usable, type Net } from './net.ts';
import { penalty } from './scores.ts';
import type { Session } from './sessions.ts';

export class SyncQueue implements AsyncDisposable {
  readonly #net: Net;
  readonly #applier: Applier;
  readonly #waiting = new Set<LogId>();
  readonly #active = new Map<LogId, Promise<void>>();
  readonly #gaps = new Map<LogId, Disposable>();
  readonly #retries = new Map<LogId, Disposable>();
  #closed = false;

  constructor(net: Net, applier: Applier) {
    this.#net = net;
    this.#applier = applier;
  }

  /** Logs that wait or are being fetched. */
  get size(): number {
    return this.#waiting.size + this.#active.size;
  }

  isActive(logId: LogId): boolean {
    return this.#active.has(logId);
  }

  /** Someone has more of the log: fetch it, at once where there is a free worker. */
  want(logId: LogId): void {
    if (this.#closed) return;
    this.#waiting.add(logId);
    this.pump();
  }

  /** A block lies ahead of our head. What is missing is often just late, so wait a moment. */
  gap(logId: LogId, from: PeerId, firstIndex: LogIndex): void {
    this.#net.sources.note(logId, from, firstIndex, false);
    if (this.#closed || this.#gaps.has(logId)) return;
    const timer = this.#net.host.timers.after(this.#net.limits.gapPatienceMs, () => {
      this.#gaps.delete(logId);
      this.want(logId);
    });
    this.#gaps.set(logId, timer);
  }

  /** Starts what can start; called again whenever a peer or a worker becomes free. */
  pump(): void {
    // A copy: choosing may put a log back, whose peers are all busy.
    for (const logId of Array.from(this.#waiting)) {
      if (this.#closed || this.#active.size >= this.#net.limits.maxConcurrentSyncs) return;
      if (this.#active.has(logId)) continue;
      this.#waiting.delete(logId);
      const source = this.#choose(logId);
      if (source === undefined) continue;
      this.#active.set(logId, this.#work(logId, source));
    }
  }

  /** Forgets a log that is no longer followed; a page under way ends by itself. */
  forget(logId: LogId): void {
    this.#waiting.delete(logId);
    for (const timers of [this.#gaps, this.#retries]) {
      timers.get(logId)?.[Symbol.dispose]();
      timers.delete(logId);
    }
    this.#applier.orphans.clear(logId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    for (const timers of [this.#gaps, this.#retries]) {
      for (const timer of timers.values()) timer[Symbol.dispose]();
      timers.clear();
    }
    await Promise.all(this.#active.values());
  }

  async #work(logId: LogId, first: Session): Promise<void> {
    await this.#catchUp(logId, first).catch(this.#net.defect);
    this.#active.delete(logId);
    this.pump();
  }

  async #catchUp(logId: LogId, first: Session): Promise<void> {
    let source: Session | undefined = first;
    let leaves = 0;
    while (source !== undefined && !this.#closed) {
      const before = this.#size(logId);
      this.#net.counters.add('syncPages');
      const request = { logId, live: false };
      const page = await this.#pull(source, request);
      await this.#applier.drain(logId);
      if (page.ok && page.value.stopped?.code === 'branch-left' && leaves < maxLeaves) leaves += 1;
      else if (!this.#judge(logId, source, before, page)) return;
      source = this.#choose(logId);
    }
  }

  async #pull(
    source: Session,
    request: { readonly logId: LogId; readonly live: boolean },
  ): Promise<Result<PullEnd>> {
    source.syncs += 1;
    try {
      return await pullBlocks(this.#net, this.#applier, source, request, this.#net.signal);
    } finally {
      source.syncs -= 1;
    }
  }

  /** Draws the consequences of a page; false where asking on would not help now. */
  #judge(logId: LogId, source: Session, before: number, page: Result<PullEnd>): boolean {
    const after = this.#size(logId);
    if (!page.ok) {
      this.#net.counters.add('syncFailures');
      // Its claim stands where only the line failed; askPeer made it rest or barred it.
      if (page.error.code === 'log-unknown') this.#net.sources.lower(logId, source.peer, after);
      return true;
    }
    if (page.value.rejected !== undefined) {
      this.#net.counters.add('syncFailures');
      this.#net.sources.lower(logId, source.peer, after);
      source.failed(this.#net.host.clock.monotonic());
      return true;
    }
    if (page.value.stopped !== undefined) return false;
    if (page.value.size > after) this.#net.sources.note(logId, source.peer, page.value.size, true);
    if (after > before) return true;
    const claim = this.#net.sources.ahead(logId, after).find(({ peer }) => peer === source.peer);
    if (claim?.stated === true) {
      penalise(this.#net, source.peer, penalty.emptyPromise, 'not-ahead');
    }
    this.#net.sources.lower(logId, source.peer, Math.min(after, page.value.size));
    return true;
  }

  /** A peer that claims more, is free and not resting; at random among those with the best score. */
  #choose(logId: LogId): Session | undefined {
    const log = this.#net.ledger.log(logId);
    if (log === undefined || log.state === 'frozen' || log.state === 'damaged') return undefined;
    const nowMs = this.#net.host.clock.monotonic();
    let best: Session | undefined;
    let bestRank = Infinity;
    let restMs = Infinity;
    for (const claim of shuffled(this.#net, this.#net.sources.ahead(logId, log.size))) {
      const session = this.#net.sessions.get(claim.peer);
      if (!usable(this.#net, session)) continue;
      if (session.restUntilMs > nowMs) {
        restMs = Math.min(restMs, session.restUntilMs - nowMs);
        continue;
      }
      const busy = session.syncs >= this.#net.limits.maxSyncsPerPeer;
      if (busy) this.#waiting.add(logId);
      const rank = this.#net.scores.points(claim.peer, nowMs) + session.syncs;
      if (!busy && rank < bestRank) [best, bestRank] = [session, rank];
    }
    if (best === undefined && restMs < Infinity) this.#retry(logId, restMs);
    if (best !== undefined) this.#waiting.delete(logId);
    return best;
  }

  /** All who have more are resting: look again when the first one is rested. */
  #retry(logId: LogId, ms: number): void {
    if (this.#closed || this.#retries.has(logId)) return;
    const timer = this.#net.host.timers.after(ms, () => {
      this.#retries.delete(logId);
      this.want(logId);
    });
    this.#retries.set(logId, timer);
  }

  #size(logId: LogId): number {
    return this.#net.ledger.log(logId)?.size ?? 0;
  }
}
