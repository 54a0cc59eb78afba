/**
 * Reads a stream: the history of its partitions, through all logs of their chains, and then, if asked, what comes, without gap or
 * duplicate. Order holds within a partition; partitions are merged by recorded time as far as what
 * is there allows. Memory is bounded by one block for each partition.
 */
import { HeadwaterError } from '../../errors.ts';
import type { EntryBatch } from '../../ledger/ledger-types.ts';
import { asLogIndex, type LogId, type LogIndex } from '../../types.ts';
import type { Delivery } from '../node-api.ts';

export interface ReadLedger {
  /** Stored blocks cut to [from, to), in order, ending at the head. */
  batches(
    logId: LogId,
    from: LogIndex,
    to: LogIndex,
    options: { signal?: AbortSignal; recent?: boolean },
  ): AsyncIterable<EntryBatch>;
  /**
   * What opens the sealed events of a block; a live reader (with a signal) may wait for keys that come.
   * Without it what is sealed is passed over.
   */
  sealed?(logId: LogId, batch: EntryBatch, live: AbortSignal | undefined): Promise<ReadSealed>;
  sizeOf(logId: LogId): number;
  /** Where a closed log of which everything is here ends, and what goes on. */
  successorOf(logId: LogId): { readonly size: number; readonly next: LogId } | undefined;
  /** Told of what is appended, and when a log is closed. */
  onAppended(listener: (block: { readonly logId: LogId }) => void): Disposable;
}

/** What is given of an entry: its event, or why it stays sealed. */
export type Content = Pick<Delivery, 'event' | 'sealed'>;
/** Undefined for an entry without a body. */
export type ReadSealed = (index: number) => Content | undefined;

/** One partition to read: from `next` of a log up to `end` of the same or a later one, or for ever. */
export interface PartitionRange {
  readonly logId: LogId;
  readonly next: number;
  /** Exclusive; absent: the head, or without end where live. */
  readonly end?: number;
  /** The log that `end` is an index of; the first where absent. */
  readonly last?: LogId;
}

export type PositionText = (next: ReadonlyMap<LogId, number>) => string;

export interface StreamReading {
  readonly partitions: readonly PartitionRange[];
  readonly live: boolean;
  readonly signal: AbortSignal;
  readonly position: PositionText;
}

/** Batches of deliveries; ends at the end of the ranges, or when the signal aborts if live. */
export async function* readStream(
  ledger: ReadLedger,
  reading: StreamReading,
): AsyncGenerator<readonly Delivery[]> {
  const lanes = reading.partitions.map((range) => new Lane(ledger, range, reading));
  const news = new News(ledger, reading, lanes);
  using _ = news;
  try {
    for (;;) {
      const seen = news.count;
      const batch = await merge(lanes, reading);
      if (batch.length > 0) yield batch;
      if (reading.signal.aborted) return;
      if (batch.length > 0) continue;
      if (!reading.live || lanes.every((lane) => lane.finished)) return;
      await news.after(seen);
    }
  } finally {
    for (const lane of lanes) await lane.close();
  }
}

/** The next deliveries of all lanes: one block's worth from a single lane, else merged by time. */
async function merge(lanes: readonly Lane[], reading: StreamReading): Promise<readonly Delivery[]> {
  for (const lane of lanes) await lane.fill();
  const ready = lanes.filter((lane) => lane.peek() !== undefined);
  const [only, second] = ready;
  if (only === undefined) return [];
  const state = new Map<LogId, number>(
    lanes.map((lane) => [lane.logId, lane.peek()?.index ?? lane.next]),
  );
  const merged: Delivery[] = [];
  // As soon as one lane has run dry its next block must be fetched before the order is known.
  const first = second === undefined ? only : earliest(ready);
  for (let lane = first; lane?.peek() !== undefined;) {
    const item = lane.take();
    if (item === undefined) break;
    state.set(lane.logId, item.index + 1);
    merged.push(delivery(item, second === undefined ? state : new Map(state), reading.position));
    if (second !== undefined)
      lane = ready.every((l) => l.peek() !== undefined) ? earliest(ready) : undefined;
  }
  return merged;
}

function earliest(lanes: readonly Lane[]): Lane | undefined {
  return lanes.reduce<Lane | undefined>((best, lane) => {
    const [a, b] = [best?.peek(), lane.peek()];
    return a === undefined || (b !== undefined && b.recordedTime < a.recordedTime) ? lane : best;
  }, undefined);
}

type Item = Omit<Delivery, 'position'>;

function delivery(item: Item, state: ReadonlyMap<LogId, number>, text: PositionText): Delivery {
  const after = item.index + 1;
  return {
    ...item,
    position: () => text(new Map([...state, [item.log, after]])),
  };
}

/** One partition: its place and the events of the block that is being delivered. */
class Lane {
  logId: LogId;
  next: number;
  readonly #ledger: ReadLedger;
  readonly #range: PartitionRange;
  readonly #signal: AbortSignal;
  readonly #live: boolean;
  #blocks: AsyncIterator<EntryBatch> | undefined;
  #openedAt = -1;
  #items: Item[] = [];
  #at = 0;

  constructor(ledger: ReadLedger, range: PartitionRange, reading: StreamReading) {
    this.#ledger = ledger;
    this.#range = range;
    this.#signal = reading.signal;
    this.#live = reading.live;
    this.logId = range.logId;
    this.next = range.next;
  }

  get finished(): boolean {
    return this.#range.end !== undefined && this.#isLast && this.next >= this.#range.end;
  }
  /** `end` is an index of this log. */
  get #isLast(): boolean {
    return this.logId === (this.#range.last ?? this.#range.logId);
  }
  peek(): Item | undefined {
    return this.#items[this.#at];
  }
  take(): Item | undefined {
    return this.#items[this.#at++];
  }

  /** Loads the next block that has an event, if there is one below the end. */
  async fill(): Promise<void> {
    while (this.peek() === undefined) {
      if (this.#blocks === undefined) this.#cross();
      this.#blocks ??= this.#open();
      const step = await this.#step();
      if (step === undefined) return;
      if (step.done === true) this.#blocks = undefined;
      else await this.#load(step.value);
      if (step.done !== true || (this.#leads() && !this.#signal.aborted)) continue;
      // Nothing came since it was opened: wait for news instead of asking again.
      if (this.next === this.#openedAt || this.next >= this.#end()) return;
    }
  }

  /** The next block; none where what we were reading has just been set aside (a recovery). */
  async #step(): Promise<IteratorResult<EntryBatch> | undefined> {
    try {
      return await this.#blocks?.next();
    } catch (cause) {
      const gone = cause instanceof HeadwaterError && cause.fault.code === 'index-over-head';
      if (!gone) throw cause;
      this.#openedAt = this.next;
      return { done: true, value: undefined };
    }
  }

  /** At the end of a closed log the place is index 0 of its successor. */
  #cross(): void {
    for (let next = this.#leads(); next !== undefined; next = this.#leads()) {
      this.logId = next;
      this.next = 0;
      this.#openedAt = -1;
    }
  }

  /** The log that goes on from here. */
  #leads(): LogId | undefined {
    if (this.#range.end !== undefined && this.#isLast) return undefined;
    const successor = this.#ledger.successorOf(this.logId);
    return successor !== undefined && this.next >= successor.size ? successor.next : undefined;
  }

  async close(): Promise<void> {
    await this.#blocks?.return?.();
  }

  #end(): number {
    const size = this.#ledger.sizeOf(this.logId);
    return this.#isLast ? Math.min(this.#range.end ?? size, size) : size;
  }

  /** The blocks from here to the present head; undefined where there is nothing to read. */
  #open(): AsyncIterator<EntryBatch> | undefined {
    const end = this.#end();
    if (this.next >= end) return undefined;
    this.#openedAt = this.next;
    const options = { signal: this.#signal, recent: this.#live };
    const [from, to] = [asLogIndex(this.next), asLogIndex(end)];
    return this.#ledger.batches(this.logId, from, to, options)[Symbol.asyncIterator]();
  }

  async #load(batch: EntryBatch): Promise<void> {
    const items: Item[] = [];
    const live = this.#live ? this.#signal : undefined;
    let open: ReadSealed | undefined;
    for (let index = Number(batch.from); index < batch.to; index++) {
      let read: Content | undefined;
      const event = batch.event(index);
      if (event !== undefined) read = { event };
      else if (batch.kind(index) === 'sealed') {
        open ??= await this.#ledger.sealed?.(this.logId, batch, live);
        read = open?.(index);
      }
      if (read === undefined) continue;
      const recordedTime = batch.recordedTime(index);
      items.push({ log: this.logId, index: asLogIndex(index), recordedTime, ...read });
    }
    this.#items = items;
    this.#at = 0;
    this.next = batch.to;
  }
}

/** Counts what is appended to the logs we read, and wakes a reader that has delivered all. */
class News {
  count = 0;
  #wake: (() => void) | undefined;
  readonly #signal: AbortSignal;
  readonly #listening: Disposable | undefined;
  readonly #onAbort = (): void => this.#wake?.();

  constructor(ledger: ReadLedger, reading: StreamReading, lanes: readonly Lane[]) {
    this.#signal = reading.signal;
    if (!reading.live) return;
    this.#listening = ledger.onAppended(({ logId }) => {
      if (!lanes.some((lane) => lane.logId === logId)) return;
      this.count += 1;
      this.#wake?.();
    });
    reading.signal.addEventListener('abort', this.#onAbort);
  }

  /** Resolves once more was counted than `seen`, or the signal aborts. */
  async after(seen: number): Promise<void> {
    while (this.count === seen && !this.#signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]();
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}
