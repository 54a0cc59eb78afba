/**
 * Deliveries (access.md "Self-service"): what serves content tells it, which costs a few additions.
 * Each `deliveryJournalMs`, and when the node closes, what came together goes into the journal and from
 * there into the table `usage`. A crash loses at most what came since; where the journal cannot be
 * written it waits, merged, and is tried again.
 */
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import type { Consumer, Handed, Meter, UsagePort } from '../../gossip/usage-port.ts';
import type { Clock, Timers } from '../../host.ts';
import type { TableRows } from '../../ledger/table-rows.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId, ParsedEvent } from '../../types.ts';
import type { JournalEntry } from '../core/journal.ts';
import type { Account, About } from './account.ts';
import { deliveryEntry } from './delivery-entry.ts';
import type { Piece } from './pieces.ts';
import type { Check } from '../node-api.ts';
import type { UsageApi } from '../usage-api.ts';
import { UsageBook, type JournalReader, type UsageLimits } from './usage-book.ts';
import { UsageViews, type UsageViewParts } from './usage-view.ts';

export interface UsageParts {
  readonly host: { readonly clock: Clock; readonly timers: Timers };
  readonly rows: TableRows;
  readonly reader: JournalReader;
  readonly limits: UsageLimits & { readonly deliveryJournalMs: number };
  /** The journal's log; it may be another one after a recovery. */
  readonly journal: () => LogId | undefined;
  readonly makeEntry: (entry: JournalEntry) => Result<ParsedEvent>;
  /** Appends to the journal; indexes in the order of the events. Idempotent by their ids. */
  readonly append: (log: LogId, events: readonly ParsedEvent[]) => Promise<Result<number[]>>;
  /** Also readings of public streams. */
  readonly countPublic: boolean;
  /** A grant that this home has given. */
  readonly isGiven: UsageViewParts['isGiven'];
  readonly journaled: UsageViewParts['journaled'];
  readonly madeOf: UsageViewParts['madeOf'];
  readonly nameOf: UsageViewParts['nameOf'];
  readonly streamName: UsageViewParts['streamName'];
  readonly isSealed?: UsageViewParts['isSealed'];
  /** Told once, until it works again. */
  readonly onFault: (problem: Fault) => void;
}

interface Waiting {
  readonly account: Account;
  readonly piece: Piece;
  readonly event: ParsedEvent;
}

export class UsageRoom implements UsagePort, AsyncDisposable {
  readonly book: UsageBook;
  readonly api: UsageApi;
  readonly #parts: UsageParts;
  readonly #timer: Disposable;
  /** Accounts with something that is not in the journal. */
  readonly #dirty = new Set<Account>();
  /** Journaled, but not yet in the table. */
  readonly #unsaved = new Set<Account>();
  /** Entries made and not yet written: tried again as they are. */
  #waiting: readonly Waiting[] = [];
  #flushing: Promise<Result<void>> | undefined;
  #problem: Fault | undefined;

  private constructor(parts: UsageParts, book: UsageBook) {
    this.#parts = parts;
    this.book = book;
    this.api = new UsageViews({ ...parts, book });
    const { host, limits: bounds } = parts;
    this.#timer = host.timers.every(bounds.deliveryJournalMs, () => void this.flush());
  }

  /** Codes: those of the store. */
  static async open(parts: UsageParts): Promise<Result<UsageRoom>> {
    const book = new UsageBook(parts.rows, nodeCrypto, parts.limits);
    const loaded = await book.load(parts.journal(), parts.reader);
    if (!loaded.ok) return loaded;
    for (const problem of loaded.value) parts.onFault(problem);
    return ok(new UsageRoom(parts, book));
  }

  /** Why deliveries cannot be journaled now. */
  get problem(): Fault | undefined {
    return this.#problem;
  }

  findings(): readonly Omit<Check, 'since'>[] {
    if (this.#problem === undefined) return [];
    const reason = `who was given what cannot be written down: ${this.#problem.message}`;
    const hint = 'It is kept in memory and tried again; a node that ends before loses it.';
    return [{ name: 'deliveries', ok: false, level: 'warning', reason, hint }];
  }

  meter(consumer: Consumer): Meter | undefined {
    const about = this.#about(consumer);
    if (about === undefined) return undefined;
    const account = this.book.account(about);
    return { delivered: (handed) => this.#add(account, handed) };
  }

  delivered(consumer: Consumer, handed: Handed): void {
    this.meter(consumer)?.delivered(handed);
  }

  /** Writes what there is; one at a time. Codes: those of appending and of the store. */
  flush(): Promise<Result<void>> {
    this.#flushing ??= this.#flush().finally(() => (this.#flushing = undefined));
    return this.#flushing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]();
    await this.#flushing;
    const done = await this.flush();
    const log = this.#parts.journal();
    // So that the next start need not read what others have written into the journal meanwhile.
    if (done.ok && log !== undefined) {
      await this.book.save([], log, this.#parts.reader.log(log)?.size ?? 0);
    }
  }

  #about({ logId, genesis, organisation, peer, cids, way }: Consumer): About | undefined {
    if (genesis === undefined) return undefined;
    const { owner, name, visibility } = genesis;
    if (visibility === 'public' && !this.#parts.countPublic) return undefined;
    // Reading the journal would go into the journal, and be read.
    if (name.startsWith('_')) return undefined;
    // A holder may have handed it on: what we gave is some link before its last.
    const grant = cids.findLast((cid) => this.#parts.isGiven(cid)) ?? cids.at(-1);
    return {
      logId,
      owner,
      stream: name,
      way,
      organisation,
      ...(peer === undefined ? {} : { peer }),
      ...(grant === undefined ? {} : { grant }),
    };
  }

  #add(account: Account, { from, to, count, bytes }: Handed): void {
    const now = this.#parts.host.clock.now();
    account.open.add({ from, to, count, bytes, first: now, last: now, gaps: false });
    this.#dirty.add(account);
  }

  async #flush(): Promise<Result<void>> {
    for (;;) {
      if (this.#waiting.length === 0) this.#waiting = this.#gather();
      const log = this.#parts.journal();
      if (this.#waiting.length === 0 && this.#unsaved.size === 0) return ok(undefined);
      const done =
        log === undefined ? err(fault('internal', 'there is no journal')) : await this.#write(log);
      if (!done.ok) {
        if (this.#problem === undefined) this.#parts.onFault(done.error);
        this.#problem = done.error;
        return done;
      }
      this.#problem = undefined;
    }
  }

  async #write(log: LogId): Promise<Result<void>> {
    const waiting = this.#waiting;
    const events = waiting.map(({ event }) => event);
    const written: Result<readonly number[]> =
      events.length === 0 ? ok([]) : await this.#parts.append(log, events);
    if (!written.ok) return written;
    for (const { account, piece } of waiting) {
      account.kept.add(piece);
      account.writing = [];
      this.#unsaved.add(account);
    }
    this.#waiting = [];
    const last = written.value.at(-1);
    if (last !== undefined) this.#place = { log, next: last + 1 };
    const saving = [...this.#unsaved];
    const { next } = this.#place?.log === log ? this.#place : { next: 0 };
    const saved = await this.book.save(saving, log, next);
    if (saved.ok) for (const account of saving) this.#unsaved.delete(account);
    return saved;
  }
  /** Entries of the journal below are in what is saved. */
  #place: { readonly log: LogId; readonly next: number } | undefined;

  /** A batch of entries of what is not in the journal. */
  #gather(): readonly Waiting[] {
    const waiting: Waiting[] = [];
    for (const account of this.#dirty) {
      if (waiting.length >= limits.maxJournalBatch) break;
      this.#dirty.delete(account);
      const pieces = account.open.take();
      account.writing = pieces;
      for (const piece of pieces) {
        const event = this.#parts.makeEntry(deliveryEntry(account.about, piece));
        // Nothing in it comes from outside but what was parsed before.
        if (!event.ok) throw new Error(`a delivery is no event: ${event.error.message}`);
        waiting.push({ account, piece, event: event.value });
      }
    }
    return waiting;
  }
}
