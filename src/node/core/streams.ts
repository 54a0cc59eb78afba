/**
 * Streams as people see them: what the ledger keeps, joined with what registries say. A view is made
 * when it is asked for; only which logs belong to which name is remembered, because a request for
 * one stream must not cost a look at all logs.
 */
import { fault } from '../../errors.ts';
import { toHex } from '../../bytes.ts';
import type { Identities } from '../../identities.ts';
import { didFromKey, parseLogId } from '../../ids.ts';
import type { ForkHead, KnownFork } from '../../ledger/fork-book.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Did, LogId, PublicKey, StreamName } from '../../types.ts';
import type { LogView, StreamView } from '../node-api.ts';
import { logsOf, type StreamCard } from './cards.ts';
import { firstLog, inOrder, lagOf, successionOf } from './chains.ts';
import { pastOf } from '../succession-view.ts';
import type { ControlState } from './control-state.ts';
import { viewOf } from './retention-view.ts';
import { unknown, type Registries, type StreamKey } from './registries.ts';

export interface StreamLedger {
  logs(): readonly LogSummary[];
  log(logId: LogId): LogSummary | undefined;
  /** Forks that are known; a stand-in has none. */
  readonly forks?: { known(logId: LogId): KnownFork | undefined };
  /** Owners that go by another DID; a stand-in has none. */
  readonly identities?: Pick<Identities, 'onChange' | 'past'>;
  onAppended(
    listener: (block: { readonly logId: LogId; readonly firstIndex: number }) => void,
  ): Disposable;
}

/** How far a replica is behind the best head that peers report. */
export type Lag = (logId: LogId) => { readonly entries: number };

export interface StreamParts {
  readonly ledger: StreamLedger;
  readonly registries: Registries;
  readonly control: ControlState;
  readonly self: Did;
  /** Owner of `_journal`: did:key of the peer key. */
  readonly peerOwner: Did;
  readonly lag: Lag;
}

export class Streams implements Disposable {
  readonly #parts: StreamParts;
  /** Logs by the owner and name of their genesis. */
  readonly #named = new Map<string, Set<LogId>>();
  readonly #writers = new WeakMap<PublicKey, Did>();
  readonly #listening: Disposable;
  readonly #renaming: Disposable | undefined;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    for (const log of parts.ledger.logs()) this.#learn(log);
    this.#renaming = parts.ledger.identities?.onChange(() => this.#learnAgain());
    this.#listening = parts.ledger.onAppended(({ logId, firstIndex }) => {
      if (firstIndex === 0) this.#learn(parts.ledger.log(logId));
    });
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
    this.#renaming?.[Symbol.dispose]();
  }

  /** The stream's view if the ledger has a log of it or a registry lists it. */
  view(named: StreamKey): Result<StreamView> {
    const key = { owner: this.#parts.registries.now(named.owner), name: named.name };
    const found = this.#find(key) ?? this.#search(key);
    if (found !== undefined) return ok(this.#render(found));
    return err(unknown(`${this.#parts.registries.nameOf(key.owner) ?? key.owner}/${key.name}`));
  }

  /** STREAM as a user writes it. A name that begins with `_` and has no owner is this home's. */
  parse(text: string): Result<StreamKey> {
    const { registries, peerOwner } = this.#parts;
    if (text.startsWith('hw:')) {
      const logId = parseLogId(text.slice(3));
      const genesis = logId.ok ? this.#parts.ledger.log(logId.value)?.genesis : undefined;
      if (genesis !== undefined) return ok({ owner: genesis.owner, name: genesis.name });
    }
    const key = registries.parse(text);
    if (!key.ok || text.includes('/') || text === '_registry' || !text.startsWith('_')) return key;
    return ok({ owner: peerOwner, name: key.value.name });
  }

  /** Own and followed streams, registries and journal left out; `all` adds what registries list. */
  list(all: boolean): readonly StreamView[] {
    const found = this.#collect(this.#parts.ledger.logs());
    if (all) {
      for (const card of this.#parts.registries.cards()) {
        if (!found.has(keyText(card))) {
          found.set(keyText(card), { owner: card.owner, name: card.name, card, logs: [] });
        }
      }
    }
    return [...found.values()]
      .filter(({ name }) => !name.startsWith('_'))
      .map((stream) => this.#render(stream))
      .toSorted((a, b) => (a.display < b.display ? -1 : 1));
  }

  /** By what is remembered and what the stream's card names. */
  #find(key: StreamKey): Found | undefined {
    const { ledger, registries } = this.#parts;
    const text = keyText(key);
    const card = registries.card(key);
    const ids = new Set(this.#named.get(text));
    for (const log of card === undefined ? [] : logsOf(card)) ids.add(log);
    const logs = [...ids]
      .map((logId) => ledger.log(logId))
      .filter((log) => log !== undefined)
      .filter(({ genesis }) => genesis === undefined || keyText(genesis) === text);
    if (card === undefined && logs.length === 0) return undefined;
    return { ...key, logs, ...(card === undefined ? {} : { card }) };
  }

  /** By looking at all logs: for one that was followed again with what it held. */
  #search(key: StreamKey): Found | undefined {
    const found = this.#collect(this.#parts.ledger.logs()).get(keyText(key));
    for (const log of found?.logs ?? []) this.#learn(log);
    return found;
  }

  /** An owner has another DID. */
  #learnAgain(): void {
    this.#named.clear();
    for (const log of this.#parts.ledger.logs()) this.#learn(log);
  }

  #learn(log: LogSummary | undefined): void {
    if (log?.genesis === undefined) return;
    const text = keyText(log.genesis);
    const logs = this.#named.get(text);
    if (logs === undefined) this.#named.set(text, new Set([log.logId]));
    else logs.add(log.logId);
  }

  #collect(logs: readonly LogSummary[]): Map<string, Found> {
    const found = new Map<string, Found>();
    for (const log of logs) {
      const key = log.genesis ?? this.#parts.registries.ofLog(log.logId);
      if (key === undefined) continue;
      const text = keyText(key);
      const stream = found.get(text) ?? this.#open(key);
      found.set(text, { ...stream, logs: [...stream.logs, log] });
    }
    return found;
  }

  #open({ owner, name }: StreamKey): Found {
    const card = this.#parts.registries.card({ owner, name });
    return { owner, name, logs: [], ...(card === undefined ? {} : { card }) };
  }

  #render({ owner, name, card, logs }: Found): StreamView {
    const { registries, control, self } = this.#parts;
    const genesis = logs.find((log) => log.genesis !== undefined)?.genesis;
    const organisation = registries.nameOf(owner);
    const own = logs.some((log) => log.createdLocally);
    const first =
      card?.id ?? firstLog(logs.find((log) => log.genesis?.partition === 0)) ?? logs[0]?.logId;
    if (first === undefined) throw new Error('a stream has a card or a log');
    const contentType = genesis?.contentType ?? card?.contentType;
    const readable = logs.filter((log) => log.genesis !== undefined);
    const kept = readable.findLast(({ state }) => state !== 'closed') ?? readable.at(-1);
    return {
      display: owner === registries.now(self) ? name : `${this.#unique(owner) ?? owner}/${name}`,
      owner,
      ...pastOf(this.#parts.ledger.identities, owner),
      ...(organisation === undefined ? {} : { organisation }),
      name,
      id: first,
      visibility: genesis?.visibility ?? card?.visibility ?? 'public',
      partitions: genesis?.partitions ?? card?.partitions.length ?? 1,
      own,
      followed: logs.length > 0 && !own,
      paused: control.has('pausedStreams', first),
      ...(contentType === undefined ? {} : { contentType }),
      ...(kept === undefined ? {} : { retention: viewOf(kept.retention) }),
      ...(kept?.epochs === undefined ? {} : { epochs: kept.epochs }),
      logs: inOrder(logs.map((log) => this.#log(log))),
    };
  }

  /** The name of the owner if it leads back to it, else undefined. */
  #unique(owner: Did): string | undefined {
    const name = this.#parts.registries.nameOf(owner);
    if (name === undefined) return undefined;
    const back = this.#parts.registries.organisation(name);
    return back.ok && back.value === owner ? name : undefined;
  }

  #log(log: LogSummary): LogView {
    const card = this.#parts.registries.ofLog(log.logId);
    const partitions = card === undefined ? [] : this.#parts.registries.card(card)?.partitions;
    const listed =
      partitions?.findIndex((one) => logsOf({ partitions: [one] }).includes(log.logId)) ?? -1;
    return {
      log: log.logId,
      partition: log.genesis?.partition ?? Math.max(0, listed),
      size: log.size,
      root: toHex(log.root),
      blocks: log.blocks,
      role: log.role,
      state: log.state === 'open' && log.paused ? 'paused' : log.state,
      lagEntries: lagOf(log, this.#parts.lag),
      ...successionOf(log),
      ...(log.size === 0 ? {} : { lastTime: log.time }),
      lowest: log.lowest,
      ...(log.epoch === undefined ? {} : { epoch: log.epoch }),
      writerKey: log.writerKey === undefined ? '' : this.#writer(log.writerKey),
      ...(log.reason === undefined ? {} : { problem: log.reason }),
      ...forkOf(this.#parts.ledger.forks?.known(log.logId)),
    };
  }

  /** The same key object comes with every summary of a log, and its base58 is not cheap. */
  #writer(key: PublicKey): Did {
    const known = this.#writers.get(key) ?? didFromKey(key);
    this.#writers.set(key, known);
    return known;
  }
}

interface Found extends StreamKey {
  readonly card?: StreamCard;
  readonly logs: readonly LogSummary[];
}

function forkOf(fork: KnownFork | undefined): Pick<LogView, 'fork'> {
  if (fork === undefined) return {};
  return { fork: { a: forkHead(fork.a), b: forkHead(fork.b) } };
}

function forkHead({ size, root }: ForkHead): { readonly size: number; readonly root: string } {
  return { size, root: toHex(root) };
}

function keyText({ owner, name }: { readonly owner: Did; readonly name: StreamName }): string {
  return `${owner}/${name}`;
}

/** Position in a stream of several logs needs more than an index. */
export function oneLog(stream: StreamView): Result<LogView> {
  const [log, ...others] = stream.logs;
  if (log !== undefined && others.length === 0) return ok(log);
  if (log === undefined)
    return err(fault('stream-not-followed', `${stream.display} is not kept here`));
  return err(fault('position-ambiguous', `${stream.display} has ${stream.logs.length} logs`));
}
