/**
 * `/headwater/1/ack`, both roles (ack-codec.ts has the messages). Who publishes with
 * `ack=replicated:N` waits for N other organisations whose peers say that the log of the receipt's
 * size and root is on their disks. A peer is asked for one log at a time and for the largest size
 * that is waited for, which covers the smaller ones: so many publishers cost few requests.
 */
import { equal } from '../bytes.ts';
import { fault } from '../errors.ts';
import { RecentMap } from '../recent-map.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, LogId } from '../types.ts';
import { ackMessage, decodeAck, encodeAck, type AckMessage, type AckSubject } from './ack-codec.ts';
import type { Exchange } from './exchange.ts';
import { isShared, usable, type Net } from './net.ts';
import { peerKey } from './peer-id.ts';
import { askPeer, protocols, serve, shortLimit } from './serve.ts';
import type { Session } from './sessions.ts';

interface Waiter extends AckSubject {
  readonly want: number;
  readonly organisations: Set<Did>;
  readonly done: () => void;
}

/** How long a peer that does not keep a log is not asked about it again. */
const unknownRestMs = 10_000;
/** Wait after a peer was behind, or did not answer, in units of `ackIntervalMs`. */
const [behindRest, faultRest] = [4, 20];

export class Acks {
  readonly #net: Net;
  /** In the order in which the logs were last asked about. */
  readonly #waiters = new Map<LogId, Set<Waiter>>();
  readonly #asking = new WeakSet<Session>();
  /** Logs that a peer said not to keep, and until when that is believed. */
  readonly #unknown = new WeakMap<Session, RecentMap<LogId, number>>();
  #count = 0;

  constructor(net: Net) {
    this.#net = net;
  }

  async serve(): Promise<void> {
    await serve(this.#net, {
      protocol: protocols.ack,
      limit: shortLimit(this.#net),
      greeted: true,
      answer: (exchange) => this.#answer(exchange),
    });
  }

  /**
   * Resolves with the number of other organisations that hold the log of this size and root: `want`
   * or more, fewer where the signal or the node ends it first. Code: queue-full.
   */
  async collect(subject: AckSubject, want: number, signal: AbortSignal): Promise<Result<number>> {
    if (this.#count >= this.#net.limits.maxAckWaiters) {
      return err(fault('queue-full', 'too many publishes wait for an acknowledgement'));
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { ...subject, want, organisations: new Set(), done: resolve };
    const { logId } = subject;
    const waiters = this.#waiters.get(logId) ?? new Set();
    this.#waiters.set(logId, waiters.add(waiter));
    this.#count += 1;
    const stop = (): void => resolve();
    signal.addEventListener('abort', stop);
    this.#net.signal.addEventListener('abort', stop);
    if (signal.aborted || this.#net.signal.aborted) stop();
    this.look();
    await promise;
    signal.removeEventListener('abort', stop);
    this.#net.signal.removeEventListener('abort', stop);
    this.#count -= 1;
    waiters.delete(waiter);
    if (waiters.size === 0) this.#waiters.delete(logId);
    return ok(waiter.organisations.size);
  }

  /** Asks peers that are not being asked; to be called when one becomes ready too. */
  look(): void {
    if (this.#count === 0) return;
    for (const session of this.#net.sessions.all()) {
      if (this.#asking.has(session) || !usable(this.#net, session)) continue;
      if (session.identity?.organisation === this.#net.self.organisation) continue;
      this.#asking.add(session);
      this.#net.track(this.#askAll(session).finally(() => this.#asking.delete(session)));
    }
  }

  /** Asks one peer as long as somebody waits for its word. */
  async #askAll(session: Session): Promise<void> {
    const { host, limits, signal } = this.#net;
    while (!signal.aborted && usable(this.#net, session)) {
      const subject = this.#next(session);
      if (subject === undefined) {
        if (!this.#mayWait(session)) return;
        await host.timers.sleep(faultRest * limits.ackIntervalMs, signal);
        continue;
      }
      const rest = await this.#ask(session, subject);
      await host.timers.sleep(rest * limits.ackIntervalMs, signal);
    }
  }

  /** What to ask it next: of the log that was asked about longest ago the largest size. */
  #next(session: Session): AckSubject | undefined {
    const organisation = session.identity?.organisation;
    if (organisation === undefined) return undefined;
    for (const [logId, waiters] of this.#waiters) {
      if (this.#isUnknown(session, logId)) continue;
      const open = [...waiters].filter((one) => !one.organisations.has(organisation));
      const largest = open.reduce<Waiter | undefined>(
        (best, one) => (best === undefined || one.size > best.size ? one : best),
        undefined,
      );
      if (largest === undefined) continue;
      this.#waiters.delete(logId);
      this.#waiters.set(logId, waiters);
      return { logId, size: largest.size, root: largest.root };
    }
    return undefined;
  }

  /** Somebody waits for a log that this peer may come to keep. */
  #mayWait(session: Session): boolean {
    const organisation = session.identity?.organisation;
    return [...this.#waiters.values()].some((waiters) =>
      [...waiters].some(
        (one) => organisation !== undefined && !one.organisations.has(organisation),
      ),
    );
  }

  #isUnknown(session: Session, logId: LogId): boolean {
    return (this.#unknown.get(session)?.get(logId) ?? 0) > this.#net.host.clock.monotonic();
  }

  /** Asks once; how long to rest then. */
  async #ask(session: Session, subject: AckSubject): Promise<number> {
    const answer = await askPeer(
      this.#net,
      session,
      protocols.ack,
      shortLimit(this.#net),
      async (exchange) => {
        const sent = await exchange.send(encodeAck({ kind: 'ask', ...subject }));
        if (!sent.ok) return sent;
        const frame = await exchange.next();
        return frame.ok ? decodeAck(frame.value) : frame;
      },
    );
    if (!answer.ok) {
      const { code } = answer.error;
      if (code === 'log-unknown' || code === 'fork') this.#rest(session, subject.logId);
      return code === 'log-unknown' ? 1 : faultRest;
    }
    if (answer.value.kind === 'behind') return behindRest;
    if (answer.value.kind !== 'ack' || !this.#isSound(session, subject, answer.value)) {
      this.#net.counters.add('requestsRefused');
      this.#rest(session, subject.logId);
      return faultRest;
    }
    this.#acknowledged(session, subject);
    return 1;
  }

  #rest(session: Session, logId: LogId): void {
    const known = this.#unknown.get(session) ?? new RecentMap(this.#net.limits.maxAckWaiters);
    this.#unknown.set(session, known);
    known.set(logId, this.#net.host.clock.monotonic() + unknownRestMs);
  }

  #isSound(
    session: Session,
    { logId, size, root }: AckSubject,
    ack: Extract<AckMessage, { kind: 'ack' }>,
  ): boolean {
    const key = peerKey(session.peer);
    if (key === undefined || ack.logId !== logId || ack.size !== size) return false;
    if (!equal(ack.root, root)) return false;
    return this.#net.crypto.verify(key, ackMessage(ack), ack.signature);
  }

  #acknowledged(session: Session, { logId, size }: AckSubject): void {
    const organisation = session.identity?.organisation;
    if (organisation === undefined) return;
    for (const waiter of this.#waiters.get(logId) ?? []) {
      if (waiter.size > size) continue;
      waiter.organisations.add(organisation);
      if (waiter.organisations.size >= waiter.want) waiter.done();
    }
  }

  async #answer(exchange: Exchange): Promise<Result<void>> {
    const { evidence, ledger } = this.#net;
    const frame = await exchange.next();
    if (!frame.ok) return frame;
    const message = decodeAck(frame.value);
    if (!message.ok) return message;
    if (message.value.kind !== 'ask') return err(fault('message-shape', 'not a request'));
    const { logId, size, root } = message.value;
    if (evidence === undefined || !isShared(ledger.log(logId))) return err(unknown);
    await this.#reached(logId, size);
    const ours = await evidence.durableRoot(logId, size);
    if (!ours.ok) return ours;
    if (ours.value === undefined) {
      const log = ledger.log(logId);
      if (log === undefined) return err(unknown);
      return exchange.send(encodeAck({ kind: 'behind', size: log.size }));
    }
    if (!equal(ours.value, root))
      return err(fault('fork', 'another root of this size is held here'));
    const signature = evidence.sign(ackMessage({ logId, size, root }));
    return exchange.send(encodeAck({ kind: 'ack', logId, size, root, signature }));
  }

  /** Gossip is on its way as a rule: a moment's patience saves asking again. */
  async #reached(logId: LogId, size: number): Promise<void> {
    const { ledger, host, limits, signal } = this.#net;
    const there = (): boolean => (ledger.log(logId)?.size ?? 0) >= size;
    if (there()) return;
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    signal.addEventListener('abort', stop);
    using _ = ledger.onAppended((block) => {
      if (block.logId === logId && block.size >= size) stop();
    });
    if (signal.aborted || there()) stop();
    await host.timers.sleep(limits.ackPatienceMs, waiting.signal);
    signal.removeEventListener('abort', stop);
  }
}

const unknown = fault('log-unknown', 'this log is not kept here');
