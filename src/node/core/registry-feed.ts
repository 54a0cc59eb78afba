/**
 * Keeps the view of the registries in step with their logs: reads each from its first entry at start
 * and goes on with every block that is appended, in order and one log at a time.
 */
import { judgeEvent } from '../../event/judge.ts';
import { logIdFromHash } from '../../ids.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { HeadwaterError, fault, type Fault } from '../../errors.ts';
import type { EntryBatch, LogSummary } from '../../ledger/ledger-types.ts';
import { asLogIndex, type Did, type LogId, type LogIndex } from '../../types.ts';
import type { Registries } from './registries.ts';
import type { StreamCard } from './cards.ts';

export interface FeedLedger {
  logs(): readonly LogSummary[];
  log(logId: LogId): LogSummary | undefined;
  batches(logId: LogId, from: LogIndex): AsyncIterable<EntryBatch>;
  onAppended(listener: (block: { readonly logId: LogId }) => void): Disposable;
}

export interface FeedEvents {
  /** A stream was announced or its card changed. */
  stream(card: StreamCard): void;
  /** A registry entry that is malformed, or a log that cannot be read. */
  problem(logId: LogId, problem: Fault): void;
  /** A log that says that it is the registry of an organisation which has another one. */
  other?(owner: Did, logId: LogId): void;
}

export class RegistryFeed implements AsyncDisposable {
  readonly #ledger: FeedLedger;
  readonly #registries: Registries;
  readonly #events: FeedEvents;
  readonly #next = new Map<LogId, number>();
  readonly #reading = new Map<LogId, Promise<void>>();
  readonly #listening: Disposable;
  #closed = false;

  constructor(ledger: FeedLedger, registries: Registries, events: FeedEvents) {
    this.#ledger = ledger;
    this.#registries = registries;
    this.#events = events;
    this.#listening = ledger.onAppended(({ logId }) => this.#wake(logId));
  }

  /** Reads all registries that the ledger keeps; resolves when the view is whole. */
  async start(): Promise<void> {
    for (const { logId } of this.#ledger.logs()) this.#wake(logId);
    await this.settled();
  }

  /** The log that counts as the owner's registry, on the word of the owner's own delegation. Code: registry-known. */
  name(owner: Did, logId: LogId): Fault | undefined {
    const named = this.#registries.name(owner, logId);
    if (typeof named !== 'string') return named;
    if (named === 'changed') this.#next.delete(logId);
    this.#wake(logId);
    return undefined;
  }

  /** Resolves when everything appended so far has been taken in. */
  async settled(): Promise<void> {
    while (this.#reading.size > 0) await Promise.all(this.#reading.values());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#listening[Symbol.dispose]();
    await this.settled();
  }

  #wake(logId: LogId): void {
    if (this.#closed || this.#reading.has(logId)) return;
    const log = this.#ledger.log(logId);
    const genesis = log?.genesis;
    if (log === undefined || genesis === undefined || genesis.name !== '_registry') return;
    if ((this.#next.get(logId) ?? 0) >= log.size) return;
    // A registry that was recovered is a chain of logs, known by its first one.
    const first = genesis.stream === undefined ? logId : logIdFromHash(genesis.stream);
    if (first !== logId && !this.#isNext(genesis)) return;
    // Of a new DID it is read once it is known whose it was (successions.ts).
    if (first !== logId && this.#ledger.log(first)?.genesis?.owner !== genesis.owner) return;
    if (!this.#registries.open(genesis.owner, first)) {
      this.#events.other?.(genesis.owner, logId);
      return;
    }
    const reading = this.#read(genesis.owner, logId).finally(() => {
      this.#reading.delete(logId);
      this.#wake(logId);
      const next = this.#ledger.log(logId)?.closing?.next;
      if (next !== undefined) this.#wake(next);
    });
    this.#reading.set(logId, reading);
  }

  /** A later log of a chain is read when the one before it has been, to its end. */
  #isNext({ predecessor, name }: Genesis): boolean {
    if (predecessor === undefined || name !== '_registry') return false;
    const before = logIdFromHash(predecessor.log);
    const closing = this.#ledger.log(before)?.closing;
    return closing?.whole === true && (this.#next.get(before) ?? 0) >= closing.size;
  }

  /**
   * A log ends, perhaps before what was read of it: a thief's word on streams is forgotten with his
   * entries, by reading the registry again from its start.
   */
  closed(logId: LogId): void {
    const log = this.#ledger.log(logId);
    const { genesis, closing } = log ?? {};
    if (genesis?.name !== '_registry' || closing === undefined) return;
    const first = genesis.stream === undefined ? logId : logIdFromHash(genesis.stream);
    if ((this.#next.get(logId) ?? 0) > closing.size) {
      this.#registries.forget(genesis.owner, first);
      for (const one of this.#chain(first)) this.#next.delete(one);
      this.#wake(first);
    }
    this.#wake(closing.next);
  }

  *#chain(first: LogId): Generator<LogId> {
    for (let log: LogId | undefined = first; log !== undefined;) {
      yield log;
      log = this.#ledger.log(log)?.closing?.next;
    }
  }

  async #read(owner: Did, logId: LogId): Promise<void> {
    const from = this.#next.get(logId) ?? 0;
    try {
      for await (const batch of this.#ledger.batches(logId, asLogIndex(from))) {
        this.#take(owner, batch);
        this.#next.set(logId, batch.to);
      }
    } catch (cause) {
      // The rest of the log is left until it grows or the node starts again.
      this.#next.set(logId, this.#ledger.log(logId)?.size ?? from);
      const problem =
        cause instanceof HeadwaterError ? cause.fault : fault('internal', String(cause));
      this.#events.problem(logId, problem);
    }
  }

  #take(owner: Did, batch: EntryBatch): void {
    for (let index = Number(batch.from); index < batch.to; index++) {
      const event = batch.event(index);
      if (event === undefined) continue;
      const context = judgeEvent(event);
      const at = { log: batch.logId, index };
      const taken = context.ok ? this.#registries.take(owner, context.value, event, at) : context;
      if (!taken.ok) this.#events.problem(batch.logId, taken.error);
      else if (taken.value !== undefined) this.#events.stream(taken.value);
    }
  }
}
