/**
 * The key epochs of an own sealed log while it is written: with what the next block is sealed, and
 * whether it opens an epoch first. What must be known stands in the log (epochs, policy) and in the
 * home (keys); the count of the open epoch's events is made again from the log when it is loaded.
 *
 *   block that opens an epoch   epoch control · events … · seal
 *
 * Loading and the key of the next epoch take time: until they are there the writer builds nothing.
 */
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type TimeMs } from '../types.ts';
import type { EpochOpening } from './control.ts';
import { controlsOf } from './controls.ts';
import { defaultEpochs, epochPolicyOf, type EpochPolicy } from './epoch-policy.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import type { LogState } from './log-state.ts';
import type { CborMap } from '../cbor.ts';
import { blockNumberAt } from './read-block.ts';
import type { BlockSeal } from './seal-entry.ts';
import type { EpochKey, NextEpoch } from './sealing.ts';

/** The epoch that is open at the tip. */
interface OpenEpoch {
  readonly epoch: number;
  readonly since: TimeMs;
  events: number;
  /** Undefined where it was shredded, or is not in this home. */
  readonly key: Uint8Array | undefined;
}

type Ready = NextEpoch & EpochKey;

/** For one block. */
interface Plan {
  readonly opening: EpochOpening | undefined;
  readonly epoch: number;
  readonly key: Uint8Array;
  /** Events that the epoch has room for. */
  readonly room: number;
}

export class WriterEpochs {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  #loaded = false;
  #policy: EpochPolicy = defaultEpochs;
  #open: OpenEpoch | undefined;
  #next: Ready | undefined;
  #plan: Plan | undefined;
  #working: Promise<void> | undefined;
  /** How often it was reset: what was begun before that does not count. */
  #resets = 0;
  /** The next epoch opens with the next block, whatever the policy says. */
  #wanted: 'epoch' | 'generation' | undefined;

  constructor(env: LedgerEnv, handle: LogHandle) {
    this.#env = env;
    this.#handle = handle;
  }

  /** Opens the next epoch with the next block: of the same generation, or of a new one. */
  want(what: 'epoch' | 'generation'): void {
    if (this.#wanted !== 'generation') this.#wanted = what;
  }

  /**
   * True where a block can be built now. Else what is missing is fetched, and then `again` is called,
   * or `failed` with what those who wait are to be told.
   */
  ready(again: () => void, failed: (reason: Fault) => void): boolean {
    const state = this.#handle.tip?.state;
    if (state === undefined || this.#working !== undefined) return false;
    this.#plan = this.#loaded ? this.#planFor(state) : undefined;
    if (this.#plan !== undefined) return true;
    this.#working = this.#work(state, again, failed);
    return false;
  }

  async #work(state: LogState, again: () => void, failed: (reason: Fault) => void): Promise<void> {
    const fetched = await this.#fetch(state);
    this.#working = undefined;
    if (fetched.ok) again();
    else failed(fetched.error);
  }

  /** Resolves when nothing is being fetched. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /** Events of the next block at most. */
  get room(): number {
    return this.#plan?.room ?? 0;
  }

  /** So many events fill the epoch in which the next one is sealed, as far as it is known. */
  get capacity(): number {
    const { everyEvents = Number.MAX_SAFE_INTEGER } = this.#policy;
    const left = everyEvents - (this.#open?.events ?? 0);
    return left > 0 ? left : everyEvents;
  }

  /** The control entry that the next block begins with. */
  get opening(): EpochOpening | undefined {
    return this.#plan?.opening;
  }

  /** For so many drafts; the salts are fresh. Only after `ready`. */
  seal(drafts: number): BlockSeal {
    const { sealing, host } = this.#env.options;
    if (this.#plan === undefined || sealing === undefined) throw new RangeError('not ready');
    const { epoch, key } = this.#plan;
    return { cipher: sealing.cipher, epoch, key, salts: host.random.bytes(64 * drafts) };
  }

  /** A block was built by the plan. */
  built(time: TimeMs, opened: boolean, events: number): void {
    const plan = this.#plan;
    if (opened && plan !== undefined) {
      this.#open = { epoch: plan.epoch, since: time, events: 0, key: plan.key };
      this.#next = undefined;
      this.#wanted = undefined;
    }
    if (this.#open !== undefined) this.#open.events += events;
    this.#plan = undefined;
  }

  /** A control entry of the writer's own was built. */
  control(map: CborMap): void {
    this.#policy = epochPolicyOf(map) ?? this.#policy;
  }

  /** The log is loaded anew. */
  reset(): void {
    this.#resets += 1;
    this.#loaded = false;
    this.#open = undefined;
    this.#next = undefined;
    this.#plan = undefined;
  }

  #planFor(state: LogState): Plan | undefined {
    const open = this.#open;
    const { everyEvents = Number.MAX_SAFE_INTEGER } = this.#policy;
    if (open?.key !== undefined && !this.#isDue(open)) {
      return {
        opening: undefined,
        epoch: open.epoch,
        key: open.key,
        room: everyEvents - open.events,
      };
    }
    const next = this.#next;
    const { epoch, generation } = this.#following(state);
    if (next?.epoch !== epoch || next.generation !== generation) return undefined;
    const opening: EpochOpening = { type: 'epoch', epoch, generation, check: next.check };
    return { opening, epoch, key: next.key, room: everyEvents };
  }

  #isDue({ since, events }: OpenEpoch): boolean {
    if (this.#wanted !== undefined) return true;
    const { everyMs, everyEvents } = this.#policy;
    if (everyEvents !== undefined && events >= everyEvents) return true;
    return everyMs !== undefined && this.#env.options.host.clock.now() - since >= everyMs;
  }

  #following({ epoch, generation }: LogState): NextEpoch {
    if (epoch === undefined || generation === undefined) {
      return { epoch: 0, generation: 0, begins: true };
    }
    const begins = this.#wanted === 'generation';
    return { epoch: epoch + 1, generation: begins ? generation + 1 : generation, begins };
  }

  async #fetch(state: LogState): Promise<Result<void>> {
    const { sealing } = this.#env.options;
    if (sealing === undefined) {
      return err(fault('epoch-keys-missing', 'this home was opened without its epoch keys'));
    }
    if (!this.#loaded) return this.#load(state);
    const following = this.#following(state);
    const next = await sealing.next(this.#handle.logId, following);
    if (!next.ok) return next;
    this.#next = { ...following, ...next.value };
    return ok(undefined);
  }

  /** What is open at the tip, which is stored: nothing is being written while a log is loaded. */
  async #load(state: LogState): Promise<Result<void>> {
    const { epochs } = this.#env;
    const resets = this.#resets;
    const { logId } = this.#handle;
    const opened = await epochs.of(logId);
    const policy = await epochs.policy(logId);
    if (!opened.ok) return opened;
    if (!policy.ok) return policy;
    const last = opened.value.at(-1);
    if (last?.epoch !== state.epoch) {
      return err(fault('store-corrupt', 'the control entries name another epoch than the head'));
    }
    let open: OpenEpoch | undefined;
    if (last !== undefined) {
      const events = await this.#eventsSince(state, last.index);
      if (!events.ok) return events;
      // A copy: the keeper of keys wipes its own when it forgets it.
      const key = this.#env.options.sealing?.keyFor(logId, last)?.slice();
      open = { epoch: last.epoch, since: last.time, events: events.value, key };
    }
    if (resets !== this.#resets) return ok(undefined);
    this.#policy = policy.value;
    this.#open = open;
    this.#loaded = true;
    return ok(undefined);
  }

  /** Entries behind an index that are neither seals nor control entries. */
  async #eventsSince(state: LogState, index: number): Promise<Result<number>> {
    const number = await blockNumberAt(this.#env, this.#handle, asLogIndex(index));
    if (!number.ok) return number;
    const controls = await controlsOf(this.#env, this.#handle, index + 1);
    if (!controls.ok) return controls;
    const seals = state.blocks - number.value;
    return ok(state.size - index - 1 - seals - controls.value.length);
  }
}
