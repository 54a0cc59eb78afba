/**
 * A log that has a successor (ledger.md "Keys, rotation, recovery") is closed at the size that the
 * successor names. Its rows, one a sound successor, the first that was taken being number 0:
 *
 *   key     20 ‖ log uint32 ‖ leaf hash of the successor's genesis 32
 *   value   dag-cbor [1, number, genesis leaf]
 *
 * Until the log has that size under that root it is *closing*: only blocks that lead there are taken, and
 * only by sync. A block that shows that ours is not the chosen history makes us leave ours, a few blocks
 * at first and then ever more of them, until the two have met (set-aside.ts keeps what is left).
 */
import { equal } from '../bytes.ts';
import { CborReader, CborWriter } from '../cbor.ts';
import { fault, type Fault } from '../errors.ts';
import { logIdFromHash } from '../ids.ts';
import { hashKey, keyspace, logKey, prefixRange } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, type Hash, type LogId, type TreeSize } from '../types.ts';
import type { DecodedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { eachRow } from './each-row.ts';
import type { Genesis } from './genesis.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { readGenesis } from './log-state.ts';
import { recordAt } from './read-block.ts';
import type { StoreWrite } from './store.ts';
import { leafHash } from './tree.ts';

/** Where a log ends and what goes on from there. */
export interface Closing {
  readonly size: TreeSize;
  readonly root: Hash;
  readonly next: LogId;
}

/** Closed, and all of it is here. */
export function isWhole({ closing, stored }: Pick<LogHandle, 'closing' | 'stored'>): boolean {
  if (closing === undefined || stored === undefined) return false;
  return stored.state.size === closing.size && equal(stored.state.root, closing.root);
}

/** What a summary says of it. */
export function closingOf(handle: LogHandle): {
  readonly closing?: Closing & { readonly whole: boolean };
} {
  const { closing } = handle;
  return closing === undefined ? {} : { closing: { ...closing, whole: isWhole(handle) } };
}

export interface SuccessorRow {
  readonly number: number;
  readonly logId: LogId;
  readonly genesis: Genesis;
}

export function successorWrite(
  handle: LogHandle,
  number: number,
  genesisLeaf: Uint8Array,
  successor: Hash,
): StoreWrite {
  const writer = new CborWriter(genesisLeaf.length + 16);
  const value = writer.list(3).uint(1).uint(number).bytes(genesisLeaf).finish();
  return { key: hashKey(keyspace.successors, handle.row.number, successor), value };
}

/** In the order in which they were taken. Codes: store-corrupt, those of the store. */
export async function successorsOf(
  env: LedgerEnv,
  handle: LogHandle,
): Promise<Result<readonly SuccessorRow[]>> {
  const rows: SuccessorRow[] = [];
  const range = prefixRange(logKey(keyspace.successors, handle.row.number));
  const read = await eachRow(env.options.store, range, 16, ({ value }) => {
    const row = decodeRow(env, value);
    if (!row.ok) return row;
    rows.push(row.value);
    return ok(undefined);
  });
  if (!read.ok) return read;
  return ok(rows.toSorted((a, b) => a.number - b.number));
}

function decodeRow(env: LedgerEnv, bytes: Uint8Array): Result<SuccessorRow> {
  const damaged = err(fault('store-corrupt', 'the row of a successor is damaged'));
  const reader = new CborReader(bytes);
  if (reader.list() !== 3 || reader.uint() !== 1) return damaged;
  const number = reader.uint();
  const leaf = reader.bytes();
  reader.end();
  if (reader.failed !== undefined) return damaged;
  const genesis = readGenesis(leaf.slice());
  if (!genesis.ok || genesis.value.predecessor === undefined) return damaged;
  const logId = logIdFromHash(asHash(leafHash(env.options.crypto, leaf)));
  return ok({ number, logId, genesis: genesis.value });
}

/** What the store says of a closed log: sets `handle.closing`; a fault where it cannot be read. */
export async function loadClosing(env: LedgerEnv, handle: LogHandle): Promise<Fault | undefined> {
  if (handle.row.standing !== 'closed') return undefined;
  const rows = await successorsOf(env, handle);
  if (!rows.ok) return rows.error;
  const [first] = rows.value;
  const named = first?.genesis.predecessor;
  if (first === undefined || named === undefined) {
    return fault('store-corrupt', 'the successor of a closed log is missing');
  }
  handle.closing = { size: named.size, root: named.root, next: first.logId };
  return undefined;
}

/** Whether a closed log takes blocks that come this way; code log-closed. */
export function refuseWhenClosed(handle: LogHandle, via: 'gossip' | 'sync'): Fault | undefined {
  if (handle.closing === undefined) return undefined;
  if (via === 'sync' && !isWhole(handle)) return undefined;
  return fault('log-closed', 'a successor goes on');
}

/**
 * The block is of the history that the owner chose and ours is not: some of ours is set aside. Gives the
 * fault branch-left: ask again from our new size.
 */
export async function leaveHistory(
  env: LedgerEnv,
  handle: LogHandle,
  settled: () => Promise<void>,
): Promise<Fault> {
  await settled();
  await env.leaveHistory(handle);
  return fault('branch-left', 'our history of this log is not the one that its owner chose');
}

/** Is this block, which begins before our end, one of ours? Where the store fails: yes. */
export async function isStored(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
): Promise<boolean> {
  const record = await recordAt(env, handle, block.firstIndex);
  if (!record.ok) return true;
  const own = decodeBlock(record.value.wire, { reduced: true });
  return own.ok && own.value.checkpoint === block.checkpoint;
}

/** Does the block, if it is closing the log, end where the log does, and not past it? */
export function leadsToEnd({ closing }: LogHandle, block: DecodedBlock): boolean {
  if (closing === undefined) return true;
  const end = block.firstIndex + block.entries.length;
  if (end !== closing.size) return end < closing.size;
  const note = parseCheckpoint(block.checkpoint);
  return note.ok && equal(note.value.root, closing.root);
}
