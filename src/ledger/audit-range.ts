/**
 * A stretch of a log's blocks, checked by itself (in a thread of its own, if there is one): each
 * block carries its frontier and its signature, so a stretch needs only the block before it to know
 * where it stands. Two stretches fit where the state that one ends with is, byte for byte, the one
 * that the next began with. A stretch with anything wrong gives nothing: then the audit reads it
 * block by block and says what.
 */
import type { CborMap } from '../cbor.ts';
import { keyspace, logKey, numberKey } from '../keyspace.ts';
import type { LogId } from '../types.ts';
import { isEvent } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { BlockRecord } from './block-record.ts';
import type { BlockEnv } from './judges.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import {
  decodeLogState,
  encodeLogState,
  isKnown,
  type LogState,
  type UnknownLog,
} from './log-state.ts';
import { KeyTimes, stateWith } from './state-before.ts';
import type { StoreScan } from './store.ts';
import type { NewNodes } from './tree.ts';
import { verifyDecoded } from './verify-block.ts';

export interface RangeJob {
  readonly logId: LogId;
  /** Number of the first block that is to be checked. */
  readonly number: number;
  /** Encoded state before the first record; empty before block 0. */
  readonly before: Uint8Array;
  /** Stored records in order: the block before the stretch (but before block 0), then the stretch. */
  readonly records: readonly Uint8Array[];
}

/** What the audit must know of a sound block. */
export interface CheckedBlock {
  readonly firstIndex: number;
  readonly entries: number;
  readonly leafHashes: Uint8Array;
  readonly nodes: NewNodes;
  /** Events with a body, and those of them with a subject. */
  readonly events: number;
  readonly subjects: number;
  /** Bodies of sealed events. */
  readonly sealed: number;
  readonly controls: readonly CborMap[];
  /** Indexes of events without a body. */
  readonly gone: readonly number[];
}

export interface CheckedRange {
  readonly number: number;
  /** Encoded states before and after the stretch. */
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly blocks: readonly CheckedBlock[];
}

/** Who checks stretches beside each other. */
export interface RangeWorkers {
  readonly count: number;
  /** Takes the records away; undefined where anything is wrong. */
  check(job: RangeJob): Promise<CheckedRange | undefined>;
}

const nothing = new Uint8Array(0);

/** Undefined where anything is wrong. */
export function checkRange(env: BlockEnv, job: RangeJob): CheckedRange | undefined {
  let state: LogState | UnknownLog = { logId: job.logId };
  if (job.before.length > 0) {
    const before = decodeLogState(env.crypto, job.before);
    if (!before.ok) return undefined;
    state = before.value;
  }
  let number = isKnown(state) ? state.blocks : 0;
  let start: Uint8Array = nothing;
  const blocks: CheckedBlock[] = [];
  for (const bytes of job.records) {
    const record = BlockRecord.read(env.crypto, bytes);
    if (!record.ok || record.value.number !== number) return undefined;
    const block = decodeBlock(record.value.wire, { reduced: true });
    const verified = block.ok ? verifyDecoded(env, state, block.value) : block;
    if (!block.ok || !verified.ok) return undefined;
    const after = verified.value.state;
    state = after;
    if (number >= job.number) {
      const { leafHashes, nodes, events } = verified.value;
      const { firstIndex, entries } = block.value;
      blocks.push({ firstIndex, leafHashes, nodes, ...counted(firstIndex, entries, events) });
    } else start = encodeLogState(after);
    number += 1;
  }
  const end = isKnown(state) ? encodeLogState(state) : nothing;
  return { number: job.number, start, end, blocks };
}

type Verified = Extract<ReturnType<typeof verifyDecoded>, { readonly ok: true }>['value'];

function counted(
  firstIndex: number,
  entries: Verified['block']['entries'],
  events: Verified['events'],
): Omit<CheckedBlock, 'firstIndex' | 'leafHashes' | 'nodes'> {
  const controls: CborMap[] = [];
  const gone: number[] = [];
  let [found, subjects, sealed] = [0, 0, 0];
  for (const [i, entry] of entries.entries()) {
    if (entry.control !== undefined) controls.push(entry.control);
    const event = events[i];
    if (event !== undefined) found += 1;
    else if (isEvent(entry) && entry.bodyOffset < 0) gone.push(firstIndex + i);
    else if (isEvent(entry)) sealed += 1;
    if (typeof event?.context['subject'] === 'string') subjects += 1;
  }
  return { entries: entries.length, events: found, subjects, sealed, controls, gone };
}

/** Blocks of one stretch. */
const rangeBlocks = 32;

/** Reads a log ahead of its audit and has its stretches checked beside each other. */
export class AuditRanges implements AsyncDisposable {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  readonly #workers: RangeWorkers;
  readonly #times: KeyTimes;
  readonly #blocks: number;
  readonly #scan: StoreScan;
  readonly #ahead: { readonly number: number; readonly to: number; readonly done: Checking }[] = [];
  #rows: Uint8Array[] = [];
  /** Number of the block that is read next. */
  #next = 0;
  #lead: Uint8Array | undefined;
  #ended = false;

  private constructor(
    env: LedgerEnv,
    handle: LogHandle,
    workers: RangeWorkers,
    times: KeyTimes,
    blocks: number,
  ) {
    this.#env = env;
    this.#handle = handle;
    this.#workers = workers;
    this.#times = times;
    this.#blocks = blocks;
    const { number } = handle.row;
    const range = {
      gte: logKey(keyspace.blocks, number),
      lt: numberKey(keyspace.blocks, number, blocks),
    };
    this.#scan = env.options.store.scan(range);
  }

  /** Undefined where the keys of the log cannot be read: then it is read block by block. */
  static async open(
    env: LedgerEnv,
    handle: LogHandle,
    workers: RangeWorkers | undefined,
    blocks: number,
  ): Promise<AuditRanges | undefined> {
    if (workers === undefined || handle.stored === undefined) return undefined;
    const times = await KeyTimes.read(env, handle, handle.size);
    return times.ok ? new AuditRanges(env, handle, workers, times.value, blocks) : undefined;
  }

  /** The stretch that begins with this block; undefined where it must be read block by block. */
  async at(number: number): Promise<CheckedRange | undefined> {
    while (!this.#ended && this.#ahead.length <= this.#workers.count) await this.#read();
    while ((this.#ahead[0]?.number ?? number) < number) this.#ahead.shift();
    if (this.#ahead[0]?.number !== number) return undefined;
    const range = await this.#ahead.shift()?.done;
    return range;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#ahead.map(({ done }) => done));
    await this.#scan[Symbol.asyncDispose]();
  }

  /** Reads one stretch and hands it out. A store that fails or skips a block ends the reading ahead. */
  async #read(): Promise<void> {
    const from = this.#next;
    const wanted = Math.min(rangeBlocks, this.#blocks - from);
    while (this.#rows.length < wanted) {
      const page = await this.#scan.next(wanted - this.#rows.length);
      if (!page.ok || page.value.length === 0) break;
      this.#rows.push(...page.value.map(({ value }) => value));
    }
    const records = this.#rows.splice(0, wanted);
    if (wanted <= 0 || records.length < wanted) {
      this.#ended = true;
      return;
    }
    this.#next = from + wanted;
    const before = this.#before(from);
    const lead = this.#lead;
    this.#lead = records.at(-1)?.slice();
    if (before === undefined) return;
    const all = lead === undefined ? records : [lead, ...records];
    const job = { logId: this.#handle.logId, number: from, before, records: all };
    this.#ahead.push({ number: from, to: this.#next, done: this.#workers.check(job) });
  }

  /** The state before the block that leads the stretch; undefined where it cannot be read. */
  #before(from: number): Uint8Array | undefined {
    if (from <= 1 || this.#lead === undefined) return from === 0 ? nothing : undefined;
    const { crypto } = this.#env.options;
    const record = BlockRecord.read(crypto, this.#lead);
    const block = record.ok ? decodeBlock(record.value.wire, { reduced: true }) : record;
    if (!block.ok) return undefined;
    const keys = this.#times.at(block.value.firstIndex);
    const state = stateWith(crypto, this.#handle, block.value, from - 1, keys);
    return state.ok ? encodeLogState(state.value) : undefined;
  }
}

type Checking = Promise<CheckedRange | undefined>;
