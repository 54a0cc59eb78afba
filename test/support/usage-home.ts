/** The book of deliveries of a home in memory, in virtual time, with a journal that the test can break. */
import assert from 'node:assert/strict';
import { fault, type Fault } from '../../src/errors.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { TableRows } from '../../src/ledger/table-rows.ts';
import { Journal } from '../../src/node/core/journal.ts';
import { readDelivery } from '../../src/node/usage/delivery-entry.ts';
import { UsageRoom, type UsageParts } from '../../src/node/usage/usage-room.ts';
import { err, ok, type Result } from '../../src/result.ts';
import { asLogIndex, asPeerId, type LogIndex, type ParsedEvent } from '../../src/types.ts';
import { fakeLogId } from '../gossip/fake-ledger.ts';
import { Dice } from '../sim/dice.ts';
import { VirtualHost, VirtualTime } from '../sim/virtual-time.ts';
import { must } from './result.ts';

const journalLog = fakeLogId(99);

/** A home: its store and its journal outlive a room. */
export class UsageHome {
  store: MemoryStore = new MemoryStore();
  readonly time: VirtualTime = new VirtualTime();
  readonly host: VirtualHost = new VirtualHost(this.time, new Dice(1));
  readonly entries: ParsedEvent[] = [];
  readonly faults: Fault[] = [];
  /** Appending fails: before or after it was done. */
  broken: 'no' | 'before' | 'after' = 'no';
  appends = 0;

  readonly #parts: Partial<UsageParts>;

  constructor(parts: Partial<UsageParts> = {}) {
    this.#parts = parts;
  }

  open(limits: Partial<UsageParts['limits']> = {}, countPublic = false): Promise<UsageRoom> {
    const journal = new Journal(
      this.host,
      asPeerId('12D3KooWacme'),
      () => Promise.resolve(ok(undefined)),
      (problem) => assert.fail(problem.message),
    );
    const usual = { deliveryJournalMs: 60_000, maxDeliveryPieces: 4, maxUsageRows: 100 };
    return UsageRoom.open({
      host: this.host,
      rows: new TableRows(this.store),
      reader: {
        log: () => ({ size: this.entries.length }),
        batches: (_log, from) => this.#batches(from),
      },
      limits: { ...usual, ...limits },
      journal: () => journalLog,
      makeEntry: (entry) => journal.event(entry),
      append: (_log, events) => Promise.resolve(this.#append(events)),
      countPublic,
      isGiven: () => false,
      journaled: () => this.#journaled(),
      madeOf: () => undefined,
      nameOf: () => undefined,
      streamName: (_owner, name) => name,
      onFault: (problem) => this.faults.push(problem),
      ...this.#parts,
    }).then((room) => must(room));
  }

  /** [organisation, from, to, count, bytes] of the journal's entries. */
  journaled(): readonly unknown[] {
    return this.entries.map((event) => {
      const { about, piece } = readDelivery(event) ?? assert.fail('no delivery');
      return [about.organisation, piece.from, piece.to, piece.count, piece.bytes];
    });
  }

  #append(events: readonly ParsedEvent[]): Result<number[]> {
    this.appends += 1;
    const down = err(fault('store-failed', 'planned'));
    if (this.broken === 'before') return down;
    const indexes = events.map((event) => {
      const known = this.entries.findIndex(({ context }) => context['id'] === event.context['id']);
      return known >= 0 ? known : this.entries.push(event) - 1;
    });
    return this.broken === 'after' ? down : ok(indexes);
  }

  async *#journaled(): ReturnType<UsageParts['journaled']> {
    await Promise.resolve();
    for (const event of this.entries.toReversed()) {
      const found = readDelivery(event);
      if (found !== undefined) yield found;
    }
  }

  async *#batches(from: LogIndex): ReturnType<UsageParts['reader']['batches']> {
    await Promise.resolve();
    yield {
      from,
      to: asLogIndex(this.entries.length),
      event: (index: number) => this.entries[index],
    };
  }
}
