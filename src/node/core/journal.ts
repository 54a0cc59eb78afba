/**
 * The node's private stream of what it did and why (`_journal`): start, stop, operator actions,
 * warnings. A caller never waits for it: entries queue here and are written behind the publish path.
 * When the queue is full the oldest waiting entry goes, and the next entry written says how many.
 */
import { v7 } from 'uuid';
import { utf8 } from '../../bytes.ts';
import type { Fault } from '../../errors.ts';
import { makeEvent } from '../../event/make.ts';
import type { Host } from '../../host.ts';
import { limits } from '../../limits.ts';
import type { Result } from '../../result.ts';
import { formatTime } from '../../time.ts';
import { dataKind, type ParsedEvent, type PeerId } from '../../types.ts';
import type { Actor } from '../node-api.ts';

export const journalTypes = {
  started: 'org.headwater.node.started',
  stopped: 'org.headwater.node.stopped',
  action: 'org.headwater.operator.action',
  warning: 'org.headwater.node.warning',
  security: 'org.headwater.security.refused',
  denied: 'org.headwater.security.denied',
  fork: 'org.headwater.security.fork',
  repaired: 'org.headwater.store.repaired',
  recovered: 'org.headwater.stream.recovered',
  succeeded: 'org.headwater.organisation.succeeded',
  access: 'org.headwater.access.step',
  delivered: 'org.headwater.access.delivered',
} as const;
export type JournalType = (typeof journalTypes)[keyof typeof journalTypes];

/** Appends to the journal's log; the ledger's `publish` with the log filled in. */
export type AppendJournal = (events: readonly ParsedEvent[]) => Promise<Result<unknown>>;

export interface JournalEntry {
  readonly type: JournalType;
  /** What it is about: a stream, a peer, a check. */
  readonly subject?: string;
  readonly data: JournalData;
}
type JournalData = Readonly<Record<string, string | number | boolean | undefined>>;

export class Journal implements AsyncDisposable {
  readonly #host: Host;
  readonly #peer: PeerId;
  readonly #append: AppendJournal;
  readonly #onFault: (fault: Fault) => void;
  readonly #waiting: ParsedEvent[] = [];
  #dropped = 0;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(host: Host, peer: PeerId, append: AppendJournal, onFault: (fault: Fault) => void) {
    this.#host = host;
    this.#peer = peer;
    this.#append = append;
    this.#onFault = onFault;
  }

  /** Entries lost since the start because the journal could not be written fast enough. */
  get dropped(): number {
    return this.#dropped;
  }

  record(entry: JournalEntry): void {
    if (this.#closed) return;
    if (this.#waiting.length >= limits.maxJournalQueue) {
      this.#waiting.shift();
      this.#dropped += 1;
    }
    const event = this.event(entry);
    if (!event.ok) return this.#onFault(event.error);
    this.#waiting.push(event.value);
    this.#writing ??= this.#drain().finally(() => (this.#writing = undefined));
  }

  /** What an operator did; `subject` is the stream, the peer or whatever it was done to. */
  did(action: string, subject: string | undefined, { who, why }: Actor, more?: JournalData): void {
    const about = subject === undefined ? {} : { subject };
    this.record({ type: journalTypes.action, ...about, data: { action, who, why, ...more } });
  }

  /** Writes what waits, then takes no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#writing;
  }

  async #drain(): Promise<void> {
    // One turn of the queue later, so that a burst becomes one block.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, limits.maxJournalBatch);
      const written = await this.#append(batch);
      if (!written.ok) {
        this.#dropped += batch.length;
        this.#onFault(written.error);
      }
    }
  }

  /** The event of an entry, for who writes it into the journal by itself. */
  event({ type, subject, data }: JournalEntry): Result<ParsedEvent> {
    const now = this.#host.clock.now();
    const lost = this.#dropped === 0 ? {} : { entriesLost: this.#dropped };
    const attributes = {
      specversion: '1.0',
      id: v7({ msecs: now, random: this.#host.random.bytes(16) }),
      source: `urn:headwater:peer:${this.#peer}`,
      type,
      ...(subject === undefined ? {} : { subject }),
      time: formatTime(now),
    };
    return makeEvent(attributes, dataKind.json, utf8(JSON.stringify({ ...data, ...lost })));
  }
}
