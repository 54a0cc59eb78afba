/**
 * Streams as people see them: what the ledger keeps, joined with what registries say. Nothing is
 * stored here; a view is made when it is asked for.
 */
import { fault } from '../../errors.ts';
import { toHex } from '../../bytes.ts';
import { didFromKey } from '../../ids.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Did, LogId, StreamName } from '../../types.ts';
import type { LogView, StreamView } from '../node-api.ts';
import type { StreamCard } from './cards.ts';
import type { ControlState } from './control-state.ts';
import { unknown, type Registries, type StreamKey } from './registries.ts';

export interface StreamLedger {
  logs(): readonly LogSummary[];
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

export class Streams {
  readonly #parts: StreamParts;

  constructor(parts: StreamParts) {
    this.#parts = parts;
  }

  /** The stream's view if the ledger has a log of it or a registry lists it. */
  view(key: StreamKey): Result<StreamView> {
    const found = this.#collect(this.#parts.ledger.logs()).get(keyText(key));
    if (found !== undefined) return ok(this.#render(found));
    const card = this.#parts.registries.card(key);
    if (card !== undefined) return ok(this.#render({ ...key, card, logs: [] }));
    return err(unknown(`${this.#parts.registries.nameOf(key.owner) ?? key.owner}/${key.name}`));
  }

  /** STREAM as a user writes it. A name that begins with `_` and has no owner is this home's. */
  parse(text: string): Result<StreamKey> {
    const { registries, peerOwner } = this.#parts;
    if (text.startsWith('hw:')) {
      const log = this.#parts.ledger.logs().find(({ logId }) => text === `hw:${logId}`);
      if (log?.genesis !== undefined)
        return ok({ owner: log.genesis.owner, name: log.genesis.name });
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
      card?.id ?? logs.find((log) => log.genesis?.partition === 0)?.logId ?? logs[0]?.logId;
    if (first === undefined) throw new Error('a stream has a card or a log');
    const contentType = genesis?.contentType ?? card?.contentType;
    return {
      display: owner === self ? name : `${this.#unique(owner) ?? owner}/${name}`,
      owner,
      ...(organisation === undefined ? {} : { organisation }),
      name,
      id: first,
      visibility: genesis?.visibility ?? card?.visibility ?? 'public',
      partitions: genesis?.partitions ?? card?.partitions.length ?? 1,
      own,
      followed: logs.length > 0 && !own,
      paused: control.has('pausedStreams', first),
      ...(contentType === undefined ? {} : { contentType }),
      logs: logs.map((log) => this.#log(log)).toSorted((a, b) => a.partition - b.partition),
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
    const listed = partitions?.findIndex((partition) => partition.log === log.logId) ?? -1;
    return {
      log: log.logId,
      partition: log.genesis?.partition ?? Math.max(0, listed),
      size: log.size,
      root: toHex(log.root),
      blocks: log.blocks,
      role: log.role,
      state: log.state === 'open' && log.paused ? 'paused' : log.state,
      lagEntries: this.#parts.lag(log.logId).entries,
      ...(log.size === 0 ? {} : { lastTime: log.time }),
      writerKey: log.writerKey === undefined ? '' : didFromKey(log.writerKey),
      ...(log.reason === undefined ? {} : { problem: log.reason }),
    };
  }
}

interface Found extends StreamKey {
  readonly card?: StreamCard;
  readonly logs: readonly LogSummary[];
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
