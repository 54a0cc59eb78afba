/** Proofs about one log of a ledger, made from its stored tiles (RFC 6962, C2SP tlog-proof). */
import { err, type Result } from '../result.ts';
import type { Hash, LogId, LogIndex, TreeSize } from '../types.ts';
import { unknownLog } from './create-log.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import {
  consistencyProofOf,
  inclusionProofOf,
  rangeMemberOf,
  rangeProofOf,
  rangeRootOf,
} from './prover.ts';

/** Every answer is checked against the root before it is given. Codes: log-unknown, index-over-head, store-corrupt. */
export class LogProofs {
  readonly #env: LedgerEnv;

  constructor(env: LedgerEnv) {
    this.#env = env;
  }

  /** The way from the leaf to the root of `size`, the head's unless said. */
  inclusion(logId: LogId, index: LogIndex, size?: TreeSize): Promise<Result<readonly Hash[]>> {
    return this.#with(logId, (handle) => inclusionProofOf(this.#env, handle, index, size));
  }

  /** That the tree of `to`, the head's unless said, goes on from that of `from`. */
  consistency(logId: LogId, from: TreeSize, to?: TreeSize): Promise<Result<readonly Hash[]>> {
    return this.#with(logId, (handle) => consistencyProofOf(this.#env, handle, from, to));
  }

  /** Range root of [from, to): what a parent reference cites. */
  rangeRoot(logId: LogId, from: LogIndex, to: LogIndex): Promise<Result<Hash>> {
    return this.#with(logId, (handle) => rangeRootOf(this.#env, handle, from, to));
  }

  /** That the range is in the tree of `size`, the head's unless said; it also gives the range root. */
  range(
    logId: LogId,
    from: LogIndex,
    to: LogIndex,
    size?: TreeSize,
  ): Promise<Result<readonly Hash[]>> {
    return this.#with(logId, (handle) => rangeProofOf(this.#env, handle, from, to, size));
  }

  /** That an entry stands in a range, for whoever has the range root. */
  member(
    logId: LogId,
    index: LogIndex,
    from: LogIndex,
    to: LogIndex,
  ): Promise<Result<readonly Hash[]>> {
    return this.#with(logId, (handle) => rangeMemberOf(this.#env, handle, index, from, to));
  }

  async #with<T>(logId: LogId, run: (handle: LogHandle) => Promise<Result<T>>): Promise<Result<T>> {
    const handle = this.#env.logs.get(logId);
    return handle === undefined ? err(unknownLog(logId)) : run(handle);
  }
}
