/**
 * Puts the parts of access together: books in the store, the gate that gossip asks, the desk that the
 * API asks, and what goes on by itself (access.md "Self-service").
 */
import { nodeCrypto } from '../../crypto-node.ts';
import type { Fault } from '../../errors.ts';
import type { AccessExchange } from '../../gossip/access-exchange.ts';
import type { UsagePort } from '../../gossip/usage-port.ts';
import { unknownLog } from '../../gossip/admission.ts';
import { peerIdFromKey } from '../../gossip/peer-id.ts';
import { didFromKey, didKey } from '../../ids.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { err, ok, type Result } from '../../result.ts';
import { asTimeMs, type Did, type StreamName } from '../../types.ts';
import type { StreamCard } from '../core/cards.ts';
import { journalTypes, type Journal } from '../core/journal.ts';
import type { OwnLogs } from '../core/own-logs.ts';
import type { Registries } from '../core/registries.ts';
import { parseRules, type AccessRule } from '../access-rules.ts';
import type { GrantsApi } from '../grants-api.ts';
import { withGranting, type Home } from '../home.ts';
import type { Check } from '../node-api.ts';
import type { RevocationsApi } from '../revocations-api.ts';
import type { Runtime } from '../runtime.ts';
import { KeysRoom, type KeysRoomParts } from '../sealed/keys-room.ts';
import type { SealedRoom } from '../sealed/sealed-room.ts';
import { AccessDesk } from './access-desk.ts';
import { AccessGate } from './access-gate.ts';
import { Asking } from './asking.ts';
import { FreshnessBook } from './freshness-book.ts';
import { GrantBook, type KeptGrant } from './grant-book.ts';
import { GrantedStreams } from './granted-streams.ts';
import { Incoming, type Answering } from './incoming.ts';
import { OwnCopies } from './own-copies.ts';
import { Readers } from './readers.ts';
import { Renewal } from './renewal.ts';
import { isOurs, type Recording } from './recording.ts';
import { RequestBook } from './request-book.ts';
import { RevocationBook } from './revocation-book.ts';
import { openTaking } from './revoking.ts';
import { staleFindings } from './stale-view.ts';
import { Views } from './views.ts';

export interface RoomParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly registries: Registries;
  readonly ownLogs: OwnLogs;
  readonly sealed: SealedRoom;
  readonly journal: Journal;
  /** Told of what leaves. */
  readonly usage: UsagePort;
  readonly exchange: () => AccessExchange | undefined;
  readonly learned: (card: StreamCard) => Promise<void>;
  /** Follow targets of which no log is known. */
  readonly wanted: () => readonly string[];
  readonly track: (work: Promise<unknown>) => void;
  readonly warn: (subject: string, problem: Fault) => void;
}

export class AccessRoom implements Disposable {
  readonly gate: AccessGate;
  readonly desk: GrantsApi;
  readonly revocations: RevocationBook;
  readonly freshness: FreshnessBook;
  readonly recording: Recording;
  readonly revoking: RevocationsApi;
  readonly #parts: RoomParts;
  readonly #books: Books;
  readonly #asking: Asking;
  readonly #renewal: Renewal;
  readonly #copies: OwnCopies;
  readonly #streams: GrantedStreams;
  readonly #nameOf: Views['nameOf'];
  #keys: KeysRoom | undefined;
  readonly #owned = new DisposableStack();
  #timer: Disposable | undefined;

  private constructor(parts: RoomParts, books: Books) {
    this.#parts = parts;
    this.#books = books;
    this.revocations = books.revocations;
    const { home, runtime, registries, journal } = parts;
    const { organisation } = home.identity;
    this.#streams = new GrantedStreams(parts);
    const commandOf: GrantedStreams['commandOf'] = (name) => this.#streams.commandOf(name);
    const isGranted = (name: string): boolean => commandOf(name) !== undefined;
    const gate = (): AccessGate => this.gate;
    const views: Views = new Views({
      organisation,
      peer: didFromKey(home.identity.peerKey),
      registries,
      now: () => runtime.clock.now(),
      isRevoked: (kept) => this.gate.isRevoked(kept),
      isDirect: isGranted,
      problemOf: (id) => this.#asking.problemOf(id),
    });
    const nameOf: Views['nameOf'] = (owner, stream) => views.nameOf(owner, stream);
    this.#nameOf = nameOf;
    const keysWanted = (): void => this.#keys?.wanted(true);
    this.#asking = new Asking({ ...parts, ...books, gate, nameOf, keysWanted });
    const incoming = new Incoming(
      {
        book: books.requests,
        journal,
        isSame: (a, b) => this.gate.isSame(a, b),
        owner: organisation,
        now: () => runtime.clock.now(),
        rules: rulesOf(home.config.access.rules),
        aliases: home.config.aliases,
        limits: home.config.limits,
      },
      {
        give: (request, input) => desk.give(request, input),
        exists: isGranted,
        ...standing(books.grants, gate),
      },
    );
    this.#renewal = this.#openRenewal(nameOf);
    const [asking, renewal] = [this.#asking, this.#renewal];
    const taking = this.#owned.use(openTaking({ ...parts, ...books, gate }));
    this.recording = taking.recording;
    this.revoking = taking.revoking;
    const recording = (): Recording => this.recording;
    const shared = { ...parts, ...books, gate, views, incoming, asking, renewal, recording };
    const generations = async (stream: StreamName): Promise<number | undefined> => {
      await this.#keys?.settled();
      return this.#keys?.heldUntil(stream);
    };
    const desk: AccessDesk = new AccessDesk({ ...shared, commandOf, generations });
    this.desk = desk;
    this.freshness = this.#owned.use(openFreshness(parts));
    this.gate = this.#openGate(incoming);
    this.#copies = this.#openCopies();
  }

  #openRenewal(nameOf: Views['nameOf']): Renewal {
    const { home, runtime, journal } = this.#parts;
    const { organisation, peerKey } = home.identity;
    const peer = didFromKey(peerKey);
    return new Renewal({
      organisation,
      peer,
      audience: home.keys.organisation === undefined ? peer : organisation,
      host: runtime,
      limits: home.config.limits,
      journal,
      ...this.#books,
      gate: () => this.gate,
      logs: () => this.#parts.ledger.logs(),
      nameOf,
      ask: (request) => this.#asking.ask(request),
    });
  }

  #openGate(incoming: Incoming): AccessGate {
    const { home, runtime, journal, track } = this.#parts;
    const grants = this.#books.grants;
    const readers = new Readers({
      grants,
      hasher: nodeCrypto,
      now: () => runtime.clock.now(),
      limits: home.config.limits,
      track,
      onFirst: ({ scope }, asker) =>
        journal.record({
          type: journalTypes.access,
          subject: scope.stream,
          data: { step: 'read through another', grant: scope.id, organisation: asker.organisation },
        }),
    });
    return new AccessGate({
      identities: this.#parts.ledger.identities,
      kinship: home.readDelegation,
      onAllowed: (permit, asker, grant) => readers.allowed(permit, asker, grant),
      ...this.#books,
      host: runtime,
      crypto: nodeCrypto,
      signer: home.keys.peer,
      organisation: home.identity.organisation,
      limits: home.config.limits,
      freshness: this.freshness,
      knows: (did) => this.#knows(did),
      cardOf: (stream) => this.#streams.cardOf(stream),
      onDenied: ({ peer, organisation: asker }, { code }, others) =>
        journal.record({
          type: journalTypes.security,
          subject: peer,
          data: { code, organisation: asker, others },
        }),
      onAnswered: (kept, refusal) => this.#asking.answered(kept, refusal),
      desk: incomingPort(incoming),
      keys: (ask, asker) => this.#keys?.giving.keys(ask, asker) ?? Promise.resolve(err(unknownLog)),
    });
  }

  #openCopies(): OwnCopies {
    const { home, registries, ledger, learned, exchange, wanted } = this.#parts;
    const { organisation } = home.identity;
    return new OwnCopies({
      exchange,
      wanted,
      organisation,
      logs: () => ledger.logs(),
      show: (name, peer) => this.gate.showFor({ owner: organisation, name }, peer),
      learned: (card) => {
        registries.putDirect(card);
        this.gate.follow(card);
        return learned(card);
      },
      known: ({ logId }, name) => this.gate.followLog(logId, { owner: organisation, name }),
    });
  }

  /** Reads what is kept. Rows that cannot be read are told and left alone. */
  static async open(given: RoomParts): Promise<Result<AccessRoom>> {
    const { ledger, runtime } = given;
    const granting = await withGranting(given.home, runtime.random);
    if (!granting.ok) return granting;
    const home = granting.value;
    const parts = { ...given, home };
    const { maxGrants, maxRevocations, maxRequestAgeMs } = home.config.limits;
    const books: Books = {
      grants: new GrantBook(ledger.rows, nodeCrypto, maxGrants),
      requests: new RequestBook(ledger.rows),
      revocations: new RevocationBook(
        ledger.rows,
        nodeCrypto,
        maxRevocations,
        isOurs(home.identity),
      ),
    };
    const grants = await books.grants.load();
    if (!grants.ok) return grants;
    for (const problem of grants.value) parts.warn('grants', problem);
    const revocations = await books.revocations.load();
    if (!revocations.ok) return revocations;
    const oldest = asTimeMs(Math.max(0, runtime.clock.now() - maxRequestAgeMs));
    const requests = await books.requests.load(oldest);
    if (!requests.ok) return requests;
    const room = new AccessRoom(parts, books);
    const keys = await KeysRoom.open({ ...parts, ...books, ...room.#keyPorts() });
    if (!keys.ok) return keys;
    room.#keys = room.#owned.use(keys.value);
    room.#asking.start();
    room.#copies.start();
    parts.registries.onRevoked((...said) => parts.track(room.recording.read(...said)));
    return ok(room);
  }

  #keyPorts(): Pick<KeysRoomParts, 'gate' | 'answered' | 'nameOf'> {
    return {
      gate: () => this.gate,
      answered: (kept, refusal) => this.#asking.answered(kept, refusal),
      nameOf: (owner, stream) => this.#nameOf(owner, stream),
    };
  }

  get grants(): GrantBook {
    return this.#books.grants;
  }

  /** Asks for what is open, from now on; the network is there. */
  start(): void {
    const { runtime, home } = this.#parts;
    this.#timer ??= runtime.timers.every(home.config.limits.accessPollMs, () => this.#look(false));
    this.#look(true);
  }

  /** A peer of an organisation is connected: it may have answers and new logs. */
  met(organisation: Did): void {
    const { grants, requests } = this.#books;
    const all = this.#parts.ledger.identities.all(organisation);
    const asked = requests.all('out').some(({ owner }) => all.includes(owner));
    const kin = all.includes(this.#parts.home.identity.organisation);
    if (kin || asked || [...grants.got()].some(({ scope }) => all.includes(scope.owner))) {
      this.#keys?.wanted(true);
      this.#look(true);
    }
  }

  findings(): readonly Omit<Check, 'since'>[] {
    const { organisation } = this.#parts.home.identity;
    const stale = staleFindings({
      organisation,
      ageMs: (owner) => this.freshness.ageMs(owner),
      serves: this.#parts.ledger
        .logs()
        .some(({ genesis }) => genesis?.owner === organisation && genesis.visibility !== 'public'),
      ...this.#parts.home.config.limits,
    });
    return [...stale, ...this.#asking.findings(), ...this.#renewal.findings()];
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#owned.dispose();
  }

  #looking = false;
  /** Whether what changes seldom is asked for in the next look, whatever its time. */
  #all = false;
  #look(all: boolean): void {
    this.#all ||= all;
    if (this.#looking) return;
    this.#looking = true;
    this.#parts.track(this.#lookOnce().finally(() => (this.#looking = false)));
  }

  #keptMs = -Infinity;
  async #lookOnce(): Promise<void> {
    const { runtime, home } = this.#parts;
    const nowMs = runtime.clock.monotonic();
    const again = this.#all || nowMs - this.#keptMs >= home.config.limits.accessCardMs;
    const cardsNow = this.#all;
    this.#all = false;
    if (again) {
      this.#keptMs = nowMs;
      await this.#asking.takeHanded();
    }
    await this.#asking.look(cardsNow);
    this.#keys?.look();
    await this.#copies.look(again);
    await this.#renewal.look();
    await this.recording.look();
  }

  #knows(did: Did): boolean {
    const { registries, home } = this.#parts;
    if (did === home.identity.organisation || registries.has(did)) return true;
    const isIssuer = (kept: KeptGrant): boolean =>
      kept.scope.owner === did || kept.scope.holder === did;
    for (const kept of this.#books.grants.got()) if (isIssuer(kept)) return true;
    const peer = peerIdFromKey(didKey(did));
    for (const owner of registries.owners()) {
      if (registries.profile(owner)?.peers.some(({ id }) => id === peer) === true) return true;
    }
    return false;
  }
}

/** The configuration has checked them. */
function rulesOf(value: readonly unknown[]): readonly AccessRule[] {
  const rules = parseRules(value);
  return rules.ok ? rules.value : [];
}

interface Books {
  readonly grants: GrantBook;
  readonly requests: RequestBook;
  readonly revocations: RevocationBook;
}

function openFreshness(parts: RoomParts): FreshnessBook {
  const { home, runtime, ownLogs } = parts;
  return new FreshnessBook({
    ...parts,
    host: runtime,
    crypto: nodeCrypto,
    organisation: home.identity.organisation,
    ownRegistry: () => ownLogs.registry(),
    signer: home.keys.freshness,
    witness: home.keys.witness,
    limits: home.config.limits,
  });
}

/** What the grants that were given say of who asks. */
function standing(
  grants: GrantBook,
  gate: () => AccessGate,
): Pick<Answering, 'renewable' | 'wasRevoked'> {
  return {
    renewable: ({ renews, stream, audience }, organisation) => {
      const kept = grants.get(renews);
      if (kept?.side !== 'given' || kept.scope.stream !== stream) return false;
      const own = kept.scope.holder === organisation || kept.scope.holder === audience;
      return own && !gate().isRevoked(kept);
    },
    wasRevoked: ({ stream, organisation, audience }) => {
      for (const kept of grants.all()) {
        const { holder, within } = kept.scope;
        const own = [holder, within].includes(organisation) || holder === audience;
        if (own && kept.scope.stream === stream && gate().isRevoked(kept)) return true;
      }
      return false;
    },
  };
}

function incomingPort(incoming: Incoming): Pick<AccessGate, 'request' | 'stateOf' | 'withdraw'> {
  return {
    request: (request, asker) => incoming.request(request, asker),
    stateOf: (id, asker) => incoming.stateOf(id, asker),
    withdraw: (id, asker) => incoming.withdraw(id, asker),
  };
}
