/**
 * The epochs that a sealed log has opened, from its control entries; own and followed logs alike.
 * Kept in memory for the logs that were asked for last, and read on from where they ended.
 */
import { fault } from '../errors.ts';
import { readUint48 } from '../bytes.ts';
import type { CborMap } from '../cbor.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asTimeMs, type LogId } from '../types.ts';
import { parseControl } from './control.ts';
import { controlsOf, type ControlEntry } from './controls.ts';
import { unknownLog } from './create-log.ts';
import { defaultEpochs, epochPolicyOf, type EpochPolicy } from './epoch-policy.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogSummary } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import type { OpenedEpoch } from './sealing.ts';

/** In order; empty where the log is not sealed. Codes: log-unknown, store-corrupt, those of the store. */
export type EpochsOf = (logId: LogId) => Promise<Result<readonly OpenedEpoch[]>>;

interface Known {
  /** Entries looked at. */
  readonly size: number;
  /** `LogHandle.resets` then: an end that was set anew may be another one. */
  readonly resets: number;
  readonly opened: readonly OpenedEpoch[];
  readonly policy: EpochPolicy;
}

const nothing: Omit<Known, 'size' | 'resets'> = { opened: [], policy: defaultEpochs };

export class Epochs {
  readonly #env: LedgerEnv;
  readonly #known = new Map<LogId, Known>();
  readonly #reading = new Map<LogId, Promise<unknown>>();

  constructor(env: LedgerEnv) {
    this.#env = env;
  }

  readonly of: EpochsOf = async (logId) => {
    const known = await this.#knownOf(logId);
    return known.ok ? ok(known.value.opened) : known;
  };

  /** When the log opens its next epoch. Codes as `of`. */
  async policy(logId: LogId): Promise<Result<EpochPolicy>> {
    const known = await this.#knownOf(logId);
    return known.ok ? ok(known.value.policy) : known;
  }

  /** What a summary says: without reading anything. */
  summary({ logId, stored }: LogHandle): Pick<LogSummary, 'epoch' | 'epochs'> {
    const state = stored?.state;
    if (state?.genesis.visibility !== 'sealed') return {};
    const known = this.#known.get(logId);
    const policy = known === undefined ? {} : { epochs: known.policy };
    const { epoch, generation } = state;
    if (epoch === undefined || generation === undefined) return policy;
    const since = known === undefined ? undefined : openingOf(known.opened, epoch)?.time;
    return { ...policy, epoch: { epoch, generation, ...(since === undefined ? {} : { since }) } };
  }

  async #knownOf(logId: LogId): Promise<Result<Omit<Known, 'size' | 'resets'>>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    if (handle.stored?.state.genesis.visibility !== 'sealed') return ok(nothing);
    const known = this.#known.get(logId);
    if (known?.size === handle.size && known.resets === handle.resets) {
      this.#keep(logId, known);
      return ok(known);
    }
    // One after the other, so that what one has read the next goes on from.
    const reading = (this.#reading.get(logId) ?? Promise.resolve()).then(() => this.#read(handle));
    this.#reading.set(logId, reading);
    const read = await reading;
    if (this.#reading.get(logId) === reading) this.#reading.delete(logId);
    return read;
  }

  async #read(handle: LogHandle): Promise<Result<Known>> {
    const { size, resets } = handle;
    const kept = this.#known.get(handle.logId);
    const known = kept?.resets === resets && kept.size <= size ? kept : undefined;
    const entries = await controlsOf(this.#env, handle, known?.size ?? 0, undefined, size);
    if (!entries.ok) return entries;
    // A copy: what was given out before stays as it was.
    const opened = [...(known?.opened ?? [])];
    let { policy } = known ?? nothing;
    for (const entry of entries.value) {
      policy = epochPolicyOf(entry.map) ?? policy;
      const opening = openedBy(entry);
      if (!opening.ok) return opening;
      if (opening.value !== undefined) opened.push(opening.value);
      markShredded(opened, entry);
    }
    const read = { size, resets, opened, policy };
    this.#keep(handle.logId, read);
    return ok(read);
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

/** The epoch that a control entry shreds (shreds.ts); undefined for every other map. */
function shreddedBy({ type, epoch }: CborMap): number | undefined {
  return type === 'shred' && typeof epoch === 'number' ? epoch : undefined;
}

/** What an entry shreds is marked so; it means nothing for an epoch that was never opened. */
function markShredded(opened: OpenedEpoch[], { index, map }: ControlEntry): void {
  const epoch = shreddedBy(map);
  const place = epoch === undefined ? -1 : opened.findIndex((one) => one.epoch === epoch);
  const found = opened[place];
  if (found !== undefined) opened[place] = { ...found, shredded: found.shredded ?? index };
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
