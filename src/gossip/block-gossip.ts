/**
 * Blocks on their topics: own ones are published in order of their signing, received ones are judged
 * within bounds. What overflows is left to sync.
 */
import { fault } from '../errors.ts';
import type { Verdict } from '../result.ts';
import type { LogId, PeerId } from '../types.ts';
import { peekBlock, type Applier } from './applier.ts';
import { isShared, usable, type Net } from './net.ts';
import { topicOf } from './topics.ts';

export interface BlockGossipEvents {
  /** We hear nothing of the log's blocks by gossip: another way must do. */
  overflowed(logId: LogId): void;
}

export class BlockGossip implements AsyncDisposable {
  readonly #net: Net;
  readonly #applier: Applier;
  readonly #events: BlockGossipEvents;
  /** Logs by topic: a topic is left with its last log. */
  readonly #topics = new Map<string, Set<LogId>>();
  readonly #queue: { readonly topic: string; readonly wire: Uint8Array }[] = [];
  #judging = 0;
  #publishing: Promise<void> | undefined;
  #closed = false;

  constructor(net: Net, applier: Applier, events: BlockGossipEvents) {
    this.#net = net;
    this.#applier = applier;
    this.#events = events;
  }

  get topics(): number {
    return this.#topics.size;
  }

  /** Subscribes the log's topic; false for direct logs, and where there are `maxBlockTopics` already. */
  subscribe(logId: LogId): boolean {
    if (this.#net.access?.ownerOf(logId) !== undefined) return false;
    const topic = topicOf(this.#net.network.text, logId);
    const logs = this.#topics.get(topic);
    if (logs !== undefined) {
      logs.add(logId);
      return true;
    }
    if (this.#topics.size >= this.#net.limits.maxBlockTopics) return false;
    this.#topics.set(topic, new Set([logId]));
    this.#net.transport.subscribe(topic);
    return true;
  }

  unsubscribe(logId: LogId): void {
    const topic = topicOf(this.#net.network.text, logId);
    const logs = this.#topics.get(topic);
    logs?.delete(logId);
    if (logs?.size !== 0) return;
    this.#topics.delete(topic);
    this.#net.transport.unsubscribe(topic);
  }

  /** Queues an own block; where the queue is full the oldest one is left to sync. */
  publish(logId: LogId, wire: Uint8Array): void {
    if (this.#closed) return;
    this.#queue.push({ topic: topicOf(this.#net.network.text, logId), wire });
    if (this.#queue.length > this.#net.limits.maxPublishQueue) {
      this.#queue.shift();
      this.#net.counters.add('publishDropped');
    }
    this.#publishing ??= this.#publishAll().catch(this.#net.defect);
  }

  /** Judges a block that came on a topic. */
  async judge(topic: string, wire: Uint8Array, from: PeerId): Promise<Verdict> {
    const { counters, sessions, ledger, network } = this.#net;
    counters.add('blocksGossiped');
    const header = peekBlock(wire);
    if (header === undefined || topicOf(network.text, header.logId) !== topic) {
      counters.add('gossipRejected');
      return reject('not a block of a log of this topic');
    }
    const session = sessions.get(from);
    const log = ledger.log(header.logId);
    // Another log of the same bucket, or a peer that we do not listen to.
    if (!isShared(log) || (session !== undefined && !usable(this.#net, session))) {
      counters.add('gossipIgnored');
      return ignored;
    }
    const perPeer = session?.judging ?? 0;
    if (
      this.#judging >= this.#net.limits.maxJudging ||
      perPeer >= this.#net.limits.maxJudgingPerPeer
    ) {
      counters.add('gossipOverflow');
      this.#net.sources.note(header.logId, from, header.firstIndex, false);
      this.#events.overflowed(header.logId);
      return overflow;
    }
    this.#judging += 1;
    if (session !== undefined) session.judging += 1;
    try {
      return await this.#applier.gossip(wire, from);
    } finally {
      this.#judging -= 1;
      if (session !== undefined) session.judging -= 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#queue.length = 0;
    await this.#publishing;
  }

  async #publishAll(): Promise<void> {
    for (;;) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      const published = await this.#net.transport.publish(next.topic, next.wire);
      this.#net.counters.add(published.ok ? 'blocksPublished' : 'publishFailed');
    }
    this.#publishing = undefined;
  }
}

const ignored: Verdict = {
  kind: 'ignore',
  reason: fault('log-unknown', 'not a log that we follow, or not a peer that we listen to'),
};
const overflow: Verdict = {
  kind: 'ignore',
  reason: fault('queue-full', 'too many blocks are being judged'),
};

function reject(message: string): Verdict {
  return { kind: 'reject', reason: fault('message-shape', message) };
}
