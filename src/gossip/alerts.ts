/**
 * The alerts topic: newer network documents, fork proofs and revocations of delegations.
 * Cheap checks first: the sender's rate, the form, whether it is known; then the signatures. A fork
 * is passed on if it is the first of a log that we hold or know of; what is invalid costs its sender.
 */
import { codes } from '../codes.ts';
import { fault, type Fault } from '../errors.ts';
import { blockVerdict } from '../ledger/verdict.ts';
import type { Result, Verdict } from '../result.ts';
import type { LogId, PeerId } from '../types.ts';
import { decodeAlert, encodeAlert, isLaterAlert } from './announcement-codec.ts';
import { penalise, type Net } from './net.ts';
import { penalty } from './scores.ts';
import { alertsTopic } from './topics.ts';

export interface AlertsEvents {
  /** A newer network document is in force. */
  taken(): void;
  /** Whether a log that we do not hold is named by a registry that we keep. */
  knowsLog(logId: LogId): boolean;
}

export class Alerts {
  readonly #net: Net;
  readonly #events: AlertsEvents;

  constructor(net: Net, events: AlertsEvents) {
    this.#net = net;
    this.#events = events;
  }

  async announce(document: Uint8Array): Promise<Result<void>> {
    const topic = alertsTopic(this.#net.network.text);
    return this.#net.transport.publish(topic, encodeAlert({ kind: 'network', document }));
  }

  async judge(data: Uint8Array, from: PeerId): Promise<Verdict> {
    const session = this.#net.sessions.get(from);
    if (session?.alerts.take(this.#net.host.clock.monotonic()) !== true) {
      this.#net.counters.add('alertsLimited');
      return { kind: 'ignore', reason: limited };
    }
    const alert = decodeAlert(data);
    if (!alert.ok) {
      if (isLaterAlert(data)) return { kind: 'ignore', reason: alert.error };
      return this.#reject(from, alert.error, penalty.malformed);
    }
    if (alert.value.kind === 'fork') return this.#judgeFork(alert.value.proof, from);
    if (alert.value.kind === 'revocation') return this.#judgeRevocation(alert.value.token, from);
    return this.#judgeDocument(alert.value.document, from);
  }

  async #judgeRevocation(token: Uint8Array, from: PeerId): Promise<Verdict> {
    const { access } = this.#net;
    if (access === undefined) return { kind: 'ignore', reason: unjudged };
    const taken = await access.takeRevocation(token);
    if (!taken.ok) {
      if (codes[taken.error.code][0] !== 'denied') return { kind: 'ignore', reason: taken.error };
      return this.#reject(from, taken.error, penalty.malformed);
    }
    if (taken.value === 'known') return { kind: 'ignore', reason: knownRevocation };
    if (taken.value === 'unrelated') return { kind: 'ignore', reason: unrelated };
    this.#net.counters.add('revocationsTaken');
    return { kind: 'accept' };
  }

  #judgeDocument(document: Uint8Array, from: PeerId): Verdict {
    const taken = this.#net.network.offer(document);
    if (!taken.ok) {
      if (isLate(taken.error)) return { kind: 'ignore', reason: taken.error };
      return this.#reject(from, taken.error, penalty.malformed);
    }
    if (!taken.value) return { kind: 'ignore', reason: known };
    this.#events.taken();
    return { kind: 'accept' };
  }

  async #judgeFork(proof: Uint8Array, from: PeerId): Promise<Verdict> {
    const { forks } = this.#net.ledger;
    if (forks === undefined) return { kind: 'ignore', reason: unread };
    const logId = forks.peek(proof);
    if (!logId.ok) return this.#refused(from, logId.error);
    if (forks.known(logId.value) !== undefined) return { kind: 'ignore', reason: knownFork };
    const isKnown = this.#events.knowsLog(logId.value);
    const offered = await forks.offer(proof, 'gossip', isKnown);
    // Verified, and not kept for want of room: others follow that log.
    if (!offered.ok && offered.error.code === 'queue-full' && isKnown) return { kind: 'accept' };
    if (!offered.ok) return this.#refused(from, offered.error);
    const { isNew, followed } = offered.value;
    if (!isNew) return { kind: 'ignore', reason: knownFork };
    if (followed || isKnown) return { kind: 'accept' };
    return { kind: 'ignore', reason: strange };
  }

  #refused(from: PeerId, reason: Fault): Verdict {
    this.#net.counters.add('forksRefused');
    const verdict = blockVerdict(reason);
    return verdict.kind === 'reject' ? this.#reject(from, reason, penalty.reject) : verdict;
  }

  #reject(from: PeerId, reason: Fault, points: number): Verdict {
    penalise(this.#net, from, points, reason.code);
    return { kind: 'reject', reason };
  }
}

/** Who passes on an older document, or one of two that the founder signed, did nothing wrong. */
function isLate({ code }: Fault): boolean {
  return code === 'network-document-old' || code === 'network-document-conflict';
}

const known = fault('announcement-stale', 'this network document is known');
const knownFork = fault('announcement-stale', 'a fork of this log is known');
const strange = fault('log-unknown', 'kept, but nobody here follows that log');
const unread = fault('log-unknown', 'this node keeps no forks');
const unjudged = fault('log-unknown', 'this node keeps no revocations');
const knownRevocation = fault('announcement-stale', 'this revocation is known');
const unrelated = fault('log-unknown', 'revoked by nobody that is known here');
const limited = fault('rate-limited', 'more alerts than a neighbour may send');
