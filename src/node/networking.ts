/** A home's place in its network: transport, gossip and what the node does on their events. */
import { mintPeerDelegation, verifyPeerDelegation } from '../access/peer-delegation.ts';
import { nodeCrypto } from '../crypto-node.ts';
import type { Fault } from '../errors.ts';
import { judgeEvent } from '../event/judge.ts';
import { ConnectionGate } from '../gossip/connection-gate.ts';
import type { EvidencePort } from '../gossip/evidence-port.ts';
import { GossipNode } from '../gossip/gossip-node.ts';
import type { GossipEvent } from '../gossip/gossip-options.ts';
import { createTransport, type Libp2pTransport } from '../gossip/libp2p-transport.ts';
import { allTopics } from '../gossip/topics.ts';
import type { TopicStats } from '../gossip/transport.ts';
import type { UsagePort } from '../gossip/usage-port.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { limits } from '../limits.ts';
import { ok, type Result } from '../result.ts';
import type { LogId, PeerId } from '../types.ts';
import { WorkSet } from '../work-set.ts';
import type { AccessRoom } from './access/access-room.ts';
import { attributesPort } from './core/attributes.ts';
import type { ControlState } from './core/control-state.ts';
import { NetworkControl, type Reachable } from './core/network-control.ts';
import type { Networked } from './core/node-core.ts';
import type { OwnLogs } from './core/own-logs.ts';
import { Peers } from './core/peers.ts';
import type { RegistryFeed } from './core/registry-feed.ts';
import type { Registries } from './core/registries.ts';
import type { OtherRegistries } from './core/other-registries.ts';
import type { Successions } from './core/successions.ts';
import { savePeerDelegation, type Home } from './home.ts';
import { ownersPort } from './owners-port.ts';
import type { NodeLog } from './logger.ts';
import type { Runtime } from './runtime.ts';

export interface NetworkingParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly log: NodeLog;
  readonly version: string;
  readonly ledger: Ledger;
  readonly registries: Registries;
  readonly control: ControlState;
  readonly feed: RegistryFeed;
  readonly ownLogs: Pick<OwnLogs, 'registryId' | 'forward'>;
  readonly owners: Successions;
  readonly others: OtherRegistries;
  readonly evidence: EvidencePort;
  readonly access: AccessRoom;
  readonly usage: UsagePort;
  readonly warn: (subject: string, problem: Fault) => void;
}

/** Undefined for a home without a network, for which libp2p is not even started. */
export async function joinNetwork(parts: NetworkingParts): Promise<Result<Networking | undefined>> {
  const { home, runtime } = parts;
  let gossip: GossipNode | undefined;
  const network = NetworkControl.open(home, nodeCrypto, runtime.clock, async (document) =>
    gossip === undefined ? ok(undefined) : gossip.announceNetwork(document),
  );
  if (!network.ok) return network;
  if (network.value === undefined) return ok(undefined);
  const delegations = await ownDelegations(parts);
  if (!delegations.ok) return delegations;
  const { known } = network.value;
  const { identities } = parts.owners;
  known.also = (organisation) => identities.all(organisation);
  const gate = new ConnectionGate(runtime.clock, { ...limits, ...home.config.limits });
  const transport = await openTransport(parts, known.text, gate);
  if (!transport.ok) return transport;
  gossip = await GossipNode.start({
    transport: transport.value,
    ledger: parts.ledger,
    host: runtime,
    crypto: nodeCrypto,
    network: known,
    self: {
      get organisation() {
        return identities.now(home.identity.organisation);
      },
      delegations: () => delegations.value,
      roles: home.config.roles,
      software: `headwater/${parts.version}`,
      owners: ownersPort(identities),
    },
    judgeEvent,
    evidence: parts.evidence,
    access: parts.access.gate,
    usage: parts.usage,
    attributes: attributesPort(parts.ledger),
    limits: { ...limits, ...home.config.limits },
    knowsLog: (logId) => parts.registries.ofLog(logId) !== undefined,
    onDefect: (cause) => parts.log.error({ error: String(cause) }, 'gossip met a defect'),
    bootstrap: [...home.config.p2p.bootstrap, ...(known.current?.bootstrap ?? [])],
  });
  return ok(new Networking(parts, network.value, transport.value, gate, gossip));
}

function openTransport(
  parts: NetworkingParts,
  network: string,
  gate: ConnectionGate,
): ReturnType<typeof createTransport> {
  const { home, runtime, log, version } = parts;
  const { p2p, roles } = home.config;
  const configured = { ...limits, ...home.config.limits };
  return createTransport({
    seed: home.keys.peerSeed,
    listen: p2p.listen,
    ...(p2p.announce.length === 0 ? {} : { announce: p2p.announce }),
    topics: allTopics(network),
    roles,
    datastorePath: home.paths.peers,
    host: runtime,
    hasher: nodeCrypto,
    gate,
    log,
    limits: configured,
    version,
  });
}

/**
 * Our delegation as others shall see it: naming our registry, so that nobody can pass off another one
 * as ours. The organisation's key makes it out at the first start where it is at hand.
 */
async function ownDelegations(parts: NetworkingParts): Promise<Result<readonly Uint8Array[]>> {
  const { home, runtime } = parts;
  const ownRegistry = parts.ownLogs.registryId();
  const standing = verifyPeerDelegation(nodeCrypto, {
    proof: home.peerDelegation,
    peerKey: home.identity.peerKey,
    now: runtime.clock.now(),
  });
  if (!standing.ok) return standing;
  const signer = home.keys.organisation;
  if (standing.value.registry !== undefined || ownRegistry === undefined || signer === undefined) {
    return ok(home.peerDelegation);
  }
  const { peerKey } = home.identity;
  const named = mintPeerDelegation(signer, runtime.random, { peerKey, registry: ownRegistry });
  const saved = await savePeerDelegation(home.paths, named);
  return saved.ok ? ok([named]) : saved;
}

/** Gossip and transport with the node's answers to their events; disposing closes both. */
export class Networking implements Networked, AsyncDisposable {
  readonly gossip: GossipNode;
  readonly control: NetworkControl;
  readonly peers: Peers;
  readonly #parts: NetworkingParts;
  readonly #transport: Libp2pTransport;
  readonly #gate: ConnectionGate;
  readonly #listening: Disposable;
  readonly #work = new WorkSet();

  constructor(
    parts: NetworkingParts,
    control: NetworkControl,
    transport: Libp2pTransport,
    gate: ConnectionGate,
    gossip: GossipNode,
  ) {
    this.#parts = parts;
    this.control = control;
    this.#transport = transport;
    this.#gate = gate;
    this.gossip = gossip;
    parts.ownLogs.forward = (logId, events) => gossip.passOn(logId, events);
    const { control: state, registries } = parts;
    this.peers = new Peers(gossip, state, registries, limits.maxRefusedPeers);
    this.peers.restore();
    this.#listening = gossip.listen((event) => this.#on(event));
    gossip.enforce();
  }

  reachable(): Reachable {
    return { peer: this.#transport.self, addresses: this.#transport.addresses() };
  }

  topicStats(): TopicStats {
    return this.#transport.gossipStats();
  }

  /** Fetches a followed log, by the peers that its stream's card names first. */
  follow(logId: LogId): void {
    const key = this.#parts.registries.ofLog(logId);
    const profile = key === undefined ? undefined : this.#parts.registries.profile(key.owner);
    const hints = (profile?.peers ?? []).map(({ id, addresses }) => ({ peer: id, addresses }));
    this.gossip.follow(logId, hints);
  }

  /**
   * Dials peers that the registries kept here name: a home that was restored has no other address,
   * and who follows it may dial it much later only.
   */
  meet(): void {
    const { registries } = this.#parts;
    const peers = [...registries.owners()].flatMap(
      (owner) => registries.profile(owner)?.peers ?? [],
    );
    this.gossip.meet(peers.map(({ id, addresses }) => ({ peer: id, addresses })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening[Symbol.dispose]();
    await this.gossip[Symbol.asyncDispose]();
    await this.#transport[Symbol.asyncDispose]();
    await this.#work.settled();
  }

  #on(event: GossipEvent): void {
    const { warn, runtime } = this.#parts;
    switch (event.kind) {
      case 'peerReady':
        this.#ready(event);
        return;
      case 'peerRefused': {
        const { peer, organisation, reason } = event;
        this.peers.refused(peer, organisation, reason, runtime.clock.now());
        warn(`peer ${peer}`, reason);
        return;
      }
      case 'registryFound':
        this.#work.add(this.#found(event.found.logId, event.found.server.peer));
        return;
      case 'networkChanged':
        this.#work.add(this.control.save());
        return;
    }
  }

  #ready({ peer, organisation, registry }: Extract<GossipEvent, { kind: 'peerReady' }>): void {
    const admitted = this.#gate.setOrganisation(peer, organisation);
    if (!admitted.ok) {
      this.#parts.warn(`peer ${peer}`, admitted.error);
      this.#work.add(this.#transport.hangUp(peer));
      return;
    }
    this.peers.ready(peer);
    this.#parts.access.met(organisation);
    if (registry !== undefined) this.#work.add(this.#named(organisation, registry, peer));
    this.#parts.log.debug({ peer, organisation }, 'a peer is ready');
  }

  /** A peer's organisation names its own registry: that one counts, and is kept here. */
  async #named(
    organisation: Parameters<RegistryFeed['name']>[0],
    registry: LogId,
    server: PeerId,
  ): Promise<void> {
    const other = this.#parts.feed.name(organisation, registry);
    if (other !== undefined) {
      this.#parts.warn(`peer ${server}`, other);
      return;
    }
    // Whose word counts may be another one's than it was.
    this.#parts.owners.refresh();
    await this.#found(registry, server);
    this.#parts.feed.name(organisation, registry);
  }

  /** Keeps a registry; `server`, who told of it, is the first to be asked for it. */
  async #found(registry: LogId, server: PeerId): Promise<void> {
    const { ledger, registries, others, warn } = this.#parts;
    if (ledger.log(registry) !== undefined || others.has(registry)) return;
    if ([...registries.owners()].length >= limits.maxRegistries) return;
    const followed = await ledger.follow(registry);
    if (followed.ok) this.gossip.follow(registry, [{ peer: server, addresses: [] }]);
    else warn(`registry ${registry}`, followed.error);
  }
}
