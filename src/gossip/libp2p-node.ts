/**
 * Assembles the libp2p node: tcp (and more where an address asks for it, libp2p-late.ts), tls before
 * noise (measured faster), yamux, identify with push, ping, gossipsub, and a relay server by role.
 */
import { identify, identifyPush, type Identify } from '@libp2p/identify';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import type { Libp2p } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { ping, type Ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type Libp2pOptions as NodeInit } from 'libp2p';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { connectionGater } from './libp2p-gater.ts';
import { lateTransports, LateTransports, needsOf } from './libp2p-late.ts';
import { componentLogger } from './libp2p-log.ts';
import { transportLimits, type Libp2pOptions, type TransportLimits } from './libp2p-options.ts';
import { gossipsubOf } from './libp2p-gossipsub.ts';

interface Services extends Record<string, unknown> {
  readonly identify: Identify;
  readonly ping: Ping;
  readonly pubsub: GossipSub;
  readonly late: LateTransports;
}

export type Node = Libp2p<Services>;

export interface MadeNode {
  readonly node: Node;
  readonly limits: TransportLimits;
  /** Closes what the node does not close itself. */
  close(): Promise<void>;
}

/** A started node. Codes: `bad-address`, `port-in-use`, `listen-failed`, `peer-store-failed`. */
export async function makeNode(
  options: Libp2pOptions,
  closing: () => boolean,
): Promise<Result<MadeNode>> {
  const limits = { ...transportLimits, ...options.limits };
  const store = await openStore(options.datastorePath);
  if (!store.ok) return store;
  const close = store.value.close;
  try {
    const node = await createLibp2p({
      ...(await initOf(options, limits, closing)),
      ...store.value.init,
    });
    await node.start();
    return ok({ node, limits, close });
  } catch (error) {
    await close();
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof Error && /Multiaddr|Parse|Validation/.test(error.name)) {
      return err(fault('bad-address', message));
    }
    return err(listenFault(message, options.listen));
  }
}

/** libp2p lists `<address>: <error with its stack>` for each address, in its message. */
function listenFault(message: string, listen: readonly string[]): Fault {
  const failed = [...message.matchAll(/^\s+(\/\S+): (?:\w*Error: )?(.+)$/gm)];
  const taken = failed.find(([, , reason = '']) => reason.includes('EADDRINUSE'));
  if (taken !== undefined) return fault('port-in-use', `${taken[1]} is in use`);
  const reasons = failed.map(([, address, reason]) => `${address} (${reason})`);
  const first = message.split('\n', 1)[0] ?? '';
  const what = reasons.length > 0 ? reasons.join(', ') : `${listen.join(', ')}: ${first}`;
  return fault('listen-failed', `cannot listen on ${what}`);
}

async function openStore(path: string | undefined): Promise<
  Result<{
    readonly init: Pick<NodeInit<Services>, 'datastore'>;
    readonly close: () => Promise<void>;
  }>
> {
  if (path === undefined) return ok({ init: {}, close: () => Promise.resolve() });
  const { LevelDatastore } = await import('datastore-level');
  const datastore = new LevelDatastore(path);
  try {
    await datastore.open();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return err(fault('peer-store-failed', message, { file: path }));
  }
  return ok({ init: { datastore }, close: () => datastore.close() });
}

async function initOf(
  options: Libp2pOptions,
  limits: TransportLimits,
  closing: () => boolean,
): Promise<NodeInit<Services>> {
  const needs = needsOf([...options.listen, ...(options.announce ?? [])]);
  const announce = options.announce ?? [];
  return {
    privateKey: await generateKeyPairFromSeed('Ed25519', options.seed),
    nodeInfo: { name: 'headwater', version: options.version ?? '0' },
    logger: componentLogger(options.log),
    addresses: { listen: [...options.listen], announce: [...announce] },
    transports: [
      tcp({ maxConnections: limits.maxConnections + limits.maxPendingInbound }),
      ...(await lateTransports(needs)),
    ],
    connectionEncrypters: [tls(), noise()],
    streamMuxers: [yamux({ streamOptions: streamWindow(limits) })],
    connectionGater: connectionGater(options.gate, closing),
    connectionManager: {
      maxConnections: limits.maxConnections,
      maxIncomingPendingConnections: limits.maxPendingInbound,
      // The gate counts new connections a second itself; two limits would only confuse.
      inboundConnectionThreshold: Number.MAX_SAFE_INTEGER,
      dialTimeout: limits.dialTimeoutMs,
      addressDialTimeout: limits.dialTimeoutMs,
      inboundUpgradeTimeout: limits.inboundSetupMs,
    },
    // The default timeout adapts down to what a busy machine cannot hold.
    connectionMonitor: { pingTimeout: { minTimeout: limits.dialTimeoutMs } },
    peerStore: { maxAddressAge: limits.peerMemoryMs, maxPeerAge: limits.peerMemoryMs },
    ...(await discoveryOf(options)),
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      pubsub: gossipsubOf(options, limits),
      late: (components) => new LateTransports(components, needs),
      ...(await relayOf(options, limits)),
    },
  };
}

/** Pausing must fill less than what a stream may hold, or it is reset (libp2p-frame-stream.ts). */
function streamWindow(limits: TransportLimits): {
  readonly maxStreamWindowSize: number;
  readonly maxReadBufferLength: number;
} {
  return {
    maxStreamWindowSize: limits.maxStreamWindowBytes,
    maxReadBufferLength: 4 * limits.maxStreamWindowBytes,
  };
}

async function discoveryOf(
  options: Libp2pOptions,
): Promise<Pick<NodeInit<Services>, 'peerDiscovery'>> {
  if (options.mdns !== true) return {};
  const { mdns } = await import('@libp2p/mdns');
  return { peerDiscovery: [mdns()] };
}

async function relayOf(options: Libp2pOptions, limits: TransportLimits): Promise<object> {
  if (options.roles?.includes('relay') !== true) return {};
  const { circuitRelayServer } = await import('@libp2p/circuit-relay-v2');
  const reservations = {
    maxReservations: limits.maxRelayReservations,
    defaultDataLimit: BigInt(limits.maxRelayedBytes),
    defaultDurationLimit: limits.maxRelayedMs,
  };
  return { relay: circuitRelayServer({ reservations }) };
}
