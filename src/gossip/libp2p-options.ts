/** What a libp2p transport is made from. */
import type { Hasher } from '../crypto.ts';
import type { Host } from '../host.ts';
import { limits } from '../limits.ts';
import type { ConnectionGate } from './connection-gate.ts';

/** The part of a pino logger that the transport uses. */
export interface TransportLog {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

const names = [
  'maxConnections',
  'maxPendingInbound',
  'maxStreamsPerProtocol',
  'maxStreamReadBytes',
  'maxStreamWriteBytes',
  'maxStreamWindowBytes',
  'streamStallMs',
  'streamLingerMs',
  'maxGossipBufferBytes',
  'gossipPaceBytes',
  'maxGossipWaitMs',
  'maxGossipQueueBytes',
  'maxUnjudgedPerPeer',
  'maxUnjudged',
  'maxUnjudgedBytes',
  'maxGossipCacheBytes',
  'maxGossipAnswerBytes',
  'gossipHeartbeatMs',
  'watchdogHeartbeats',
  'peerMemoryMs',
  'maxRelayedBytes',
  'maxRelayedMs',
  'maxRelayReservations',
  'dialTimeoutMs',
  'inboundSetupMs',
  'hangUpMs',
] as const;

/** Those of `limits.ts` that concern the transport, by the same names. */
export type TransportLimits = Readonly<Record<(typeof names)[number], number>>;

export const transportLimits: TransportLimits = limits;

export interface Libp2pOptions {
  /** The 32-byte seed of the peer's Ed25519 key (RFC 8032 section 5.1.5). */
  readonly seed: Uint8Array;
  /** Multiaddrs to listen on; port 0 takes a free one. Empty for a peer that only dials. */
  readonly listen: readonly string[];
  /** Multiaddrs to tell others instead of those listened on. */
  readonly announce?: readonly string[];
  /** Every topic that will ever be used; gossipsub fixes them at start. */
  readonly topics: readonly string[];
  /** `relay` makes this peer carry connections for others. */
  readonly roles?: readonly string[];
  /** Find peers on the local network by mDNS; for development. */
  readonly mdns?: boolean;
  /** Folder of the store of peers and addresses; without it they are forgotten at the end. */
  readonly datastorePath?: string;
  readonly host: Host;
  readonly hasher: Hasher;
  readonly gate: ConnectionGate;
  readonly log?: TransportLog;
  /** Overrides of `transportLimits`. */
  readonly limits?: Partial<TransportLimits>;
  /** Version told to others by identify. */
  readonly version?: string;
}
