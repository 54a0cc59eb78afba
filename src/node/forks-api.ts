/** What the HTTP layer asks of a node about forked logs, and the shapes. */
import type { Fault } from '../errors.ts';
import type { Result } from '../result.ts';
import type { LogId, TimeMs } from '../types.ts';

export interface ForkHeadView {
  readonly size: number;
  /** Hex. */
  readonly root: string;
  /** The signed note. */
  readonly checkpoint: string;
}

/** A log of which two histories are proved. */
export interface ForkView {
  readonly log: LogId;
  readonly a: ForkHeadView;
  readonly b: ForkHeadView;
  /** Root of B's history at the size of A, hex: not A's. */
  readonly rootAtA: string;
  readonly learned: TimeMs;
  /** Which of the two is kept here as the log; `unknown` where too little of it is. */
  readonly ours: 'a' | 'b' | 'neither' | 'unknown';
  /** Blocks of another history that are kept beside it. */
  readonly kept: number;
  /** The fork proof (FACTS.md section 8), base64. */
  readonly proof: string;
}

export interface ForksApi {
  /** Codes: fork-none, store-corrupt, those of the store. */
  view(log: LogId): Promise<Result<ForkView>>;
  /** The proof's bytes. Codes as `view`. */
  proof(log: LogId): Promise<Result<Uint8Array>>;
  /** What readers of these logs are told: of the frozen ones now. */
  notices(logs: readonly LogId[]): readonly Fault[];
  /** And of each that is frozen from now on. */
  onNotice(logs: readonly LogId[], listener: (notice: Fault) => void): Disposable;
}
