/**
 * Puts the parts of access together: books in the store, the gate that gossip asks, the desk that the
 * API asks, and what goes on by itself (access.md "Self-service").
 */
import { nodeCrypto } from '../../crypto-node.ts';
import type { Fault } from '../../errors.ts';
import type { AccessExchange } from '../../gossip/access-exchange.ts';
import { peerIdFromKey } from '../../gossip/peer-id.ts';
import { didFromKey, didKey } from '../../ids.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { ok, type Result } from '../../result.ts';
import { asTimeMs, type Did, type StreamName } from '../../types.ts';
import type { StreamCard } from '../core/cards.ts';
import { journalTypes, type Journal } from '../core/journal.ts';
import { cardPartitions, ownChains } from '../core/own-chains.ts';
import type { OwnLogs } from '../core/own-logs.ts';
import type { Registries } from '../core/registries.ts';
import { parseRules, type AccessRule } from '../access-rules.ts';
import type { GrantsApi } from '../grants-api.ts';
import { withGranting, type Home } from '../home.ts';
import type { Check } from '../node-api.ts';
import type { Runtime } from '../runtime.ts';
import { AccessDesk } from './access-desk.ts';
import { AccessGate } from './access-gate.ts';
import { Asking } from './asking.ts';
import { FreshnessBook } from './freshness-book.ts';
import { GrantBook, type KeptGrant } from './grant-book.ts';
import { Incoming } from './incoming.ts';
import { RequestBook } from './request-book.ts';
import { RevocationBook } from './revocation-book.ts';
import { Views } from './views.ts';

export interface RoomParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly registries: Registries;
  readonly ownLogs: OwnLogs;
  readonly journal: Journal;
  readonly exchange: () => AccessExchange | undefined;
  readonly learned: (card: StreamCard) => Promise<void>;
  readonly track: (work: Promise<unknown>) => void;
  readonly warn: (subject: string, problem: Fault) => void;
}

export class AccessRoom implements Disposable {
  readonly gate: AccessGate;
  readonly desk: GrantsApi;
  readonly revocations: RevocationBook;
  readonly freshness: FreshnessBook;
  readonly #parts: RoomParts;
  readonly #books: Books;
  readonly #asking: Asking;
  readonly #owned = new DisposableStack();
  #timer: Disposable | undefined;

  private constructor(parts: RoomParts, books: Books) {
    this.#parts = parts;
    this.#books = books;
    this.revocations = books.revocations;
    const { home, runtime, registries, ownLogs, journal } = parts;
    const { organisation } = home.identity;
    const isDirect = (name: string): boolean => this.#chains(name).length > 0;
    const gate = (): AccessGate => this.gate;
    const views: Views = new Views({
      organisation,
      peer: didFromKey(home.identity.peerKey),
      registries,
      now: () => runtime.clock.now(),
      isRevoked: (kept) => this.gate.isRevoked(kept),
      isDirect,
      problemOf: (id) => this.#asking.problemOf(id),
    });
    const nameOf: Views['nameOf'] = (owner, stream) => views.nameOf(owner, stream);
    this.#asking = new Asking({ ...parts, ...books, gate, nameOf });
    const incoming = new Incoming(
      {
        book: books.requests,
        journal,
        owner: organisation,
        now: () => runtime.clock.now(),
        rules: rulesOf(home.config.access.rules),
        aliases: home.config.aliases,
        limits: home.config.limits,
      },
      { give: (request, input) => desk.give(request, input), exists: isDirect },
    );
    const shared = { ...parts, ...books, gate, views, incoming, asking: this.#asking };
    const desk: AccessDesk = new AccessDesk(shared);
    this.desk = desk;
    this.freshness = this.#owned.use(
      new FreshnessBook({
        ...parts,
        host: runtime,
        crypto: nodeCrypto,
        organisation,
        ownRegistry: () => ownLogs.registry(),
        signer: home.keys.freshness,
        limits: home.config.limits,
      }),
    );
    this.gate = new AccessGate({
      ...books,
      host: runtime,
      crypto: nodeCrypto,
      signer: home.keys.peer,
      organisation,
      limits: home.config.limits,
      freshness: this.freshness,
      knows: (did) => this.#knows(did),
      cardOf: (stream) => this.#cardOf(stream),
      onDenied: ({ peer, organisation: asker }, { code }, others) =>
        journal.record({
          type: journalTypes.security,
          subject: peer,
          data: { code, organisation: asker, others },
        }),
      onAnswered: (kept, refusal) => this.#asking.answered(kept, refusal),
      desk: incomingPort(incoming),
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
      revocations: new RevocationBook(ledger.rows, nodeCrypto, maxRevocations),
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
    room.#asking.start();
    parts.registries.onRevoked((_owner, { token }) => parts.track(room.gate.takeRevocation(token)));
    return ok(room);
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
    const asked = requests.all('out').some(({ owner }) => owner === organisation);
    if (asked || [...grants.got()].some(({ scope }) => scope.owner === organisation)) {
      this.#look(true);
    }
  }

  findings(): readonly Omit<Check, 'since'>[] {
    return this.#asking.findings();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#owned.dispose();
  }

  #looking = false;
  #look(cardsNow: boolean): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#parts.track(this.#asking.look(cardsNow).finally(() => (this.#looking = false)));
  }

  /** Own logs of a direct stream, as chains. */
  #chains(name: string): ReturnType<typeof ownChains> {
    const { ledger, home } = this.#parts;
    const logs = ledger
      .logs()
      .filter(({ genesis }) => genesis?.visibility === 'direct' && genesis.name === name);
    const found = logs[0]?.genesis?.name;
    return found === undefined ? [] : ownChains(logs, home.identity.organisation, found);
  }

  #cardOf(name: StreamName): StreamCard | undefined {
    const { home } = this.#parts;
    const chains = this.#chains(name);
    const first = chains[0]?.[0];
    if (first?.genesis === undefined) return undefined;
    const { contentType } = first.genesis;
    return {
      owner: home.identity.organisation,
      name,
      id: first.logId,
      visibility: 'direct',
      partitions: cardPartitions(chains, peerIdFromKey(home.identity.peerKey)),
      ...(contentType === undefined ? {} : { contentType }),
    };
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

function incomingPort(incoming: Incoming): Pick<AccessGate, 'request' | 'stateOf' | 'withdraw'> {
  return {
    request: (request, asker) => incoming.request(request, asker),
    stateOf: (id, asker) => incoming.stateOf(id, asker),
    withdraw: (id, asker) => incoming.withdraw(id, asker),
  };
}
