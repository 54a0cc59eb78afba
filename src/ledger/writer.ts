/**
 * Writes one own log: events that wait are cut into blocks, and each block goes store (synced) →
 * guard (synced) → receipts → listeners, in their order. The next blocks are made while the last one
 * is being synced, and all that are ready then share a batch and a sync: a slow disk makes groups
 * larger, not publishers slower.
 *
 *   queue ──cut──► prepared ──when idle──► writing ──► stored
 *          linger   state: tip                         state: stored
 *
 * A block is cut when it is full; or when its linger is over (cut-timer.ts) and nothing is being
 * written. The linger is between `minLingerMs` and `maxLingerMs`, by the rate of the last blocks: as
 * long as would fill a block, if that is possible at all; none on a quiet stream.
 */
import { equal } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { at, fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asLogIndex } from '../types.ts';
import { appended, prepareAppend, type Append } from './append-batch.ts';
import { buildBlock, draftBytes, type Draft } from './build-block.ts';
import { controlMap, type EpochOpening } from './control.ts';
import { CutTimer } from './cut-timer.ts';
import type { Dedupe } from './dedupe.ts';
import { makeRotation } from './key-chain.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { Receipt } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import type { LogTiles } from './log-tiles.ts';
import type { LogState } from './log-state.ts';
import { PendingQueue } from './pending-queue.ts';
import { repeated, type Pending, type PendingEvent } from './pending.ts';
import type { StoreHealth } from './store-health.ts';
import { recordedTime } from './writer-clock.ts';
import { WriterEpochs } from './writer-epochs.ts';
import { keyElsewhere } from './writer-key.ts';

/** Blocks that are written together at most: to make them holds up everything else meanwhile. */
const maxGroup = 4;

interface Prepared {
  readonly append: Append;
  readonly items: readonly Pending[];
  /** Entries of its block before the first item: one where it opens a key epoch. */
  readonly lead: number;
}

export class Writer {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  readonly #dedupe: Dedupe;
  readonly #health: StoreHealth;
  readonly #linger: CutTimer;
  /** Keys that may be in force: a rotation adds one before it is durable. */
  readonly #signers: Signer[];
  #tiles: LogTiles | undefined;
  readonly #queue = new PendingQueue();
  /** Of a sealed log. */
  readonly #epochs: WriterEpochs | undefined;
  #prepared: Prepared[] = [];
  #writing: Promise<void> | undefined;
  #loading = false;
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
    const sealed = handle.stored?.state.genesis.visibility === 'sealed';
    this.#epochs = sealed ? new WriterEpochs(env, handle) : undefined;
    this.#linger = new CutTimer(env.options.host, env.options.limits);
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
    const first = this.#queue.length === 0 && items.length > 0;
    this.#queue.push(items);
    this.#linger.took(items.length);
    if (first) this.#linger.start(() => this.#kick());
    this.#kick();
  }

  /** The next block opens the next key epoch of a sealed log. */
  openEpoch(what: 'epoch' | 'generation'): void {
    this.#epochs?.want(what);
  }

  /** The handle was loaded anew: what was built upon its old tip is built again. */
  recovered(): void {
    this.#failing = undefined;
    this.#tiles = undefined;
    this.#epochs?.reset();
    const built = this.#prepared.flatMap(({ items }) => items);
    this.#prepared = [];
    this.#queue.putBack(built);
    this.#kick();
  }

  /** Writes what waits, then ends. Nothing may be enqueued any more. */
  async close(): Promise<void> {
    while (this.#queue.length > 0 || this.#prepared.length > 0 || this.#writing !== undefined) {
      if (this.#failing !== undefined) break;
      this.#linger.over = true;
      this.#kick();
      await (this.#writing ?? this.#handle.tiles(this.#env));
      await this.#epochs?.settled();
    }
    this.#linger[Symbol.dispose]();
    if (this.#queue.length > 0) this.#fail(fault('store-closed', 'the ledger is closing'));
  }

  /** Does what can be done now: cut a block, begin to write one. */
  #kick(): void {
    if (this.#failing !== undefined) return;
    if (this.#tiles === undefined) {
      // Not while a group is being written: its end moves the tip.
      if (this.#queue.length > 0 && this.#writing === undefined) void this.#loadTiles();
      return;
    }
    const tiles = this.#tiles;
    const idle = this.#writing === undefined && this.#prepared.length === 0;
    const due = idle && this.#queue.length > 0 && (this.#linger.over || this.#full);
    if (due && this.#mayBuild()) this.#prepare(tiles);
    if (this.#writing === undefined && this.#prepared.length > 0) {
      const group = this.#prepared;
      this.#prepared = [];
      this.#writing = this.#write(group);
    }
    while (this.#writing !== undefined && this.#full && this.#prepared.length < maxGroup) {
      if (!this.#mayBuild()) return;
      this.#prepare(tiles);
    }
  }

  /** False while a sealed log waits for the key of an epoch. */
  #mayBuild(): boolean {
    if (this.#epochs === undefined || !isBare(this.#queue.first)) return true;
    return this.#epochs.ready(
      () => this.#kick(),
      (reason) => this.#refuse(reason),
    );
  }

  /** There is enough for a block. */
  get #full(): boolean {
    const { maxBlockEvents, maxBlockBytes } = this.#env.options.limits;
    const most = Math.min(maxBlockEvents - 1, this.#epochs?.capacity ?? maxBlockEvents);
    return this.#queue.length >= most || this.#queue.bytes >= maxBlockBytes;
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
    const opening = isBare(items[0]) ? this.#epochs?.opening : undefined;
    const lead = opening === undefined ? 0 : 1;
    const prepared = this.#build(tiles, items, opening);
    if (prepared.ok) {
      this.#linger.cut(items.length);
      this.#prepared.push({ append: prepared.value, items, lead });
      return;
    }
    // One unfit event must not cost its neighbours: they try again without it.
    const wrong = prepared.error.place?.index;
    const culprit = wrong === undefined ? undefined : items[wrong - lead];
    const alone = culprit === undefined || items.length === 1;
    for (const item of alone ? items : [culprit]) this.settle(item, err(prepared.error));
    if (alone) return;
    this.#queue.putBack(items.filter((item) => item !== culprit));
    this.#prepare(tiles);
  }

  /** Takes from the queue what fits one block. */
  #cut(): readonly Pending[] {
    const { maxBlockEvents, maxBlockBytes } = this.#env.options.limits;
    const sealed = this.#epochs !== undefined && isBare(this.#queue.first);
    const most = Math.max(1, maxBlockEvents - (this.#epochs?.opening === undefined ? 1 : 2));
    const items = this.#queue.take({
      maxEvents: sealed ? Math.min(most, this.#epochs.room) : most,
      maxBytes: maxBlockBytes,
      sizeOf: (item) => draftBytes(draftOf(item), sealed),
    });
    if (this.#queue.length > 0) this.#linger.start(() => this.#kick());
    return items;
  }

  #build(
    tiles: LogTiles,
    items: readonly Pending[],
    opening: EpochOpening | undefined,
  ): Result<Append> {
    const { crypto, judges, host } = this.#env.options;
    const state = this.#handle.tip?.state;
    const { standing, reason } = this.#handle.row;
    if (standing !== 'open') return err(reason ?? fault('log-waiting', `the log is ${standing}`));
    const signer = this.signerFor(state);
    if (state === undefined || signer === undefined) return err(keyElsewhere());
    const time = recordedTime(this.#env, state);
    if (!time.ok) return time;
    const drafts = items.flatMap((item) => this.#draft(item, state, signer));
    if (opening !== undefined) drafts.unshift({ kind: 'control', map: controlMap(opening) });
    const events = items.filter(({ kind }) => kind === 'event').length;
    const options = {
      time: time.value,
      seed: host.random.bytes(32),
      lowest: asLogIndex(Math.max(state.lowest, this.#handle.offerFrom)),
      seal: events > 0 ? this.#epochs?.seal(drafts.length) : undefined,
    };
    const built = buildBlock({ crypto, judges }, state, signer, drafts, options);
    if (!built.ok) return built;
    if (isBare(items[0])) this.#epochs?.built(time.value, opening !== undefined, events);
    const keys = (position: number): PendingEvent => {
      const item = items[position - (opening === undefined ? 0 : 1)];
      if (item?.kind !== 'event') throw new RangeError('not an event');
      return item;
    };
    return ok(prepareAppend(this.#env, this.#handle, tiles, built.value, keys));
  }

  /** None for a block that has only its seal. */
  #draft(item: Pending, state: LogState, signer: Signer): Draft[] {
    if (item.kind === 'event') return [draftOf(item)];
    if (item.map !== undefined) {
      this.#epochs?.control(item.map);
      return [{ kind: 'control', map: item.map }];
    }
    if (item.rotateTo === undefined) return [];
    const rotation = makeRotation(state.log, asLogIndex(state.size), signer, item.rotateTo);
    return [{ kind: 'control', map: controlMap(rotation) }];
  }

  async #write(group: readonly Prepared[]): Promise<void> {
    const durable = await this.#makeDurable(group);
    this.#writing = undefined;
    if (durable.ok) for (const prepared of group) this.#stored(prepared);
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

  #stored({ append, items, lead }: Prepared): void {
    if (this.#tiles === undefined) this.#handle.reset(this.#handle.row, append.head);
    else this.#handle.stored = append.head;
    this.#env.recent.add(this.#handle.row.number, append.block.block.firstIndex, append.record);
    this.#tiles?.written(append.tiles);
    this.#dedupe.committed(append.head.slices, append.idKeys);
    const { counters } = this.#env;
    counters.publishedBlocks += 1;
    counters.publishedEvents += append.idKeys.length;
    this.#acknowledge(append, items, lead);
    this.#env.announce(appended(this.#handle, append.block, true));
  }

  #acknowledge(append: Append, items: readonly Pending[], lead: number): void {
    const { state } = append.head;
    const { leafHashes, block } = append.block;
    for (const [i, item] of items.entries()) {
      const at = lead + i;
      const receipt: Receipt = {
        log: this.#handle.logId,
        index: asLogIndex(block.firstIndex + at),
        leafHash: asHash(leafHashes.slice(32 * at, 32 * at + 32)),
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
    this.#linger[Symbol.dispose]();
    const built = this.#prepared.flatMap((prepared) => prepared.items);
    this.#prepared = [];
    for (const item of [...built, ...this.#queue.drain()]) this.settle(item, err(reason));
  }

  /** What waits gets the failure; what comes is taken and tries again. */
  #refuse(reason: Fault): void {
    this.#linger[Symbol.dispose]();
    for (const item of this.#queue.drain()) this.settle(item, err(reason));
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

/** Not a control entry, which may have to be alone in its block. */
function isBare(item: Pending | undefined): boolean {
  return item?.kind !== 'control' || (item.map ?? item.rotateTo) === undefined;
}
