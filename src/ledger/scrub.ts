/**
 * The background scrub (ledger.md "Applying"): walks everything that is stored, log after log, round
 * and round, at a bounded rate, and repairs what it finds. Its place is kept, so a restart goes on
 * where it was. A log that opened as `damaged`, and blocks that nobody could give yet, are looked at
 * first and again and again. It only reads and mends: a store that fails makes it wait.
 *
 * Row `scrub` of the table meta: dag-cbor [1, rounds, logId 32 or null, next block]
 */
import { equal, utf8 } from '../bytes.ts';
import { CborReader, CborWriter } from '../cbor.ts';
import { fault, type Fault } from '../errors.ts';
import { keyOf, keyspace } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId, TimeMs } from '../types.ts';
import { unknownLog } from './create-log.ts';
import { Findings, type Finding } from './findings.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { LogMender, type MendHooks, type MendOptions } from './mend.ts';
import type { RepairSource } from './repair.ts';

/** What a block costs beside its entries, in entries: its signature, reads, look-ups. */
const blockEntries = 32;
/** The place is written after so many blocks. */
const keepEvery = 64;
/** A damaged log's newest blocks are looked at first: those are what opening objected to. */
const tailBlocks = 64;

const placeKey = keyOf(keyspace.meta, utf8('scrub'));

export interface ScrubOptions {
  /** False: damage is found and told, and nothing is written. */
  readonly repair: boolean;
  readonly source?: RepairSource | undefined;
  /** Called for each finding, repaired or not. */
  readonly onFinding?: ((finding: Finding) => void) | undefined;
}

export interface ScrubReport {
  readonly running: boolean;
  /** Rounds over all logs that came to their end. */
  readonly rounds: number;
  readonly lastRoundAt?: TimeMs;
  /** The log that is walked now, and its next block. */
  readonly log?: LogId;
  readonly block?: number;
  /** Since the start. */
  readonly checkedBlocks: number;
  readonly checkedEntries: number;
  readonly found: number;
  readonly repaired: number;
  readonly findings: readonly Finding[];
  /** Why the store could not be read last. */
  readonly stalled?: Fault;
}

/** What `repair` of one log did. */
export interface LogRepair {
  readonly findings: readonly Finding[];
}

export class Scrub implements AsyncDisposable {
  readonly #env: LedgerEnv;
  readonly #hooks: MendHooks;
  readonly #findings: Findings;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #options: MendOptions | undefined;
  #mender: LogMender | undefined;
  #rounds = 0;
  #lastRoundAt: TimeMs | undefined;
  /** When the round began, and when what is damaged is tried again; monotonic. */
  #begunMs = 0;
  #retryMs = 0;
  /** Where the last run stood; taken once. */
  #place: { readonly log: Uint8Array; readonly block: number } | undefined;
  #sinceKept = 0;
  #logFrom: TimeMs | undefined;
  #blocks = 0;
  #entries = 0;
  #stalled: Fault | undefined;

  constructor(env: LedgerEnv, hooks: MendHooks) {
    this.#env = env;
    this.#hooks = hooks;
    this.#findings = new Findings(env.options.limits.maxScrubFindings);
  }

  /** Begins, once; until `close`. */
  start(options: ScrubOptions): void {
    const { repair, source, onFinding } = options;
    this.#options = { repair, source, onFinding, signal: this.#closing.signal };
    this.#running ??= this.#run(this.#options);
  }

  report(): ScrubReport {
    const mender = this.#mender;
    return {
      running: this.#running !== undefined && !this.#closing.signal.aborted,
      rounds: this.#rounds,
      ...(this.#lastRoundAt === undefined ? {} : { lastRoundAt: this.#lastRoundAt }),
      ...(mender === undefined ? {} : { log: mender.handle.logId, block: mender.walk.number }),
      checkedBlocks: this.#blocks,
      checkedEntries: this.#entries,
      found: this.#findings.found,
      repaired: this.#findings.repaired,
      findings: this.#findings.list(),
      ...(this.#stalled === undefined ? {} : { stalled: this.#stalled }),
    };
  }

  /**
   * Walks one log now, at full speed, and repairs what it finds. What it found, repaired or not.
   * Codes: log-unknown, those of a store that fails, interrupted where the signal aborts.
   */
  async repair(
    logId: LogId,
    options: {
      readonly source?: RepairSource | undefined;
      readonly signal?: AbortSignal;
      readonly onProgress?: (checked: number, of: number) => void;
    } = {},
  ): Promise<Result<LogRepair>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const { signal = this.#closing.signal, source, onProgress } = options;
    const findings = new Map<string, Finding>();
    const onFinding = (finding: Finding): void => {
      findings.set(`${finding.kind}/${finding.index}`, finding);
      this.#options?.onFinding?.(finding);
    };
    const begun = this.#env.options.host.clock.now();
    const walked = await this.#walkAll(
      handle,
      { repair: true, source, signal, onFinding },
      onProgress,
    );
    if (!walked.ok) return walked;
    this.#findings.settle(logId, begun);
    return ok({ findings: [...findings.values()] });
  }

  async #walkAll(
    handle: LogHandle,
    options: MendOptions,
    onProgress: ((checked: number, of: number) => void) | undefined,
    from: number = 0,
  ): Promise<Result<void>> {
    const mender = new LogMender(this.#env, this.#findings, this.#hooks, handle, from);
    const healed = await mender.heal(options);
    if (!healed.ok) return healed;
    let checked = 0;
    while (!options.signal.aborted && !this.#closing.signal.aborted) {
      const step = await mender.step(options);
      if (!step.ok) return step;
      if (step.value.done) return ok(undefined);
      checked += step.value.entries;
      onProgress?.(checked, handle.size);
    }
    return err(fault('interrupted', 'the repair was stopped'));
  }

  /** Ends the walk, keeps its place. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(options: MendOptions): Promise<void> {
    const { timers, clock } = this.#env.options.host;
    const { signal } = this.#closing;
    await this.#restore();
    this.#begunMs = clock.monotonic();
    while (!signal.aborted) {
      const waitMs = await this.#turn(options);
      await timers.sleep(waitMs, signal);
    }
    await this.#keep();
  }

  /** One piece of work; how long to rest after it. */
  async #turn(options: MendOptions): Promise<number> {
    const { clock } = this.#env.options.host;
    const { limits } = this.#env.options;
    if (clock.monotonic() >= this.#retryMs) {
      this.#retryMs = clock.monotonic() + limits.scrubRetryMs;
      await this.#attend(options);
    }
    this.#mender ??= this.#next();
    const mender = this.#mender;
    if (mender === undefined) return this.#endRound();
    if (mender.handle.row.role === 'unfollowed' || !this.#env.logs.has(mender.handle.logId)) {
      this.#leave(mender);
      return 1;
    }
    const step = await mender.step(options);
    this.#stalled = step.ok ? undefined : step.error;
    if (!step.ok) return limits.scrubRetryMs;
    if (step.value.done) {
      this.#leave(mender);
      return 1;
    }
    const { entries, bytes } = step.value;
    this.#blocks += 1;
    this.#entries += entries;
    this.#sinceKept += 1;
    if (this.#sinceKept >= keepEvery) await this.#keep();
    const byEntries = (1000 * (entries + blockEntries)) / limits.scrubEventsPerSecond;
    return Math.max(byEntries, (1000 * bytes) / limits.scrubBytesPerSecond);
  }

  /** Damaged logs, and those with blocks that nobody could give yet: at once, from what is wrong on. */
  async #attend(options: MendOptions): Promise<void> {
    if (!options.repair) return;
    for (const handle of this.#env.logs.values()) {
      if (handle.row.role === 'unfollowed' || options.signal.aborted) continue;
      const open = this.#findings
        .open()
        .filter(({ log, kind }) => log === handle.logId && kind === 'block');
      const blocks = handle.stored?.state.blocks ?? 0;
      if (handle.row.standing === 'damaged') {
        const from = Math.max(0, blocks - tailBlocks - 1);
        await this.#walkAll(handle, options, undefined, from);
      }
      for (const finding of open) await this.#again(handle, finding, options);
    }
  }

  /** Tries one block once more. */
  async #again(handle: LogHandle, finding: Finding, options: MendOptions): Promise<void> {
    if (finding.block === undefined) return;
    const { block } = finding;
    const mender = new LogMender(this.#env, this.#findings, this.#hooks, handle, block);
    for (let steps = 0; steps < 2 && mender.walk.number === block; steps++) {
      const step = await mender.step(options);
      if (!step.ok) return;
    }
    await mender.heal(options);
  }

  /** The next log of the round: by the numbers that the home gave them. */
  #next(): LogMender | undefined {
    const place = this.#place;
    this.#place = undefined;
    const logs = [...this.#env.logs.values()]
      .filter(({ row }) => row.role !== 'unfollowed')
      .toSorted((a, b) => a.row.number - b.row.number);
    const found = logs.find((handle) =>
      place === undefined ? handle.row.number > this.#lastNumber : equal(handle.log, place.log),
    );
    const handle = found ?? (place === undefined ? undefined : logs[0]);
    if (handle === undefined) return undefined;
    const from = found === undefined ? 0 : (place?.block ?? 0);
    if (from === 0) this.#logFrom = this.#env.options.host.clock.now();
    return new LogMender(this.#env, this.#findings, this.#hooks, handle, from);
  }

  #lastNumber = 0;

  #leave({ handle }: LogMender): void {
    this.#mender = undefined;
    this.#lastNumber = handle.row.number;
    if (this.#logFrom !== undefined) this.#findings.settle(handle.logId, this.#logFrom);
    this.#logFrom = undefined;
  }

  /** All logs were walked: the next round begins `minScrubRoundMs` after this one began. */
  #endRound(): number {
    const { host, limits } = this.#env.options;
    const restMs = this.#begunMs + limits.minScrubRoundMs - host.clock.monotonic();
    if (this.#lastNumber > 0 && this.#lastNumber < Number.MAX_SAFE_INTEGER) {
      this.#rounds += 1;
      this.#lastRoundAt = host.clock.now();
      this.#lastNumber = Number.MAX_SAFE_INTEGER;
    }
    if (restMs > 0) return Math.min(restMs, limits.scrubRetryMs);
    this.#begunMs = host.clock.monotonic();
    this.#lastNumber = 0;
    return 1;
  }

  async #restore(): Promise<void> {
    const value = await this.#env.options.store.get(placeKey);
    if (!value.ok || value.value === undefined) return;
    const reader = new CborReader(value.value);
    if (reader.list() !== 4 || reader.uint() !== 1) return;
    const rounds = reader.uint();
    const log = reader.null() ? undefined : reader.bytes().slice();
    const block = reader.uint();
    reader.end();
    if (reader.failed !== undefined) return; // Then the round begins anew.
    this.#rounds = rounds;
    if (log !== undefined) this.#place = { log, block };
  }

  /** Not synced: a crash costs a few blocks that are looked at again. */
  async #keep(): Promise<void> {
    this.#sinceKept = 0;
    const writer = new CborWriter(64).list(4).uint(1).uint(this.#rounds);
    const mender = this.#mender;
    if (mender === undefined) writer.null();
    else writer.bytes(mender.handle.log);
    const value = writer.uint(mender?.walk.number ?? 0).finish();
    await this.#env.options.store.batch([{ key: placeKey, value }], { sync: false });
  }
}
