/**
 * How a node travels: gossip and sync over a transport and a ledger. Gossip only speeds it up; heads
 * exchanges (on connect, every `antiEntropyMs` with a random peer, at once on a gap) and range sync
 * make every follower complete.
 *
 *   hello ──► heads ──► sources ──► sync queue ──► blocks ──► applier ──► ledger
 *                          ▲             ▲                      ▲ │
 *   topics ── blocks ──────┼─────────────┼──────────────────────┘ │ ahead of our head: orphans
 *         └── registry ────┘             └──────── gap ───────────┘
 */
import { fault, type Fault } from '../errors.ts';
import type { Result, Verdict } from '../result.ts';
import type { Did, EventBytes, LogId, PeerId } from '../types.ts';
import { WorkSet } from '../work-set.ts';
import { Alerts } from './alerts.ts';
import { Applier } from './applier.ts';
import { BlockGossip } from './block-gossip.ts';
import { BlocksServer } from './blocks-server.ts';
import { askWhenClosed } from './closing.ts';
import { Confirm } from './confirm.ts';
import { Counters } from './counters.ts';
import { Dialer } from './dialer.ts';
import { ForkWatch } from './fork-watch.ts';
import { Evidence } from './evidence.ts';
import { FreshnessPoll } from './freshness-exchange.ts';
import {
  clockOpinion,
  gossipReport,
  lagOf,
  type GossipReport,
  type Reporting,
} from './gossip-report.ts';
import { usualLimits } from './gossip-limits.ts';
import { portsOf, type GossipEvent, type GossipOptions } from './gossip-options.ts';
import { Heads } from './heads.ts';
import type { KnownPeer } from './hello-codec.ts';
import { Greeter } from './hello.ts';
import { keysFromAny, serveKeys } from './keys.ts';
import type { KeysPage } from './keys-codec.ts';
import { LagBook, type Lag } from './lag.ts';
import type { PortAppended, PortReceipt } from './ledger-port.ts';
import { LivePulls } from './live-pulls.ts';
import { Looking } from './looking.ts';
import { MedianClock, type ClockOpinion } from './median-clock.ts';
import { Meetings } from './meetings.ts';
import { hangUpBarred, isFetched, isShared, type Net } from './net.ts';
import { PeerControl } from './peer-control.ts';
import { serveProofs } from './proof-server.ts';
import { Publishing } from './publish.ts';
import { Registries } from './registries.ts';
import { Scores } from './scores.ts';
import { Sessions, type Session } from './sessions.ts';
import { Sources } from './sources.ts';
import { SyncQueue } from './sync.ts';
import { alertsTopic, registryTopic } from './topics.ts';

export class GossipNode implements AsyncDisposable {
  readonly control: PeerControl;
  readonly evidence: Evidence;
  readonly #options: GossipOptions;
  readonly #net: Net;
  readonly #closing = new AbortController();
  readonly #dialer: Dialer;
  readonly #greeter: Greeter;
  readonly #heads: Heads;
  readonly #looking: Looking;
  readonly #confirm: Confirm;
  readonly #registries: Registries;
  readonly #publishing: Publishing;
  readonly #alerts: Alerts;
  readonly #forks: ForkWatch;
  readonly #parts: Reporting;
  readonly #followed = new Set<LogId>();
  readonly #listeners = new Set<(event: GossipEvent) => void>();
  readonly #owned = new DisposableStack();
  readonly #work: WorkSet;

  private constructor(options: GossipOptions) {
    this.#options = options;
    this.control = options.control ?? new PeerControl();
    const limits = { ...usualLimits, ...options.limits };
    const net: Net = {
      ...portsOf(options),
      sessions: new Sessions(limits, (session) => this.#work.add(this.#greeter.begin(session))),
      scores: new Scores(limits),
      control: this.control,
      counters: new Counters(),
      sources: new Sources(limits),
      clock: new MedianClock(limits),
      limits,
      signal: this.#closing.signal,
      track: (work) => this.#work.add(work),
      defect: (cause) => {
        net.counters.add('defects');
        options.onDefect?.(cause);
      },
    };
    this.#net = net;
    this.#work = new WorkSet(net.defect);
    const lag = new LagBook();
    const applier = new Applier(net, {
      gap: (logId, from, firstIndex) => this.#parts.sync.gap(logId, from, firstIndex),
      suspect: (logId, from, wire) => this.#forks.suspect(logId, from, wire),
    });
    const gossip = new BlockGossip(net, applier, { overflowed: (logId) => this.#behind(logId) });
    const [sync, live] = [new SyncQueue(net, applier), new LivePulls(net, applier)];
    this.#parts = { net, lag, applier, gossip, sync, live };
    this.#dialer = new Dialer(net, options.bootstrap);
    this.#publishing = new Publishing(net, options.judgeEvent);
    this.evidence = new Evidence(net);
    this.#alerts = new Alerts(net, {
      taken: () => {
        this.#tell({ kind: 'networkChanged' });
        this.enforce();
      },
      knowsLog: (logId) => options.knowsLog?.(logId) === true,
    });
    this.#forks = this.#owned.use(new ForkWatch(net, options.gossip !== false));
    const learned = (known: KnownPeer): void => this.#dialer.learn(known);
    const behind = (logId: LogId): void => this.#behind(logId);
    this.#registries = new Registries(net, lag, { behind, learned });
    const registry: Registries['stated'] = (row, peer) => this.#registries.stated(row, peer);
    this.#heads = new Heads(net, lag, { behind, registry });
    this.#looking = new Looking(net, this.#heads);
    this.#confirm = this.#owned.use(new Confirm(net, (session) => this.#heads.compare(session)));
    const { owners } = options.self;
    if (owners !== undefined) {
      this.control.also = (organisation) => owners.all(organisation);
      this.#owned.use(owners.onChange(() => this.#greeter.renamed(owners)));
    }
    this.#greeter = new Greeter(net, {
      learned,
      ready: (session, asked) => this.#ready(session, asked),
      refused: (peer, organisation, reason) => this.#refused(peer, organisation, reason),
      document: (document) => this.#documentTaken(document),
    });
  }

  /** Registers the protocols, subscribes what the ledger keeps, and begins to dial. */
  static async start(options: GossipOptions): Promise<GossipNode> {
    const node = new GossipNode(options);
    await node.#start();
    return node;
  }

  /**
   * Fetches a log that the ledger follows, from now on. The hints are peers said to serve it: all
   * that are connected are asked, some of those with addresses (a stream's card) are kept connected.
   */
  follow(logId: LogId, hints: readonly KnownPeer[] = []): void {
    const self = this.#net.transport.self;
    const servers = hints.filter(({ peer, addresses }) => peer !== self && addresses.length > 0);
    for (const server of servers) {
      this.#dialer.learn(server);
      this.#net.sources.note(logId, server.peer, 0, false);
    }
    if (servers.length > 0) {
      this.#dialer.wantServers(
        logId,
        servers.map((server) => server.peer),
      );
    }
    this.#adopt(logId);
    this.#dialer.look();
    this.#looking.soon(hints.map(({ peer }) => peer));
    this.#forks.followed();
  }

  /** Peers that were known before: some are dialled, where too few are connected. */
  meet(peers: readonly KnownPeer[]): void {
    this.#dialer.meet(peers);
  }

  unfollow(logId: LogId): void {
    this.#followed.delete(logId);
    this.#dialer.wantServers(logId, []);
    const { gossip, live, sync, lag } = this.#parts;
    if (this.#options.gossip !== false) gossip.unsubscribe(logId);
    live.remove(logId);
    sync.forget(logId);
    lag.forget(logId);
    this.#net.sources.forgetLog(logId);
  }

  /** Applies a ban, pause or throttle that was just entered in `control`: hangs up who is banned. */
  enforce(): void {
    hangUpBarred(this.#net);
    this.#parts.sync.pump();
  }

  /** Lifts what a peer's faults have cost it. */
  forgive(peer: PeerId): void {
    this.#net.scores.forgive(peer);
  }

  /** Hands a newer network document to all peers; the caller has put it in force already. */
  async announceNetwork(document: Uint8Array): Promise<Result<void>> {
    this.enforce();
    return this.#alerts.announce(document);
  }

  /** Passes events on to the connected peer of our organisation that writes the log. */
  passOn(
    logId: LogId,
    events: readonly EventBytes[],
    signal?: AbortSignal,
  ): Promise<Result<readonly Result<PortReceipt>[]>> {
    return this.#publishing.passOn(logId, events, signal);
  }

  /** A log's key chain from the first connected peer that has it, as stated; check before use. */
  keys(logId: LogId, signal?: AbortSignal): Promise<Result<readonly KeysPage[]>> {
    return keysFromAny(this.#net, logId, signal);
  }

  /** Compares heads with up to three peers now. */
  compareHeads(): Promise<void> {
    return this.#looking.now();
  }

  /** Our clock against those of the organisations whose logs we follow (`clock-untrusted`). */
  clockOpinion(): ClockOpinion | undefined {
    return clockOpinion(this.#net);
  }

  lag(logId: LogId): Lag {
    return lagOf(this.#parts, logId);
  }

  report(): GossipReport {
    return gossipReport(this.#parts);
  }

  listen(listener: (event: GossipEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Ends all requests and timers; resolves when nothing of the node runs any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#owned.dispose();
    this.#registries[Symbol.dispose]();
    this.#looking[Symbol.dispose]();
    for (const session of this.#net.sessions.all()) this.#net.sessions.remove(session.peer);
    const { gossip, live, sync } = this.#parts;
    await Promise.all(
      [gossip, live, sync, this.#dialer].map((part) => part[Symbol.asyncDispose]()),
    );
    await this.#work.settled();
  }

  async #start(): Promise<void> {
    const { transport, ledger, network } = this.#net;
    transport.onMessage((topic, data, from) => this.#judge(topic, data, from));
    await Promise.all([
      this.#greeter.serve(),
      this.#heads.serve(),
      serveKeys(this.#net),
      new BlocksServer(this.#net).serve(),
      this.#publishing.serve(),
      this.evidence.serve(),
      serveProofs(this.#net),
    ]);
    this.#owned.use(ledger.onAppended((block) => this.#appended(block)));
    this.#owned.use(askWhenClosed(this.#net, () => this.#looking.soon([])));
    this.#owned.use(
      transport.onPeer({
        connected: (info) => this.#connected(info.peer),
        disconnected: (peer) => this.#disconnected(peer),
      }),
    );
    this.#owned.use(
      this.#registries.onFound((found) => this.#tell({ kind: 'registryFound', found })),
    );
    this.#owned.use(new Meetings(this.#net, (session) => this.#meet(session)));
    this.#owned.use(new FreshnessPoll(this.#net, (logId) => this.#behind(logId)));
    if (this.#options.gossip !== false) {
      transport.subscribe(registryTopic(network.text));
      transport.subscribe(alertsTopic(network.text));
    }
    for (const log of ledger.logs()) this.#adopt(log.logId);
    for (const info of transport.peers()) this.#connected(info.peer);
    await this.#dialer.start();
  }

  #adopt(logId: LogId): void {
    const log = this.#net.ledger.log(logId);
    if (this.#followed.has(logId) || !isFetched(this.#net, log) || log.state === 'closed') return;
    this.#followed.add(logId);
    const heard = this.#options.gossip !== false && this.#parts.gossip.subscribe(logId);
    if (!heard && this.#options.livePulls !== false) this.#parts.live.add(logId);
  }

  #connected(peer: PeerId): void {
    const barred = this.#net.scores.barred(peer, this.#net.host.clock.monotonic());
    if (barred || this.control.banned(peer, undefined) !== undefined) {
      this.#work.add(this.#net.transport.hangUp(peer));
      return;
    }
    this.#net.sessions.ensure(peer, this.#net.host.clock.monotonic());
  }

  #disconnected(peer: PeerId): void {
    this.#net.sessions.remove(peer);
    this.#net.sources.forgetClaims(peer);
  }

  #ready(session: Session, asked: boolean): void {
    const { identity, peer } = session;
    if (identity === undefined) return;
    const { organisation, registry } = identity;
    const named = registry === undefined ? {} : { registry };
    this.#tell({ kind: 'peerReady', peer, organisation, ...named });
    const told = this.#confirm.ready(session);
    if (asked && !told) this.#work.add(this.#heads.compare(session));
    this.#work.add(this.#heads.registries(session));
    this.#work.add(this.evidence.meet(session));
    this.#work.add(this.#forks.compare(session));
    this.#parts.sync.pump();
    this.#parts.live.look();
  }

  #refused(peer: PeerId, organisation: Did | undefined, reason: Fault): void {
    if (reason.code === 'wrong-network' || reason.code === 'peer-barred') this.#dialer.shun(peer);
    this.#tell({ kind: 'peerRefused', peer, organisation, reason });
  }

  #appended(block: PortAppended): void {
    this.#parts.lag.grown(block.logId, block.size);
    if (!block.local) return;
    this.#adopt(block.logId);
    this.#registries.appended(block);
    const shared = isShared(this.#net.ledger.log(block.logId));
    if (shared && this.#options.gossip !== false) {
      this.#parts.gossip.publish(block.logId, block.wire);
    }
  }

  async #judge(topic: string, data: Uint8Array, from: PeerId): Promise<Verdict> {
    const { text } = this.#net.network;
    if (this.#closing.signal.aborted) return { kind: 'ignore', reason: closed };
    if (topic === registryTopic(text)) return this.#registries.judge(data, from);
    if (topic === alertsTopic(text)) return this.#alerts.judge(data, from);
    return this.#parts.gossip.judge(topic, data, from);
  }

  /** A document that came in a hello: others may not have met its bearer. */
  #documentTaken(document: Uint8Array): void {
    this.#tell({ kind: 'networkChanged' });
    this.#work.add(this.announceNetwork(document));
  }

  async #meet(session: Session): Promise<void> {
    await this.#greeter.refresh(session);
    if (session.identity === undefined) return;
    await this.#heads.compare(session);
    await this.#heads.registries(session);
    await this.evidence.meet(session);
    await this.#forks.compare(session);
  }

  #behind(logId: LogId): void {
    this.#parts.sync.want(logId);
    this.#parts.live.look();
  }

  #tell(event: GossipEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

const closed = fault('queue-full', 'this node is closing');
