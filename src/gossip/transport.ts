/**
 * What the network must be able to do for us, and nothing more: libp2p implements it
 * (`libp2p-transport.ts`), the simulator implements it in memory with virtual time.
 */
import type { Result, Verdict } from '../result.ts';
import type { PeerId } from '../types.ts';

/** One two-way stream of frames; a frame is at most `protocol.maxFrameBytes`. */
export interface FrameStream {
  /** Resolves when the frame may be followed by another (back-pressure); fails once closed. */
  send(frame: Uint8Array): Promise<Result<void>>;
  /** The next frame; undefined after the other side has closed its end. */
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
/** Owns the stream until the promise settles; then the stream is closed or, on a fault, aborted. */
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
  peers(): readonly PeerInfo[];
  /** Dials a multiaddr; resolves with the peer that answered. */
  dial(address: string, signal?: AbortSignal): Promise<Result<PeerId>>;
  /** Remembers addresses of a peer for later dials. */
  learn(peer: PeerId, addresses: readonly string[]): Promise<void>;
  dialPeer(peer: PeerId, signal?: AbortSignal): Promise<Result<void>>;
  hangUp(peer: PeerId): Promise<void>;

  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** Paced by the slowest neighbour's buffer; never waits for a dead one. */
  publish(topic: string, data: Uint8Array): Promise<Result<void>>;
  /** The one handler that judges what arrives on any topic. */
  onMessage(handler: MessageHandler): void;

  /** Opens a stream for a protocol; `peer-unreachable` or `protocol-unsupported` otherwise. */
  open(peer: PeerId, protocol: string, signal: AbortSignal): Promise<Result<FrameStream>>;
  handle(protocol: string, handler: StreamHandler): Promise<void>;
  onPeer(listener: PeerListener): Disposable;
}
