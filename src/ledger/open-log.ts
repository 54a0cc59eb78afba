/**
 * Opening one log: its head, its newest block, and what the guard says. LevelDB may return damaged
 * data, and a crash may have cost a replica its unsynced blocks, so nothing is built upon before
 * the newest block has been compared with the head: a few reads and one block of hashing a log,
 * however long it is.
 */
import { equal, readUint48 } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { logIdFromHash } from '../ids.ts';
import { keyspace, logKey, numberKey, prefixRange } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asLogIndex, asTreeSize, type Hash, type LogId } from '../types.ts';
import { decodeBlock } from './block-codec.ts';
import { makeLeaves } from './block-leaves.ts';
import { BlockRecord } from './block-record.ts';
import { parseCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import { loadClosing } from './closing.ts';
import { eachRow } from './each-row.ts';
import type { GuardMark } from './guard.ts';
import { decodeHead, type LogHead } from './head-record.ts';
import type { LedgerEnv } from './ledger-env.ts';
import { decodeLogRow, type LogRow } from './log-row.ts';
import { lostRow } from './lost-row.ts';
import { readRangeRoot } from './range.ts';
import { appendLeaves, checkFrontier, rootOf } from './tree.ts';
import { LogHandle } from './log-handle.ts';

/** Newest blocks whose presence is looked at; a power cut loses the newest ones. */
const tailBlocks = 64;

/** All logs of the store, each opened. Codes: those of the store; damage is in the logs' standing. */
export async function openLogs(env: LedgerEnv): Promise<Result<readonly LogHandle[]>> {
  const handles: LogHandle[] = [];
  const lost: { readonly log: Hash; readonly reason: Fault }[] = [];
  const range = prefixRange(Uint8Array.of(keyspace.logs.prefix));
  const read = await eachRow(env.options.store, range, 1000, async ({ key, value }) => {
    const row = decodeLogRow(value);
    if (key.length !== 33) return err(fault('store-corrupt', 'a key of the logs is damaged'));
    const log = asHash(key.slice(1));
    if (row.ok) handles.push(await openLog(env, logIdFromHash(log), row.value));
    else lost.push({ log, reason: row.error });
    return ok(undefined);
  });
  return read.ok ? openLost(env, handles, lost) : read;
}

/** Those whose row is damaged: one log must not keep the others from opening. */
async function openLost(
  env: LedgerEnv,
  handles: readonly LogHandle[],
  lost: readonly { readonly log: Hash; readonly reason: Fault }[],
): Promise<Result<readonly LogHandle[]>> {
  const all = [...handles];
  for (const { log, reason } of lost) {
    const row = await lostRow(env, log, reason);
    if (!row.ok) return row;
    const highest = Math.max(0, ...all.map((handle) => handle.row.number));
    const taken = all.some((handle) => handle.row.number === row.value.number);
    const number = taken ? highest + 1 : row.value.number;
    const handle = await openLog(env, logIdFromHash(log), { ...row.value, number });
    // A successor still closes it, two histories still freeze it.
    if (handle.row.standing !== 'closed') handle.setStanding('damaged', reason);
    all.push(handle);
  }
  return ok(all);
}

export async function openLog(env: LedgerEnv, logId: LogId, row: LogRow): Promise<LogHandle> {
  const handle = new LogHandle(logId, row, undefined);
  await loadLog(env, handle, row);
  const lost = await loadClosing(env, handle);
  if (lost !== undefined) handle.setStanding('damaged', lost);
  return handle;
}

/** Sets head and standing by what the store and the guard hold. */
export async function loadLog(env: LedgerEnv, handle: LogHandle, row: LogRow): Promise<void> {
  const head = await readHead(env, row.number);
  const lasting = row.standing === 'frozen' || row.standing === 'closed';
  const open: LogRow = lasting ? row : { ...row, standing: 'open', reason: undefined };
  handle.reset(open, head.ok ? head.value : undefined);
  const wrong = head.ok ? await checkTail(env, row.number, head.value) : head.error;
  if (wrong !== undefined) {
    handle.setStanding(row.standing === 'closed' ? 'closed' : 'damaged', wrong);
    return;
  }
  const held = await checkGuard(env, handle);
  if (held !== undefined && !lasting) handle.setStanding('waiting', held);
}

async function readHead(env: LedgerEnv, log: number): Promise<Result<LogHead | undefined>> {
  const value = await env.options.store.get(logKey(keyspace.heads, log));
  if (!value.ok || value.value === undefined) return value.ok ? ok(undefined) : value;
  return decodeHead(env.options.crypto, value.value);
}

/** Undefined where the newest block is there and gives the head. */
async function checkTail(
  env: LedgerEnv,
  log: number,
  head: LogHead | undefined,
): Promise<Fault | undefined> {
  const present = await checkPresence(env, log, head?.state.blocks ?? 0);
  if (present !== undefined || head === undefined) return present;
  const { crypto } = env.options;
  const { state } = head;
  const key = numberKey(keyspace.blocks, log, state.blocks - 1);
  const value = await env.options.store.get(key);
  if (!value.ok) return value.error;
  const record = BlockRecord.read(crypto, value.value ?? new Uint8Array(0));
  if (!record.ok) return tailFault(record.error, state.size);
  const block = decodeBlock(record.value.wire, { reduced: true });
  const made = block.ok ? makeLeaves(crypto, block.value) : block;
  if (!block.ok || !made.ok) {
    return tailFault(made.ok ? undefined : made.error, record.value.firstIndex);
  }
  const { firstIndex, frontier, checkpoint, entries } = block.value;
  const fits = checkFrontier(asTreeSize(firstIndex), frontier);
  if (!fits.ok) return tailFault(fits.error, firstIndex);
  const grown = appendLeaves(crypto, fits.value, asTreeSize(firstIndex), made.value.leafHashes);
  const root = rootOf(crypto, grown.frontier);
  // The block in which a key is passed on is signed by the key before.
  const rotation = entries.some((entry) => entry.control?.['type'] === 'rotate');
  const note = rotation
    ? parseCheckpoint(checkpoint)
    : verifyCheckpoint(crypto, checkpoint, state.logId, state.writerKey);
  const sound =
    grown.size === state.size &&
    equal(root, state.root) &&
    note.ok &&
    note.value.size === state.size &&
    equal(note.value.root, root) &&
    checkpoint === head.checkpoint;
  return sound ? undefined : tailFault(undefined, firstIndex);
}

function tailFault(inner: Fault | undefined, index: number): Fault {
  const message = `the newest stored block does not verify: ${inner?.message ?? 'another root'}`;
  return fault('store-corrupt', message, { index: asLogIndex(index) });
}

/** Are the last blocks all there, and none behind the head? */
async function checkPresence(
  env: LedgerEnv,
  log: number,
  blocks: number,
): Promise<Fault | undefined> {
  const range = prefixRange(logKey(keyspace.blocks, log));
  await using scan = env.options.store.scan({ ...range, reverse: true, keysOnly: true });
  const wanted = Math.min(blocks, tailBlocks);
  const found: number[] = [];
  while (found.length < tailBlocks) {
    const page = await scan.next(tailBlocks - found.length);
    if (!page.ok) return page.error;
    if (page.value.length === 0) break;
    found.push(...page.value.map(({ key }) => readUint48(key, 5)));
  }
  for (let i = 0; i < Math.max(wanted, Math.min(1, found.length)); i++) {
    if (found[i] === blocks - 1 - i) continue;
    return fault('store-corrupt', `block ${blocks - 1 - i} is missing in the store`);
  }
  return undefined;
}

/** Why an own log may not sign yet: its store is not where the guard says it was. */
export async function checkGuard(env: LedgerEnv, handle: LogHandle): Promise<Fault | undefined> {
  if (handle.row.role !== 'writer') return undefined;
  const { guard } = env.options;
  const mark = guard.mark(0, handle.log);
  const state = handle.stored?.state;
  if (mark === undefined) {
    // A first block that was never acknowledged may lack its mark, no later one.
    if (!guard.fresh && (state?.blocks ?? 0) <= 1) return env.unconfirmed.reason(handle.logId);
    return fault('guard-missing', 'the guard file knows nothing of this log');
  }
  if (state === undefined || mark.size > state.size) {
    const message = `the store has ${state?.size ?? 0} entries, ${mark.size} were signed`;
    return fault('store-behind-guard', message);
  }
  const root = mark.size === state.size ? ok(state.root) : await rootAt(env, handle, mark.size);
  if (!root.ok) return root.error;
  if (equal(root.value, mark.root)) return env.unconfirmed.reason(handle.logId);
  return fault('guard-conflict', `another root was signed for size ${mark.size}`);
}

async function rootAt(
  env: LedgerEnv,
  handle: LogHandle,
  size: number,
): Promise<Result<Uint8Array>> {
  const tiles = await handle.tiles(env);
  if (!tiles.ok) return tiles;
  try {
    return ok(await readRangeRoot(env.options.crypto, tiles.value, 0, size));
  } catch {
    return err(fault('store-corrupt', 'the tiles of an own log cannot be read'));
  }
}

/**
 * Brings the guard to where the store is: a crash may have come between the two, and what is in the
 * store will be served. Code: guard-failed.
 */
export async function guardFault(
  env: LedgerEnv,
  handles: readonly LogHandle[],
): Promise<Fault | undefined> {
  const { guard } = env.options;
  const marks: GuardMark[] = [];
  for (const { row, log, stored } of handles) {
    if (row.role !== 'writer' || row.standing !== 'open' || stored === undefined) continue;
    const { size, root } = stored.state;
    if (guard.mark(0, log)?.size !== size) marks.push({ kind: 0, id: log, size, root });
  }
  const done = marks.length === 0 ? ok(undefined) : await guard.advance(marks);
  return done.ok ? undefined : done.error;
}
