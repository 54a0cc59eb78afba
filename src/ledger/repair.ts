/**
 * Mends what a walk found. Index rows, tiles and head are made again from the sound blocks; a block
 * comes from another holder of the log, and replaces nothing before it was verified: it follows on
 * the block before, is signed by the key in force, and leads to the frontier that our next sound
 * block (or the head) signed. So a peer can hand out our own history or nothing.
 */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { keyspace, numberKey, prefixRange, sliceKey } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex, type LogId, type LogIndex } from '../types.ts';
import { isEvent, type DecodedBlock, type VerifiedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { reduceBlock } from './block-encode.ts';
import { encodeRecord } from './block-record.ts';
import { missingRows } from './block-rows.ts';
import { judgeOther } from './fork-check.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { isKnown, type LogState, type UnknownLog } from './log-state.ts';
import type { Damage } from './log-walk.ts';
import { missingBodies, nothingMissing } from './missing-bodies.ts';
import { checkBlock, readBlock } from './state-before.ts';
import type { StoreWrite } from './store.ts';
import type { Frontier } from './tree.ts';
import { blockVerdict } from './verdict.ts';
import { verifyDecoded } from './verify-block.ts';

/**
 * What the one who offers a block is told: go on, enough, another holder may do better, or why the
 * block can never be valid.
 */
export type Taken = 'more' | 'done' | 'next' | Fault;

/** Other holders of a log, as the network gives them. */
export interface RepairSource {
  /**
   * Asks them one after the other for the blocks from an index on and hands over each with the name
   * of its sender, until `take` says `done`. A sender whose block comes back with a fault pays for
   * it, and the next one is asked. Resolves when it is done or nobody is left. Code: `no-holder`.
   */
  fetch(
    logId: LogId,
    from: LogIndex,
    take: (wire: Uint8Array, sender: string) => Promise<Taken>,
    signal: AbortSignal,
  ): Promise<Result<void>>;
}

/** What a repair did: from where, or why not. */
export type Mended = { readonly from: string } | { readonly reason: Fault };

/** Blocks that are fetched for one hole at once; what is behind them is a hole of its own. */
const maxHole = 1024;

/** Writes what mends damage of index rows, tiles, head or row. Codes: those of the store. */
export async function mendLocally(
  env: LedgerEnv,
  handle: LogHandle,
  damage: Damage,
): Promise<Mended> {
  // A head that is being written anew must not be overtaken by an older one.
  if (damage.kind === 'head' && handle.stored !== handle.tip) return { from: 'the next block' };
  const writes: StoreWrite[] = [...(damage.writes ?? [])];
  if (damage.ids === true) writes.push(...(await filterRows(env, handle)));
  const written = await env.options.store.batch(writes, { sync: true });
  if (!written.ok) return { reason: written.error };
  if (damage.kind === 'tile') env.tiles.clear();
  return { from: 'the blocks of this home' };
}

/** Kept filters may have been made while rows were missing: they are made again from the rows. */
async function filterRows(env: LedgerEnv, handle: LogHandle): Promise<readonly StoreWrite[]> {
  const slices = handle.stored?.slices ?? [];
  const writes: StoreWrite[] = [];
  for (const { number } of slices) {
    const prefix = sliceKey(keyspace.filters, handle.row.number, number, new Uint8Array(0));
    await using scan = env.options.store.scan({ ...prefixRange(prefix), keysOnly: true });
    const rows = await scan.next(maxFilterParts);
    if (rows.ok) writes.push(...rows.value.map(({ key }) => ({ key })));
  }
  return writes;
}

const maxFilterParts = 65_536;

/** The first sound block behind a hole: what its frontier says of the log before it. */
interface Bound {
  /** Number of the first sound block, or of blocks in all. */
  readonly number: number;
  readonly size: number;
  readonly frontier: Frontier;
}

/**
 * Fetches the damaged block `number` and those behind it that are damaged too. `state` is the log
 * before it, where known.
 */
export async function mendBlocks(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
  state: LogState | UnknownLog | undefined,
  source: RepairSource | undefined,
  signal: AbortSignal,
): Promise<Mended> {
  if (source === undefined) return { reason: fault('no-holder', 'no peer is asked here') };
  const before = state ?? (await endOf(env, handle, number - 1));
  if (before === undefined) {
    return { reason: fault('log-damaged', 'the block before it is damaged as well') };
  }
  const bound = await boundOf(env, handle, number);
  const hole = new Hole(env, handle, before, bound);
  const from = asLogIndex(isKnown(before) ? before.size : 0);
  const asked = await source.fetch(handle.logId, from, (wire, by) => hole.take(wire, by), signal);
  if (hole.filled) return { from: hole.sender };
  const none = fault('no-holder', 'no connected peer could give the block');
  return { reason: hole.reason ?? (asked.ok ? none : asked.error) };
}

/** The state after a block, by its own word and signature. */
async function endOf(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
): Promise<LogState | UnknownLog | undefined> {
  if (number < 0) return { logId: handle.logId };
  const read = await readBlock(env, handle, number);
  if (!read.ok) return undefined;
  const checked = await checkBlock(env, handle, undefined, read.value.block, number);
  return checked.ok ? checked.value.state : undefined;
}

async function boundOf(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
): Promise<Bound | undefined> {
  const head = handle.stored?.state;
  const blocks = head?.blocks ?? 0;
  for (let next = number + 1; next < blocks; next++) {
    if (next - number > maxHole) return undefined;
    const read = await readBlock(env, handle, next);
    if (!read.ok) continue;
    const { block } = read.value;
    const checked = await checkBlock(env, handle, undefined, block, next);
    if (checked.ok) return { number: next, size: block.firstIndex, frontier: block.frontier };
  }
  if (head === undefined) return undefined;
  return { number: blocks, size: head.size, frontier: head.frontier };
}

/** A stretch of blocks that is filled one after the other. */
class Hole {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  readonly #bound: Bound | undefined;
  #state: LogState | UnknownLog;
  filled = false;
  sender = '';
  /** Why the last block that was offered was not taken. */
  reason: Fault | undefined;

  constructor(
    env: LedgerEnv,
    handle: LogHandle,
    state: LogState | UnknownLog,
    bound: Bound | undefined,
  ) {
    this.#env = env;
    this.#handle = handle;
    this.#state = state;
    this.#bound = bound;
  }

  async take(wire: Uint8Array, sender: string): Promise<Taken> {
    const { crypto, judges } = this.#env.options;
    const block = decodeBlock(wire, { reduced: true });
    if (!block.ok) return this.#refuse(block.error);
    const size = isKnown(this.#state) ? this.#state.size : 0;
    // A page may begin with the block that holds the index, and a holder may have blocks that we have.
    if (block.value.firstIndex < size) return 'more';
    const verified = verifyDecoded({ crypto, judges }, this.#state, block.value);
    if (!verified.ok) return this.#refuse(verified.error, block.value);
    const wrong = this.#misfit(verified.value) ?? (await this.#withheld(verified.value));
    if (wrong !== undefined) return this.#refuse(wrong, block.value);
    const written = await this.#write(verified.value);
    if (!written.ok) {
      this.reason = written.error;
      return 'done';
    }
    this.sender = sender;
    const { state } = verified.value;
    this.#state = state;
    this.filled = state.blocks >= (this.#bound?.number ?? 0);
    return this.filled ? 'done' : 'more';
  }

  async #refuse(reason: Fault, block?: DecodedBlock): Promise<Taken> {
    this.reason = reason;
    // Two histories are the writer's fault: that is proved, kept and told to others.
    if (reason.code === 'fork' && block !== undefined) {
      await judgeOther(this.#env, this.#handle, block);
    }
    // What is the writer's fault, or what another holder may do better, costs the sender nothing.
    return blockVerdict(reason).kind === 'reject' ? reason : 'next';
  }

  /** It is signed; does it lead to what we hold behind it? Otherwise the writer signed two histories. */
  #misfit({ state, block }: VerifiedBlock): Fault | undefined {
    const bound = this.#bound;
    if (bound === undefined || state.size < bound.size) return undefined;
    const same =
      state.size === bound.size &&
      state.frontier.length === bound.frontier.length &&
      state.frontier.every((hash, i) => equal(hash, bound.frontier[i] ?? none));
    if (same) return undefined;
    const place = { index: block.firstIndex };
    return fault('fork', 'signed, but not the block that our later blocks follow', place);
  }

  /** Bodies may only be missing where the log itself says so. */
  async #withheld({ block }: VerifiedBlock): Promise<Fault | undefined> {
    const missing = block.entries.flatMap((entry, i) =>
      isEvent(entry) && entry.bodyOffset < 0 ? [block.firstIndex + i] : [],
    );
    if (missing.length === 0) return undefined;
    const known = await missingBodies(this.#env, this.#handle);
    if (!known.ok) return known.error;
    const { lowest, redacted, compact } = known.value;
    const index = missing.find((one) => one >= lowest && !redacted.has(one));
    if (index === undefined || compact) return undefined;
    return fault('body-withheld', 'the peer left bodies out that the log still offers', { index });
  }

  /** What was redacted or has left the retention here does not come back from a peer. */
  async #withoutForgotten(verified: VerifiedBlock): Promise<Result<VerifiedBlock>> {
    const { block, leaves, events } = verified;
    const missing = await missingBodies(this.#env, this.#handle);
    // Before the genesis is back nothing is known of it; retention finds the block later.
    const { lowest, redacted } = missing.ok ? missing.value : nothingMissing;
    const gone = (i: number): boolean =>
      block.firstIndex + i < lowest || redacted.has(block.firstIndex + i);
    const goes = block.entries.map((entry, i) => entry.bodyOffset >= 0 && gone(i));
    if (!goes.includes(true)) return ok(verified);
    const { crypto } = this.#env.options;
    const wire = reduceBlock(crypto, block, leaves, (i) => goes[i] !== true);
    const reduced = decodeBlock(wire, { reduced: true });
    if (!reduced.ok) return reduced;
    const left = events.map((event, i) => (goes[i] === true ? undefined : event));
    return ok({ ...verified, wire, block: reduced.value, events: left });
  }

  async #write(verified: VerifiedBlock): Promise<Result<void>> {
    const { crypto, store } = this.#env.options;
    const log = this.#handle.row.number;
    const kept = await this.#withoutForgotten(verified);
    if (!kept.ok) return kept;
    const { block, state, leafHashes } = kept.value;
    const number = asBlockNumber(state.blocks - 1);
    const { firstIndex, form, entries } = block;
    const wire = block.wire.slice();
    const input = { number, firstIndex, form, entries, leafHashes, root: state.root, wire };
    const rows = await missingRows(this.#env, this.#handle, kept.value);
    if (!rows.ok) return rows;
    const writes: StoreWrite[] = [
      { key: numberKey(keyspace.blocks, log, number), value: encodeRecord(crypto, input) },
      ...(rows.value?.writes ?? []),
    ];
    this.#env.recent.drop(log);
    return store.batch(writes, { sync: true });
  }
}

const none = new Uint8Array(0);
