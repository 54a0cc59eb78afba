/** What a node can tell about its network (network.md "What each peer reports"). */
import type { Code } from '../errors.ts';
import type { Did, LogId, PeerId } from '../types.ts';
import type { Applier } from './applier.ts';
import type { BlockGossip } from './block-gossip.ts';
import type { CounterName, Traffic } from './counters.ts';
import type { Lag, LagBook } from './lag.ts';
import type { LivePulls } from './live-pulls.ts';
import type { ClockOpinion } from './median-clock.ts';
import type { Net } from './net.ts';
import type { SyncQueue } from './sync.ts';

export interface PeerReport {
  readonly peer: PeerId;
  readonly address: string;
  readonly direction: 'inbound' | 'outbound';
  readonly connectedSeconds: number;
  /** `greeting` until the hello is accepted; then `ready`, or why nothing is exchanged. */
  readonly state: 'greeting' | 'ready' | 'paused' | 'banned' | 'barred';
  readonly organisation?: Did;
  readonly roles: readonly string[];
  readonly software?: string;
  /** Points of its faults; `limits.barScore` bars it. */
  readonly score: number;
  readonly rejects: ReadonlyMap<Code, number>;
}

export interface LogLag extends Lag {
  readonly logId: LogId;
}

export interface GossipReport {
  readonly peers: readonly PeerReport[];
  /** Logs behind a head that is proved. */
  readonly lags: readonly LogLag[];
  /** Block topics, logs waiting or being fetched, live reads, bytes of kept blocks. */
  readonly topics: number;
  readonly syncing: number;
  readonly livePulls: number;
  readonly orphanBytes: number;
  readonly orphansDropped: number;
  readonly counts: ReadonlyMap<CounterName, number>;
  readonly traffic: ReadonlyMap<string, Traffic>;
  readonly rejectsByReason: ReadonlyMap<Code, number>;
  readonly rejectsByPeer: ReadonlyMap<PeerId, ReadonlyMap<Code, number>>;
}

/** The parts that have something to tell. */
export interface Reporting {
  readonly net: Net;
  readonly lag: LagBook;
  readonly applier: Applier;
  readonly gossip: BlockGossip;
  readonly sync: SyncQueue;
  readonly live: LivePulls;
}

export function gossipReport(parts: Reporting): GossipReport {
  const { net, applier, gossip, sync, live } = parts;
  const lags: LogLag[] = [];
  for (const { logId } of net.ledger.logs()) {
    const lag = lagOf(parts, logId);
    if (lag.entries > 0) lags.push({ logId, ...lag });
  }
  return {
    peers: peerReports(net),
    lags,
    topics: gossip.topics,
    syncing: sync.size,
    livePulls: live.running,
    orphanBytes: applier.orphans.bytes,
    orphansDropped: applier.orphans.dropped,
    counts: net.counters.counts(),
    traffic: net.counters.traffic(),
    rejectsByReason: net.scores.byReason(),
    rejectsByPeer: net.scores.byPeer(),
  };
}

export function lagOf({ net, lag }: Pick<Reporting, 'net' | 'lag'>, logId: LogId): Lag {
  const size = net.ledger.log(logId)?.size ?? 0;
  return lag.of(logId, size, net.host.clock.monotonic());
}

/** Our clock against those of the organisations whose logs we follow. */
export function clockOpinion({ ledger, clock, host }: Net): ClockOpinion | undefined {
  const followed = new Set<Did>();
  for (const log of ledger.logs()) {
    if (log.role === 'replica' && log.genesis !== undefined) followed.add(log.genesis.owner);
  }
  return clock.opinion((organisation) => followed.has(organisation), host.clock.monotonic());
}

function peerReports(net: Net): readonly PeerReport[] {
  const nowMs = net.host.clock.monotonic();
  const rejects = net.scores.byPeer();
  return net.transport.peers().map(({ peer, address, direction }) => {
    const session = net.sessions.get(peer);
    const identity = session?.identity;
    return {
      peer,
      address,
      direction,
      connectedSeconds: session === undefined ? 0 : (nowMs - session.sinceMs) / 1000,
      state: stateOf(net, peer, nowMs),
      roles: identity?.roles ?? [],
      score: net.scores.points(peer, nowMs),
      rejects: rejects.get(peer) ?? new Map<Code, number>(),
      ...(identity === undefined
        ? {}
        : { organisation: identity.organisation, software: identity.software }),
    };
  });
}

function stateOf(net: Net, peer: PeerId, nowMs: number): PeerReport['state'] {
  const identity = net.sessions.get(peer)?.identity;
  if (net.scores.barred(peer, nowMs)) return 'barred';
  const objection = net.control.objection(peer, identity?.organisation);
  if (objection?.code === 'peer-paused') return 'paused';
  if (objection !== undefined) return 'banned';
  return identity === undefined ? 'greeting' : 'ready';
}
