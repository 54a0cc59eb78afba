/**
 * Taking blocks off the end of a log whose owner has gone on from an earlier place: they are no longer
 * part of the log, but nothing that was accepted is dropped. Each step is one batch that leaves a whole
 * log behind, so a crash between steps is harmless: blocks go to the table `setAside`, their index rows
 * and tiles go, the head moves back.
 *
 *   key     21 ‖ log uint32 ‖ block number uint48 ‖ first 8 bytes of SHA-256(block record)
 *   value   the block record, as it was stored
 */
import { concat } from '../bytes.ts';
import { fault } from '../errors.ts';
import { keyspace, logKey, numberKey, pairKey, prefixRange, tileKey } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asBlockNumber, asHash, asLogIndex, asTreeSize, type TreeSize } from '../types.ts';
import { subjectRowKey } from './append-batch.ts';
import { decodeBlock } from './block-codec.ts';
import { makeLeaves } from './block-leaves.ts';
import { BlockRecord } from './block-record.ts';
import { controlsOf } from './controls.ts';
import { eachRow } from './each-row.ts';
import { encodeHead, type LogHead } from './head-record.ts';
import { idRowKeys } from './id-rows.ts';
import { readKeyChain, recoveryHashAt } from './key-chain.ts';
import { decodeLeaf } from './leaf.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { eventsOf } from './open-sealed.ts';
import { blockNumberAt, recordOf } from './read-block.ts';
import { freshRow } from './retention-row.ts';
import type { StoreWrite } from './store.ts';
import { appendLeaves, checkFrontier, rootOf } from './tree.ts';

/** Blocks of one step. */
const maxStep = 64;

/**
 * Shortens the log to `size`, which is the end of one of its blocks, or 0. The caller has seen to it that
 * nothing is written to the log meanwhile. Codes: successor-predecessor (no block ends there), store-corrupt,
 * those of the store; then the log is whole but longer than asked for.
 */
export async function setAside(
  env: LedgerEnv,
  handle: LogHandle,
  size: TreeSize,
): Promise<Result<void>> {
  const kept = await blocksUpTo(env, handle, size);
  if (!kept.ok) return kept;
  for (;;) {
    const blocks = handle.stored?.state.blocks ?? 0;
    if (blocks <= kept.value) return ok(undefined);
    const step = await shorten(env, handle, Math.max(kept.value, blocks - maxStep));
    if (!step.ok) return step;
  }
}

/** Number of blocks whose entries are the first `size` ones. Code: successor-predecessor. */
export async function blocksUpTo(
  env: LedgerEnv,
  handle: LogHandle,
  size: TreeSize,
): Promise<Result<number>> {
  if (size === 0) return ok(0);
  const number = await blockNumberAt(env, handle, asLogIndex(size - 1));
  if (!number.ok) return number;
  const record = await recordOf(env, handle, number.value);
  if (!record.ok) return record;
  if (record.value.size === size) return ok(number.value + 1);
  return err(fault('successor-predecessor', `no checkpoint of this log has the size ${size}`));
}

/** All blocks that were ever set aside, in order of their place. Codes: those of the store. */
export async function setAsideBlocks(
  env: LedgerEnv,
  handle: LogHandle,
): Promise<Result<readonly BlockRecord[]>> {
  const records: BlockRecord[] = [];
  const range = prefixRange(logKey(keyspace.setAside, handle.row.number));
  const read = await eachRow(env.options.store, range, 16, ({ value }) => {
    const record = BlockRecord.read(env.options.crypto, value);
    if (!record.ok) return record;
    records.push(record.value);
    return ok(undefined);
  });
  return read.ok ? ok(records) : read;
}

async function shorten(env: LedgerEnv, handle: LogHandle, keep: number): Promise<Result<void>> {
  const head = keep === 0 ? ok(undefined) : await headAfter(env, handle, keep - 1);
  if (!head.ok) return head;
  const { crypto, store } = env.options;
  const log = handle.row.number;
  const size = head.value?.state.size ?? asTreeSize(0);
  const writes: StoreWrite[] = [];
  for (let number = keep; number < (handle.stored?.state.blocks ?? 0); number++) {
    const taken = await takeOut(env, handle, number, writes);
    if (!taken.ok) return taken;
  }
  tilesBehind(log, handle.size, size, writes);
  const key = logKey(keyspace.heads, log);
  writes.push(head.value === undefined ? { key } : { key, value: encodeHead(crypto, head.value) });
  // What is to be forgotten is read from the log anew: a thief may have said so in what goes.
  writes.push({ key: logKey(keyspace.retention, log) });
  const stored = await store.batch(writes, { sync: true });
  if (!stored.ok) return stored;
  handle.kept = freshRow;
  env.recent.drop(log);
  env.tiles.clear();
  handle.reset(handle.row, head.value);
  return ok(undefined);
}

/** The log after one of its blocks, made again from what is stored. */
async function headAfter(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
): Promise<Result<LogHead>> {
  const { crypto } = env.options;
  const now = handle.stored;
  const record = await recordOf(env, handle, asBlockNumber(number));
  if (!record.ok) return record;
  const block = decodeBlock(record.value.wire, { reduced: true });
  const made = block.ok ? makeLeaves(crypto, block.value) : block;
  const controls = await controlsOf(env, handle);
  if (!block.ok || !made.ok || !controls.ok || now === undefined) {
    return err(fault('store-corrupt', `block ${number} cannot be read`));
  }
  const { firstIndex, entries, checkpoint } = block.value;
  const frontier = checkFrontier(asTreeSize(firstIndex), block.value.frontier);
  const { leaves, leafHashes } = made.value;
  const last = entries.length - 1;
  const seal = decodeLeaf(leaves.leaf(last));
  if (!frontier.ok || !seal.ok || seal.value.kind !== 2) {
    return err(fault('store-corrupt', `block ${number} cannot be read`));
  }
  const tree = appendLeaves(crypto, frontier.value, asTreeSize(firstIndex), leafHashes);
  const before = controls.value.filter(({ index }) => index < tree.size);
  const chain = readKeyChain(crypto, handle.log, before);
  if (!chain.ok) return err(fault('store-corrupt', chain.error.message));
  const opened = before.findLast(({ map }) => map['type'] === 'epoch')?.map;
  const state = {
    ...now.state,
    size: tree.size,
    frontier: tree.frontier,
    root: rootOf(crypto, tree.frontier),
    blocks: asBlockNumber(number + 1),
    sealHash: asHash(leafHashes.slice(32 * last, 32 * last + 32)),
    time: seal.value.time,
    writerKey: chain.value.rotations.at(-1)?.key ?? chain.value.genesis.writerKey,
    recoveryHash: recoveryHashAt(chain.value, tree.size),
    epoch: typeof opened?.['epoch'] === 'number' ? opened['epoch'] : undefined,
    generation: typeof opened?.['generation'] === 'number' ? opened['generation'] : undefined,
    lowest: seal.value.lowest,
  };
  return ok({ state, checkpoint, slices: now.slices });
}

/** Adds the writes that move one block to the other table and delete the rows that name its entries. */
async function takeOut(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
  writes: StoreWrite[],
): Promise<Result<void>> {
  const { crypto, store } = env.options;
  const log = handle.row.number;
  const record = await recordOf(env, handle, asBlockNumber(number));
  if (!record.ok) return record;
  const { firstIndex, bytes } = record.value;
  const block = decodeBlock(record.value.wire, { reduced: true });
  const made = block.ok ? makeLeaves(crypto, block.value) : block;
  if (!block.ok || !made.ok) return err(fault('store-corrupt', `block ${number} cannot be read`));
  const place = numberKey(keyspace.setAside, log, number);
  const last = block.value.entries.at(-1)?.time ?? 0;
  writes.push(
    { key: concat(place, crypto.sha256(bytes).subarray(0, 8)), value: bytes },
    { key: numberKey(keyspace.blocks, log, number) },
    { key: numberKey(keyspace.starts, log, firstIndex) },
    { key: pairKey(keyspace.times, log, last, number) },
  );
  const events = await eventsOf(env, handle, block.value, made.value);
  for (const [i, entry] of block.value.entries.entries()) {
    const index = firstIndex + i;
    if (entry.control !== undefined) writes.push({ key: numberKey(keyspace.controls, log, index) });
    const event = events[i];
    if (event === undefined) continue;
    const { subject, source, id } = event.context;
    if (typeof subject === 'string') {
      writes.push({ key: subjectRowKey(log, env.ids.subjectKey(subject), index) });
    }
    const slices = (handle.stored?.slices.at(-1)?.number ?? -1) + 1;
    const idKey = env.ids.idKey(String(source), String(id));
    const rows = await idRowKeys(store, log, slices, idKey, index);
    if (!rows.ok) return rows;
    for (const key of rows.value) writes.push({ key });
  }
  return ok(undefined);
}

/** Deletes the tiles that are full at the first size and not at the second. */
function tilesBehind(log: number, from: number, to: number, writes: StoreWrite[]): void {
  for (let level = 0; 256 ** (level + 1) <= from; level++) {
    const span = 256 ** (level + 1);
    for (let index = Math.floor(to / span); index < Math.floor(from / span); index++) {
      writes.push({ key: tileKey(log, level, index) });
    }
  }
}
