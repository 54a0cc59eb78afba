/**
 * Puts a node together from a home: ledger, network, registries, journal, HTTP. Everything is opened
 * here in order and closed in the opposite order by one stack; nothing else owns a part.
 */
import { fault, type Fault } from '../errors.ts';
import { checkClock } from '../gossip/median-clock.ts';
import { peerIdFromKey } from '../gossip/peer-id.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Sealing } from '../ledger/sealing.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asTimeMs, type LogId } from '../types.ts';
import { WorkSet } from '../work-set.ts';
import { AccessRoom, type RoomParts } from './access/access-room.ts';
import { packageVersion } from './cli/version.ts';
import { ControlState } from './core/control-state.ts';
import { Follows } from './core/follows.ts';
import { watchForks } from './core/forks.ts';
import { Journal, journalTypes } from './core/journal.ts';
import { NodeCore, type CoreParts } from './core/node-core.ts';
import { OwnLogs } from './core/own-logs.ts';
import { OtherRegistries } from './core/other-registries.ts';
import { ratesOf, type Rates } from './core/rates.ts';
import { Registries } from './core/registries.ts';
import { RegistryFeed } from './core/registry-feed.ts';
import { guardOfNode, watchRestoreGuard } from './core/restore-guard.ts';
import { mendAgain, settle, type Settling } from './core/settle.ts';
import { startScrub } from './core/scrubbing.ts';
import { Streams } from './core/streams.ts';
import { openOwners, type Successions } from './core/successions.ts';
import { watchSuccession } from './core/watch-succession.ts';
import { openUrlFollows, type UrlFollows } from './core/url-follows.ts';
import { folderBytes } from './disk.ts';
import type { Home } from './home.ts';
import { openListeners, type Listeners } from './listeners.ts';
import { createLogger, type NodeLog } from './logger.ts';
import { joinNetwork, type Networking } from './networking.ts';
import type { Actor } from './node-api.ts';
import { NodeChecks } from './node-checks.ts';
import { openHomeLedger } from './open-ledger.ts';
import { Reload, reloadTold } from './reload.ts';
import {
  running,
  watchCrashes,
  type RunningNode,
  type Started,
  type StartOptions,
} from './running-node.ts';
import type { Runtime } from './runtime.ts';
import { openUsage, type UsagePorts } from './usage/open-usage.ts';
import type { UsageRoom } from './usage/usage-room.ts';
import { openKeys } from './sealed/open-keys.ts';
import { SealedRoom } from './sealed/sealed-room.ts';
import { watchShreds } from './sealed/shredding.ts';
import { WitnessNode } from './witness/witness-node.ts';

/** Starts a node; on a fault everything that was opened is closed again. */
export async function startNode(
  home: Home,
  runtime: Runtime,
  options: StartOptions = {},
): Promise<Result<RunningNode>> {
  await using stack = new AsyncDisposableStack();
  const starting = new Starting(home, runtime, stack, options);
  const started = await starting.run();
  if (!started.ok) return started;
  return ok(running(started.value, stack.move()));
}

class Starting {
  readonly #home: Home;
  readonly #runtime: Runtime;
  readonly #stack: AsyncDisposableStack;
  readonly #options: StartOptions;
  readonly #log: NodeLog;
  readonly #asked: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #network: Networking | undefined;
  #api = '';
  #listeners: Listeners | undefined;
  #ready = false;
  /** What events began; the drain waits for it. */
  readonly #work = new WorkSet();

  constructor(home: Home, runtime: Runtime, stack: AsyncDisposableStack, options: StartOptions) {
    this.#home = home;
    this.#runtime = runtime;
    this.#stack = stack;
    this.#options = options;
    this.#log = createLogger(runtime);
  }

  async run(): Promise<Result<Started>> {
    this.#stack.use(watchCrashes(this.#runtime, this.#log));
    const keys = await openKeys(this.#home, this.#runtime.random);
    if (!keys.ok) return keys;
    const ledger = await this.#openLedger(keys.value.sealing);
    if (!ledger.ok) return ledger;
    const sealed = new SealedRoom(ledger.value, keys.value);
    const control = await ControlState.load(this.#home.paths.control);
    if (!control.ok) return control;
    const peer = peerIdFromKey(this.#home.identity.peerKey);
    const ownLogs = new OwnLogs(ledger.value, this.#home, this.#runtime, peer);
    const opened = await ownLogs.open();
    if (!opened.ok) return opened;
    const opening = { ledger: ledger.value, control: control.value, ownLogs, sealed };
    const parts = await this.#parts(opening);
    if (!parts.ok) return parts;
    const networked = await this.#join(parts.value);
    if (!networked.ok) return networked;
    parts.value.witness.start();
    parts.value.access.start();
    return this.#serve(parts.value);
  }

  async #openLedger(sealing: Sealing): Promise<Result<Ledger>> {
    const { acceptClock, acceptForkRisk, openStore } = this.#options;
    const restoreGuard = await guardOfNode(this.#home);
    const ledger = await openHomeLedger(this.#home, this.#runtime, {
      ...(acceptClock === undefined ? {} : { acceptClockStep: acceptClock }),
      ...(openStore === undefined ? {} : { openStore }),
      ...(restoreGuard === undefined ? {} : { restoreGuard }),
      sealing,
      clockCheck: () => checkClock(this.#network?.gossip.clockOpinion()),
    });
    if (!ledger.ok) return ledger;
    this.#stack.use(ledger.value);
    if (acceptForkRisk === true) await ledger.value.confirming.accept();
    return ledger;
  }

  async #parts(opened: Opened): Promise<Result<Parts>> {
    const { ledger, control, ownLogs } = opened;
    const { config, identity } = this.#home;
    const aliases = new Map(Object.entries(config.aliases));
    const owners = await openOwners(ledger);
    if (!owners.ok) return owners;
    owners.value.own(identity.organisation, ownLogs.registryId());
    const registries = new Registries(identity.organisation, aliases, owners.value);
    const streams = new Streams({
      ledger,
      registries,
      control,
      self: identity.organisation,
      peerOwner: ownLogs.peerOwner,
      lag: (logId) => this.#network?.gossip.lag(logId) ?? { entries: 0 },
    });
    this.#stack.use(streams);
    const journal = this.#openJournal(ledger, ownLogs);
    this.#watchGuard(ledger, journal);
    this.#stack.use(watchForks(ledger, journal, this.#log));
    this.#stack.use(watchShreds({ ledger, journal, sealed: opened.sealed }, this.#log));
    const follows = this.#openFollows({ ledger, registries, streams, control, journal });
    const others = new OtherRegistries(ledger, owners.value, {
      unfollowed: (logId) => this.#network?.gossip.unfollow(logId),
      problem: (subject, problem) => this.#warn(journal, subject, problem),
      track: (work) => this.#work.add(work),
    });
    const feed = new RegistryFeed(ledger, registries, {
      stream: (card) => this.#work.add(follows.learned(card)),
      problem: (logId, problem) => this.#warn(journal, `registry ${logId}`, problem),
      other: (owner, logId) => others.met(owner, logId),
    });
    this.#stack.use(feed);
    const fetch = (logId: LogId): void => this.#network?.follow(logId);
    const track = (work: Promise<unknown>): void => this.#work.add(work);
    const warn = (subject: string, problem: Fault): void => this.#warn(journal, subject, problem);
    const ways = { ledger, follows, feed, journal, fetch, track, warn };
    this.#stack.use(watchSuccession({ ...ways, owners: owners.value }));
    const { sealed } = opened;
    const ports = { home: this.#home, ledger, registries, ownLogs, sealed, journal, track, warn };
    const rooms = await this.#openRooms({ ...ports, streams }, follows);
    if (!rooms.ok) return rooms;
    await feed.start();
    const rates = this.#stack.use(ratesOf(this.#runtime, ledger));
    const placed = { ledger, control, follows, host: this.#runtime, home: this.#home };
    const urlFollows = openUrlFollows(placed, (url, it) => this.#warn(journal, `url ${url}`, it));
    const witness = this.#openWitness(ledger, registries, journal);
    if (!witness.ok) return witness;
    const known = { registries, owners: owners.value, others };
    const shown = { ...known, ...rooms.value, streams, journal, rates };
    return ok({ ...opened, ...shown, follows, urlFollows, feed, witness: witness.value });
  }

  #openFollows(
    parts: Pick<Parts, 'ledger' | 'registries' | 'streams' | 'control' | 'journal'>,
  ): Follows {
    const { ledger, registries, streams, control, journal } = parts;
    const { config } = this.#home;
    const follows: Follows = new Follows(ledger, registries, streams, control, config.follow, {
      followed: (logId) => this.#network?.follow(logId),
      unfollowed: (logId) => this.#network?.gossip.unfollow(logId),
      problem: (target, problem) => this.#warn(journal, target, problem),
    });
    this.#stack.use(
      ledger.onAppended(({ logId, firstIndex, local }) => {
        if (firstIndex === 0 && !local) this.#work.add(follows.begun(logId));
      }),
    );
    return follows;
  }

  /** Who may read, and who has read. */
  async #openRooms(
    ports: Omit<UsagePorts, 'runtime' | 'grants'> & Pick<RoomParts, 'track' | 'sealed'>,
    follows: Follows,
  ): Promise<Result<Pick<Parts, 'access' | 'usage'>>> {
    let room: AccessRoom | undefined;
    const usage = await openUsage({ ...ports, runtime: this.#runtime, grants: () => room?.grants });
    if (!usage.ok) return usage;
    this.#stack.use(usage.value);
    const access = await AccessRoom.open({
      ...ports,
      usage: usage.value,
      runtime: this.#runtime,
      exchange: () => this.#network?.gossip.evidence.access,
      learned: (card) => follows.learned(card),
      wanted: () => follows.unresolved(),
    });
    if (!access.ok) return access;
    room = this.#stack.use(access.value);
    return ok({ access: room, usage: usage.value });
  }

  #openWitness(ledger: Ledger, registries: Registries, journal: Journal): Result<WitnessNode> {
    const witness = WitnessNode.open({
      home: this.#home,
      runtime: this.#runtime,
      ledger,
      isMember: (owner) => registries.has(owner),
      gossip: () => this.#network?.gossip,
      warn: (subject, problem) => this.#warn(journal, subject, problem),
    });
    if (witness.ok) this.#stack.use(witness.value);
    return witness;
  }

  #openJournal(ledger: Ledger, ownLogs: OwnLogs): Journal {
    const peer = peerIdFromKey(this.#home.identity.peerKey);
    const append = (events: Parameters<Ledger['publish']>[1]): ReturnType<Ledger['publish']> => {
      const log = ownLogs.journal();
      if (log !== undefined) return ledger.publish(log.logId, events);
      return Promise.resolve(err(fault('internal', 'there is no journal')));
    };
    const journal = new Journal(this.#runtime, peer, append, (problem) =>
      this.#log.error({ problem }, 'the journal could not be written'),
    );
    return this.#stack.use(journal);
  }

  /** What becomes of own logs that wait for a word of others: a warning where something is wrong. */
  #watchGuard(ledger: Ledger, journal: Journal): void {
    const watched = watchRestoreGuard(ledger, this.#home.paths, {
      warn: (subject, problem) => this.#warn(journal, subject, problem),
      log: this.#log,
      track: (work) => this.#work.add(work),
    });
    this.#stack.use(watched);
  }

  async #join(parts: Parts): Promise<Result<void>> {
    const { ownLogs, registries, control, ledger, feed, owners, others } = parts;
    const joined = await joinNetwork({
      home: this.#home,
      runtime: this.#runtime,
      log: this.#log,
      version: packageVersion(),
      ledger,
      registries,
      control,
      feed,
      owners,
      others,
      ownLogs,
      evidence: parts.witness.port(),
      access: parts.access,
      usage: parts.usage,
      warn: (subject, problem) => this.#warn(parts.journal, subject, problem),
    });
    if (!joined.ok) return joined;
    if (joined.value === undefined) return ok(undefined);
    this.#stack.use(joined.value);
    this.#network = joined.value;
    return ok(undefined);
  }

  async #serve(parts: Parts): Promise<Result<Started>> {
    const checks = new NodeChecks({
      ...parts,
      home: this.#home,
      runtime: this.#runtime,
      log: this.#log,
      network: () => this.#network,
      listeners: () => this.#listeners,
    });
    const core = new NodeCore(this.#coreParts(parts, checks));
    const listening = await openListeners(core, {
      home: this.#home,
      runtime: this.#runtime,
      revocations: parts.access.revocations,
      onFault: (problem, request) => this.#requestFault(parts.journal, problem, request),
      onDenied: ({ code }, subject, others) =>
        parts.journal.record({ type: journalTypes.denied, subject, data: { code, others } }),
    });
    if (!listening.ok) return listening;
    this.#listeners = this.#stack.use(listening.value);
    this.#api = listening.value.api;
    const settling: Settling = {
      ...parts,
      home: this.#home,
      addresses: this.#network?.reachable().addresses ?? [],
      warn: (subject, problem) => this.#warn(parts.journal, subject, problem),
      later: (work) => this.#work.add(work),
    };
    const settled = await settle(settling);
    if (!settled.ok) return settled;
    this.#network?.meet();
    this.#stack.use(parts.urlFollows).start();
    const { repair } = this.#home.config.scrub;
    startScrub({ ...parts, repair, gossip: () => this.#network?.gossip });
    this.#ready = true;
    const look = (): void => this.#work.add(Promise.all([checks.look(), mendAgain(settling)]));
    this.#stack.use(this.#runtime.timers.every(limits.checkIntervalMs, look));
    const addresses = this.#network?.reachable().addresses ?? [];
    parts.journal.record({ type: journalTypes.started, data: { version: packageVersion() } });
    this.#log.info({ ...this.#listeners?.urls, addresses }, 'the node is ready');
    const drain = async (): Promise<void> => {
      this.#ready = false;
      parts.journal.record({ type: journalTypes.stopped, data: {} });
      this.#log.info('the node is stopping');
      parts.ledger.confirming[Symbol.dispose]();
      await this.#work.settled();
    };
    const told = reloadTold(this.#log, parts.journal);
    const listeners = listening.value;
    const reload = new Reload(this.#home.config, { ...parts, listeners, told });
    const { urls } = listeners;
    return ok({ urls, addresses, asked: this.#asked.promise, drain, reload });
  }

  #coreParts(parts: Parts, checks: NodeChecks): CoreParts {
    const { paths } = this.#home;
    return {
      ...parts,
      home: this.#home,
      runtime: this.#runtime,
      peer: peerIdFromKey(this.#home.identity.peerKey),
      version: packageVersion(),
      startedAt: asTimeMs(this.#runtime.clock.now()),
      network: () => this.#network,
      api: () => this.#api,
      checks: () => checks.look(),
      storeBytes: () => folderBytes(paths.store),
      isReady: () => this.#ready,
      stop: (_actor: Actor) => this.#asked.resolve(),
    };
  }

  /** A defect of ours goes to the log, a reader that was cut off to the journal too. */
  #requestFault(journal: Journal, problem: Fault, request: string): void {
    if (problem.code !== 'internal') this.#warn(journal, request, problem);
    else this.#log.error({ problem, request }, 'a request failed');
  }

  #warn(journal: Journal, subject: string, { code, message }: Fault): void {
    this.#log.warn({ code, subject }, message);
    journal.record({ type: journalTypes.warning, subject, data: { code, message } });
  }
}

type Opened = Pick<Parts, 'ledger' | 'control' | 'ownLogs' | 'sealed'>;

interface Parts {
  readonly ledger: Ledger;
  readonly control: ControlState;
  readonly ownLogs: OwnLogs;
  readonly registries: Registries;
  readonly owners: Successions;
  readonly others: OtherRegistries;
  readonly streams: Streams;
  readonly journal: Journal;
  readonly follows: Follows;
  readonly urlFollows: UrlFollows;
  readonly feed: RegistryFeed;
  readonly rates: Rates;
  readonly witness: WitnessNode;
  readonly access: AccessRoom;
  readonly usage: UsageRoom;
  readonly sealed: SealedRoom;
}
