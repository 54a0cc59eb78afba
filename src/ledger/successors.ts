/**
 * Chains of logs (ledger.md "Keys, rotation, recovery"): `ledger.successors`. A log whose genesis names a
 * predecessor is held against it as soon as both are here: a sound one closes the predecessor at the size
 * that it names, whatever we had accepted after that. The recovery key has the last word, so this also ends
 * a fork: a home on the other history leaves it and fetches the chosen one; nothing is dropped from disk.
 */
import { equal } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { fault, HeadwaterError, type Fault } from '../errors.ts';
import { logIdFromHash, logIdHash } from '../ids.ts';
import { hashKey, keyspace } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asBlockNumber,
  asLogIndex,
  asTreeSize,
  type Hash,
  type LogId,
  type TreeSize,
} from '../types.ts';
import type { BlockRecord } from './block-record.ts';
import { isWhole, successorsOf, successorWrite, type Closing } from './closing.ts';
import { controlsOf } from './controls.ts';
import { unknownLog } from './create-log.ts';
import { markFrozen, rowWrite } from './fork-check.ts';
import { decodeForkProof } from './fork-proof.ts';
import type { Genesis, Predecessor } from './genesis.ts';
import { readKeyChain, recoveryHashAt, type KeyChain, type KeyEntry } from './key-chain.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { readRangeRoot } from './range.ts';
import { blockNumberAt, recordOf } from './read-block.ts';
import { makeSuccessor, type SuccessorPlan } from './succeed.ts';
import { blocksUpTo, setAside, setAsideBlocks } from './set-aside.ts';
import { checkSuccessor } from './successor.ts';

/**
 * What a successor is to its predecessor here: `linked` (it goes on from it), `waiting` (the predecessor, or
 * enough of it, is not here), `fork` (another one was taken before), or why it is none.
 */
export type Succession = 'linked' | 'waiting' | 'fork' | Fault;

/** What happened to a predecessor. */
export interface SuccessionNews {
  readonly logId: LogId;
  readonly successor: LogId;
  /**
   * `closed`: it ends here and all of it is here. `wanted`: it ends, and what leads there is to be fetched
   * from whoever has it. `fork`: a second sound successor. `refused`: the successor is not sound.
   */
  readonly kind: 'closed' | 'wanted' | 'fork' | 'refused';
  readonly reason?: Fault;
}

export interface SuccessorPorts {
  /** Resolves when nothing of a closed log is being written; what waits is refused. */
  quiet(handle: LogHandle): Promise<void>;
  /** A log of our own begins. */
  attach(handle: LogHandle, signer: Signer): void;
}

export class Successors implements AsyncDisposable {
  readonly #env: LedgerEnv;
  readonly #ports: SuccessorPorts;
  /** Logs by the predecessor that they name. */
  readonly #candidates = new Map<LogId, Set<LogId>>();
  readonly #judged = new Map<LogId, Succession>();
  /** Blocks to leave next, for logs that are leaving their history: doubled each time. */
  readonly #steps = new Map<LogId, number>();
  readonly #listeners = new Set<(news: SuccessionNews) => void>();
  readonly #listening: Disposable;
  /** One thing after the other: what is decided of a log depends on what was decided before. */
  #line: Promise<void> = Promise.resolve();

  constructor(env: LedgerEnv, ports: SuccessorPorts) {
    this.#env = env;
    this.#ports = ports;
    env.leaveHistory = (handle) => this.#leave(handle);
    this.#listening = env.listen(({ logId, firstIndex }) => this.#appended(logId, firstIndex));
    for (const handle of env.logs.values()) this.#learn(handle);
    for (const logId of this.#candidates.keys()) this.#consider(logId);
    for (const handle of env.logs.values()) {
      if (handle.closing !== undefined && !isWhole(handle))
        this.#enqueue(() => this.#reach(handle));
    }
  }

  /**
   * Goes on from a log in a successor that `recovery`, the holder of its recovery key, signs; `writer` writes
   * it and is attached. Resolves when both logs are durable and entries behind the place that was chosen are
   * set aside. Codes: log-unknown, those of `makeSuccessor`.
   */
  async succeed(
    predecessor: LogId,
    plan: SuccessorPlan,
    recovery: Signer,
    writer: Signer,
  ): Promise<Result<LogId>> {
    const handle = this.#env.logs.get(predecessor);
    if (handle === undefined) return err(unknownLog(predecessor));
    await this.settled();
    const quiet = (): Promise<void> => this.#ports.quiet(handle);
    const made = await makeSuccessor(this.#env, handle, plan, recovery, writer, quiet);
    if (!made.ok) return made;
    this.#ports.attach(made.value, writer);
    await this.settled();
    return ok(made.value.logId);
  }

  /** Where the log ends and what goes on; undefined of a log that has no sound successor here. */
  of(logId: LogId): (Closing & { readonly whole: boolean }) | undefined {
    const handle = this.#env.logs.get(logId);
    if (handle?.closing === undefined) return undefined;
    return { ...handle.closing, whole: isWhole(handle) };
  }

  /** Undefined of a log that names no predecessor, or is not here. */
  judged(successor: LogId): Succession | undefined {
    const genesis = this.#env.logs.get(successor)?.stored?.state.genesis;
    if (genesis?.predecessor === undefined) return undefined;
    return this.#judged.get(successor) ?? 'waiting';
  }

  /** Blocks that were accepted and are no longer part of the log. Codes: log-unknown, those of the store. */
  evidence(logId: LogId): Promise<Result<readonly BlockRecord[]>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return Promise.resolve(err(unknownLog(logId)));
    return setAsideBlocks(this.#env, handle);
  }

  /** All sound successors, the one that goes on first. Codes: log-unknown, store-corrupt, those of the store. */
  async known(logId: LogId): Promise<Result<readonly LogId[]>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const rows = await successorsOf(this.#env, handle);
    return rows.ok ? ok(rows.value.map((row) => row.logId)) : rows;
  }

  /** Told when it has happened. A listener must not throw. */
  onNews(listener: (news: SuccessionNews) => void): Disposable {
    const own = (news: SuccessionNews): void => listener(news);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  /** Resolves when everything appended so far has been considered. */
  async settled(): Promise<void> {
    for (let line; line !== this.#line;) {
      line = this.#line;
      await line;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening[Symbol.dispose]();
    await this.settled();
  }

  #appended(logId: LogId, firstIndex: number): void {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return;
    this.#steps.delete(logId);
    if (firstIndex === 0) {
      const named = this.#learn(handle);
      if (named !== undefined && this.#judged.get(logId) !== 'linked') this.#consider(named);
    }
    if (handle.closing === undefined && this.#candidates.has(logId)) this.#consider(logId);
    else if (handle.closing?.size === handle.size) this.#enqueue(() => this.#reach(handle));
  }

  #learn({ logId, stored }: LogHandle): LogId | undefined {
    const named = stored?.state.genesis.predecessor;
    if (named === undefined) return undefined;
    const predecessor = logIdFromHash(named.log);
    const logs = this.#candidates.get(predecessor) ?? new Set();
    this.#candidates.set(predecessor, logs.add(logId));
    return predecessor;
  }

  #consider(predecessor: LogId): void {
    this.#enqueue(async () => {
      const handle = this.#env.logs.get(predecessor);
      if (handle === undefined) return;
      for (const logId of this.#candidates.get(predecessor) ?? []) {
        const successor = this.#env.logs.get(logId);
        if (successor !== undefined) await this.#judge(handle, successor);
      }
    });
  }

  #enqueue(run: () => Promise<void>): void {
    this.#line = this.#line.then(run).catch((cause: unknown) => {
      // Reading tiles throws where the store fails; the next block of the log tries again.
      if (!(cause instanceof HeadwaterError)) throw cause;
    });
  }

  async #judge(handle: LogHandle, successor: LogHandle): Promise<void> {
    const genesis = successor.stored?.state.genesis;
    const named = genesis?.predecessor;
    const before = this.#judged.get(successor.logId);
    if (genesis === undefined || named === undefined) return;
    if (before !== undefined && before !== 'waiting') return;
    const result = await this.#weigh(handle, successor, genesis, named);
    this.#judged.set(successor.logId, result);
    const news = { logId: handle.logId, successor: successor.logId };
    if (typeof result !== 'string') this.#tell({ ...news, kind: 'refused', reason: result });
    if (result === 'linked') await this.#reach(handle);
  }

  async #weigh(
    handle: LogHandle,
    successor: LogHandle,
    genesis: Genesis,
    named: Predecessor,
  ): Promise<Succession> {
    if (handle.closing?.next === successor.logId) return 'linked';
    const sound = await this.#check(handle, genesis, named);
    if (sound !== undefined) return sound;
    const taken =
      handle.closing === undefined
        ? await this.#take(handle, successor, named)
        : await this.#second(handle, successor);
    if (!taken.ok) return 'waiting'; // The store fails: it is looked at again.
    return taken.value;
  }

  /** Undefined where it is sound as far as our history of the predecessor can tell. */
  async #check(
    handle: LogHandle,
    genesis: Genesis,
    named: Predecessor,
  ): Promise<'waiting' | Fault | undefined> {
    const { crypto, judges } = this.#env.options;
    const chain = await this.#chainOf(handle);
    if (chain === undefined) return 'waiting';
    const have = handle.closing?.size ?? handle.size;
    const recoveryHash = recoveryHashAt(chain, asTreeSize(Math.min(named.size, have)));
    const before = { log: handle.log, genesis: chain.genesis, recoveryHash };
    const sound = checkSuccessor({ crypto, judges }, before, genesis);
    if (!sound.ok) {
      // The hash may change in what we do not have yet.
      return sound.error.code === 'recovery-key' && have < named.size ? 'waiting' : sound.error;
    }
    if (handle.closing !== undefined || handle.size < named.size) return undefined;
    if (!equal(await this.#rootAt(handle, named.size), named.root)) return undefined;
    const ends = await blocksUpTo(this.#env, handle, named.size);
    if (ends.ok) return undefined;
    return ends.error.code === 'successor-predecessor' ? ends.error : 'waiting';
  }

  /** The keys of the predecessor, as far as they are known: of a forked log its genesis, by the proof. */
  async #chainOf(handle: LogHandle): Promise<KeyChain | undefined> {
    const { crypto } = this.#env.options;
    const controls = await controlsOf(this.#env, handle);
    if (!controls.ok) return undefined;
    let entries: readonly KeyEntry[] = controls.value;
    if (handle.stored === undefined) {
      const proof = await this.#env.forks.proof(handle.logId);
      const fork = proof.ok && proof.value !== undefined ? decodeForkProof(proof.value) : undefined;
      if (fork?.ok !== true) return undefined;
      entries = [{ index: asLogIndex(0), leaf: fork.value.genesisLeaf }];
    }
    const chain = readKeyChain(crypto, handle.log, entries);
    return chain.ok ? chain.value : undefined;
  }

  async #rootAt(handle: LogHandle, size: TreeSize): Promise<Hash> {
    const { stored } = handle;
    if (stored?.state.size === size) return stored.state.root;
    const tiles = await handle.tiles(this.#env);
    if (!tiles.ok) throw new HeadwaterError(tiles.error);
    return readRangeRoot(this.#env.options.crypto, tiles.value, 0, size);
  }

  /** The first sound successor: from now on the predecessor takes only what leads to it. */
  async #take(
    handle: LogHandle,
    successor: LogHandle,
    named: Predecessor,
  ): Promise<Result<Succession>> {
    const before = handle.row;
    handle.setStanding('closed', undefined);
    handle.closing = { size: named.size, root: named.root, next: successor.logId };
    await this.#ports.quiet(handle);
    const leaf = successor.stored?.state.genesisLeaf ?? new Uint8Array(0);
    const row = successorWrite(handle, 0, leaf, logIdHash(successor.logId));
    const stored = await this.#env.options.store.batch([row, rowWrite(handle)], { sync: true });
    if (stored.ok) return ok('linked');
    handle.closing = undefined;
    handle.row = before;
    return stored;
  }

  /** Another sound successor: both are kept, and neither goes on until its owner recovers one of them. */
  async #second(handle: LogHandle, successor: LogHandle): Promise<Result<Succession>> {
    const rows = await successorsOf(this.#env, handle);
    if (!rows.ok) return rows;
    const message = `log ${handle.logId} has two successors`;
    const reason = fault('successor-fork', message);
    handle.setStanding('closed', reason);
    const leaf = successor.stored?.state.genesisLeaf ?? new Uint8Array(0);
    const number = rows.value.length;
    const writes = [
      rowWrite(handle),
      successorWrite(handle, number, leaf, logIdHash(successor.logId)),
    ];
    for (const { logId } of [...rows.value, successor]) {
      const one = this.#env.logs.get(logId);
      if (one === undefined || one.row.standing === 'closed') continue;
      one.setStanding('frozen', reason);
      writes.push(rowWrite(one));
    }
    this.#env.counters.forks += 1;
    const stored = await this.#env.options.store.batch(writes, { sync: true });
    if (!stored.ok) return stored;
    this.#tell({ logId: handle.logId, successor: successor.logId, kind: 'fork', reason });
    return ok('fork');
  }

  /** Brings a closing log to its end, as far as what is here allows. */
  async #reach(handle: LogHandle): Promise<void> {
    const { closing } = handle;
    if (closing === undefined) return;
    const news = { logId: handle.logId, successor: closing.next };
    if (handle.size >= closing.size) {
      await this.#ports.quiet(handle);
      const ours = equal(await this.#rootAt(handle, closing.size), closing.root);
      const end = ours ? closing.size : await this.#endBefore(handle, closing.size);
      const done = await setAside(this.#env, handle, end);
      if (!done.ok) return;
    }
    if (isWhole(handle) && (await this.#reopened(handle, closing))) return;
    this.#tell({ ...news, kind: isWhole(handle) ? 'closed' : 'wanted' });
  }

  /**
   * Now that all of it is here: is the key that the successor reveals the one in force at its end? If not it
   * was an old one, and the log goes on as if nothing had been said.
   */
  async #reopened(handle: LogHandle, { next, size }: Closing): Promise<boolean> {
    const rows = await successorsOf(this.#env, handle);
    const key = rows.ok ? rows.value[0]?.genesis.recovery?.key : undefined;
    const chain = await this.#chainOf(handle);
    if (key === undefined || chain === undefined) return false;
    const { crypto, store } = this.#env.options;
    if (equal(crypto.sha256(key), recoveryHashAt(chain, size))) return false;
    const reason = fault('recovery-key', 'the successor reveals a key that was replaced before');
    handle.closing = undefined;
    handle.setStanding('open', undefined);
    const fork = this.#env.forks.get(handle.logId);
    if (fork !== undefined) markFrozen(this.#env, handle, fork);
    const row = hashKey(keyspace.successors, handle.row.number, logIdHash(next));
    await store.batch([rowWrite(handle), { key: row }], { sync: true });
    this.#judged.set(next, reason);
    this.#tell({ logId: handle.logId, successor: next, kind: 'refused', reason });
    return true;
  }

  /** The end of the last block that ends before the size. */
  async #endBefore(handle: LogHandle, size: TreeSize): Promise<TreeSize> {
    const holding = await blockNumberAt(this.#env, handle, asLogIndex(size - 1));
    return holding.ok ? startOf(this.#env, handle, holding.value) : asTreeSize(handle.size);
  }

  /** A block of the chosen history does not fit ours: some of ours goes. */
  async #leave(handle: LogHandle): Promise<void> {
    const blocks = handle.stored?.state.blocks ?? 0;
    const step = this.#steps.get(handle.logId) ?? 1;
    const start = await startOf(this.#env, handle, Math.max(0, blocks - step));
    this.#steps.set(handle.logId, 2 * step);
    await setAside(this.#env, handle, start);
  }

  #tell(news: SuccessionNews): void {
    for (const listener of this.#listeners) listener(news);
  }
}

/** First index of a block, which is the size of the log before it. */
async function startOf(env: LedgerEnv, handle: LogHandle, number: number): Promise<TreeSize> {
  const record = await recordOf(env, handle, asBlockNumber(number));
  if (!record.ok) throw new HeadwaterError(record.error);
  return asTreeSize(record.value.firstIndex);
}
