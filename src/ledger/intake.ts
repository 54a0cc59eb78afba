/**
 * The way of published events to the writer: limits, duplicates, parents. Calls of one log go
 * through in the order in which they came; one that must look something up in the store holds back
 * those behind it, and a look-up is rare (dedupe.ts).
 */
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asLogIndex, asTreeSize, type ParsedEvent } from '../types.ts';
import { bodyLength } from './body.ts';
import { protocol } from '../limits.ts';
import type { BlockRecord } from './block-record.ts';
import type { Dedupe } from './dedupe.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { Receipt } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import { resolveParents } from './parents.ts';
import { PublishRequest, type PendingEvent } from './pending.ts';
import { recordAt } from './read-block.ts';
import { sealedLength } from './sealed-body.ts';
import type { Writer } from './writer.ts';
import { recordedTime } from './writer-clock.ts';

export class Intake {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  readonly #writer: Writer;
  readonly #dedupe: Dedupe;
  #line: Promise<void> = Promise.resolve();
  #inLine = 0;
  #events = 0;
  #bytes = 0;

  constructor(env: LedgerEnv, handle: LogHandle, writer: Writer, dedupe: Dedupe) {
    this.#env = env;
    this.#handle = handle;
    this.#writer = writer;
    this.#dedupe = dedupe;
  }

  /** Events and bytes that were taken and have no answer yet. */
  get pending(): { readonly events: number; readonly bytes: number } {
    return { events: this.#events, bytes: this.#bytes };
  }

  async publish(
    events: readonly ParsedEvent[],
    signal: AbortSignal | undefined,
  ): Promise<Result<readonly Result<Receipt>[]>> {
    const lengthOf = this.#isSealed ? sealedLength : bodyLength;
    const sizes = events.map((event) => lengthOf(event));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const room = this.#checkRoom(events.length, sizes, bytes);
    if (!room.ok) return room;
    const time = recordedTime(this.#env, this.#handle.stored?.state);
    if (!time.ok) return time;
    if (signal?.aborted === true) return err(takenBack());
    const request = new PublishRequest(events.length);
    const items = events.map((event, i) => this.#pendingEvent(event, sizes[i] ?? 0, request, i));
    this.#events += items.length;
    this.#bytes += bytes;
    this.#take(items);
    const giveUp = (): void => this.#takeBack(items);
    signal?.addEventListener('abort', giveUp, { once: true });
    const results = await request.done;
    signal?.removeEventListener('abort', giveUp);
    this.#events -= items.length;
    this.#bytes -= bytes;
    return ok(results);
  }

  get #isSealed(): boolean {
    return this.#handle.stored?.state.genesis.visibility === 'sealed';
  }

  /** Runs behind the calls that came before. */
  inOrder(run: () => void): void {
    if (this.#inLine === 0) run();
    else this.#line = this.#line.then(run);
  }

  /** Waits for calls that look something up. */
  async close(): Promise<void> {
    await this.#line;
  }

  #checkRoom(count: number, sizes: readonly number[], bytes: number): Result<void> {
    const { limits } = this.#env.options;
    const large = sizes.findIndex((size) => size > protocol.maxBodyBytes);
    if (large >= 0) {
      const message = `the event is ${sizes[large]} bytes, at most ${protocol.maxBodyBytes} fit`;
      return err(fault('event-too-large', message, { index: large }));
    }
    if (count > limits.maxBatchEvents || bytes > limits.maxBatchBytes) {
      return err(fault('batch-too-large', `${count} events, ${bytes} bytes`));
    }
    const full =
      this.#events + count > limits.maxPendingEvents ||
      this.#bytes + bytes > limits.maxPendingBytes;
    if (!full) return ok(undefined);
    this.#env.counters.busy += 1;
    return err(fault('busy', `${this.#events} events, ${this.#bytes} bytes are waiting`));
  }

  #pendingEvent(
    event: ParsedEvent,
    bytes: number,
    request: PublishRequest,
    position: number,
  ): PendingEvent {
    const { ids } = this.#env;
    const { source, id } = event.context;
    const idKey = ids.idKey(String(source), String(id));
    return {
      kind: 'event',
      event,
      parents: undefined,
      bytes,
      idKey,
      name: String.fromCharCode(...idKey),
      contentHash: ids.contentHash(event),
      request,
      position,
      waiters: undefined,
      queued: false,
      unwanted: false,
      dropped: false,
    };
  }

  /** At once where nothing has to be looked up, else in the line. */
  #take(items: readonly PendingEvent[]): void {
    const direct =
      this.#inLine === 0 &&
      !items.some((item) => citesParents(item) || this.#dedupe.mayHave(item.idKey));
    if (direct) {
      this.#writer.enqueue(this.#reserve(items));
      return;
    }
    this.#inLine += 1;
    this.#line = this.#line.then(() => this.#lookUp(items));
  }

  /**
   * Puts what is not under way yet in flight, the rest behind its first. An id is in flight until
   * its row can be read from the store, so together with a look-up that begins afterwards nothing
   * slips through.
   */
  #reserve(items: readonly PendingEvent[]): readonly PendingEvent[] {
    const { inFlight } = this.#writer;
    return items.filter((item) => {
      const first = inFlight.get(item.name);
      if (first === undefined) inFlight.set(item.name, item);
      else (first.waiters ??= []).push(item);
      return first === undefined;
    });
  }

  async #lookUp(items: readonly PendingEvent[]): Promise<void> {
    const fresh = this.#reserve(items);
    const maybe = fresh.filter((item) => this.#dedupe.mayHave(item.idKey));
    this.#env.counters.dedupeLookups += maybe.length;
    const rows = maybe.length === 0 ? ok([]) : await this.#dedupe.lookUp(maybe.map((i) => i.idKey));
    const answered = new Set<PendingEvent>();
    const records = new LastRecord(this.#env, this.#handle);
    for (const [i, item] of maybe.entries()) {
      const row = rows.ok ? rows.value[i] : undefined;
      if (row !== undefined) {
        const record = await records.at(row.index);
        const first = record.ok ? await this.#receiptOf(record.value, row.index) : record;
        this.#writer.repeat(item, row.check, first);
      } else if (!rows.ok) this.#writer.settle(item, rows);
      if (row !== undefined || !rows.ok) answered.add(item);
    }
    const citing = fresh.filter((item) => !answered.has(item) && citesParents(item));
    for (const [item, reason] of await resolveParents(this.#env, citing)) {
      this.#writer.settle(item, err(reason));
      answered.add(item);
    }
    for (const item of fresh) {
      if (answered.has(item) || !item.unwanted || item.waiters !== undefined) continue;
      this.#writer.settle(item, err(takenBack()));
      answered.add(item);
    }
    this.#inLine -= 1;
    this.#writer.enqueue(fresh.filter((item) => !answered.has(item)));
  }

  /** The receipt that an event got when it was appended. */
  async #receiptOf(record: BlockRecord, index: number): Promise<Result<Receipt>> {
    const tiles = await this.#handle.tiles(this.#env);
    if (!tiles.ok) return tiles;
    const [leafHash] = await tiles.value.nodes([{ level: 0, index }]);
    const { number, size, root } = record;
    const log = this.#handle.logId;
    return ok({
      log,
      index: asLogIndex(index),
      leafHash: leafHash ?? asHash(new Uint8Array(32)),
      block: number,
      size: asTreeSize(size),
      root: asHash(root.slice()),
      ack: 'local',
    });
  }

  /** Those that are not in a block yet and nobody else waits for. */
  #takeBack(items: readonly PendingEvent[]): void {
    for (const item of items) {
      item.unwanted = true;
      if (this.#writer.takeBack(item)) item.request.settle(item.position, err(takenBack()));
    }
  }
}

/** Who publishes again does so in the old order: one block, read once, answers for all its events. */
class LastRecord {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  #last: BlockRecord | undefined;

  constructor(env: LedgerEnv, handle: LogHandle) {
    this.#env = env;
    this.#handle = handle;
  }

  async at(index: number): Promise<Result<BlockRecord>> {
    const last = this.#last;
    if (last !== undefined && index >= last.firstIndex && index < last.size) return ok(last);
    const read = await recordAt(this.#env, this.#handle, asLogIndex(index));
    if (read.ok) this.#last = read.value;
    return read;
  }
}

function takenBack(): Fault {
  return fault('interrupted', 'the call was taken back');
}

function citesParents(item: PendingEvent): boolean {
  return item.event.context['hwparents'] !== undefined;
}
