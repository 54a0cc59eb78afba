/**
 * One log, block after block, from any block on: everything that is stored of a block is read again
 * and compared (record and checksum, commitments, leaves, seal, root, signature, events; index rows;
 * tiles that it filled). What is wrong comes back as damage with what mends it; the walk itself
 * writes nothing and never throws, and goes on behind what is gone.
 */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { keyOf, keyspace, logKey, numberKey } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import { asLogIndex } from '../types.ts';
import { isEvent, type VerifiedBlock } from './block.ts';
import { BlockRecord } from './block-record.ts';
import { missingRows } from './block-rows.ts';
import { encodeHead } from './head-record.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { decodeLogRow, encodeLogRow } from './log-row.ts';
import { isKnown, type LogState, type UnknownLog } from './log-state.ts';
import { withEvents } from './open-sealed.ts';
import { checkBlock, readBlock } from './state-before.ts';
import type { StoreWrite } from './store.ts';
import { TileCheck } from './tile-check.ts';

export type DamageKind = 'block' | 'rows' | 'tile' | 'head';

/** Something stored that is wrong or gone. */
export interface Damage {
  readonly kind: DamageKind;
  /** First entry that it is about, and one past the last where more than one is. */
  readonly index: number;
  readonly to?: number;
  /** Number of the block, where it is one. */
  readonly block?: number;
  readonly fault: Fault;
  /** What mends it; absent where only another holder of the log can. */
  readonly writes?: readonly StoreWrite[];
  /** Id rows are among them. */
  readonly ids?: boolean;
}

export interface Step {
  /** What it cost, for whoever bounds the rate. */
  readonly entries: number;
  readonly bytes: number;
  readonly damage: readonly Damage[];
}

export class LogWalk {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  /** Undefined: not known, because the block before is damaged or was not read. */
  #state: LogState | UnknownLog | undefined;
  #tiles: TileCheck | undefined;
  #number: number;
  /** Where the next block begins, where a neighbour of a damaged one said so. */
  #at: number | undefined;
  /** Rows of the whole log so far; undefined where the walk did not begin at the first block. */
  #counts: { subjects: number; controls: number; events: number } | undefined;

  constructor(env: LedgerEnv, handle: LogHandle, from: number) {
    this.#env = env;
    this.#handle = handle;
    this.#number = from;
    if (from > 0) return;
    this.#state = { logId: handle.logId };
    this.#counts = { subjects: 0, controls: 0, events: 0 };
  }

  /** The next block. */
  get number(): number {
    return this.#number;
  }

  /** True where all blocks up to the stored head were seen. */
  get done(): boolean {
    return this.#number >= (this.#handle.stored?.state.blocks ?? 0);
  }

  /** The state before the next block; undefined where it is not known. */
  get state(): LogState | UnknownLog | undefined {
    return this.#state;
  }

  get counts():
    { readonly subjects: number; readonly controls: number; readonly events: number } | undefined {
    return this.#counts;
  }

  /** Index at which the next block should begin, as far as that is known. */
  get #index(): number {
    return this.#state !== undefined && isKnown(this.#state) ? this.#state.size : 0;
  }

  /**
   * Checks the next block and goes on to the one after it; with a damaged block the walk stays (see
   * `skip` and `again`). Codes: those of a store that fails, not those of damage.
   */
  async step(): Promise<Result<Step>> {
    const read = await this.#read();
    if (!read.ok) {
      if (isStoreFailure(read.error)) return read;
      return ok({ entries: 0, bytes: 0, damage: [await this.#lost(read.error)] });
    }
    const { verified, bytes } = read.value;
    const damage: Damage[] = [];
    const rows = await missingRows(this.#env, this.#handle, verified);
    if (!rows.ok) return rows;
    if (rows.value !== undefined) {
      // Bodies may have been forgotten meanwhile, and their rows with them: then it is looked at anew.
      const again = await readBlock(this.#env, this.#handle, this.#number);
      const same = again.ok && equal(again.value.block.wire, verified.wire);
      if (!same) return ok({ entries: 0, bytes: 0, damage: [] });
      const { index, writes, ids } = rows.value;
      const to = verified.state.size;
      const wrong = indexFault('the index rows of a block are not there', index);
      damage.push({ kind: 'rows', index, to, fault: wrong, writes, ids });
    }
    const { firstIndex, entries } = verified.block;
    this.#tiles ??= await TileCheck.at(this.#env, this.#handle, this.#number, firstIndex);
    const tiles = await this.#tiles.append(verified.leafHashes);
    if (!tiles.ok) return tiles;
    for (const { level, index, from, to, write } of tiles.value) {
      const wrong = indexFault(`tile ${level}/${index} is not that of the entries`, from);
      damage.push({ kind: 'tile', index: from, to, fault: wrong, writes: [write] });
    }
    this.#accept(verified);
    return ok({ entries: entries.length, bytes, damage });
  }

  /** The stretch of entries of a block that gives nothing, as far as its neighbours know it. */
  async #lost(reason: Fault): Promise<Damage> {
    const next = await firstIndexOf(this.#env, this.#handle, this.#number + 1);
    const own = this.#at ?? (await firstIndexOf(this.#env, this.#handle, this.#number));
    const index = this.#index > 0 ? this.#index : (own ?? 0);
    this.#at = next;
    const to = next ?? (this.#isLast ? this.#handle.size : undefined);
    const block = this.#number;
    return { kind: 'block', index, ...(to === undefined ? {} : { to }), block, fault: reason };
  }

  get #isLast(): boolean {
    return this.#number + 1 >= (this.#handle.stored?.state.blocks ?? 0);
  }

  /** Reads and verifies the next block. */
  async #read(): Promise<Result<{ readonly verified: VerifiedBlock; readonly bytes: number }>> {
    const read = await readBlock(this.#env, this.#handle, this.#number);
    if (!read.ok) return read;
    const { block, record } = read.value;
    const verified = await checkBlock(this.#env, this.#handle, this.#state, block, this.#number);
    if (!verified.ok) return verified;
    const opened = await withEvents(this.#env, this.#handle, verified.value);
    return ok({ verified: opened, bytes: record.bytes.length });
  }

  #accept(verified: VerifiedBlock): void {
    this.#state = verified.state;
    this.#at = undefined;
    this.#number += 1;
    if (this.#counts === undefined) return;
    for (const [i, entry] of verified.block.entries.entries()) {
      if (entry.control !== undefined) this.#counts.controls += 1;
      if (isEvent(entry) && verified.events[i] !== undefined) this.#counts.events += 1;
      if (typeof verified.events[i]?.context['subject'] === 'string') this.#counts.subjects += 1;
    }
  }

  /** Leaves the next block out: what follows is checked by what it says itself. */
  skip(): void {
    this.#number += 1;
    this.#state = undefined;
    this.#tiles = undefined;
    this.#counts = undefined;
  }

  /** Head and row of the log in the store against those in memory; nothing while blocks are written. */
  async head(): Promise<Result<readonly Damage[]>> {
    const { stored, tip, row } = this.#handle;
    const { crypto, store } = this.#env.options;
    if (stored === undefined || stored !== tip) return ok([]);
    const damage: Damage[] = [];
    for (const { key, value } of [
      { key: logKey(keyspace.heads, row.number), value: encodeHead(crypto, stored) },
      { key: keyOf(keyspace.logs, this.#handle.log), value: encodeLogRow(row) },
    ]) {
      const found = await store.get(key);
      if (!found.ok && isStoreFailure(found.error)) return found;
      if (this.#handle.stored !== stored || this.#handle.row !== row) return ok([]);
      if (found.ok && found.value !== undefined && this.#fits(key, found.value, value)) continue;
      const wrong = indexFault('the stored head or row of the log is another one', 0);
      const to = stored.state.size;
      damage.push({ kind: 'head', index: 0, to, fault: wrong, writes: [{ key, value }] });
    }
    return ok(damage);
  }

  /** The row of a log says in the store what it was when it was last written: it must only be sound. */
  #fits(key: Uint8Array, found: Uint8Array, value: Uint8Array): boolean {
    return key[0] === keyspace.heads.prefix ? equal(found, value) : isSoundRow(found, this.#handle);
  }
}

/** What a stored block itself says, whether or not it is sound. */
async function firstIndexOf(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
): Promise<number | undefined> {
  const value = await env.options.store.get(numberKey(keyspace.blocks, handle.row.number, number));
  if (!value.ok || value.value === undefined) return undefined;
  const record = BlockRecord.read(env.options.crypto, value.value, true);
  return record.ok ? record.value.firstIndex : undefined;
}

function isSoundRow(bytes: Uint8Array, { row }: LogHandle): boolean {
  const found = decodeLogRow(bytes);
  return found.ok && found.value.number === row.number && found.value.role === row.role;
}

/** The store itself does not work now; what it holds may be sound. */
function isStoreFailure({ code }: Fault): boolean {
  return code === 'store-failed' || code === 'store-closed' || code === 'disk-full';
}

function indexFault(message: string, index: number): Fault {
  return fault('index-damaged', message, { index: asLogIndex(index) });
}
