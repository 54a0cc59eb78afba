/**
 * Checks everything that is stored of a log, from the bytes: every block against the state before
 * it (commitments, leaves, seals, roots, signatures, events), full tiles, indexes. Damage never
 * throws: each broken or missing stretch is a problem with its first index, and the walk goes on
 * behind it, with a state that is put together from what the next block says of its past.
 */
import { equal } from '../bytes.ts';
import { decodeLeaf } from './leaf.ts';
import type { Fault } from '../errors.ts';
import { didFromKey } from '../ids.ts';
import { keyspace, numberKey, tileKey } from '../keyspace.ts';
import { asBlockNumber, asLogIndex, asTreeSize } from '../types.ts';
import { isEvent, type DecodedBlock, type VerifiedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { BlockFeed } from './block-feed.ts';
import { BlockRecord } from './block-record.ts';
import { locate } from './audit-locate.ts';
import { GoneBodies } from './audit-gone.ts';
import { countIndexes, IndexTally } from './audit-indexes.ts';
import { AuditRanges, type CheckedRange } from './audit-range.ts';
import { EdgeTiles } from './edge-tiles.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { VerifyOptions, VerifyProblem, VerifyReport } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import {
  decodeLogState,
  encodeLogState,
  isKnown,
  type LogState,
  type UnknownLog,
} from './log-state.ts';
import { packTile } from './packed-tile.ts';
import { emptyRoot, rootOf } from './tree.ts';
import { verifyDecoded } from './verify-block.ts';

/** Problems that a report lists. */
const maxProblems = 100;

export async function auditLog(
  env: LedgerEnv,
  handle: LogHandle,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  await using audit = new Audit(env, handle);
  const head = handle.stored;
  const blocks = head?.state.blocks ?? (await audit.countBlocks());
  if (head === undefined) audit.noHead(blocks, handle.row.reason);
  {
    await using ranges = await AuditRanges.open(env, handle, options.workers, blocks);
    for (let number = 0; number < blocks && options.signal?.aborted !== true;) {
      const range = await ranges?.at(number);
      if (range !== undefined && audit.follows(range)) {
        await audit.range(range);
        number += range.blocks.length;
      } else {
        await audit.block(number);
        number += 1;
      }
      options.onProgress?.(audit.checked, handle.size);
    }
  }
  if (options.signal?.aborted === true) audit.stopped();
  else await audit.finish(options.rows !== false);
  return audit.report(blocks);
}

class Audit implements AsyncDisposable {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  #state: LogState | UnknownLog;
  /** Undefined once a block was broken: the tiles behind it cannot be made again. */
  #edge: EdgeTiles | undefined = new EdgeTiles();
  /** A block before this one was broken, so what it left is not known. */
  #gap = false;
  readonly #tally = new IndexTally();
  readonly #problems: VerifyProblem[] = [];
  #broken: VerifyProblem | undefined;
  #missing: VerifyProblem | undefined;
  #checkedEvents = 0;
  readonly #gone = new GoneBodies();
  #feed: BlockFeed | undefined;
  checked = 0;

  constructor(env: LedgerEnv, handle: LogHandle) {
    this.#env = env;
    this.#handle = handle;
    this.#state = { logId: handle.logId };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#feed?.[Symbol.asyncDispose]();
  }

  get #next(): number {
    return isKnown(this.#state) ? this.#state.size : 0;
  }

  /** Where no head says it: the blocks that are stored. */
  async countBlocks(): Promise<number> {
    const rows = await countIndexes(this.#env, this.#handle.row.number, keyspace.blocks);
    return rows ?? 0;
  }

  noHead(blocks: number, reason: Fault | undefined): void {
    if (blocks > 0 || reason !== undefined) {
      this.#tell('broken', 0, reason?.code ?? 'store-corrupt', 'the head of the log is missing');
    } else this.#tell('incomplete', 0, 'block-missing', 'nothing of this log has arrived yet');
  }

  /** Does a stretch that was checked by itself begin in the state that we are in? */
  follows({ start }: CheckedRange): boolean {
    if (this.#gap) return false;
    return equal(start, isKnown(this.#state) ? encodeLogState(this.#state) : new Uint8Array(0));
  }

  async range({ number, end, blocks }: CheckedRange): Promise<void> {
    for (const [i, block] of blocks.entries()) {
      for (const control of block.controls) this.#gone.control(control);
      for (const index of block.gone) this.#gone.body(asLogIndex(index));
      this.#checkedEvents += block.events + block.sealed;
      this.checked += block.entries;
      this.#tally.checked(number + i, block);
      if (this.#edge !== undefined) {
        this.#full.push(...this.#edge.append(block.leafHashes, block.nodes));
      }
    }
    const state = decodeLogState(this.#env.options.crypto, end);
    if (state.ok) this.#state = state.value;
    await this.#compareTiles();
  }

  async block(number: number): Promise<void> {
    this.#feed ??= new BlockFeed(this.#env, this.#handle.row.number);
    const value = await this.#feed.take(number);
    if (!value.ok) {
      await this.#unreadable(number, 'broken', value.error.code, value.error.message);
      return;
    }
    if (value.value === undefined) {
      await this.#unreadable(number, 'incomplete', 'block-missing', 'the block is not there');
      return;
    }
    const { crypto } = this.#env.options;
    const checked = BlockRecord.read(crypto, value.value);
    const record = checked.ok ? checked : BlockRecord.read(crypto, value.value, true);
    const block = record.ok ? decodeBlock(record.value.wire, { reduced: true }) : record;
    if (!record.ok || !block.ok) {
      const inner = block.ok ? undefined : block.error;
      await this.#unreadable(
        number,
        'broken',
        inner?.code ?? 'store-corrupt',
        inner?.message ?? '',
      );
      return;
    }
    // Behind a wrong checksum the record's own numbers say nothing: the block's are signed.
    this.#judge(number, record.value, block.value, checked.ok ? undefined : checked.error);
    if (this.#edge !== undefined) await this.#compareTiles();
  }

  /** The full tiles that the last block completed. */
  #full: { readonly level: number; readonly index: number; readonly bytes: Uint8Array }[] = [];

  #judge(
    number: number,
    record: BlockRecord,
    block: DecodedBlock,
    damage: Fault | undefined,
  ): void {
    const { crypto, judges } = this.#env.options;
    const resumed = this.#gap;
    if (resumed) this.#resume(number, block);
    this.#gap = false;
    let verified = verifyDecoded({ crypto, judges }, this.#state, block);
    const key = this.#handle.stored?.state.writerKey;
    if (!verified.ok && resumed && key !== undefined && isKnown(this.#state)) {
      // The key may have been passed on in what is missing: then the head knows the later one.
      const later = { ...this.#state, writerKey: key };
      const again = verifyDecoded({ crypto, judges }, later, block);
      if (again.ok) verified = again;
    }
    if (!verified.ok) {
      const misplaced = block.firstIndex !== this.#next;
      const place = misplaced
        ? { index: this.#next }
        : locate(crypto, record, block, verified.error);
      this.#tell('broken', place.index, verified.error.code, verified.error.message, place);
      this.#skipTo(number, this.#next + block.entries.length);
      return;
    }
    if (damage !== undefined) {
      const to = verified.value.state.size;
      this.#tell('broken', block.firstIndex, damage.code, damage.message, { to });
    }
    this.#accept(number, verified.value);
  }

  #accept(number: number, verified: VerifiedBlock): void {
    const { block, events } = verified;
    this.#state = verified.state;
    for (const [i, entry] of block.entries.entries()) {
      const index = asLogIndex(block.firstIndex + i);
      if (entry.control !== undefined) this.#gone.control(entry.control);
      if (isEvent(entry) && entry.bodyOffset < 0) this.#gone.body(index);
      else if (isEvent(entry)) this.#checkedEvents += 1;
    }
    this.checked += block.entries.length;
    this.#tally.block(number, block, events);
    if (this.#edge !== undefined) {
      this.#full.push(...this.#edge.append(verified.leafHashes, verified.nodes));
    }
  }

  async #compareTiles(): Promise<void> {
    const full = this.#full.splice(0);
    const log = this.#handle.row.number;
    for (const tile of full) {
      const stored = await this.#env.options.store.get(tileKey(log, tile.level, tile.index));
      const wanted = packTile(this.#env.options.crypto, tile.bytes);
      if (stored.ok && stored.value !== undefined && equal(stored.value, wanted)) continue;
      const index = tile.index * 256 ** (tile.level + 1);
      const to = index + 256 ** (tile.level + 1);
      const message = `tile ${tile.level}/${tile.index} is not that of the entries`;
      this.#tell('broken', index, 'index-damaged', message, { to });
    }
  }

  /** A block that gives nothing at all: up to where the next one begins. */
  async #unreadable(
    number: number,
    kind: 'broken' | 'incomplete',
    code: Fault['code'],
    message: string,
  ): Promise<void> {
    const next = await this.#firstIndexOf(number + 1);
    const to = Math.max(next ?? this.#handle.size, this.#next);
    this.#tell(kind, this.#next, code, `block ${number}: ${message}`, { to });
    this.#skipTo(number, to);
  }

  async #firstIndexOf(number: number): Promise<number | undefined> {
    const key = numberKey(keyspace.blocks, this.#handle.row.number, number);
    const value = await this.#env.options.store.get(key);
    if (!value.ok || value.value === undefined) return undefined;
    const record = BlockRecord.read(this.#env.options.crypto, value.value, true);
    return record.ok ? record.value.firstIndex : undefined;
  }

  /** Goes on behind a block that does not count; what it left is asked of the next one. */
  #skipTo(number: number, size: number): void {
    this.#gap = true;
    this.#edge = undefined;
    this.#full = [];
    const known = isKnown(this.#state) ? this.#state : this.#handle.stored?.state;
    if (known === undefined) return;
    // At the genesis the head lends its word; what it says of the end must not count yet.
    const { writerKey } = isKnown(this.#state) ? known : known.genesis;
    const time = isKnown(this.#state) ? known.time : known.genesis.created;
    const lowest = isKnown(this.#state) ? known.lowest : asLogIndex(0);
    const place = { size: asTreeSize(size), blocks: asBlockNumber(number + 1) };
    this.#state = { ...known, ...place, writerKey, time, lowest };
  }

  /** Takes frontier and previous seal from the next block: its signature vouches for both. */
  #resume(number: number, block: DecodedBlock): void {
    if (!isKnown(this.#state)) return;
    const seal = block.entries.at(-1);
    const bytes = block.wire.subarray(
      seal?.leafOffset,
      (seal?.leafOffset ?? 0) + (seal?.leafLength ?? 0),
    );
    const leaf = decodeLeaf(bytes);
    const sealHash = leaf.ok && leaf.value.kind === 2 ? leaf.value.previousSeal : undefined;
    const root = rootOf(this.#env.options.crypto, block.frontier);
    const size = asTreeSize(block.firstIndex);
    const blocks = asBlockNumber(number);
    const state = { ...this.#state, frontier: block.frontier, root, size, blocks };
    this.#state = sealHash === undefined ? state : { ...state, sealHash };
  }

  stopped(): void {
    this.#tell('incomplete', this.#next, 'interrupted', 'the check was stopped');
  }

  /** Head and indexes, where the blocks are sound. */
  async finish(rows: boolean): Promise<void> {
    const head = this.#handle.stored?.state;
    if (this.#broken === undefined && this.#missing === undefined && head !== undefined) {
      const state = this.#state;
      if (!isKnown(state) || state.size !== head.size || !equal(state.root, head.root)) {
        this.#tell('broken', this.#next, 'store-corrupt', 'the head is not that of the blocks');
      }
      const counts = rows ? await this.#tally.compare(this.#env, this.#handle) : [];
      for (const { index, message } of counts) {
        this.#tell('broken', index, 'index-damaged', message);
      }
    }
    const { standing, reason } = this.#handle.row;
    const found = this.#broken ?? this.#missing;
    if (found === undefined && standing === 'damaged' && reason !== undefined) {
      // What opening found and the walk did not meet, such as a block behind the head.
      this.#tell('broken', reason.place?.index ?? this.#next, reason.code, reason.message);
    }
    for (const { index, code, message } of this.#gone.report(head?.lowest ?? 0).problems) {
      this.#tell('incomplete', index, code, message);
    }
  }

  #tell(
    kind: 'broken' | 'incomplete',
    index: number,
    code: Fault['code'],
    message: string,
    more: { readonly to?: number; readonly expected?: string; readonly found?: string } = {},
  ): void {
    const { to, expected, found } = more;
    const problem: VerifyProblem = {
      index: asLogIndex(index),
      ...(to === undefined ? {} : { to: asLogIndex(to) }),
      code,
      message,
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
    };
    if (kind === 'broken') this.#broken ??= problem;
    else this.#missing ??= problem;
    if (this.#problems.length < maxProblems) this.#problems.push(problem);
  }

  report(blocks: number): VerifyReport {
    const state = isKnown(this.#state) ? this.#state : this.#handle.stored?.state;
    const first = this.#broken ?? this.#missing;
    const gone = this.#gone.report(this.#handle.stored?.state.lowest ?? 0);
    return {
      log: this.#handle.logId,
      verdict: this.#broken !== undefined ? 'broken' : this.#missing ? 'incomplete' : 'intact',
      size: asTreeSize(this.#handle.size),
      root: this.#handle.stored?.state.root ?? emptyRoot(this.#env.options.crypto),
      blocks,
      signer: state === undefined ? '' : didFromKey(state.writerKey),
      witnesses: [],
      entries: this.checked,
      redacted: gone.redacted,
      dropped: gone.dropped,
      checkedEvents: this.#checkedEvents,
      ...(first === undefined ? {} : { firstProblem: first }),
      problems: this.#problems,
    };
  }
}
