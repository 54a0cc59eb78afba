/**
 * Forgetting by rule (ledger.md "Retention and forgetting"). What may go is always in the log first:
 * a policy in its genesis or in a control entry, the lowest index that is still offered in its
 * seals, a redaction in a control entry. From there on writer and followers do the same
 * (forgetting.ts):
 *
 *   control entries   redact: the body, its salts and its hashes go, and the files are rewritten
 *   newest seal       bodies below its lowest index go
 *   compact           bodies go of whose subject there is a later event
 *
 * The writer beside that works out the lowest index by age, bytes or a given index and puts it into
 * its next seal; a quiet log gets a block with only a seal. Logs are looked at one after the other.
 */
import { readUint32 } from '../bytes.ts';
import type { CborMap } from '../cbor.ts';
import { fault, type Fault } from '../errors.ts';
import { keyspace, prefixRange } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogId, type LogIndex } from '../types.ts';
import { controlsOf } from './controls.ts';
import { unknownLog } from './create-log.ts';
import { eachRow } from './each-row.ts';
import { blockRange, Forgetting, type BlockSpan } from './forgetting.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { AppendedBlock, Receipt } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import { batchAt } from './replay.ts';
import {
  checkPolicy,
  retentionControl,
  samePolicy,
  type RetentionPolicy,
} from './retention-policy.ts';
import { decodeRetentionRow } from './retention-row.ts';
import { movesLowest, RetentionTarget } from './retention-target.ts';
import type { StoreRange } from './store.ts';

const blocksFreedAtOnce = 1024;

/** How the ledger appends for us: also where the operator paused the log. */
export interface RetentionWriter {
  /** A control entry, or without a map a block with only a seal. */
  append(logId: LogId, map: CborMap | undefined): Promise<Result<Receipt>>;
}

export interface Redaction {
  readonly log: LogId;
  readonly index: LogIndex;
  /** Where the log says it. */
  readonly entry: LogIndex;
  /** It was redacted before: nothing was appended. */
  readonly already: boolean;
}

export class Retention implements AsyncDisposable {
  readonly #env: LedgerEnv;
  readonly #writer: RetentionWriter;
  readonly #forgetting: Forgetting;
  readonly #targets = new WeakMap<LogHandle, RetentionTarget>();
  readonly #waiting = new Set<LogHandle>();
  /** Rewritten once more at the next look at everything: a reader may have held the old bytes. */
  #again: Pick<StoreRange, 'gte' | 'lt'>[] = [];
  #line: Promise<unknown> = Promise.resolve();
  #started: DisposableStack | undefined;
  #closed = false;
  /** The last thing that could not be done; undefined once a look finds nothing wrong. */
  problem: Fault | undefined;

  constructor(env: LedgerEnv, writer: RetentionWriter) {
    this.#env = env;
    this.#writer = writer;
    this.#forgetting = new Forgetting(env);
  }

  /**
   * From here on logs are looked at by themselves: now, at intervals, and when a block says so. A
   * ledger that is only read never starts it.
   */
  start(): void {
    if (this.#started !== undefined || this.#closed) return;
    const { host, limits } = this.#env.options;
    const stack = new DisposableStack();
    stack.use(this.#env.listen((block) => this.#appended(block)));
    stack.use(host.timers.every(limits.retentionIntervalMs, () => this.#lookAtAll()));
    this.#started = stack;
    this.#lookAtAll();
  }

  /** Looks at all logs, or at one, and resolves when what is due is done: the first fault. */
  run(logId?: LogId): Promise<Result<void>> {
    const handles = [...this.#env.logs.values()].filter(
      (handle) => logId === undefined || handle.logId === logId,
    );
    return this.#alone(() => this.#lookAt(handles));
  }

  /** Waits for what is under way; a log that was unfollowed is left alone from then on. */
  async settled(): Promise<void> {
    await this.#line;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#started?.[Symbol.dispose]();
    await this.#line;
  }

  /**
   * Puts a policy in force in an own log; undefined where it is in force. Resolves when the log says
   * so, dropping follows. Codes: log-unknown, redact-denied (not written here), retention-policy,
   * those of `publish`.
   */
  async setPolicy(logId: LogId, policy: RetentionPolicy): Promise<Result<Receipt | undefined>> {
    const handle = this.#own(logId);
    if (!handle.ok) return handle;
    const checked = checkPolicy(policy);
    if (!checked.ok) return checked;
    if (policy.compact === true && handle.value.stored?.state.genesis.visibility === 'sealed') {
      return err(sealedCompact());
    }
    // What is in force is known once all control entries were looked at.
    const looked = await this.#alone(() => this.#controls(handle.value));
    if (!looked.ok) return looked;
    if (samePolicy(handle.value.retention, policy)) return ok(undefined);
    const told = await this.#writer.append(logId, retentionControl(policy));
    if (!told.ok) return told;
    const known = await this.#alone(() => this.#controls(handle.value));
    this.#wake(handle.value);
    return known.ok ? told : known;
  }

  /**
   * Redacts one event of an own log: the log names it and why, then its content is gone here, from
   * memory and disk. Codes: log-unknown, redact-denied, index-over-head, event-unknown (a seal or a
   * control entry), redact-fields (the reason), those of `publish` and of the store.
   */
  async redact(logId: LogId, index: LogIndex, reason: string): Promise<Result<Redaction>> {
    const handle = this.#own(logId);
    if (!handle.ok) return handle;
    const { maxReasonLength } = this.#env.options.limits;
    if (reason.trim() === '' || reason.length > maxReasonLength) {
      return err(fault('redact-fields', `a reason has 1 to ${maxReasonLength} characters`));
    }
    const batch = await batchAt(this.#env, handle.value, index);
    if (!batch.ok) return batch;
    const kind = batch.value.kind(index);
    if (kind === 'seal' || kind === 'control') {
      return err(fault('event-unknown', `entry ${index} is a ${kind} and no event`, { index }));
    }
    const controls = await controlsOf(this.#env, handle.value);
    if (!controls.ok) return controls;
    const earlier = controls.value.find((one) => redactedBy(one.map) === index);
    const map = { type: 'redact', index, reason };
    const told = earlier === undefined ? await this.#writer.append(logId, map) : ok(earlier);
    if (!told.ok) return told;
    const done = await this.#alone(() => this.#controls(handle.value));
    if (!done.ok) return done;
    const entry = asLogIndex(told.value.index);
    return ok({ log: logId, index, entry, already: earlier !== undefined });
  }

  #own(logId: LogId): Result<LogHandle> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    if (handle.row.role === 'writer') return ok(handle);
    return err(fault('redact-denied', 'the log is written by its owner, not here'));
  }

  /** For each block, so nothing but a look: is there anything to do? */
  #appended(block: AppendedBlock): void {
    const handle = this.#env.logs.get(block.logId);
    if (handle === undefined) return;
    this.#targets.get(handle)?.appended(block);
    const lowest = handle.stored?.state.lowest ?? 0;
    if (block.controls || lowest > handle.kept.dropped) this.#wake(handle);
  }

  /** Many blocks may say so before the log has its turn. */
  #wake(handle: LogHandle): void {
    if (this.#started === undefined || this.#waiting.has(handle)) return;
    this.#waiting.add(handle);
    void this.#alone(() => {
      this.#waiting.delete(handle);
      return this.#lookAt([handle]);
    });
  }

  #lookAtAll(): void {
    void this.#alone(async () => {
      const again = this.#again.splice(0);
      const done = await this.#lookAt([...this.#env.logs.values()]);
      if (done.ok) this.problem = undefined;
      for (const range of again) if (!this.#closed) await this.#env.options.store.compact(range);
    });
  }

  #alone<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#line.then(run);
    this.#line = mine.catch(() => undefined);
    return mine;
  }

  async #lookAt(handles: readonly LogHandle[]): Promise<Result<void>> {
    let first: Fault | undefined;
    for (const handle of handles) {
      if (!this.#isActive(handle)) continue;
      const done = await this.#look(handle);
      if (done.ok || this.#closed) continue;
      first ??= done.error;
      this.#env.counters.retentionFailures += 1;
      this.problem = done.error;
    }
    return first === undefined ? ok(undefined) : err(first);
  }

  #isActive({ row, stored }: LogHandle): boolean {
    const kept = row.role !== 'unfollowed' && row.standing !== 'damaged';
    return !this.#closed && kept && stored !== undefined;
  }

  /**
   * Everything that is due in one log. Of a log with two histories nothing is dropped any more, both
   * are evidence; what its control entries redacted goes all the same.
   */
  async #look(handle: LogHandle): Promise<Result<void>> {
    const go = (): boolean => this.#isActive(handle);
    const told = await this.#controls(handle);
    if (!told.ok || handle.row.standing === 'frozen') return told;
    const moved = await this.#advance(handle);
    if (!moved.ok) return moved;
    const done = await this.#forgetting.drop(handle, go);
    if (!done.ok) return done;
    const sealed = handle.stored?.state.genesis.visibility === 'sealed';
    const compact = handle.retention.compact === true && !sealed;
    const pushed = compact ? await this.#forgetting.subjects(handle, go) : ok(undefined);
    if (!pushed.ok) return pushed;
    const { dropped } = handle.kept;
    const unfreed = await this.#forgetting.unfreed(handle);
    if (!unfreed.ok) return unfreed;
    for (const span of [unfreed.value, pushed.value]) {
      const freed = span === undefined ? ok(undefined) : await this.#free(handle, span);
      if (!freed.ok) return freed;
    }
    if (unfreed.value === undefined || !go()) return ok(undefined);
    return this.#forgetting.keep(handle, { ...handle.kept, freed: dropped });
  }

  /** Rewrites the files of blocks that are smaller now, in pieces: a node that stops waits for one. */
  async #free(handle: LogHandle, { first, end }: BlockSpan): Promise<Result<void>> {
    const log = handle.row.number;
    for (let from = first; from < end && this.#isActive(handle); from += blocksFreedAtOnce) {
      const range = blockRange(log, from, Math.min(end, from + blocksFreedAtOnce));
      const freed = await this.#env.options.store.compact(range);
      if (!freed.ok) return freed;
    }
    return ok(undefined);
  }

  async #controls(handle: LogHandle): Promise<Result<void>> {
    const { size } = handle;
    if (handle.lookedAt === size) return ok(undefined);
    const ranges = await this.#forgetting.controls(handle);
    if (!ranges.ok) return ranges;
    this.#again.push(...ranges.value);
    handle.lookedAt = size;
    return ok(undefined);
  }

  /** Moves the lowest index of an own log: with the next seal, or by one of its own. */
  async #advance(handle: LogHandle): Promise<Result<void>> {
    const { role, standing } = handle.row;
    if (role !== 'writer' || standing !== 'open' || !movesLowest(handle.retention)) {
      return ok(undefined);
    }
    const target = this.#targets.get(handle) ?? new RetentionTarget(this.#env, handle);
    this.#targets.set(handle, target);
    const wanted = await target.lowest();
    if (!wanted.ok) return wanted;
    const counted = target.counted();
    if (counted !== undefined && counted.counted !== handle.kept.counted) {
      const kept = await this.#forgetting.keep(handle, { ...handle.kept, ...counted });
      if (!kept.ok) return kept;
    }
    const before = handle.stored?.state.lowest ?? 0;
    if (wanted.value <= before) return ok(undefined);
    handle.offerFrom = Math.max(handle.offerFrom, wanted.value);
    const due = await target.hasBodies(before, wanted.value);
    if (!due.ok || !due.value) return due.ok ? ok(undefined) : due;
    // A log that is written to says it by itself in a moment.
    const { host, limits } = this.#env.options;
    await host.timers.sleep(2 * limits.maxLingerMs);
    if ((handle.stored?.state.lowest ?? 0) >= wanted.value || this.#closed) return ok(undefined);
    const sealed = await this.#writer.append(handle.logId, undefined);
    return sealed.ok ? ok(undefined) : sealed;
  }
}

/** Followers of a sealed log cannot see its subjects, so they could not do the same. */
export function sealedCompact(): Fault {
  return fault('retention-policy', 'subjects of a sealed stream are hidden: it is not compacted');
}

function redactedBy(map: CborMap): unknown {
  return map['type'] === 'redact' ? map['index'] : undefined;
}

/** Reads how far each log has come, when the logs are opened. Codes: those of the store. */
export async function loadRetention(
  env: LedgerEnv,
  handles: readonly LogHandle[],
): Promise<Result<void>> {
  const byNumber = new Map(handles.map((handle) => [handle.row.number, handle]));
  const rows = prefixRange(Uint8Array.of(keyspace.retention.prefix));
  return eachRow(env.options.store, rows, 1000, ({ key, value }) => {
    const handle = key.length === 5 ? byNumber.get(readUint32(key, 1)) : undefined;
    const row = decodeRetentionRow(value);
    if (handle !== undefined && row !== undefined) handle.kept = row;
  });
}
