/** A `Transport` in memory, for the simulator: the same contract as libp2p's, in virtual time. */
import { fault } from '../../src/errors.ts';
import type {
  FrameStream,
  MessageHandler,
  PeerInfo,
  PeerListener,
  StreamHandler,
  Transport,
} from '../../src/gossip/transport.ts';
import { protocol } from '../../src/limits.ts';
import { err, ok, type Result } from '../../src/result.ts';
import { asPeerId, type PeerId } from '../../src/types.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { concat, toHex, utf8 } from '../../src/bytes.ts';
import { SimStream, type Carry } from './sim-stream.ts';
import type { Link, SimNetwork } from './sim-network.ts';

/** Neighbours that a message goes to, and messages whose repetition is noticed. */
const meshDegree = 4;
const maxSeen = 20_000;

interface Message {
  readonly id: string;
  readonly topic: string;
  readonly data: Uint8Array;
}

const gone = fault('transport-closed', 'the transport is closed');
const unreachable = fault('peer-unreachable', 'nobody answers');

export class SimTransport implements Transport {
  readonly self: PeerId;
  readonly #network: SimNetwork;
  readonly #links = new Map<PeerId, Link>();
  readonly #learned = new Map<PeerId, readonly string[]>();
  readonly #topics = new Set<string>();
  readonly #seen = new Set<string>();
  readonly #handlers = new Map<string, StreamHandler>();
  readonly #listeners = new Set<PeerListener>();
  readonly #streams = new Map<SimStream, PeerId>();
  #onMessage: MessageHandler | undefined;
  #closed = false;

  constructor(network: SimNetwork, self: PeerId) {
    this.#network = network;
    this.self = self;
    network.join(this);
  }

  addresses(): readonly string[] {
    return this.#closed ? [] : [addressOf(this.self)];
  }

  peers(): readonly PeerInfo[] {
    return [...this.#links].map(([peer, link]) => infoOf(peer, link.from === this));
  }

  known(): Promise<readonly PeerId[]> {
    return Promise.resolve([...this.#learned.keys()].toReversed());
  }

  async dial(address: string, signal?: AbortSignal): Promise<Result<PeerId>> {
    const peer = peerOf(address);
    if (peer === undefined) return err(fault('bad-address', `${address} is no address`));
    const connected = await this.#connect(peer, signal);
    return connected.ok ? ok(peer) : connected;
  }

  learn(peer: PeerId, addresses: readonly string[]): Promise<void> {
    this.#learned.delete(peer);
    this.#learned.set(peer, addresses);
    return Promise.resolve();
  }

  async dialPeer(peer: PeerId, signal?: AbortSignal): Promise<Result<void>> {
    if (this.#closed) return err(gone);
    if (this.#links.has(peer)) return ok(undefined);
    if (!this.#learned.has(peer)) return err(unreachable);
    return this.#connect(peer, signal);
  }

  async hangUp(peer: PeerId): Promise<void> {
    const link = this.#links.get(peer);
    if (link === undefined) return;
    this.#network.trace(`hangup ${name(this.self)} ${name(peer)}`);
    this.#network.breakLink(link, this.#network.faults.maxDelayMs);
    this.lost(link, peer);
  }

  /** Topics that it listens to. */
  subscribed(): readonly string[] {
    return [...this.#topics];
  }

  subscribe(topic: string): void {
    this.#topics.add(topic);
  }
  unsubscribe(topic: string): void {
    this.#topics.delete(topic);
  }

  publish(topic: string, data: Uint8Array): Promise<Result<void>> {
    return Promise.resolve(this.#publish(topic, data));
  }

  onMessage(handler: MessageHandler): void {
    this.#onMessage = handler;
  }

  async open(
    peer: PeerId,
    protocolName: string,
    signal: AbortSignal,
  ): Promise<Result<FrameStream>> {
    if (this.#closed) return err(gone);
    const dialled = await this.dialPeer(peer, signal);
    if (!dialled.ok) return dialled;
    // The protocol is agreed on before the stream is given out: a round trip.
    await this.#pass(2 * this.#network.delayMs());
    if (this.#closed) return err(gone);
    const link = this.#links.get(peer);
    const other = link?.broken === false ? this.#network.reach(this.self, peer) : undefined;
    if (link === undefined || other === undefined || signal.aborted) return err(unreachable);
    const handler = other.#handlers.get(protocolName);
    if (handler === undefined) {
      return err(fault('protocol-unsupported', `no ${protocolName} there`));
    }
    const [near, far] = SimStream.pair(this.#carry(link, other), other.#carry(link, this));
    this.#own(near, peer, signal);
    other.#answer(far, this.self, handler);
    return ok(near);
  }

  handle(protocolName: string, handler: StreamHandler): Promise<void> {
    this.#handlers.set(protocolName, handler);
    return Promise.resolve();
  }

  onPeer(listener: PeerListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    for (const peer of Array.from(this.#links.keys())) await this.hangUp(peer);
    this.#closed = true;
    this.#network.leave(this);
  }

  /** Dies without a word: nothing is told to anybody here, the others notice after a while. */
  crash(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#handlers.clear();
    this.#onMessage = undefined;
    this.#network.leave(this);
    for (const link of this.#links.values()) this.#network.breakLink(link, 3000);
    this.#links.clear();
  }

  /** The network's word that a connection is gone. */
  lost(link: Link, peer: PeerId): void {
    if (this.#links.get(peer) !== link) return;
    this.#links.delete(peer);
    for (const [stream, remote] of this.#streams) if (remote === peer) stream.fail();
    for (const listener of this.#listeners) listener.disconnected(peer);
  }

  async #connect(peer: PeerId, signal: AbortSignal | undefined): Promise<Result<void>> {
    if (this.#closed) return err(gone);
    if (this.#links.has(peer)) return ok(undefined);
    await this.#pass(2 * this.#network.delayMs());
    if (this.#closed) return err(gone);
    const other = this.#network.reach(this.self, peer);
    if (other === undefined || signal?.aborted === true) return err(unreachable);
    if (this.#links.has(peer)) return ok(undefined);
    // The other side may not have noticed yet that an earlier connection is gone.
    const stale = other.#links.get(this.self);
    if (stale !== undefined) other.lost(stale, this.self);
    const link: Link = { from: this, to: other, broken: false, ended: false };
    this.#network.addLink(link);
    this.#network.trace(`connect ${name(this.self)} ${name(peer)}`);
    other.#connected(this.self, link);
    this.#connected(peer, link);
    return ok(undefined);
  }

  #connected(peer: PeerId, link: Link): void {
    this.#links.set(peer, link);
    this.#learned.set(peer, [addressOf(peer)]);
    for (const listener of this.#listeners) listener.connected(infoOf(peer, link.from === this));
  }

  /** Carries frames of one stream to `other`: in order, delayed; now and then the stream breaks. */
  #carry(link: Link, other: SimTransport): Carry {
    let arrivesMs = 0;
    return (bytes, arrive) => {
      const network = this.#network;
      if (bytes > 0 && network.dice.chance(network.faults.resets)) {
        network.breakLink(link, network.faults.maxDelayMs);
        return;
      }
      arrivesMs = Math.max(arrivesMs, network.time.nowMs + network.delayMs());
      network.time.after(arrivesMs - network.time.nowMs, () => {
        if (link.broken || other.#closed) return;
        network.trace(`frame ${name(this.self)} ${name(other.self)} ${bytes}`);
        arrive();
      });
    };
  }

  #own(stream: SimStream, peer: PeerId, signal: AbortSignal): void {
    const abort = (): void => stream.abort();
    this.#streams.set(stream, peer);
    stream.onReset = () => {
      this.#streams.delete(stream);
      signal.removeEventListener('abort', abort);
    };
    stream.onEnd = stream.onReset;
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  }

  #answer(stream: SimStream, from: PeerId, handler: StreamHandler): void {
    const controller = new AbortController();
    this.#streams.set(stream, from);
    stream.onReset = () => {
      this.#streams.delete(stream);
      controller.abort();
    };
    stream.onEnd = () => this.#streams.delete(stream);
    handler(stream, from, controller.signal).then(
      () => stream.close(),
      () => stream.abort(),
    );
  }

  #publish(topic: string, data: Uint8Array): Result<void> {
    if (this.#closed) return err(gone);
    if (!topic.startsWith('/headwater/1/')) return err(fault('topic-unknown', topic));
    if (data.length > protocol.maxMessageBytes) {
      return err(fault('message-too-large', `${data.length} bytes`));
    }
    const id = toHex(nodeCrypto.sha256(concat(utf8(topic), Uint8Array.of(0), data)));
    if (!this.#notice(id)) return ok(undefined);
    this.#forward({ id, topic, data }, this.self);
    return ok(undefined);
  }

  /** False where the message was seen before. */
  #notice(id: string): boolean {
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    const [oldest] = this.#seen;
    if (this.#seen.size > maxSeen && oldest !== undefined) this.#seen.delete(oldest);
    return true;
  }

  #forward(message: Message, from: PeerId): void {
    const { dice, faults } = this.#network;
    const mesh: (readonly [Link, SimTransport])[] = [];
    for (const link of this.#links.values()) {
      const other = link.from === this ? link.to : link.from;
      if (other.self !== from && other.#topics.has(message.topic)) mesh.push([link, other]);
    }
    for (const [link, other] of dice.shuffle(mesh).slice(0, meshDegree)) {
      if (dice.chance(faults.loss)) continue;
      const twice = dice.chance(faults.duplication);
      this.#hop(message, link, other, false);
      if (twice) this.#hop(message, link, other, true);
    }
  }

  #hop(message: Message, link: Link, other: SimTransport, repeated: boolean): void {
    const network = this.#network;
    network.time.after(network.delayMs(), () => {
      if (!link.broken) void other.#hear(message, this.self, repeated);
    });
  }

  async #hear(message: Message, from: PeerId, repeated: boolean): Promise<void> {
    const fresh = this.#notice(message.id);
    if (!fresh && !repeated) return;
    if (!this.#topics.has(message.topic) || this.#onMessage === undefined) return;
    const { topic, data } = message;
    this.#network.trace(`gossip ${name(from)} ${name(this.self)} ${message.id.slice(0, 8)}`);
    const verdict = await this.#onMessage(topic, data, from);
    if (verdict.kind === 'accept' && fresh && !this.#closed) this.#forward(message, from);
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#network.time.after(ms, resolve);
    });
  }
}

export function addressOf(peer: PeerId): string {
  return `/memory/${peer}/p2p/${peer}`;
}

function peerOf(address: string): PeerId | undefined {
  const match = /^\/memory\/([1-9A-HJ-NP-Za-km-z]+)\/p2p\/\1$/.exec(address);
  return match?.[1] === undefined ? undefined : asPeerId(match[1]);
}

function infoOf(peer: PeerId, outbound: boolean): PeerInfo {
  return { peer, address: addressOf(peer), direction: outbound ? 'outbound' : 'inbound' };
}

function name(peer: PeerId): string {
  return peer.slice(-6);
}
