/** Our side of gossipsub: who judges, how fast we publish, and which pairs have to be made anew. */
import { TopicValidatorResult, type GossipSubEvents } from '@chainsafe/libp2p-gossipsub';
import type { Connection, PeerId as Libp2pPeerId, Stream } from '@libp2p/interface';
import { fault } from '../errors.ts';
import type { Host } from '../host.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result, type Verdict } from '../result.ts';
import { asPeerId, type PeerId } from '../types.ts';
import { meshOf } from './libp2p-gossipsub.ts';
import type { Node } from './libp2p-node.ts';
import type { TransportLimits, TransportLog } from './libp2p-options.ts';
import { Pacer, type Neighbour } from './pacing.ts';
import type { MessageHandler, TopicStats } from './transport.ts';
import { Unjudged } from './unjudged.ts';
import { Watchdog } from './watchdog.ts';

type Arrived = GossipSubEvents['gossipsub:message'];

interface Reports {
  reportMessageValidationResult(id: string, source: string, result: TopicValidatorResult): void;
}

/** Counts only grow; sizes are of now. */
export interface GossipStats extends TopicStats {
  /** Neighbours that do not keep up. */
  readonly slow: readonly PeerId[];
  readonly queuedBytes: number;
}

export interface GossipOptions {
  readonly node: Node;
  readonly topics: readonly string[];
  readonly host: Host;
  readonly limits: TransportLimits;
  readonly log?: TransportLog | undefined;
}

/** D of gossipsub: with fewer mesh peers it publishes to other subscribers too. */
const wantedMesh = 6;
const gossipProtocol = '/meshsub/';

const acceptance: Readonly<Record<Verdict['kind'], TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
};

export class Gossip implements Disposable {
  readonly #node: Node;
  readonly #allowed: ReadonlySet<string>;
  readonly #log: TransportLog | undefined;
  readonly #reports: Reports;
  readonly #pacer: Pacer;
  readonly #unjudged: Unjudged;
  readonly #watchdog: Watchdog;
  readonly #beat: Disposable;
  readonly #counts = { published: 0, publishedBytes: 0, received: 0, receivedBytes: 0, resets: 0 };
  readonly #verdicts = { accept: 0, ignore: 0, reject: 0 };
  #handler: MessageHandler | undefined;

  constructor(options: GossipOptions) {
    const { node, limits, host } = options;
    const pubsub = node.services.pubsub;
    if (!canReport(pubsub)) throw new Error('this gossipsub cannot validate asynchronously');
    this.#node = node;
    this.#allowed = new Set(options.topics);
    this.#log = options.log;
    this.#reports = pubsub;
    this.#pacer = new Pacer(host.timers, {
      paceBytes: limits.gossipPaceBytes,
      maxWaitMs: limits.maxGossipWaitMs,
      maxQueueBytes: limits.maxGossipQueueBytes,
    });
    this.#unjudged = new Unjudged({
      maxPerPeer: limits.maxUnjudgedPerPeer,
      maxMessages: limits.maxUnjudged,
      maxBytes: limits.maxUnjudgedBytes,
    });
    this.#watchdog = new Watchdog(limits.watchdogHeartbeats);
    pubsub.addEventListener('gossipsub:message', this.#onMessage);
    this.#beat = host.timers.every(limits.gossipHeartbeatMs, () => this.#heartbeat());
  }

  onMessage(handler: MessageHandler): void {
    this.#handler = handler;
  }

  subscribe(topic: string): void {
    if (this.#allowed.has(topic)) this.#node.services.pubsub.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#node.services.pubsub.unsubscribe(topic);
  }

  async publish(topic: string, data: Uint8Array): Promise<Result<void>> {
    if (!this.#allowed.has(topic)) return err(fault('topic-unknown', `${topic} is not allowed`));
    if (data.length > protocol.maxMessageBytes) {
      return err(fault('message-too-large', `a message of ${data.length} bytes`));
    }
    const sent = await this.#pacer.run(
      data.length,
      () => this.#neighbours(topic),
      () => this.#node.services.pubsub.publish(topic, data),
    );
    if (!sent.ok) return sent;
    this.#counts.published++;
    this.#counts.publishedBytes += data.length * sent.value.recipients.length;
    return ok(undefined);
  }

  connected(peer: PeerId): void {
    this.#watchdog.fresh(peer);
  }

  disconnected(peer: PeerId): void {
    this.#pacer.forget(peer);
  }

  stats(): GossipStats {
    const topics = this.#node.services.pubsub.getTopics();
    const mesh = meshOf(this.#node.services.pubsub);
    return {
      mesh: new Map(topics.map((topic) => [topic, mesh.get(topic)?.size ?? 0])),
      ...this.#counts,
      accepted: this.#verdicts.accept,
      ignored: this.#verdicts.ignore,
      rejected: this.#verdicts.reject,
      overflow: this.#unjudged.refused,
      slow: [...this.#pacer.slow],
      queuedBytes: this.#pacer.queuedBytes,
    };
  }

  [Symbol.dispose](): void {
    this.#beat[Symbol.dispose]();
    this.#handler = undefined;
    this.#node.services.pubsub.removeEventListener('gossipsub:message', this.#onMessage);
  }

  readonly #onMessage = (event: Arrived): void => {
    this.#counts.received++;
    this.#counts.receivedBytes += event.detail.msg.data.length;
    void this.#report(event.detail);
  };

  async #report({ msg, msgId, propagationSource }: Arrived['detail']): Promise<void> {
    const source = propagationSource.toString();
    const kind = await this.#judge(msg.topic, msg.data, asPeerId(source));
    this.#verdicts[kind]++;
    this.#reports.reportMessageValidationResult(msgId, source, acceptance[kind]);
  }

  /** Never rejects: a failure of our own handler is an ignore. */
  async #judge(topic: string, data: Uint8Array, from: PeerId): Promise<Verdict['kind']> {
    if (data.length > protocol.maxMessageBytes) return 'reject';
    const place = this.#unjudged.enter(from, data.length);
    if (place === undefined || this.#handler === undefined) return 'ignore';
    try {
      return (await this.#handler(topic, owned(data), from)).kind;
    } catch (error) {
      this.#log?.warn({ err: error, topic, from }, 'the judge of gossip failed');
      return 'ignore';
    } finally {
      place[Symbol.dispose]();
    }
  }

  #neighbours(topic: string): readonly Neighbour[] {
    const pubsub = this.#node.services.pubsub;
    const mesh = meshOf(pubsub).get(topic);
    const enough = mesh !== undefined && mesh.size >= wantedMesh;
    const neighbours: Neighbour[] = [];
    for (const subscriber of pubsub.getSubscribers(topic)) {
      if (enough && !mesh.has(subscriber.toString())) continue;
      const stream = this.#connections(subscriber).flatMap(gossipStreams).find(isOutbound);
      if (stream !== undefined) neighbours.push(neighbour(asPeerId(subscriber.toString()), stream));
    }
    return neighbours;
  }

  #connections(peer: Libp2pPeerId): readonly Connection[] {
    return this.#node.getConnections(peer);
  }

  #heartbeat(): void {
    const peers = this.#node.getPeers();
    const pulses = peers.map((peer) => {
      const streams = this.#connections(peer).flatMap(gossipStreams);
      const alive = streams.some(isOutbound) && streams.some((stream) => !isOutbound(stream));
      return { peer: asPeerId(peer.toString()), alive };
    });
    const resets = new Set<string>(this.#watchdog.beat(pulses));
    for (const peer of peers) if (resets.has(peer.toString())) void this.#makeAnew(peer);
  }

  async #makeAnew(peer: Libp2pPeerId): Promise<void> {
    this.#counts.resets++;
    this.#log?.warn({ peer: peer.toString() }, 'gossip with a peer was dead: dialling it anew');
    const connections = this.#connections(peer);
    const dialled = connections.filter(({ direction }) => direction === 'outbound');
    const target = dialled[0]?.remoteAddr ?? peer;
    for (const connection of connections) connection.abort(new Error('gossip was dead'));
    try {
      await this.#node.dial(target);
    } catch (error) {
      // It may be reachable from its side only; its own watchdog then dials us.
      this.#log?.debug({ err: error, peer: peer.toString() }, 'could not dial it anew');
    }
  }
}

function canReport(pubsub: object): pubsub is Reports {
  return 'reportMessageValidationResult' in pubsub;
}

function gossipStreams(connection: Connection): Stream[] {
  return connection.streams.filter(
    ({ protocol: name, status }) => name.startsWith(gossipProtocol) && status === 'open',
  );
}

function isOutbound(stream: Stream): boolean {
  return stream.direction === 'outbound';
}

function neighbour(peer: PeerId, stream: Stream): Neighbour {
  return {
    peer,
    backlog: () => (stream.status === 'open' ? stream.writeBufferLength : 0),
    changed: (run) => {
      // On 'drain' the stream writes on in a microtask of its own, queued before this one.
      const later = (): void => queueMicrotask(run);
      const events = ['drain', 'idle', 'close'] as const;
      for (const event of events) stream.addEventListener(event, later);
      return {
        [Symbol.dispose]: () => {
          for (const event of events) stream.removeEventListener(event, later);
        },
      };
    },
  };
}

/** A plain array that does not keep a much larger buffer of the socket alive. */
function owned(data: Uint8Array): Uint8Array {
  if (data.length * 2 < data.buffer.byteLength) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}
