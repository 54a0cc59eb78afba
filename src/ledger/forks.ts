/**
 * What a home knows of forks (ledger.md "Witnesses and forks"): `ledger.forks`. Whoever meets two
 * histories of a log hands what it has to one of `offer` (a proof), `contradict` (a checkpoint) or
 * `examine` (a block whose keys our history does not know); blocks that go through `Ledger.apply` come here
 * by themselves. The first valid proof of a log is kept, the log is frozen, listeners are told.
 * Nothing that was accepted is dropped, and what contradicts it is kept beside it.
 */
import { equal } from '../bytes.ts';
import { fault } from '../errors.ts';
import { logIdFromHash } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Hash, LogId, LogIndex, TreeSize } from '../types.ts';
import { decodeBlock } from './block-codec.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { unknownLog } from './create-log.ts';
import type { ForkFound, ForkVia, KnownFork } from './fork-book.ts';
import { contradicting, forkEvidence, judgeBranch, keepEvidence, takeProof } from './fork-check.ts';
import { decodeForkProof, verifyForkProof, type ProvenFork } from './fork-proof.ts';
import type { KeyEntry } from './key-chain.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { readRangeRoot } from './range.ts';
import { leafHash } from './tree.ts';

/** What became of a proof that someone handed us. */
export interface ForkOffer {
  readonly fork: KnownFork;
  /** False where a proof of this log was held already; this one was not looked at then. */
  readonly isNew: boolean;
  /** The log is written or followed here. */
  readonly followed: boolean;
}

/** A signed checkpoint of a log as someone else holds it. */
export interface OtherHead {
  readonly checkpoint: string;
  /** Genesis and control entries of that history, where they are not ours. */
  readonly controls?: readonly KeyEntry[];
  /** Where it is larger than ours: its root at our size, and the consistency proof from there. */
  readonly link?: { readonly root: Hash; readonly consistency: readonly Hash[] };
}

/** Both histories, as far as they are held here. */
export interface ForkBranches {
  readonly proof: ProvenFork;
  /** Which of the proof's checkpoints our history holds; `unknown` where it is too short to tell. */
  readonly ours: 'a' | 'b' | 'neither' | 'unknown';
  /** Blocks of other histories, in order of their place; at most `maxForkEvidence`. */
  readonly others: readonly BranchBlock[];
}

export interface BranchBlock {
  readonly firstIndex: LogIndex;
  readonly size: TreeSize;
  readonly root: Hash;
  readonly checkpoint: string;
  readonly wire: Uint8Array;
}

export class Forks {
  readonly #env: LedgerEnv;

  constructor(env: LedgerEnv) {
    this.#env = env;
  }

  /** Logs of which a fork is known, followed or not. */
  list(): readonly KnownFork[] {
    return this.#env.forks.list();
  }

  known(logId: LogId): KnownFork | undefined {
    return this.#env.forks.get(logId);
  }

  /** The proof that is kept; undefined where there is none. Codes: store-corrupt, those of the store. */
  proof(logId: LogId): Promise<Result<Uint8Array | undefined>> {
    return this.#env.forks.proof(logId);
  }

  /** Which log the bytes are about, without judging them. Codes: those of `decodeForkProof`. */
  peek(bytes: Uint8Array): Result<LogId> {
    return peekFork(this.#env, bytes);
  }

  /**
   * Verifies a proof and keeps it, if it is the first of its log. Of logs that are not held here
   * `maxForeignForks` proofs are kept, and half as many where the log is not even known (`known`), so
   * that logs made for this leave room. Codes: those of `verifyForkProof`; queue-full where there is no
   * room, of a known log only after it was verified; those of the store.
   */
  async offer(bytes: Uint8Array, via: ForkVia, known: boolean = true): Promise<Result<ForkOffer>> {
    const { options, forks } = this.#env;
    const logId = this.peek(bytes);
    if (!logId.ok) return logId;
    const followed = this.#followed(logId.value) !== undefined;
    const before = forks.get(logId.value);
    if (before !== undefined) return ok({ fork: before, isNew: false, followed });
    const most = Math.ceil(options.limits.maxForeignForks / (known ? 1 : 2));
    const full =
      followed || this.#foreign() < most
        ? undefined
        : err(fault('queue-full', 'no room for more forks of logs that are not followed'));
    if (full !== undefined && !known) return full;
    const { crypto, judges } = options;
    const proven = verifyForkProof({ crypto, judges }, bytes);
    if (!proven.ok) return proven;
    if (full !== undefined) return full;
    const taken = await takeProof(this.#env, proven.value, bytes.slice(), via);
    return taken.ok ? ok({ fork: taken.value, isNew: true, followed }) : taken;
  }

  /**
   * Compares a signed checkpoint with our history and proves the fork where they differ; undefined
   * where they agree or it cannot be told without `link`. Codes: log-unknown; branch-key where the
   * checkpoint is not signed by a key of the control entries given, or of ours; those of
   * `verifyForkProof` but fork-none; those of the store.
   */
  async contradict(logId: LogId, head: OtherHead): Promise<Result<KnownFork | undefined>> {
    const handle = this.#followed(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const before = this.known(logId);
    return before === undefined ? contradicting(this.#env, handle, head) : ok(before);
  }

  /**
   * A block signed by a key that our history does not know: does it belong to another history, whose
   * genesis and control entries these are? It is kept as evidence then. Codes as `contradict`, and
   * those of `decodeBlock` and `checkSelfConsistent`.
   */
  async examine(
    wire: Uint8Array,
    controls: readonly KeyEntry[],
  ): Promise<Result<KnownFork | undefined>> {
    const block = decodeBlock(wire, { reduced: true });
    if (!block.ok) return block;
    const handle = this.#handleOf(block.value.log);
    if (handle === undefined) return err(fault('log-unknown', 'a block of a log not held here'));
    return judgeBranch(this.#env, handle, block.value, controls);
  }

  /**
   * Keeps a block of the other history of a frozen log, where it is sound, not ours, and there is
   * room: true then. Codes: log-unknown, fork-none (no fork is known), those of `decodeBlock` and
   * `checkSelfConsistent`, those of the store.
   */
  keep(wire: Uint8Array, controls: readonly KeyEntry[]): Promise<Result<boolean>> {
    return keepEvidence(this.#env, wire, controls);
  }

  /** How many blocks of another history are kept, and may still be. */
  async room(logId: LogId): Promise<Result<{ readonly kept: number; readonly max: number }>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const kept = await forkEvidence(this.#env, handle);
    if (!kept.ok) return kept;
    return ok({ kept: kept.value.length, max: this.#env.options.limits.maxForkEvidence });
  }

  /** Codes: fork-none (no fork of the log is known), store-corrupt, those of the store. */
  async branch(logId: LogId): Promise<Result<ForkBranches>> {
    const bytes = await this.proof(logId);
    if (!bytes.ok) return bytes;
    if (bytes.value === undefined) return err(fault('fork-none', 'no fork of this log is known'));
    const { crypto, judges } = this.#env.options;
    const proof = verifyForkProof({ crypto, judges }, bytes.value);
    if (!proof.ok) return err(fault('store-corrupt', `the kept proof: ${proof.error.message}`));
    const handle = this.#env.logs.get(logId);
    const kept = handle === undefined ? ok([]) : await forkEvidence(this.#env, handle);
    if (!kept.ok) return kept;
    const others: BranchBlock[] = [];
    for (const wire of kept.value) {
      const block = branchBlock(wire);
      if (!block.ok) return block;
      others.push(block.value);
    }
    others.sort((x, y) => x.firstIndex - y.firstIndex);
    const ours = handle === undefined ? 'unknown' : await this.#side(handle, proof.value);
    return ok({ proof: proof.value, ours, others });
  }

  /** Told once of each log, after the proof is durable and the log frozen. Must not throw. */
  onFound(listener: (found: ForkFound) => void): Disposable {
    return this.#env.forks.listen(listener);
  }

  #followed(logId: LogId): LogHandle | undefined {
    const handle = this.#env.logs.get(logId);
    return handle?.row.role === 'unfollowed' ? undefined : handle;
  }

  #handleOf(log: Hash): LogHandle | undefined {
    for (const handle of this.#env.logs.values()) if (equal(handle.log, log)) return handle;
    return undefined;
  }

  #foreign(): number {
    return this.list().filter(({ logId }) => this.#followed(logId) === undefined).length;
  }

  async #side(handle: LogHandle, proof: ProvenFork): Promise<ForkBranches['ours']> {
    const { a, b, rootAtA } = proof;
    if (handle.size < a.size) return 'unknown';
    const root = await this.#rootAt(handle, a.size);
    if (root === undefined) return 'unknown';
    if (equal(root, a.root)) return 'a';
    if (!equal(root, rootAtA)) return 'neither';
    const later = handle.size < b.size ? undefined : await this.#rootAt(handle, b.size);
    return later === undefined || equal(later, b.root) ? 'b' : 'neither';
  }

  async #rootAt(handle: LogHandle, size: TreeSize): Promise<Hash | undefined> {
    if (size === handle.size) return handle.stored?.state.root;
    const tiles = await handle.tiles(this.#env);
    if (!tiles.ok) return undefined;
    return readRangeRoot(this.#env.options.crypto, tiles.value, 0, size);
  }
}

function peekFork(env: LedgerEnv, bytes: Uint8Array): Result<LogId> {
  const decoded = decodeForkProof(bytes);
  if (!decoded.ok) return decoded;
  const hash = leafHash(env.options.crypto, decoded.value.genesisLeaf);
  return ok(logIdFromHash(hash));
}

function branchBlock(wire: Uint8Array): Result<BranchBlock> {
  const block = decodeBlock(wire, { reduced: true });
  if (!block.ok) return block;
  const parsed = parseCheckpoint(block.value.checkpoint);
  if (!parsed.ok) return parsed;
  const { size, root } = parsed.value;
  const { firstIndex, checkpoint } = block.value;
  return ok({ firstIndex, size, root, checkpoint, wire });
}
