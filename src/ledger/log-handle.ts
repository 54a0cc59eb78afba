/**
 * One log in memory. `stored` is what readers may see: durable for an own log, written for a
 * replica. `tip` runs ahead of it by the blocks whose batches are under way; when one of them fails
 * the handle is loaded anew from the store, so memory never stays ahead of the disk.
 */
import { logIdHash } from '../ids.ts';
import {
  asBlockNumber,
  asLogIndex,
  asTimeMs,
  asTreeSize,
  type Hash,
  type LogId,
} from '../types.ts';
import type { Fault } from '../errors.ts';
import { ok, type Result } from '../result.ts';
import { closingOf, type Closing } from './closing.ts';
import type { LogHead } from './head-record.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogStanding, LogSummary } from './ledger-types.ts';
import type { LogRow } from './log-row.ts';
import { LogTiles } from './log-tiles.ts';
import { keepAll, readPolicy, type RetentionPolicy } from './retention-policy.ts';
import { freshRow, type RetentionRow } from './retention-row.ts';
import { emptyRoot } from './tree.ts';
import { ownerNow } from './owner-now.ts';

export class LogHandle {
  readonly logId: LogId;
  /** The id as bytes. */
  readonly log: Hash;
  row: LogRow;
  stored: LogHead | undefined;
  tip: LogHead | undefined;
  paused = false;
  /** How often its end was set anew since the start, and not by growing: it may be shorter than before. */
  resets = 0;
  /** Of a closed log: where it ends, and what goes on. Standing `closed` in `row` goes with it. */
  closing: Closing | undefined;
  #tiles: Promise<Result<LogTiles>> | undefined;
  /** The tiles once they are there. */
  loaded: LogTiles | undefined;
  /** How far forgetting has come (retention.ts). */
  kept: RetentionRow = freshRow;
  /** Size at which control entries were looked at last: quiet logs cost nothing. */
  lookedAt = 0;
  /** The writer's next seal offers no body below it. */
  offerFrom = 0;

  constructor(logId: LogId, row: LogRow, head: LogHead | undefined) {
    this.logId = logId;
    this.log = logIdHash(logId);
    this.row = row;
    this.stored = head;
    this.tip = head;
  }

  get size(): number {
    return this.stored?.state.size ?? 0;
  }

  /** The policy in force; a policy of a later version drops nothing. */
  get retention(): RetentionPolicy {
    const genesis = this.stored?.state.genesis.retention;
    return this.kept.policy ?? (genesis && readPolicy(genesis)) ?? keepAll;
  }

  /** Slices of the id index that there have ever been. */
  get slices(): number {
    return (this.stored?.slices.at(-1)?.number ?? -1) + 1;
  }

  /** Loaded on first use: opening a home with many logs reads no tiles. */
  tiles(env: LedgerEnv): Promise<Result<LogTiles>> {
    this.#tiles ??= this.#load(env).then((loaded) => {
      if (loaded.ok) this.loaded = loaded.value;
      else this.#tiles = undefined;
      return loaded;
    });
    return this.#tiles;
  }

  /** What the store says, after a write failed or blocks were set aside. */
  reset(row: LogRow, head: LogHead | undefined): void {
    this.resets += 1;
    this.row = row;
    this.stored = head;
    this.tip = head;
    this.#tiles = undefined;
    this.loaded = undefined;
  }

  setStanding(standing: LogStanding, reason: Fault | undefined): void {
    this.row = { ...this.row, standing, reason };
  }

  summary(env: LedgerEnv): LogSummary {
    const { stored, row } = this;
    const state = stored?.state;
    return {
      logId: this.logId,
      size: state?.size ?? asTreeSize(0),
      root: state?.root ?? emptyRoot(env.options.crypto),
      blocks: state?.blocks ?? asBlockNumber(0),
      checkpoint: stored?.checkpoint ?? '',
      time: state?.time ?? asTimeMs(0),
      writerKey: state?.writerKey,
      ...ownerNow(state?.genesis, env.owners),
      role: row.role === 'writer' ? 'writer' : 'replica',
      state: row.standing,
      ...(row.reason === undefined ? {} : { reason: row.reason }),
      paused: this.paused,
      resets: this.resets,
      ...closingOf(this),
      clockAhead: row.clockAhead,
      retention: this.retention,
      lowest: state?.lowest ?? asLogIndex(0),
      ...env.epochs.summary(this),
      createdLocally: row.role === 'writer',
    };
  }

  async #load(env: LedgerEnv): Promise<Result<LogTiles>> {
    if (this.tip === undefined) return ok(LogTiles.empty(env, this.row.number));
    return LogTiles.load(env, this.row.number, this.tip.state);
  }
}
