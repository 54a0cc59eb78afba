/**
 * Takes in blocks of one log from others (ledger.md "Applying"). A block is judged at once against
 * the tip, so the next one can be judged while its batch is being written; batches are written in
 * order, several blocks together when they come fast. Not synced: a follower can fetch again what a
 * power cut costs it, and the ledger flushes every second. An own log that is behind its guard is
 * filled in the same way, synced.
 */
import { equal } from '../bytes.ts';
import { fault, HeadwaterError, type Fault } from '../errors.ts';
import { logIdFromHash } from '../ids.ts';
import { ok, type Result } from '../result.ts';
import { asLogIndex } from '../types.ts';
import { appended, keysOf, prepareAppend, type Append, type EventKeys } from './append-batch.ts';
import type { DecodedBlock, VerifiedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { isStored, isWhole, leadsToEnd, leaveHistory, refuseWhenClosed } from './closing.ts';
import { unknownLog } from './create-log.ts';
import { judgeOld, judgeOther, rowWrite } from './fork-check.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { ApplyOutcome } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import { keepBeyondEnd, refuseBeyondEnd } from './log-ends.ts';
import type { LogTiles } from './log-tiles.ts';
import { checkGuard } from './open-log.ts';
import { indexSealed } from './index-sealed.ts';
import type { StoreHealth } from './store-health.ts';
import type { StoreWrite } from './store.ts';
import { blockVerdict } from './verdict.ts';
import { checkSelfConsistent, verifyDecoded } from './verify-block.ts';

/** Blocks written in one batch. */
const maxGroup = 8;

/** Why an own log may lack blocks that others have. */
const lostCodes: ReadonlySet<string> = new Set(['store-behind-guard', 'head-unconfirmed']);

interface Waiting {
  readonly append: Append;
  readonly done: (outcome: ApplyOutcome) => void;
}

/** Judges wire bytes of any log; `replicaOf` gives the one that keeps it. Never throws. */
export async function applyWire(
  env: LedgerEnv,
  wire: Uint8Array,
  via: 'gossip' | 'sync',
  replicaOf: (handle: LogHandle) => Replica,
): Promise<ApplyOutcome> {
  const block = decodeBlock(wire, { reduced: via === 'sync' });
  if (!block.ok) return { verdict: blockVerdict(block.error) };
  const logId = logIdFromHash(block.value.log);
  const handle = env.logs.get(logId);
  if (handle === undefined || handle.row.role === 'unfollowed') {
    return { verdict: { kind: 'ignore', reason: unknownLog(logId) }, logId };
  }
  try {
    return await replicaOf(handle).apply(block.value, via);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const known = cause instanceof HeadwaterError ? cause.fault : undefined;
    const reason = known ?? fault('internal', `applying a block: ${text}`);
    return { verdict: { kind: 'ignore', reason }, logId };
  }
}

export class Replica {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  readonly #health: StoreHealth;
  #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** Resolves when the group that is being written has been, or has failed. */
  #progress: PromiseWithResolvers<void> = Promise.withResolvers();

  /** Number of the first block that was taken in. */
  #taken: number | undefined;
  /** The last of those who wait for room in the queue; new ones go behind it. */
  #line: Promise<void> | undefined;
  readonly #caughtUp: () => void;

  /** `caughtUp` is called when an own log that was behind its guard is open again. */
  constructor(env: LedgerEnv, handle: LogHandle, health: StoreHealth, caughtUp: () => void) {
    this.#caughtUp = caughtUp;
    this.#env = env;
    this.#handle = handle;
    this.#health = health;
  }

  /** Judges a decoded block of this log and stores it if it is next. */
  async apply(block: DecodedBlock, via: 'gossip' | 'sync'): Promise<ApplyOutcome> {
    const handle = this.#handle;
    if (this.#line !== undefined || this.#isFull) await this.#waitForRoom();
    const tiles = handle.loaded === undefined ? await handle.tiles(this.#env) : ok(handle.loaded);
    const beyond = refuseBeyondEnd(this.#env, handle, block);
    if (beyond !== undefined) {
      await keepBeyondEnd(this.#env, handle, block);
      return this.#ignore(beyond);
    }
    const closed = this.#refusal() ?? refuseWhenClosed(handle, via);
    if (closed !== undefined) return this.#ignore(closed);
    if (!tiles.ok) return this.#ignore(tiles.error);
    const size = handle.tip?.state.size ?? 0;
    if (handle.row.role === 'writer' && block.firstIndex >= size && !this.#takesNext()) {
      // If it is signed by our key we have lost it.
      await this.#env.unconfirmed.report(handle.logId, block.checkpoint);
    }
    if (block.firstIndex > size) return this.#ahead(block, via, size);
    if (block.firstIndex < size) {
      // It, or another one for its place, is being written: then it can be compared.
      while (block.firstIndex >= handle.size && this.#writing !== undefined) {
        await this.#progress.promise;
      }
      const leaves = handle.closing !== undefined && !(await isStored(this.#env, handle, block));
      if (leaves) return this.#leave();
      return { verdict: await judgeOld(this.#env, handle, block), logId: handle.logId };
    }
    const other = this.#isOther(block);
    if (handle.closing !== undefined && (other || !leadsToEnd(handle, block))) return this.#leave();
    if (!this.#takesNext() && !other) {
      return this.#ignore(fault('log-read-only', 'this home writes the log itself'));
    }
    return other ? this.#otherHistory(block) : this.#next(block, via, tiles.value);
  }

  get #isFull(): boolean {
    return this.#queue.length >= this.#env.options.limits.maxUnwrittenBlocks;
  }

  /** First come, first served: a block that overtakes another one looks like a gap. */
  async #waitForRoom(): Promise<void> {
    const before = this.#line;
    const turn = (async (): Promise<void> => {
      await before;
      while (this.#isFull) await this.#progress.promise;
    })();
    this.#line = turn;
    await turn;
    if (this.#line === turn) this.#line = undefined;
  }

  /** Waits until everything that was judged is written. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  #refusal(): Fault | undefined {
    const { standing, reason } = this.#handle.row;
    if (standing === 'frozen') return fault('log-frozen', reason?.message ?? 'two histories');
    if (standing === 'damaged') return reason ?? fault('log-damaged', 'the stored tail is damaged');
    if (standing === 'closed' && isWhole(this.#handle)) {
      return fault('log-closed', 'a successor goes on');
    }
    return this.#env.storeFailure;
  }

  /** Blocks of an own log come from others only where the store lost them. */
  #takesNext(): boolean {
    const { role, reason } = this.#handle.row;
    if (this.#handle.closing !== undefined) return true;
    return role === 'replica' || lostCodes.has(reason?.code ?? '');
  }

  #ignore(reason: Fault): ApplyOutcome {
    return { verdict: { kind: 'ignore', reason }, logId: this.#handle.logId };
  }

  /** Passed on to others if it is sound by itself; the caller keeps it and fills the gap. */
  #ahead(block: DecodedBlock, via: 'gossip' | 'sync', size: number): ApplyOutcome {
    const { logId, tip } = this.#handle;
    const gap = { logId, gapFrom: asLogIndex(size) };
    const reason = fault('block-ahead', `the block begins at ${block.firstIndex}, we have ${size}`);
    const late = via === 'gossip' ? this.#clockAhead(block.entries.at(-1)?.time ?? 0) : undefined;
    if (tip === undefined || late !== undefined) {
      return { ...gap, verdict: { kind: 'ignore', reason: late ?? reason } };
    }
    const { crypto } = this.#env.options;
    const sound = checkSelfConsistent(crypto, tip.state, tip.state.writerKey, block);
    if (sound.ok) return { ...gap, verdict: { kind: 'accept' } };
    const verdict = blockVerdict(sound.error);
    // The key may have been passed on within the gap, so its word cannot be judged yet.
    const keyed = sound.error.code === 'checkpoint-key-id';
    return { ...gap, verdict: keyed ? { kind: 'ignore', reason } : verdict };
  }

  #clockAhead(time: number): Fault | undefined {
    const { host, limits } = this.#env.options;
    const ahead = time - host.clock.now();
    if (ahead <= limits.maxClockSkewMs) return undefined;
    return fault('clock-ahead', `the block was recorded ${Math.round(ahead / 1000)} s ahead of us`);
  }

  async #next(block: DecodedBlock, via: 'gossip' | 'sync', tiles: LogTiles): Promise<ApplyOutcome> {
    const handle = this.#handle;
    const { crypto, judges } = this.#env.options;
    const late = this.#clockAhead(block.entries.at(-1)?.time ?? 0);
    if (late !== undefined && via === 'gossip') return this.#ignore(late);
    const verified = verifyDecoded({ crypto, judges }, handle.tip?.state ?? handle, block);
    if (!verified.ok) return { verdict: blockVerdict(verified.error), logId: handle.logId };
    return this.#enqueue(verified.value, tiles, late !== undefined);
  }

  /** What is being written first, or it would be behind the new head. */
  async #leave(): Promise<ApplyOutcome> {
    return this.#ignore(await leaveHistory(this.#env, this.#handle, () => this.settled()));
  }

  /** It begins where ours end, but on another tree. */
  #isOther({ frontier }: DecodedBlock): boolean {
    const ours = this.#handle.tip?.state.frontier;
    if (ours === undefined || ours.length !== frontier.length) return false;
    return ours.some((hash, i) => !equal(hash, frontier[i] ?? hash));
  }

  /** Our head has to be stored before it can be shown against the other one. */
  async #otherHistory(block: DecodedBlock): Promise<ApplyOutcome> {
    while (block.firstIndex > this.#handle.size && this.#writing !== undefined) {
      await this.#progress.promise;
    }
    const verdict = await judgeOther(this.#env, this.#handle, block);
    return { verdict, logId: this.#handle.logId };
  }

  #enqueue(block: VerifiedBlock, tiles: LogTiles, clockAhead: boolean): Promise<ApplyOutcome> {
    const env = this.#env;
    const handle = this.#handle;
    const own = handle.row.role === 'writer';
    const append = prepareAppend(env, handle, tiles, block, (_, event): EventKeys => {
      const keys = keysOf(env, event);
      return own ? { ...keys, contentHash: env.ids.contentHash(event) } : keys;
    });
    if (clockAhead && !handle.row.clockAhead) handle.row = { ...handle.row, clockAhead };
    const { promise, resolve } = Promise.withResolvers<ApplyOutcome>();
    this.#queue.push({ append, done: resolve });
    this.#writing ??= this.#drain();
    return promise;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, maxGroup);
      const written = await this.#write(group.map((one) => one.append));
      if (written.ok) await this.#stored(group);
      else this.#failed([...group, ...this.#queue.splice(0)], written.error);
      this.#progress.resolve();
      this.#progress = Promise.withResolvers();
    }
    this.#writing = undefined;
  }

  async #write(appends: readonly Append[]): Promise<Result<void>> {
    const { store } = this.#env.options;
    const own = this.#handle.row.role === 'writer';
    const writes: StoreWrite[] = appends.flatMap((append) => append.writes);
    if (this.#handle.row.clockAhead) writes.push(rowWrite(this.#handle));
    const written = await store.batch(writes, { sync: own });
    // Only now: a flush that came meanwhile may have gone before it.
    this.#env.unsynced ||= !own;
    return written;
  }

  async #stored(group: readonly Waiting[]): Promise<void> {
    const handle = this.#handle;
    const { counters } = this.#env;
    for (const { append, done } of group) {
      handle.stored = append.head;
      this.#taken ??= append.number;
      this.#env.recent.add(handle.row.number, append.block.block.firstIndex, append.record);
      handle.loaded?.written(append.tiles);
      counters.appliedBlocks += 1;
      counters.appliedEvents += append.idKeys.length;
      done({ verdict: { kind: 'accept' }, logId: handle.logId, applied: true });
      this.#env.announce(appended(handle, append.block, false));
    }
    // An own log has caught up with its guard, or not: the same check as at the start.
    if (handle.row.role !== 'writer' || handle.closing !== undefined) return;
    const held = await checkGuard(this.#env, handle);
    if (held === undefined) await indexSealed(this.#env, handle, this.#taken ?? 0);
    handle.setStanding(held === undefined ? 'open' : 'waiting', held);
    if (held === undefined) this.#caughtUp();
  }

  #failed(group: readonly Waiting[], reason: Fault): void {
    for (const { done } of group) done(this.#ignore(reason));
    this.#health.failed(this.#handle, reason);
  }
}
