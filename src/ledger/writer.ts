/**
 * Writes one own log: events that wait are cut into blocks, and each block goes store (synced) →
 * guard (synced) → receipts → listeners, in their order. The next blocks are made while the last one
 * is being synced, and all that are ready then share a batch and a sync: a slow disk makes groups
 * larger, not publishers slower.
 *
 *   queue ──cut──► prepared ──when idle──► writing ──► stored
 *          linger   state: tip                         state: stored
 *
 * A block is cut when it is full; or when its linger is over and nothing is being written. The
 * linger is between `minLingerMs` and `maxLingerMs`, by the rate of the last blocks: as long as would
 * fill a block, if that is possible at all; none on a quiet stream. It is over before that when
 * nothing has come for `minLingerMs`: publishers who wait for their receipts send nothing more.
 */
import { equal } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { at, fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asLogIndex } from '../types.ts';
import { appended, prepareAppend, type Append } from './append-batch.ts';
import { buildBlock, draftBytes, type Draft } from './build-block.ts';
import { controlMap } from './control.ts';
import type { Dedupe } from './dedupe.ts';
import { makeRotation } from './key-chain.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { Receipt } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import type { LogTiles } from './log-tiles.ts';
import type { LogState } from './log-state.ts';
import { repeated, type Pending, type PendingEvent } from './pending.ts';
import { RateLinger } from './rate-linger.ts';
import type { StoreHealth } from './store-health.ts';
import { recordedTime } from './writer-clock.ts';
import { keyElsewhere } from './writer-key.ts';

/** Bytes of a block that are not entries: ids, frontier, seed, seal, checkpoint. */
const blockFrameBytes = 3072;

/** Blocks that are written together at most: to make them holds up everything else meanwhile. */
const maxGroup = 4;

interface Prepared {
  readonly append: Append;
  readonly items: readonly Pending[];
}

export class Writer {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  readonly #dedupe: Dedupe;
  readonly #health: StoreHealth;
  readonly #linger: RateLinger;
  /** Keys that may be in force: a rotation adds one before it is durable. */
  readonly #signers: Signer[];
  #tiles: LogTiles | undefined;
  #queue: Pending[] = [];
  #head = 0;
  #prepared: Prepared[] = [];
  #writing: Promise<void> | undefined;
  #timer: Disposable | undefined;
  #lingerOver = false;
  /** Items that ever came: tells whether more came while a block waited. */
  #taken = 0;
  #loading = false;
  #queuedBytes = 0;
  #failing: Fault | undefined;
  /** Events by id key, from admission to durability. */
  readonly inFlight: Map<string, PendingEvent> = new Map();

  constructor(
    env: LedgerEnv,
    handle: LogHandle,
    dedupe: Dedupe,
    health: StoreHealth,
    signer: Signer,
  ) {
    this.#env = env;
    this.#handle = handle;
    this.#dedupe = dedupe;
    this.#health = health;
    this.#signers = [signer];
    this.#linger = new RateLinger(env.options.limits, () => env.options.host.clock.monotonic());
  }

  addSigner(signer: Signer): void {
    this.#signers.push(signer);
  }

  /** The holder of the key in force, if it was given to us. */
  signerFor(state: LogState | undefined): Signer | undefined {
    if (state === undefined) return undefined;
    return this.#signers.find((signer) => equal(signer.publicKey, state.writerKey));
  }

  /** In order behind what waits already. */
  enqueue(items: readonly Pending[]): void {
    if (this.#failing !== undefined) {
      for (const item of items) this.settle(item, err(this.#failing));
      return;
    }
    const first = this.#length === 0 && items.length > 0;
    for (const item of items) {
      this.#queue.push(item);
      this.#taken += 1;
      if (item.kind !== 'event') continue;
      this.#queuedBytes += item.bytes;
      item.queued = true;
    }
    if (first) this.#startLinger();
    this.#kick();
  }

  /** The handle was loaded anew: what was built upon its old tip is built again. */
  recovered(): void {
    this.#failing = undefined;
    this.#tiles = undefined;
    const built = this.#prepared.flatMap(({ items }) => items);
    this.#prepared = [];
    this.#putBack(built);
    this.#kick();
  }

  /** Writes what waits, then ends. Nothing may be enqueued any more. */
  async close(): Promise<void> {
    while (this.#length > 0 || this.#prepared.length > 0 || this.#writing !== undefined) {
      if (this.#failing !== undefined) break;
      this.#lingerOver = true;
      this.#kick();
      await (this.#writing ?? this.#handle.tiles(this.#env));
    }
    this.#timer?.[Symbol.dispose]();
    if (this.#length > 0) this.#fail(fault('store-closed', 'the ledger is closing'));
  }

  get #length(): number {
    return this.#queue.length - this.#head;
  }

  #startLinger(): void {
    this.#timer?.[Symbol.dispose]();
    const ms = this.#linger.ms();
    this.#lingerOver = ms === 0;
    if (ms > 0) this.#waitForMore(this.#env.options.host.clock.monotonic() + ms);
  }

  /** Until then, or until nothing has come for `minLingerMs`. */
  #waitForMore(until: number): void {
    const { clock, timers } = this.#env.options.host;
    const taken = this.#taken;
    const ms = Math.min(this.#env.options.limits.minLingerMs, until - clock.monotonic());
    this.#timer = timers.after(Math.max(0, ms), () => {
      if (this.#taken > taken && clock.monotonic() < until) {
        this.#waitForMore(until);
        return;
      }
      this.#lingerOver = true;
      this.#kick();
    });
  }

  /** Does what can be done now: cut a block, begin to write one. */
  #kick(): void {
    if (this.#failing !== undefined) return;
    if (this.#tiles === undefined) {
      // Not while a group is being written: its end moves the tip.
      if (this.#length > 0 && this.#writing === undefined) void this.#loadTiles();
      return;
    }
    const tiles = this.#tiles;
    const idle = this.#writing === undefined && this.#prepared.length === 0;
    if (idle && this.#length > 0 && (this.#lingerOver || this.#full)) this.#prepare(tiles);
    if (this.#writing === undefined && this.#prepared.length > 0) {
      const group = this.#prepared;
      this.#prepared = [];
      this.#writing = this.#write(group);
    }
    while (this.#writing !== undefined && this.#full && this.#prepared.length < maxGroup) {
      this.#prepare(tiles);
    }
  }

  /** There is enough for a block. */
  get #full(): boolean {
    const { maxBlockEvents, maxBlockBytes } = this.#env.options.limits;
    return this.#length >= maxBlockEvents - 1 || this.#queuedBytes >= maxBlockBytes;
  }

  async #loadTiles(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    const tiles = await this.#handle.tiles(this.#env);
    this.#loading = false;
    if (tiles.ok) {
      this.#tiles = tiles.value;
      this.#kick();
      return;
    }
    this.#fail(tiles.error);
    this.#health.failed(this.#handle, tiles.error);
  }

  #prepare(tiles: LogTiles): void {
    const items = this.#cut();
    if (items.length === 0) return;
    const prepared = this.#build(tiles, items);
    if (prepared.ok) {
      this.#linger.cut(items.length);
      this.#prepared.push({ append: prepared.value, items });
      return;
    }
    // One unfit event must not cost its neighbours: they try again without it.
    const wrong = prepared.error.place?.index;
    const culprit = wrong === undefined ? undefined : items[wrong];
    const alone = culprit === undefined || items.length === 1;
    for (const item of alone ? items : [culprit]) this.settle(item, err(prepared.error));
    if (alone) return;
    const rest = items.filter((item) => item !== culprit);
    this.#putBack(rest);
    this.#prepare(tiles);
  }

  /** To the front of the queue again. */
  #putBack(items: readonly Pending[]): void {
    this.#queue = [...items, ...this.#queue.slice(this.#head)];
    this.#head = 0;
    for (const item of items) {
      if (item.kind !== 'event') continue;
      this.#queuedBytes += item.bytes;
      item.queued = true;
    }
  }

  /** Takes from the queue what fits one block. */
  #cut(): readonly Pending[] {
    const { maxBlockEvents, maxBlockBytes } = this.#env.options.limits;
    const items: Pending[] = [];
    let bytes = blockFrameBytes;
    while (this.#length > 0 && items.length < maxBlockEvents - 1) {
      const item = this.#queue[this.#head];
      if (item === undefined) break;
      if (item.kind === 'control' && items.length > 0) break;
      if (item.kind === 'event') {
        const more = item.dropped ? 0 : draftBytes(draftOf(item));
        if (items.length > 0 && bytes + more > maxBlockBytes) break;
        bytes += more;
        this.#queuedBytes -= item.bytes;
        item.queued = false;
      }
      this.#head += 1;
      if (item.kind === 'control' || !item.dropped) items.push(item);
      if (item.kind === 'control') break;
    }
    if (this.#head > 4096 || this.#head === this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    if (this.#length > 0) this.#startLinger();
    return items;
  }

  #build(tiles: LogTiles, items: readonly Pending[]): Result<Append> {
    const { crypto, judges, host } = this.#env.options;
    const state = this.#handle.tip?.state;
    const { standing, reason } = this.#handle.row;
    if (standing !== 'open') return err(reason ?? fault('log-waiting', `the log is ${standing}`));
    const signer = this.signerFor(state);
    if (state === undefined || signer === undefined) return err(keyElsewhere());
    const time = recordedTime(this.#env, state);
    if (!time.ok) return time;
    const drafts = items.flatMap((item) => this.#draft(item, state, signer));
    const lowest = asLogIndex(Math.max(state.lowest, this.#handle.offerFrom));
    const options = { time: time.value, seed: host.random.bytes(32), lowest };
    const built = buildBlock({ crypto, judges }, state, signer, drafts, options);
    if (!built.ok) return built;
    const keys = (position: number): PendingEvent => {
      const item = items[position];
      if (item?.kind !== 'event') throw new RangeError('not an event');
      return item;
    };
    return ok(prepareAppend(this.#env, this.#handle, tiles, built.value, keys));
  }

  /** None for a block that has only its seal. */
  #draft(item: Pending, state: LogState, signer: Signer): readonly Draft[] {
    if (item.kind === 'event') return [draftOf(item)];
    if (item.map !== undefined) return [{ kind: 'control', map: item.map }];
    if (item.rotateTo === undefined) return [];
    const rotation = makeRotation(state.log, asLogIndex(state.size), signer, item.rotateTo);
    return [{ kind: 'control', map: controlMap(rotation) }];
  }

  async #write(group: readonly Prepared[]): Promise<void> {
    const durable = await this.#makeDurable(group);
    this.#writing = undefined;
    if (durable.ok) for (const { append, items } of group) this.#stored(append, items);
    else {
      for (const { items } of group) for (const item of items) this.settle(item, durable);
      this.#fail(durable.error);
      this.#health.failed(this.#handle, durable.error);
    }
    this.#kick();
  }

  async #makeDurable(group: readonly Prepared[]): Promise<Result<void>> {
    const { store, guard } = this.#env.options;
    const writes = group.flatMap(({ append }) => append.writes);
    const last = group.at(-1);
    if (last === undefined) return ok(undefined);
    const { size, root } = last.append.head.state;
    const lost = (): boolean => (guard.mark(0, this.#handle.log)?.size ?? 0) > size;
    const behind = fault('store-behind-guard', 'others have blocks of this log that we lost');
    if (lost()) return err(behind);
    const stored = await store.batch(writes, { sync: true });
    if (!stored.ok) return stored;
    if (lost()) return err(behind);
    return guard.advance([{ kind: 0, id: this.#handle.log, size, root }]);
  }

  #stored(append: Append, items: readonly Pending[]): void {
    if (this.#tiles === undefined) this.#handle.reset(this.#handle.row, append.head);
    else this.#handle.stored = append.head;
    this.#env.recent.add(this.#handle.row.number, append.block.block.firstIndex, append.record);
    this.#tiles?.written(append.tiles);
    this.#dedupe.committed(append.head.slices, append.idKeys);
    const { counters } = this.#env;
    counters.publishedBlocks += 1;
    counters.publishedEvents += append.idKeys.length;
    this.#acknowledge(append, items);
    this.#env.announce(appended(this.#handle, append.block, true));
  }

  #acknowledge(append: Append, items: readonly Pending[]): void {
    const { state } = append.head;
    const { leafHashes, block } = append.block;
    for (const [i, item] of items.entries()) {
      const receipt: Receipt = {
        log: this.#handle.logId,
        index: asLogIndex(block.firstIndex + i),
        leafHash: asHash(leafHashes.slice(32 * i, 32 * i + 32)),
        block: append.number,
        size: state.size,
        root: state.root,
        ack: 'local',
      };
      this.settle(item, ok(receipt));
    }
  }

  /** Everything that waits gets the failure; until `recovered` nothing is taken. */
  #fail(reason: Fault): void {
    this.#failing = reason;
    this.#timer?.[Symbol.dispose]();
    const waiting = this.#queue.slice(this.#head).filter((i) => i.kind === 'control' || !i.dropped);
    const items = [...this.#prepared.flatMap((prepared) => prepared.items), ...waiting];
    this.#prepared = [];
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
    for (const item of items) this.settle(item, err(reason));
  }

  /** Answers an item and those who wait for the same source and id. */
  settle(item: Pending, result: Result<Receipt>): void {
    if (item.kind === 'control') {
      item.settle(result);
      return;
    }
    this.inFlight.delete(item.name);
    const place = { index: item.position };
    item.request.settle(item.position, result.ok ? result : err(at(result.error, place)));
    for (const waiter of item.waiters ?? []) this.#repeatOne(waiter, item.contentHash, result);
  }

  /** Answers an item that was found in the log, and those who wait for it. */
  repeat(item: PendingEvent, contentHash: Uint8Array, first: Result<Receipt>): void {
    this.inFlight.delete(item.name);
    for (const one of [item, ...(item.waiters ?? [])]) this.#repeatOne(one, contentHash, first);
  }

  /** True where the item was still in the queue and nobody else waits for it. */
  takeBack(item: PendingEvent): boolean {
    if (!item.queued || item.dropped || item.waiters !== undefined) return false;
    item.dropped = true;
    this.inFlight.delete(item.name);
    return true;
  }

  #repeatOne(item: PendingEvent, contentHash: Uint8Array, first: Result<Receipt>): void {
    const again = repeated(item, contentHash, first);
    const place = { index: item.position };
    item.request.settle(item.position, again.ok ? again : err(at(again.error, place)));
    const { counters } = this.#env;
    if (again.ok) counters.duplicates += 1;
    else if (again.error.code === 'event-conflict') counters.conflicts += 1;
  }
}

function draftOf(item: PendingEvent): Draft {
  return { kind: 'event', event: item.event, parents: item.parents };
}
