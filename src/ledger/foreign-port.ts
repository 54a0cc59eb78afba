/**
 * What reading a log that is not kept here needs of the network, and how much of it may be used
 * (foreign-log.ts). The requests are those of `/headwater/1/proof`.
 */
import type { Fault } from '../errors.ts';
import type { ProofAnswer, ProofRequest } from '../proof-request.ts';
import type { Result } from '../result.ts';
import type { Hash, LogId, LogIndex, TreeSize } from '../types.ts';
import type { KeyEntry } from './key-chain.ts';

/** One answer after the other until `take` has one that holds; the fault of the last otherwise. */
export interface ForeignSource {
  keys<T>(
    logId: LogId,
    take: (controls: readonly KeyEntry[]) => Promise<Result<T>>,
    signal: AbortSignal,
  ): Promise<Result<T>>;
  prove<T>(
    request: ProofRequest,
    take: (answer: ProofAnswer) => Promise<Result<T>>,
    signal: AbortSignal,
  ): Promise<Result<T>>;
  /** Cosigned checkpoints of at most the size of the block that holds `last`. */
  cosigned<T>(
    logId: LogId,
    last: LogIndex,
    take: (note: string) => Promise<Result<T>>,
    signal: AbortSignal,
  ): Promise<Result<T>>;
  /** Consecutive blocks from the one that holds `from`; `take` says whether it wants more. */
  blocks(
    logId: LogId,
    from: LogIndex,
    maxBytes: number,
    take: (wire: Uint8Array) => Promise<'more' | 'done' | 'next'>,
    signal: AbortSignal,
  ): Promise<Result<void>>;
}

/** What all logs of one trace may use together. */
export interface ForeignBudget {
  /** `lineage-limit` once the bytes or the time are used up. */
  spent(): Fault | undefined;
  took(bytes: number): void;
  /** Memory for one more block of this log: older ones are let go by their disposal. */
  keep(bytes: number, drop: () => void): void;
}

export interface ForeignHead {
  readonly size: TreeSize;
  readonly root: Hash;
  readonly checkpoint: string;
}
