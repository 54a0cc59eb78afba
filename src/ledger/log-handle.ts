/**
 * One log in memory. `stored` is what readers may see: durable for an own log, written for a
 * replica. `tip` runs ahead of it by the blocks whose batches are under way; when one of them fails
 * the handle is loaded anew from the store, so memory never stays ahead of the disk.
 */
import { logIdHash } from '../ids.ts';
import { asBlockNumber, asTimeMs, asTreeSize, type Hash, type LogId } from '../types.ts';
import type { Fault } from '../errors.ts';
import { ok, type Result } from '../result.ts';
import type { LogHead } from './head-record.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogStanding, LogSummary } from './ledger-types.ts';
import type { LogRow } from './log-row.ts';
import { LogTiles } from './log-tiles.ts';
import { emptyRoot } from './tree.ts';

export class LogHandle {
  readonly logId: LogId;
  /** The id as bytes. */
  readonly log: Hash;
  row: LogRow;
  stored: LogHead | undefined;
  tip: LogHead | undefined;
  paused = false;
  #tiles: Promise<Result<LogTiles>> | undefined;
  /** The tiles once they are there. */
  loaded: LogTiles | undefined;

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

  /** Loaded on first use: opening a home with many logs reads no tiles. */
  tiles(env: LedgerEnv): Promise<Result<LogTiles>> {
    this.#tiles ??= this.#load(env).then((loaded) => {
      if (loaded.ok) this.loaded = loaded.value;
      else this.#tiles = undefined;
      return loaded;
    });
    return this.#tiles;
  }

  /** What the store says, after a write failed. */
  reset(row: LogRow, head: LogHead | undefined): void {
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
      genesis: state?.genesis,
      role: row.role === 'writer' ? 'writer' : 'replica',
      state: row.standing,
      ...(row.reason === undefined ? {} : { reason: row.reason }),
      paused: this.paused,
      clockAhead: row.clockAhead,
      createdLocally: row.role === 'writer',
    };
  }

  async #load(env: LedgerEnv): Promise<Result<LogTiles>> {
    if (this.tip === undefined) return ok(LogTiles.empty(env, this.row.number));
    return LogTiles.load(env, this.row.number, this.tip.state);
  }
}
