/**
 * The epochs that a sealed log has opened, from its control entries; own and followed logs alike.
 * Kept in memory for the logs that were asked for last, and read on from where they ended.
 */
import { fault } from '../errors.ts';
import { readUint48 } from '../bytes.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asTimeMs, type LogId } from '../types.ts';
import { parseControl } from './control.ts';
import { controlsOf, type ControlEntry } from './controls.ts';
import { unknownLog } from './create-log.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import type { OpenedEpoch } from './sealing.ts';

/** In order; empty where the log is not sealed. Codes: log-unknown, store-corrupt, those of the store. */
export type EpochsOf = (logId: LogId) => Promise<Result<readonly OpenedEpoch[]>>;

interface Known {
  /** Entries looked at. */
  size: number;
  /** `LogHandle.resets` then: an end that was set anew may be another one. */
  resets: number;
  readonly opened: OpenedEpoch[];
}

export class Epochs {
  readonly #env: LedgerEnv;
  readonly #known = new Map<LogId, Known>();
  readonly #reading = new Map<LogId, Promise<Result<readonly OpenedEpoch[]>>>();

  constructor(env: LedgerEnv) {
    this.#env = env;
  }

  readonly of: EpochsOf = (logId) => {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return Promise.resolve(err(unknownLog(logId)));
    if (handle.stored?.state.genesis.visibility !== 'sealed') return Promise.resolve(ok([]));
    const known = this.#known.get(logId);
    if (known?.size === handle.size && known.resets === handle.resets) {
      this.#keep(logId, known);
      return Promise.resolve(ok(known.opened));
    }
    const before = this.#reading.get(logId) ?? Promise.resolve(ok([]));
    const reading = before.then(() => this.#read(handle));
    this.#reading.set(logId, reading);
    return reading.finally(() => {
      if (this.#reading.get(logId) === reading) this.#reading.delete(logId);
    });
  };

  /** The epoch of an event, as its leaf names it; undefined where the log has not opened it. */
  async find(logId: LogId, epoch: number): Promise<Result<OpenedEpoch | undefined>> {
    const opened = await this.of(logId);
    return opened.ok ? ok(openingOf(opened.value, epoch)) : opened;
  }

  async #read(handle: LogHandle): Promise<Result<readonly OpenedEpoch[]>> {
    const { size, resets } = handle;
    const kept = this.#known.get(handle.logId);
    const known = kept?.resets === resets && kept.size <= size ? kept : undefined;
    const entries = await controlsOf(this.#env, handle, known?.size ?? 0, undefined, size);
    if (!entries.ok) return entries;
    const fresh: OpenedEpoch[] = [];
    for (const entry of entries.value) {
      const opened = openedBy(entry);
      if (!opened.ok) return opened;
      if (opened.value !== undefined) fresh.push(opened.value);
    }
    // A new array: what was given out before stays as it was.
    const opened = known === undefined ? fresh : [...known.opened, ...fresh];
    this.#keep(handle.logId, { size, resets, opened });
    return ok(opened);
  }

  #keep(logId: LogId, known: Known): void {
    this.#known.delete(logId);
    this.#known.set(logId, known);
    if (this.#known.size <= limits.maxEpochLogs) return;
    const oldest = this.#known.keys().next();
    if (oldest.done !== true) this.#known.delete(oldest.value);
  }
}

/** What a control entry opens, if it does. Code: store-corrupt. */
export function openedBy({ index, leaf, map }: ControlEntry): Result<OpenedEpoch | undefined> {
  if (map['type'] !== 'epoch') return ok(undefined);
  const control = parseControl(map);
  if (!control.ok || control.value.type !== 'epoch') {
    return err(fault('store-corrupt', 'a stored entry that opens an epoch is unsound', { index }));
  }
  const { epoch, generation, check } = control.value;
  return ok({ epoch, generation, check, index, time: asTimeMs(readUint48(leaf, 1)) });
}

/** By its number, which no other epoch of the log has; epochs are in order. */
export function openingOf(opened: readonly OpenedEpoch[], epoch: number): OpenedEpoch | undefined {
  let [low, high] = [0, opened.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((opened[middle]?.epoch ?? 0) < epoch) low = middle + 1;
    else high = middle;
  }
  return opened[low]?.epoch === epoch ? opened[low] : undefined;
}
