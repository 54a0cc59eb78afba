/**
 * Logs without a topic (gossip is off, or there are more than `maxBlockTopics`) are read live from
 * one peer each, which is chosen anew when the read ends.
 */
import type { Fault } from '../errors.ts';
import type { LogId, PeerId } from '../types.ts';
import type { Applier } from './applier.ts';
import { pullBlocks } from './blocks-client.ts';
import { shuffled, usable, type Net } from './net.ts';
import { isDenial } from './serve.ts';
import type { Session } from './sessions.ts';

export class LivePulls implements AsyncDisposable {
  readonly #net: Net;
  readonly #applier: Applier;
  readonly #logs = new Set<LogId>();
  readonly #running = new Map<
    LogId,
    { readonly stop: AbortController; readonly done: Promise<void> }
  >();
  /** When a log may be read again, after a read that failed (monotonic ms). */
  readonly #restUntilMs = new Map<LogId, number>();
  /** The same of one peer that refused to serve it: another one may have it. */
  readonly #refusedUntilMs = new Map<LogId, Map<PeerId, number>>();
  readonly #timer: Disposable;
  #closed = false;

  constructor(net: Net, applier: Applier) {
    this.#net = net;
    this.#applier = applier;
    this.#timer = net.host.timers.every(net.limits.dialIntervalMs, () => this.look());
  }

  get running(): number {
    return this.#running.size;
  }

  add(logId: LogId): void {
    this.#logs.add(logId);
    this.look();
  }

  remove(logId: LogId): void {
    this.#logs.delete(logId);
    this.#restUntilMs.delete(logId);
    this.#refusedUntilMs.delete(logId);
    this.#running.get(logId)?.stop.abort();
  }

  /** Starts a read for each log that has none and a peer that has it. */
  look(): void {
    for (const logId of this.#logs) {
      if (this.#closed || this.#running.size >= this.#net.limits.maxLivePulls) return;
      if (this.#running.has(logId)) continue;
      const source = this.#choose(logId);
      if (source === undefined) continue;
      const stop = new AbortController();
      const done = this.#read(logId, source, stop).catch(this.#net.defect);
      this.#running.set(logId, { stop, done });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer[Symbol.dispose]();
    const running = [...this.#running.values()];
    for (const read of running) read.stop.abort();
    await Promise.all(running.map((read) => read.done));
  }

  async #read(logId: LogId, source: Session, stop: AbortController): Promise<void> {
    const cancel = (): void => stop.abort();
    this.#net.signal.addEventListener('abort', cancel);
    const request = { logId, live: true };
    const read = await pullBlocks(this.#net, this.#applier, source, request, stop.signal);
    this.#net.signal.removeEventListener('abort', cancel);
    const nowMs = this.#net.host.clock.monotonic();
    if (read.ok && read.value.rejected !== undefined) source.failed(nowMs);
    const { dialIntervalMs } = this.#net.limits;
    this.#running.delete(logId);
    if (!read.ok && isRefusal(read.error) && this.#logs.has(logId)) {
      const peers = this.#refusedUntilMs.get(logId) ?? new Map<PeerId, number>();
      this.#refusedUntilMs.set(logId, peers.set(source.peer, nowMs + dialIntervalMs));
      return this.look();
    }
    if (!read.ok || read.value.stopped !== undefined || read.value.rejected !== undefined) {
      this.#restUntilMs.set(logId, nowMs + dialIntervalMs);
    }
  }

  /** Those said to have it; a log that is followed by a grant is asked of its owner's peers only. */
  #sources(logId: LogId): readonly PeerId[] {
    const owner = this.#net.access?.ownerOf(logId);
    if (owner === undefined) return this.#net.sources.of(logId);
    return this.#net.sessions
      .all()
      .filter(({ identity }) => identity?.organisation === owner)
      .map(({ peer }) => peer);
  }

  /** A peer that is known to have the log, whatever its size: live reads may wait for more. */
  #choose(logId: LogId): Session | undefined {
    const log = this.#net.ledger.log(logId);
    if (log === undefined || log.role === 'writer' || log.state !== 'open') return undefined;
    const nowMs = this.#net.host.clock.monotonic();
    if ((this.#restUntilMs.get(logId) ?? 0) > nowMs) return undefined;
    const refused = this.#refusedUntilMs.get(logId);
    for (const peer of shuffled(this.#net, this.#sources(logId))) {
      if ((refused?.get(peer) ?? 0) > nowMs) continue;
      const session = this.#net.sessions.get(peer);
      if (usable(this.#net, session) && session.restUntilMs <= nowMs) return session;
    }
    return undefined;
  }
}

/** By the peer: that we hold no grant is no word of its own. */
function isRefusal(problem: Fault): boolean {
  const { code } = problem;
  return code !== 'grant-none' && (isDenial(problem) || code === 'log-unknown');
}
