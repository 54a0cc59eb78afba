/** The running node behind `NodeApi`: each call is handed to the part that knows. */
import { nodeCrypto } from '../../crypto-node.ts';
import { fault } from '../../errors.ts';
import type { GossipNode } from '../../gossip/gossip-node.ts';
import type { TopicStats } from '../../gossip/transport.ts';
import type { UsagePort } from '../../gossip/usage-port.ts';
import { parseLogId } from '../../ids.ts';
import { parsePosition } from '../../ledger/cursors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { bodyFault } from '../../ledger/missing-bodies.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, asStreamName, isStreamName } from '../../types.ts';
import type { Did, LogId, ParsedEvent, PeerId, StreamName, TimeMs } from '../../types.ts';
import type { EvidenceApi } from '../evidence-api.ts';
import type { WitnessApi } from '../witness-api.ts';
import type { ForksApi } from '../forks-api.ts';
import type { GrantsApi } from '../grants-api.ts';
import type { RevocationsApi } from '../revocations-api.ts';
import type { AccessRoom } from '../access/access-room.ts';
import type { Home } from '../home.ts';
import type { TreeApi, UrlApi } from '../tree-api.ts';
import type { RetentionApi } from '../retention-api.ts';
import type { KeySource } from '../organisation-key.ts';
import type { Runtime } from '../runtime.ts';
import type {
  Actor,
  Check,
  Delivery,
  NetworkView,
  NewStream,
  NodeApi,
  PeerView,
  ReadRequest,
  ReceiptView,
  StatusView,
  StreamView,
} from '../node-api.ts';
import type { UsageApi } from '../usage-api.ts';
import type { UsageRoom } from '../usage/usage-room.ts';
import { attributesOf, type AttributesApi } from './attributes.ts';
import { Backups, type BackupApi } from './backup.ts';
import type { ControlState } from './control-state.ts';
import { Evidence } from './evidence.ts';
import type { Follows } from './follows.ts';
import { ForkDesk } from './forks.ts';
import { contentAt, historyOf, readHistory } from './history.ts';
import type { Journal } from './journal.ts';
import { LogFiles } from './log-files.ts';
import type { NetworkControl, Reachable } from './network-control.ts';
import type { OwnLogs } from './own-logs.ts';
import type { Peers } from './peers.ts';
import { publishToStream } from './publishing.ts';
import type { RecoveryApi } from '../recovery-api.ts';
import type { Rates } from './rates.ts';
import { Recovery } from './recovery.ts';
import type { Registries } from './registries.ts';
import { unknown } from './registries.ts';
import { StreamRetention } from './retention.ts';
import { metricsOf, statusOf } from './status.ts';
import type { RekeyApi } from '../rekey-api.ts';
import type { SealedApi } from '../sealed-api.ts';
import { Rekeying } from '../sealed/rekeying.ts';
import type { SealedRoom } from '../sealed/sealed-room.ts';
import { Shredding } from '../sealed/shredding.ts';
import type { Streams } from './streams.ts';
import type { UrlFollows } from './url-follows.ts';
import { Urls } from './urls.ts';

/** The parts of a node that has a network. */
export interface Networked {
  readonly gossip: GossipNode;
  readonly control: NetworkControl;
  readonly peers: Peers;
  reachable(): Reachable;
  topicStats(): TopicStats;
}

export interface CoreParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly registries: Registries;
  readonly streams: Streams;
  readonly follows: Follows;
  readonly urlFollows: UrlFollows;
  readonly ownLogs: OwnLogs;
  readonly control: ControlState;
  readonly journal: Journal;
  readonly rates: Rates;
  readonly witness: WitnessApi;
  readonly access: Pick<AccessRoom, 'desk' | 'freshness' | 'revoking'>;
  readonly usage: UsageRoom;
  readonly sealed: SealedRoom;
  readonly peer: PeerId;
  readonly version: string;
  readonly startedAt: TimeMs;
  /** Set once the parts are there; a home without a network has none. */
  readonly network: () => Networked | undefined;
  readonly api: () => string;
  readonly checks: () => Promise<readonly Check[]>;
  readonly storeBytes: () => Promise<number>;
  /** Set by `ready`, cleared by the drain. */
  readonly isReady: () => boolean;
  readonly stop: (actor: Actor) => void;
}

export class NodeCore implements NodeApi {
  readonly evidence: EvidenceApi;
  readonly recovery: RecoveryApi;
  readonly witness: WitnessApi;
  readonly retention: RetentionApi;
  readonly backup: BackupApi;
  readonly forks: ForksApi;
  readonly tree: TreeApi;
  readonly urls: UrlApi;
  readonly grants: GrantsApi;
  readonly revocations: RevocationsApi;
  readonly attributes: AttributesApi;
  readonly keyEpochs: SealedApi;
  readonly rekeying: RekeyApi;
  readonly sealed: SealedRoom;
  readonly usage: UsageApi;
  readonly deliveries: UsagePort;
  readonly #parts: CoreParts;

  constructor(parts: CoreParts) {
    this.#parts = parts;
    this.retention = new StreamRetention(parts);
    this.recovery = new Recovery(parts);
    this.tree = new LogFiles(parts.ledger);
    this.forks = new ForkDesk(parts.ledger);
    this.urls = new Urls(parts);
    this.backup = new Backups(parts.ledger, () =>
      parts.journal.did('backup', undefined, { who: 'operator' }),
    );
    this.witness = parts.witness;
    this.grants = parts.access.desk;
    this.revocations = parts.access.revoking;
    this.attributes = attributesOf(parts);
    this.sealed = parts.sealed;
    this.keyEpochs = new Shredding(parts);
    this.rekeying = new Rekeying(parts.sealed, parts.journal);
    this.usage = parts.usage.api;
    this.deliveries = parts.usage;
    this.evidence = new Evidence(parts, (organisation, name) => this.stream(organisation, name));
  }

  status(): Promise<StatusView> {
    return statusOf(this.#parts, this.peers());
  }

  checks(): Promise<readonly Check[]> {
    return this.#parts.checks();
  }
  ready(): boolean {
    return this.#parts.isReady();
  }

  stream(organisation: string | undefined, name: string): Result<StreamView> {
    if (organisation === undefined) return this.streamByText(name);
    if (!isStreamName(name)) return err(fault('bad-name', `${JSON.stringify(name)} is not a name`));
    const owner = this.#owner(organisation);
    if (!owner.ok) return owner;
    return this.#parts.streams.view({ owner: owner.value, name: asStreamName(name) });
  }

  streamByText(text: string): Result<StreamView> {
    const key = this.#parts.streams.parse(text);
    return key.ok ? this.#parts.streams.view(key.value) : key;
  }

  streams(all: boolean): Promise<readonly StreamView[]> {
    return Promise.resolve(this.#parts.streams.list(all));
  }

  async createStream(input: NewStream, actor: Actor): Promise<Result<StreamView>> {
    const { ownLogs, home, registries, streams } = this.#parts;
    const owner = home.identity.organisation;
    const listed = (name: StreamName): boolean => registries.card({ owner, name }) !== undefined;
    const created = await ownLogs.createStream(input, listed);
    if (!created.ok) return created;
    this.#parts.journal.did('stream.create', created.value, actor);
    return streams.view({ owner, name: created.value });
  }

  async setStreamPaused(
    stream: StreamView,
    paused: boolean,
    actor: Actor,
  ): Promise<Result<StreamView>> {
    const { ledger, control, streams } = this.#parts;
    if (!stream.own) return err(fault('stream-not-own', `${stream.display} is of another owner`));
    const kept = await control.set('pausedStreams', stream.id, paused);
    if (!kept.ok) return kept;
    for (const { log } of stream.logs) {
      const done = paused ? ledger.pause(log) : ledger.resume(log);
      if (!done.ok) return done;
    }
    this.#parts.journal.did(paused ? 'stream.pause' : 'stream.resume', stream.display, actor);
    return streams.view(stream);
  }

  async follow(target: string, actor: Actor): Promise<Result<readonly StreamView[]>> {
    const { follows } = this.#parts;
    const canonical = follows.target(target);
    if (!canonical.ok) return canonical;
    const allowed = this.grants.followable(canonical.value);
    if (!allowed.ok) return allowed;
    const done = await follows.follow(canonical.value);
    if (!done.ok) return done;
    this.#parts.journal.did('follow', canonical.value, actor);
    return ok(this.#targeted(canonical.value));
  }

  async unfollow(
    target: string,
    purge: boolean,
    actor: Actor,
  ): Promise<Result<readonly StreamView[]>> {
    const { follows } = this.#parts;
    const canonical = follows.target(target);
    if (!canonical.ok) return canonical;
    const before = this.#targeted(canonical.value);
    for (const { id } of before) {
      const ended = await this.#parts.urlFollows.forget(id);
      if (!ended.ok) return ended;
    }
    const done = await follows.unfollow(canonical.value, purge);
    if (!done.ok) return done;
    this.#parts.journal.did(purge ? 'unfollow.purge' : 'unfollow', canonical.value, actor);
    return ok(before);
  }

  publish(
    stream: StreamView,
    events: readonly ParsedEvent[],
    signal?: AbortSignal,
  ): Promise<Result<readonly Result<ReceiptView>[]>> {
    const { ledger } = this.#parts;
    const ports = {
      hasher: nodeCrypto,
      log: (logId: LogId) => ledger.log(logId),
      publish: ledger.publish.bind(ledger),
      forward: (logId: LogId, passed: readonly ParsedEvent[], until?: AbortSignal) => {
        const gossip = this.#parts.network()?.gossip;
        if (gossip !== undefined) return gossip.passOn(logId, passed, until);
        return Promise.resolve(err(fault('writer-unreachable', 'this home has no network')));
      },
    };
    return publishToStream(ports, stream, events, signal);
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#parts.runtime.timers.sleep(limits.maxLingerMs, signal);
  }

  read(
    stream: StreamView,
    request: ReadRequest,
    signal: AbortSignal,
  ): Promise<Result<AsyncIterable<readonly Delivery[]>>> {
    if (stream.logs.length === 0) {
      const hint = `hw follow ${stream.display} fetches it; --follow does it in one step.`;
      const problem = fault(
        'stream-not-followed',
        `${stream.display} is not kept here`,
        undefined,
        hint,
      );
      return Promise.resolve(err(problem));
    }
    const { ledger, sealed, runtime } = this.#parts;
    return readHistory(historyOf(ledger, sealed), runtime, stream, request, signal);
  }

  logId(text: string): Result<LogId> {
    const logId = parseLogId(text);
    if (!logId.ok || this.#parts.ledger.log(logId.value) !== undefined) return logId;
    return err(unknown(`hw:${text}`));
  }

  async event(log: LogId, index: number): Promise<Result<Delivery>> {
    const { ledger, sealed } = this.#parts;
    const entry = await ledger.entry(log, asLogIndex(index));
    if (!entry.ok) return entry;
    const { kind, bodyMissing } = entry.value;
    if (bodyMissing !== undefined) return err(bodyFault(asLogIndex(index), bodyMissing));
    const content = await contentAt(historyOf(ledger, sealed), log, entry.value.index);
    if (!content.ok) return content;
    if (content.value !== undefined) {
      return ok({ log, index: entry.value.index, ...content.value, position: () => '' });
    }
    return err(
      fault('event-unknown', `entry ${index} is a ${kind} without a readable event`, { index }),
    );
  }

  async setCursor(name: string, position: string): Promise<Result<void>> {
    const parsed = parsePosition(position);
    return parsed.ok ? this.#parts.ledger.cursors.set(name, parsed.value) : parsed;
  }

  peers(): readonly PeerView[] {
    return this.#parts.network()?.peers.list() ?? [];
  }

  enrolled(peer: PeerId, actor: Actor): void {
    this.#parts.journal.did('peer.enrol', peer, actor);
  }

  async setPeerState(
    peer: string,
    state: 'ok' | 'paused' | 'banned',
    actor: Actor,
  ): Promise<Result<PeerView>> {
    const network = this.#networked();
    if (!network.ok) return network;
    const set = await network.value.peers.set(peer, state);
    if (set.ok) this.#parts.journal.did(`peer.${state}`, peer, actor);
    return set;
  }

  network(): NetworkView | undefined {
    return this.#parts.network()?.control.view();
  }

  async invite(
    member: string | undefined,
    actor: Actor,
    key: KeySource = {},
  ): Promise<Result<string>> {
    const network = this.#networked();
    if (!network.ok) return network;
    const { control } = network.value;
    const line = await control.invite(network.value.reachable(), member, key);
    if (line.ok) this.#parts.journal.did('network.invite', member ?? 'anyone', actor);
    return line;
  }

  async acceptMember(
    member: string,
    actor: Actor,
    key: KeySource = {},
  ): Promise<Result<NetworkView>> {
    const network = this.#networked();
    if (!network.ok) return network;
    const accepted = await network.value.control.accept(member, key);
    if (accepted.ok) this.#parts.journal.did('network.accept', member, actor);
    return accepted;
  }

  metrics(): Promise<string> {
    return metricsOf(this.#parts);
  }

  shutdown(actor: Actor): void {
    this.#parts.journal.did('node.stop', undefined, actor);
    this.#parts.stop(actor);
  }

  #networked(): Result<Networked> {
    const network = this.#parts.network();
    return network === undefined
      ? err(fault('network-none', 'this home has no network'))
      : ok(network);
  }

  #owner(organisation: string): Result<Did> {
    const { home, registries } = this.#parts;
    const own = organisation === home.config.organisation && !home.config.aliases[organisation];
    return own ? ok(home.identity.organisation) : registries.organisation(organisation);
  }

  /** The views that a follow target stands for, as far as they are known. */
  #targeted(target: string): readonly StreamView[] {
    const { streams } = this.#parts;
    if (!target.includes('/')) {
      return streams
        .list(true)
        .filter((view) => view.owner === target || `hw:${view.id}` === target);
    }
    const view = this.streamByText(target);
    return view.ok ? [view.value] : [];
  }
}
