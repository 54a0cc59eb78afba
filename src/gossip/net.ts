/**
 * What the parts of gossip and sync share: the ports they stand on and the small books they keep.
 * `GossipNode` makes it; nothing else holds state about peers.
 */
import type { Crypto } from '../crypto.ts';
import type { Fault } from '../errors.ts';
import type { Host } from '../host.ts';
import type { Identities } from '../identities.ts';
import type { Result } from '../result.ts';
import type { Did, Hash, PeerId } from '../types.ts';
import type { AccessPort } from './access-port.ts';
import type { AttributesPort } from './attribute-proofs.ts';
import type { Counters } from './counters.ts';
import type { EvidencePort } from './evidence-port.ts';
import type { GossipLimits } from './gossip-limits.ts';
import type { LedgerPort, PortLog } from './ledger-port.ts';
import type { MedianClock } from './median-clock.ts';
import type { PeerControl } from './peer-control.ts';
import type { Scores } from './scores.ts';
import type { Session, Sessions } from './sessions.ts';
import type { Sources } from './sources.ts';
import type { Transport } from './transport.ts';
import type { UsagePort } from './usage-port.ts';

/** The network document as gossip needs it. */
export interface NetworkPort {
  /** SHA-256 of the first version. */
  readonly id: Hash;
  /** Text form of the id, as it stands in topic names. */
  readonly text: string;
  /** 0 where only the id is known yet (a newcomer). */
  version(): number;
  /** The newest version's bytes, to hand on; undefined at version 0. */
  document(): Uint8Array | undefined;
  /**
   * Judges a document and takes it where it is newer: true then, false where it is not. A fault
   * where it is not a document of this network.
   */
  offer(document: Uint8Array): Result<boolean>;
  /** Whether peers of the organisation belong here; always true in an open network. */
  admits(organisation: Did): boolean;
}

/** Who we are, as we say it in `hello`. */
export interface SelfPort {
  readonly organisation: Did;
  /** Chain from the organisation to our peer key, root first. */
  delegations(): readonly Uint8Array[];
  readonly roles: readonly string[];
  readonly software: string;
  /** Absent where nobody's DID is ever succeeded by another. */
  readonly owners?: OwnersPort;
}

/** Organisations that go by another DID than they did (src/identities.ts). */
export interface OwnersPort extends Pick<Identities, 'now' | 'all' | 'onChange'> {
  /** Why a chain of delegations counts no more: a link is by a key that was stolen. */
  void(proof: readonly Uint8Array[]): Fault | undefined;
}

export interface Net {
  readonly transport: Transport;
  readonly ledger: LedgerPort;
  readonly host: Host;
  readonly crypto: Crypto;
  readonly network: NetworkPort;
  readonly self: SelfPort;
  readonly sessions: Sessions;
  readonly scores: Scores;
  readonly control: PeerControl;
  readonly counters: Counters;
  readonly sources: Sources;
  readonly clock: MedianClock;
  readonly limits: GossipLimits;
  /** Absent in a node that neither acknowledges nor keeps cosignatures. */
  readonly evidence?: EvidencePort | undefined;
  /** Absent in a node that serves no direct logs. */
  readonly access?: AccessPort | undefined;
  /** Absent in a node that proves no attributes. */
  readonly attributes?: AttributesPort | undefined;
  /** Absent in a node that does not keep what it delivers. */
  readonly usage?: UsagePort | undefined;
  /** Aborts when the node closes. */
  readonly signal: AbortSignal;
  /** Keeps work that an event began: the node waits for it when it closes. */
  readonly track: (work: Promise<unknown>) => void;
  /** A throw is our own mistake: it is counted and told, and must not end the process. */
  readonly defect: (cause: unknown) => void;
}

/** `direct` logs are known to nobody else: not gossiped or listed, and served by `admit` alone. */
export function isShared(log: PortLog | undefined): log is PortLog {
  return log !== undefined && log.genesis?.visibility !== 'direct';
}

/** A log whose blocks come from others: shared, or direct and followed by a grant. */
export function isFetched(net: Net, log: PortLog | undefined): log is PortLog {
  const granted = log !== undefined && net.access?.ownerOf(log.logId) !== undefined;
  return granted || isShared(log);
}

/** Whether we ask, serve and believe the peer now. */
export function usable(net: Net, session: Session | undefined): session is Session {
  if (session?.identity === undefined) return false;
  const { peer, identity } = session;
  return (
    !net.scores.barred(peer, net.host.clock.monotonic()) &&
    net.control.objection(peer, identity.organisation) === undefined
  );
}

/** Ready peers in random order. */
export function usablePeers(net: Net): Session[] {
  return shuffled(
    net,
    net.sessions.all().filter((session) => usable(net, session)),
  );
}

/** A random order drawn from the host's randomness, so that a simulation repeats. */
export function shuffled<T>(net: Net, items: readonly T[]): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = randomBelow(net, i + 1);
    const [a, b] = [order[i], order[j]];
    if (a !== undefined && b !== undefined) [order[i], order[j]] = [b, a];
  }
  return order;
}

/** A number from 0 to `bound - 1`; the tiny bias of the modulo does not matter here. */
export function randomBelow(net: Net, bound: number): number {
  const bytes = net.host.random.bytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) % bound;
}

/** Counts a fault of a peer's own making, and hangs up where it is barred by it. */
export function penalise(
  net: Net,
  peer: PeerId,
  points: number,
  reason: Parameters<Scores['penalise']>[2],
): void {
  if (!net.scores.penalise(peer, points, reason, net.host.clock.monotonic())) return;
  net.sources.forgetClaims(peer);
  void net.transport.hangUp(peer);
}

/** Hangs up the peers that were let in before they were banned or expelled. */
export function hangUpBarred(net: Net): void {
  for (const { peer, identity } of net.sessions.all()) {
    const organisation = identity?.organisation;
    const banned = net.control.banned(peer, organisation) !== undefined;
    const expelled = organisation !== undefined && !net.network.admits(organisation);
    if (banned || expelled) net.track(net.transport.hangUp(peer));
  }
}
