/**
 * Finding registries: each organisation's registry writer announces its newest checkpoint on the
 * registry topic, and `heads` lists the registries a peer keeps. Whether an unknown one is followed
 * is for the node to say; a known one that has grown is fetched.
 */
import { parseCheckpoint, verifyCheckpoint, type ParsedCheckpoint } from '../ledger/checkpoint.ts';
import { fault } from '../errors.ts';
import type { Verdict } from '../result.ts';
import type { LogId, PeerId, TreeSize } from '../types.ts';
import { decodeAnnouncement, encodeAnnouncement } from './announcement-codec.ts';
import type { HeadRow } from './heads-codec.ts';
import { helloLimits, type KnownPeer } from './hello-codec.ts';
import type { LagBook } from './lag.ts';
import type { PortAppended } from './ledger-port.ts';
import { isShared, penalise, type Net } from './net.ts';
import { penalty } from './scores.ts';
import { registryTopic } from './topics.ts';

/** A registry that this node does not keep yet, as someone states it. */
export interface FoundRegistry {
  readonly logId: LogId;
  readonly size: TreeSize;
  readonly checkpoint: string;
  /** Who says that it serves it; no addresses where it is a connected peer. */
  readonly server: KnownPeer;
}

export interface RegistryEvents {
  /** A registry that is followed has grown elsewhere. */
  behind(logId: LogId): void;
  learned(known: KnownPeer): void;
}

const accepted: Verdict = { kind: 'accept' };

export class Registries implements Disposable {
  readonly #net: Net;
  readonly #lag: LagBook;
  readonly #events: RegistryEvents;
  readonly #listeners = new Set<(found: FoundRegistry) => void>();
  readonly #pending = new Map<LogId, Disposable>();
  readonly #repeat: Disposable;

  constructor(net: Net, lag: LagBook, events: RegistryEvents) {
    this.#net = net;
    this.#lag = lag;
    this.#events = events;
    this.#repeat = net.host.timers.every(net.limits.announceRepeatMs, () => this.#announceAll());
  }

  /** Told of each unknown registry that is stated anywhere, again whenever it has grown. */
  onFound(listener: (found: FoundRegistry) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Announces an own registry soon after it grew, many changes at once. */
  appended(block: PortAppended): void {
    if (!block.local || !this.#isOwn(block.logId) || this.#pending.has(block.logId)) return;
    const timer = this.#net.host.timers.after(this.#net.limits.announceDebounceMs, () => {
      this.#pending.delete(block.logId);
      this.#announce(block.logId);
    });
    this.#pending.set(block.logId, timer);
  }

  /** A head of the registries that a connected peer keeps. */
  stated(row: HeadRow, peer: PeerId): void {
    const { logId, size, checkpoint } = row;
    this.#heard({ logId, size, checkpoint, server: { peer, addresses: [] } });
  }

  /** Judges an announcement that came on the topic. */
  judge(data: Uint8Array, from: PeerId): Verdict {
    this.#net.counters.add('announcements');
    const session = this.#net.sessions.get(from);
    if (session?.announcements.take(this.#net.host.clock.monotonic()) !== true) {
      this.#net.counters.add('announcementsLimited');
      return ignore('rate-limited', 'more announcements than a neighbour may send');
    }
    const announcement = decodeAnnouncement(data);
    if (!announcement.ok) return this.#reject(from, announcement.error.message);
    const { checkpoint: text, server } = announcement.value;
    const checkpoint = parseCheckpoint(text);
    if (!checkpoint.ok) return this.#reject(from, checkpoint.error.message);
    const { logId, size } = checkpoint.value;
    if (size < (this.#net.ledger.log(logId)?.size ?? 0)) {
      return ignore('announcement-stale', 'we have more of this registry');
    }
    const forged = this.#forged(text, checkpoint.value);
    if (forged !== undefined) return forged;
    this.#events.learned(server);
    this.#net.sources.note(logId, server.peer, size, false);
    this.#heard({ logId, size, checkpoint: text, server });
    return accepted;
  }

  [Symbol.dispose](): void {
    this.#repeat[Symbol.dispose]();
    for (const timer of this.#pending.values()) timer[Symbol.dispose]();
    this.#pending.clear();
    this.#listeners.clear();
  }

  #heard(found: FoundRegistry): void {
    const log = this.#net.ledger.log(found.logId);
    if (log === undefined) for (const listener of this.#listeners) listener(found);
    else if (found.size > log.size) this.#events.behind(found.logId);
  }

  /** Of a log whose key we know, only a true checkpoint counts; after a rotation we cannot tell. */
  #forged(text: string, { logId, size }: ParsedCheckpoint): Verdict | undefined {
    const log = this.#net.ledger.log(logId);
    if (log?.writerKey === undefined) return undefined;
    if (!verifyCheckpoint(this.#net.crypto, text, logId, log.writerKey).ok) {
      return ignore('bad-signature', 'not signed by the key that we know');
    }
    this.#lag.note(logId, size, log.size, this.#net.host.clock.monotonic());
    return undefined;
  }

  #isOwn(logId: LogId): boolean {
    const log = this.#net.ledger.log(logId);
    return isShared(log) && log.role === 'writer' && log.genesis?.name === '_registry';
  }

  #announceAll(): void {
    for (const log of this.#net.ledger.logs())
      if (this.#isOwn(log.logId)) this.#announce(log.logId);
  }

  #announce(logId: LogId): void {
    const log = this.#net.ledger.log(logId);
    if (log === undefined || log.size === 0 || this.#net.signal.aborted) return;
    const { transport } = this.#net;
    const addresses = transport.addresses().slice(0, helloLimits.addresses);
    const server = { peer: transport.self, addresses };
    const message = encodeAnnouncement({ checkpoint: log.checkpoint, server });
    this.#net.track(this.#send(message));
  }

  async #send(message: Uint8Array): Promise<void> {
    const { transport, network, counters } = this.#net;
    const sent = await transport.publish(registryTopic(network.text), message);
    if (!sent.ok) counters.add('publishFailed');
  }

  #reject(from: PeerId, message: string): Verdict {
    penalise(this.#net, from, penalty.malformed, 'message-shape');
    return { kind: 'reject', reason: fault('message-shape', message) };
  }
}

function ignore(
  code: 'rate-limited' | 'announcement-stale' | 'bad-signature',
  message: string,
): Verdict {
  return { kind: 'ignore', reason: fault(code, message) };
}
