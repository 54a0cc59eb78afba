/**
 * What the network must be able to do for us, and nothing more: libp2p implements it
 * (`libp2p-transport.ts`), the simulator implements it in memory with virtual time.
 */
import type { Result, Verdict } from '../result.ts';
import type { PeerId } from '../types.ts';

/**
 * One two-way stream of frames; a frame is at most `protocol.maxFrameBytes` and may be empty.
 * Codes: `frame-too-large` (ours: nothing is sent and the stream goes on; theirs: the stream is
 * reset), `stream-closed` (sent after our `close`), `stream-reset` (aborted by either side, by the
 * signal, or with the connection), `truncated` (the other side ended within a frame).
 */
export interface FrameStream {
  /**
   * Resolves when the frame may be followed by another (back-pressure); fails once closed. The
   * frame's bytes must not be changed afterwards: they may still be on their way.
   */
  send(frame: Uint8Array): Promise<Result<void>>;
  /**
   * The next frame, owned by the caller; undefined after the other side has closed its end. What
   * arrived before a reset is still given out. One receive at a time.
   */
  receive(): Promise<Result<Uint8Array | undefined>>;
  /** Ends our side; what was sent still arrives. */
  close(): Promise<void>;
  /** Drops the stream at once. Idempotent. */
  abort(): void;
}

export interface PeerInfo {
  readonly peer: PeerId;
  /** Remote multiaddr of the connection. */
  readonly address: string;
  readonly direction: 'inbound' | 'outbound';
}

export type MessageHandler = (topic: string, data: Uint8Array, from: PeerId) => Promise<Verdict>;
/**
 * Owns the stream until the promise settles; then the stream is closed or, where it was rejected,
 * aborted. The signal aborts with the stream: on a reset, a lost connection, or disposal.
 */
export type StreamHandler = (
  stream: FrameStream,
  from: PeerId,
  signal: AbortSignal,
) => Promise<void>;

export interface PeerListener {
  connected(info: PeerInfo): void;
  disconnected(peer: PeerId): void;
}

export interface Transport extends AsyncDisposable {
  readonly self: PeerId;
  /** Multiaddrs where others can reach us, with `/p2p/<self>`. */
  addresses(): readonly string[];
  /** One row a peer, however many connections there are to it. */
  peers(): readonly PeerInfo[];
  /** Peers whose addresses are remembered, from earlier runs as well; latest first. */
  known(): Promise<readonly PeerId[]>;
  /**
   * Dials a multiaddr; resolves with the peer that answered. Codes: `bad-address`,
   * `peer-unreachable`, `peer-barred`.
   */
  dial(address: string, signal?: AbortSignal): Promise<Result<PeerId>>;
  /** Remembers addresses of a peer for later dials. */
  learn(peer: PeerId, addresses: readonly string[]): Promise<void>;
  dialPeer(peer: PeerId, signal?: AbortSignal): Promise<Result<void>>;
  hangUp(peer: PeerId): Promise<void>;

  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /**
   * Paced by the slowest neighbour's buffer; never waits for a dead one. Reaching nobody is no
   * error: sync makes up for it. Codes: `message-too-large`, `topic-unknown`, `gossip-busy` (too
   * much is waiting already).
   */
  publish(topic: string, data: Uint8Array): Promise<Result<void>>;
  /**
   * The one handler that judges what arrives on any topic; only what it accepts is passed on.
   * `from` is the neighbour that sent it. The same payload on a topic is judged once.
   */
  onMessage(handler: MessageHandler): void;

  /**
   * Opens a stream for a protocol, dialling the peer where its addresses are known;
   * `peer-unreachable` or `protocol-unsupported` otherwise. The signal resets the stream at any time.
   */
  open(peer: PeerId, protocol: string, signal: AbortSignal): Promise<Result<FrameStream>>;
  handle(protocol: string, handler: StreamHandler): Promise<void>;
  onPeer(listener: PeerListener): Disposable;
}

/** What a transport counts of its topics; only the node's metrics read it. */
export interface TopicStats {
  /** Mesh peers of each topic subscribed to. */
  readonly mesh: ReadonlyMap<string, number>;
  readonly published: number;
  readonly publishedBytes: number;
  readonly received: number;
  readonly receivedBytes: number;
  readonly accepted: number;
  readonly ignored: number;
  readonly rejected: number;
  /** Ignored because too much was being judged. */
  readonly overflow: number;
  /** Pairs made anew by the watchdog. */
  readonly resets: number;
}
