/**
 * Logs whose writer was revoked (access.md "Tokens", Revocation): `ledger.ends`. Its owner names the last
 * good entry of each; the log ends there. What it has after that is set aside, what comes is refused
 * (`writer-revoked`), the first blocks of it are kept as evidence, and the log is frozen until its owner
 * goes on in a successor. Which logs these are, and that the owner says so, is for the node to know:
 * the standing is durable, the place is told again at each start.
 */
import { concat } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { keyspace, numberKey, prefixRange } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex, asTreeSize, type LogId, type TreeSize } from '../types.ts';
import type { DecodedBlock } from './block.ts';
import { encodeRecord } from './block-record.ts';
import { unknownLog } from './create-log.ts';
import { rowWrite } from './fork-check.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { blockNumberAt, recordOf } from './read-block.ts';
import { blocksUpTo, setAside } from './set-aside.ts';
import { verifyDecoded } from './verify-block.ts';

export interface EndPorts {
  /** Resolves when nothing of the log is being written; what waits is refused. */
  quiet(handle: LogHandle): Promise<void>;
}

export class LogEnds implements Disposable {
  readonly #env: LedgerEnv;
  readonly #ports: EndPorts;
  readonly #listeners = new Set<(logId: LogId, reason: Fault) => void>();
  readonly #listening: Disposable;
  /** One log after the other. */
  #line: Promise<unknown> = Promise.resolve();

  constructor(env: LedgerEnv, ports: EndPorts) {
    this.#env = env;
    this.#ports = ports;
    env.atEnd = (handle) => void this.#next(handle, true);
    this.#listening = env.listen(({ logId, size }) => {
      const end = env.ends.get(logId);
      const handle = end === undefined || size < end ? undefined : env.logs.get(logId);
      if (handle !== undefined) void this.#next(handle);
    });
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }

  /**
   * The log ends at `size`, or at the end of the last block before it. One that has less goes on up to there;
   * the smallest size that was ever said counts; a log that has a successor is left alone. Resolves when it
   * is durable. Codes: log-unknown, those of the store.
   */
  async end(logId: LogId, size: TreeSize): Promise<Result<void>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const before = this.#env.ends.get(logId) ?? size;
    this.#env.ends.set(logId, before < size ? before : size);
    return this.#next(handle);
  }

  /** Where the log ends, where its writer was revoked. */
  of(logId: LogId): TreeSize | undefined {
    return this.#env.ends.get(logId);
  }

  /** Whether a block of the log ends at that size. Codes: log-unknown, successor-predecessor, those of the store. */
  async isBlockEnd(logId: LogId, size: TreeSize): Promise<Result<void>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const blocks = await blocksUpTo(this.#env, handle, size);
    return blocks.ok ? ok(undefined) : blocks;
  }

  /** Told of each log that is frozen so. Must not throw. */
  onEnded(listener: (logId: LogId, reason: Fault) => void): Disposable {
    const own = (logId: LogId, reason: Fault): void => listener(logId, reason);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  #next(handle: LogHandle, isHere = false): Promise<Result<void>> {
    const turn = this.#line.then(() => this.#reach(handle, isHere));
    this.#line = turn.catch(() => undefined);
    return turn;
  }

  /** `isHere`: no block ends where the log does, and the one that goes beyond is next. */
  async #reach(handle: LogHandle, isHere: boolean): Promise<Result<void>> {
    const size = this.#env.ends.get(handle.logId);
    const { standing, reason } = handle.row;
    if (size === undefined || handle.closing !== undefined || standing === 'damaged') {
      return ok(undefined);
    }
    if (handle.size < size && !isHere) return ok(undefined);
    const ended = fault(
      'writer-revoked',
      `its writer was revoked; the log ends at ${size} entries`,
    );
    const isNews = standing !== 'frozen' || reason?.message !== ended.message;
    // First, so that nothing is added behind what is about to go. A fork says more than this.
    if (standing !== 'frozen' || reason?.code === 'writer-revoked') {
      handle.setStanding('frozen', ended);
    }
    await this.#ports.quiet(handle);
    const cut = await this.#cut(handle, size);
    if (!cut.ok) return cut;
    if (!isNews) return ok(undefined);
    const stored = await this.#env.options.store.batch([rowWrite(handle)], { sync: true });
    if (stored.ok) for (const listener of this.#listeners) listener(handle.logId, ended);
    return stored;
  }

  /** Of an own log nothing goes: its guard knows how far it was signed. */
  async #cut(handle: LogHandle, size: TreeSize): Promise<Result<void>> {
    if (handle.row.role === 'writer' || handle.size <= size) return ok(undefined);
    const number = await blockNumberAt(this.#env, handle, asLogIndex(size));
    const first = number.ok ? await recordOf(this.#env, handle, number.value) : number;
    return first.ok ? setAside(this.#env, handle, asTreeSize(first.value.firstIndex)) : first;
  }
}

/** Whether a block goes beyond where the log ends; code writer-revoked. */
export function refuseBeyondEnd(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
): Fault | undefined {
  const end = env.ends.get(handle.logId);
  if (end === undefined || handle.closing !== undefined) return undefined;
  if (block.firstIndex + block.entries.length <= end) return undefined;
  return fault('writer-revoked', `its writer was revoked; the log ends at ${end} entries`);
}

/** Keeps a block that goes on from where the log ends, if it is sound and there are not many. */
export async function keepBeyondEnd(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
): Promise<void> {
  const { crypto, judges, store, limits } = env.options;
  const state = handle.stored?.state;
  if (state === undefined || Number(block.firstIndex) !== state.size) return;
  env.atEnd(handle);
  const place = numberKey(keyspace.setAside, handle.row.number, state.blocks);
  await using scan = store.scan(prefixRange(place));
  const kept = await scan.next(limits.maxRevokedBlocks);
  if (!kept.ok || kept.value.length >= limits.maxRevokedBlocks) return;
  const verified = verifyDecoded({ crypto, judges }, state, block);
  if (!verified.ok) return;
  const { wire, leafHashes, state: after } = verified.value;
  const value = encodeRecord(crypto, {
    number: asBlockNumber(state.blocks),
    firstIndex: block.firstIndex,
    form: block.form,
    entries: block.entries,
    leafHashes,
    root: after.root,
    wire,
  });
  const key = concat(place, crypto.sha256(value).subarray(0, 8));
  await store.batch([{ key, value }], { sync: false });
  env.unsynced = true;
}
