/** `Transport` over libp2p. The node is made in libp2p-node.ts, gossip lives in libp2p-gossip.ts. */
import type { Connection, PeerId as Libp2pPeerId, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr';
import { fault, type Code, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asPeerId, type PeerId } from '../types.ts';
import { Libp2pFrameStream } from './libp2p-frame-stream.ts';
import { Gossip, type GossipStats } from './libp2p-gossip.ts';
import { makeNode, type MadeNode, type Node } from './libp2p-node.ts';
import type { Libp2pOptions, TransportLimits } from './libp2p-options.ts';
import type {
  FrameStream,
  MessageHandler,
  PeerInfo,
  PeerListener,
  StreamHandler,
  Transport,
} from './transport.ts';

const sweepMs = 1000;
/** Key under which libp2p's dialler notes its last success with a peer, as decimal ms. */
const lastDial = 'last-dial-success';

/**
 * A started transport. Codes: `bad-address`, `port-in-use`, `listen-failed`, `peer-store-failed`.
 * The caller disposes it.
 */
export async function createTransport(options: Libp2pOptions): Promise<Result<Libp2pTransport>> {
  const state = { closing: false };
  const made = await makeNode(options, () => state.closing);
  return made.ok ? ok(new Libp2pTransport(options, made.value, state)) : made;
}

export class Libp2pTransport implements Transport {
  readonly self: PeerId;
  readonly #node: Node;
  readonly #made: MadeNode;
  readonly #options: Libp2pOptions;
  readonly #limits: TransportLimits;
  readonly #gossip: Gossip;
  readonly #streams = new Map<Libp2pFrameStream, PeerId>();
  readonly #listeners = new Set<PeerListener>();
  readonly #state: { closing: boolean };
  readonly #stack = new DisposableStack();
  #disposed: Promise<void> | undefined;

  /** Use `createTransport`. */
  constructor(options: Libp2pOptions, made: MadeNode, state: { closing: boolean }) {
    const { host, log, topics, gate } = options;
    this.#options = options;
    this.#made = made;
    this.#node = made.node;
    this.#limits = made.limits;
    this.#state = state;
    this.self = asPeerId(made.node.peerId.toString());
    this.#gossip = this.#stack.use(
      new Gossip({ node: made.node, topics, host, limits: made.limits, log }),
    );
    this.#stack.use(host.timers.every(sweepMs, () => this.#sweep()));
    this.#stack.use(gate.onShut((peer) => void this.hangUp(peer)));
    made.node.addEventListener('peer:connect', this.#onConnect);
    made.node.addEventListener('peer:disconnect', this.#onDisconnect);
  }

  addresses(): readonly string[] {
    return this.#node.getMultiaddrs().map(String);
  }

  peers(): readonly PeerInfo[] {
    if (this.#state.closing) return [];
    return this.#node.getPeers().flatMap((peer) => this.#info(peer) ?? []);
  }

  async known(): Promise<readonly PeerId[]> {
    const peers = await this.#node.peerStore.all({
      filters: [(peer) => peer.addresses.length > 0],
    });
    return peers
      .toSorted((a, b) => dialledMs(b.metadata) - dialledMs(a.metadata))
      .map(({ id }) => asPeerId(id.toString()));
  }

  async dial(address: string, signal?: AbortSignal): Promise<Result<PeerId>> {
    const target = parseAddress(address);
    if (target === undefined) return err(fault('bad-address', `${address} is not a multiaddr`));
    await this.#node.services.late.ensure([address]);
    const dialled = await this.#connect(target, signal);
    return dialled.ok ? ok(asPeerId(dialled.value.remotePeer.toString())) : dialled;
  }

  async learn(peer: PeerId, addresses: readonly string[]): Promise<void> {
    const multiaddrs = addresses.flatMap((address) => parseAddress(address) ?? []);
    if (this.#state.closing || multiaddrs.length === 0) return;
    await this.#node.services.late.ensure(addresses);
    await this.#node.peerStore.merge(peerIdFromString(peer), { multiaddrs });
  }

  async dialPeer(peer: PeerId, signal?: AbortSignal): Promise<Result<void>> {
    const dialled = await this.#connect(peerIdFromString(peer), signal);
    return dialled.ok ? ok(undefined) : dialled;
  }

  async hangUp(peer: PeerId): Promise<void> {
    // A polite end of the connection would end its streams politely too, as if all had been said.
    for (const [stream, of] of this.#streams) if (of === peer) stream.abort();
    await this.#close(this.#node.getConnections(peerIdFromString(peer)));
  }

  subscribe(topic: string): void {
    if (!this.#state.closing) this.#gossip.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    if (!this.#state.closing) this.#gossip.unsubscribe(topic);
  }

  publish(topic: string, data: Uint8Array): Promise<Result<void>> {
    if (this.#state.closing) return Promise.resolve(err(closed()));
    return this.#gossip.publish(topic, data);
  }

  onMessage(handler: MessageHandler): void {
    this.#gossip.onMessage(handler);
  }

  async open(peer: PeerId, protocol: string, signal: AbortSignal): Promise<Result<FrameStream>> {
    if (this.#state.closing) return err(closed());
    using limited = this.#limited(signal);
    let stream: Stream;
    try {
      stream = await this.#node.dialProtocol(peerIdFromString(peer), protocol, {
        signal: limited.signal,
        runOnLimitedConnection: true,
        maxOutboundStreams: this.#limits.maxStreamsPerProtocol,
      });
    } catch (error) {
      return err(dialFault(error, peer));
    }
    const frames = this.#watch(stream, peer);
    const abort = (): void => frames.abort();
    stream.addEventListener('close', () => signal.removeEventListener('abort', abort));
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    return ok(frames);
  }

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    if (this.#state.closing) return;
    const serve = (stream: Stream, connection: Connection): void => {
      const from = asPeerId(connection.remotePeer.toString());
      void this.#serve(this.#watch(stream, from), handler, from);
    };
    await this.#node.handle(protocol, serve, {
      maxInboundStreams: this.#limits.maxStreamsPerProtocol,
      maxOutboundStreams: this.#limits.maxStreamsPerProtocol,
      runOnLimitedConnection: true,
      force: true,
    });
  }

  onPeer(listener: PeerListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** What gossip has done so far. */
  gossipStats(): GossipStats {
    return this.#gossip.stats();
  }

  /** Streams of ours that are open now. */
  get openStreams(): number {
    return this.#streams.size;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#state.closing = true;
    this.#stack.dispose();
    for (const stream of this.#streams.keys()) stream.abort();
    // Gossipsub waits for its streams to drain without a limit, so connections go first.
    await this.#close(this.#node.getConnections());
    await this.#node.stop();
    this.#node.removeEventListener('peer:connect', this.#onConnect);
    this.#node.removeEventListener('peer:disconnect', this.#onDisconnect);
    await this.#made.close();
  }

  /** Politely as long as `hangUpMs`, then at once. */
  async #close(connections: readonly Connection[]): Promise<void> {
    using limited = this.#limited(undefined, this.#limits.hangUpMs);
    const { signal } = limited;
    await Promise.all(
      connections.map(async (connection) => {
        try {
          await connection.close({ signal });
        } catch {
          connection.abort(new Error('hung up'));
        }
      }),
    );
  }

  async #connect(
    target: Multiaddr | Libp2pPeerId,
    signal: AbortSignal | undefined,
  ): Promise<Result<Connection>> {
    if (this.#state.closing) return err(closed());
    using limited = this.#limited(signal);
    try {
      return ok(await this.#node.dial(target, { signal: limited.signal }));
    } catch (error) {
      return err(dialFault(error, target.toString()));
    }
  }

  #watch(stream: Stream, peer: PeerId): Libp2pFrameStream {
    const { host } = this.#options;
    const frames = new Libp2pFrameStream(stream, this.#limits, () => host.clock.monotonic());
    this.#streams.set(frames, peer);
    stream.addEventListener('close', () => this.#streams.delete(frames));
    if (frames.over) this.#streams.delete(frames);
    return frames;
  }

  async #serve(frames: Libp2pFrameStream, handler: StreamHandler, from: PeerId): Promise<void> {
    try {
      await handler(frames, from, frames.signal);
      await frames.finish();
    } catch (error) {
      this.#options.log?.debug({ err: error, from }, 'a stream handler failed');
      frames.abort();
    }
  }

  #sweep(): void {
    const now = this.#options.host.clock.monotonic();
    for (const stream of this.#streams.keys()) stream.sweep(now);
  }

  #info(peer: Libp2pPeerId): PeerInfo | undefined {
    const connection = this.#node.getConnections(peer).find(({ status }) => status === 'open');
    if (connection === undefined) return undefined;
    const { remoteAddr, direction } = connection;
    return { peer: asPeerId(peer.toString()), address: remoteAddr.toString(), direction };
  }

  readonly #onConnect = (event: CustomEvent<Libp2pPeerId>): void => {
    const info = this.#info(event.detail);
    if (info === undefined || this.#state.closing) return;
    this.#gossip.connected(info.peer);
    for (const listener of this.#listeners) listener.connected(info);
  };

  readonly #onDisconnect = (event: CustomEvent<Libp2pPeerId>): void => {
    const peer = asPeerId(event.detail.toString());
    this.#gossip.disconnected(peer);
    for (const listener of this.#listeners) listener.disconnected(peer);
  };

  /** A signal that also aborts after a time. */
  #limited(
    signal: AbortSignal | undefined,
    ms: number = this.#limits.dialTimeoutMs,
  ): Disposable & { readonly signal: AbortSignal } {
    const timeout = new AbortController();
    const timer = this.#options.host.timers.after(ms, () => timeout.abort());
    const both = signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]);
    return { signal: both, [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }
}

function dialledMs(metadata: ReadonlyMap<string, Uint8Array>): number {
  return Number(new TextDecoder().decode(metadata.get(lastDial))) || 0;
}

function closed(): Fault {
  return fault('transport-closed', 'the transport is closing');
}

function parseAddress(address: string): Multiaddr | undefined {
  try {
    return multiaddr(address);
  } catch {
    return undefined;
  }
}

function dialFault(error: unknown, target: string): Fault {
  const name = error instanceof Error ? error.name : '';
  const codes: Readonly<Record<string, Code>> = {
    UnsupportedProtocolError: 'protocol-unsupported',
    DialDeniedError: 'peer-barred',
  };
  const message = error instanceof Error ? error.message : String(error);
  return fault(codes[name] ?? 'peer-unreachable', `${target}: ${message}`);
}
