/**
 * Makes a damaged log usable again with what the store itself holds. The head is written anew from
 * the newest sound block where it is gone, damaged, or behind blocks that are there; what cannot be
 * read behind it is taken out. Holes are left: their blocks come from peers (repair.ts). Nothing
 * sound is dropped, and an own log still signs only what its guard allows.
 */
import { readUint16, readUint48 } from '../bytes.ts';
import { keyspace, logKey, numberKey, prefixRange, sliceKey } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { loadClosing, successorsOf } from './closing.ts';
import { markFrozen, rowWrite } from './fork-check.ts';
import { encodeHead, type LogHead } from './head-record.ts';
import type { Slice } from './id-slices.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { guardFault, loadLog } from './open-log.ts';
import { checkBlock, readBlock } from './state-before.ts';
import type { StoreWrite } from './store.ts';

/** Blocks at the end of a log that may be unreadable before its head is given up. */
const maxUnsound = 64;
const page = 5000;

/**
 * True where the log is not `damaged` any more. Nothing is done to a log that is not. Codes: those
 * of the store, guard-failed.
 */
export async function healLog(env: LedgerEnv, handle: LogHandle): Promise<Result<boolean>> {
  if (handle.row.standing !== 'damaged') return ok(true);
  const rebuilt = await rebuildHead(env, handle);
  if (!rebuilt.ok) return rebuilt;
  await loadLog(env, handle, handle.row);
  const undecided = await standAgain(env, handle);
  if (!undecided.ok) return undecided;
  const raised = await guardFault(env, [handle]);
  if (raised !== undefined) return err(raised);
  return ok(!isDamaged(handle));
}

/** What was decided of the log before it was damaged still holds: its end, and that it is forked. */
async function standAgain(env: LedgerEnv, handle: LogHandle): Promise<Result<void>> {
  if (isDamaged(handle)) return ok(undefined);
  const { standing } = handle.row;
  const successors = await successorsOf(env, handle);
  const fork = env.forks.get(handle.logId);
  if (!successors.ok) {
    handle.setStanding('damaged', successors.error);
    return successors;
  }
  if (successors.value.length > 0) {
    handle.setStanding('closed', undefined);
    const lost = await loadClosing(env, handle);
    if (lost !== undefined) handle.setStanding('damaged', lost);
  } else if (fork !== undefined) markFrozen(env, handle, fork);
  if (handle.row.standing === standing) return ok(undefined);
  return env.options.store.batch([rowWrite(handle)], { sync: true });
}

/** Asked after `loadLog`, which sets it. */
function isDamaged(handle: LogHandle): boolean {
  return handle.row.standing === 'damaged';
}

async function rebuildHead(env: LedgerEnv, handle: LogHandle): Promise<Result<void>> {
  const { store, crypto } = env.options;
  const log = handle.row.number;
  const head = handle.stored;
  const numbers = await newestBlocks(env, log, maxUnsound);
  if (!numbers.ok) return numbers;
  const behind = numbers.value.filter((number) => number >= (head?.state.blocks ?? 0));
  if (behind.length === 0) return ok(undefined);
  const writes: StoreWrite[] = [];
  for (const number of behind) {
    const read = await readBlock(env, handle, number);
    const block = read.ok ? read.value.block : undefined;
    const checked =
      block === undefined ? undefined : await checkBlock(env, handle, undefined, block, number);
    if (checked?.ok !== true) {
      writes.push({ key: numberKey(keyspace.blocks, log, number) });
      continue;
    }
    const slices = head?.slices ?? (await slicesOf(env, log, checked.value.state.time));
    const { checkpoint } = checked.value.block;
    const made: LogHead = { state: checked.value.state, checkpoint, slices };
    writes.push({ key: logKey(keyspace.heads, log), value: encodeHead(crypto, made) });
    return store.batch(writes, { sync: true });
  }
  // Without a head and without any sound block nothing is taken away: there is nothing to stand on.
  return head === undefined ? ok(undefined) : store.batch(writes, { sync: true });
}

/** Numbers of the last stored blocks, the newest first. */
async function newestBlocks(
  env: LedgerEnv,
  log: number,
  max: number,
): Promise<Result<readonly number[]>> {
  const range = prefixRange(logKey(keyspace.blocks, log));
  await using scan = env.options.store.scan({ ...range, reverse: true, keysOnly: true });
  const rows = await scan.next(max);
  return rows.ok ? ok(rows.value.map(({ key }) => readUint48(key, 5))) : rows;
}

/** The dedupe slices as their rows tell them: all count, with filters large enough. */
async function slicesOf(env: LedgerEnv, log: number, time: Slice['begun']): Promise<Slice[]> {
  const { store, limits } = env.options;
  const slices: Slice[] = [];
  const range = prefixRange(logKey(keyspace.ids, log));
  await using last = store.scan({ ...range, reverse: true, keysOnly: true });
  const newest = await last.next(1);
  const key = newest.ok ? newest.value[0]?.key : undefined;
  if (key === undefined) return slices;
  for (let number = 0; number <= readUint16(key, 5); number++) {
    const prefix = sliceKey(keyspace.ids, log, number, new Uint8Array(0));
    await using scan = store.scan({ ...prefixRange(prefix), keysOnly: true });
    let rows = 0;
    for (;;) {
      const found = await scan.next(page);
      if (!found.ok || found.value.length === 0) break;
      rows += found.value.length;
    }
    let capacity = limits.minDedupeSliceRows;
    while (capacity < rows) capacity *= 4;
    slices.push({ number, firstIndex: 0, rows, capacity, begun: time });
  }
  return slices;
}
