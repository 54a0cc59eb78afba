/** Witnesses and acknowledgements as the HTTP layer and the commands see them. */
import type { Fault } from '../errors.ts';
import type { StatedTrust } from '../ledger/trust-policy.ts';
import type { Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { VerifyView } from './evidence-api.ts';
import type { ReceiptView, StreamView } from './node-api.ts';

/** What a publisher waits for beyond the disk of its own node. */
export type AckWanted =
  | { readonly kind: 'local' }
  | { readonly kind: 'replicated'; readonly replicas: number }
  | { readonly kind: 'witnessed' };

/** An add-checkpoint answer, byte for byte. */
export interface WitnessHttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** One witness of one own log. */
export interface WitnessOfLog {
  readonly stream: string;
  readonly log: LogId;
  /** Name of the key, and how it is reached. */
  readonly witness: string;
  readonly via: string;
  /** Size that it cosigned last, as far as is known; and the size of the log. */
  readonly size: number;
  readonly head: number;
  /** Milliseconds since 1970 from when on it has been behind; absent where it is not. */
  readonly behindSince?: number;
  readonly reason?: Fault;
}

export interface WitnessView {
  /** Absent where this peer is no witness. */
  readonly self?: { readonly did: string; readonly vkey: string };
  /** Answers given as a witness, by status. */
  readonly answers: Readonly<Record<string, number>>;
  /** Logs that this peer cosigned last, at most 1,000. */
  readonly witnessed: readonly {
    readonly origin: string;
    readonly size: number;
    /** RFC 3339. */
    readonly time: string;
  }[];
  /** Witnesses of our own logs. */
  readonly witnesses: readonly WitnessOfLog[];
}

export interface WitnessApi {
  view(): Promise<Result<WitnessView>>;
  /** Witnesses of own logs, for status, checks and metrics. */
  ofOwnLogs(): readonly WitnessOfLog[];
  answers(): ReadonlyMap<number, number>;
  /** C2SP add-checkpoint; 404 where this peer is no witness. */
  addCheckpoint(body: Uint8Array): Promise<WitnessHttpReply>;
  /** By lower-case hex SHA-256 of the origin: what was cosigned last; undefined where nothing was. */
  monitored(originHash: string): Promise<Result<string | undefined>>;
  /**
   * The checkpoint of a log: the head's, with the cosignatures that are on just this size; with
   * `cosigned` the newest with a quorum, or else with most cosignatures (`cosigned-none`).
   */
  checkpoint(log: LogId, cosigned: boolean): Promise<Result<string>>;
  /** A verified stream held against its own witness policy and the one that is stated. */
  judge(view: VerifyView, stated: StatedTrust): Promise<Result<VerifyView>>;
  /** Whether such an acknowledgement can ever be given for the stream: `ack-none`, `network-none`. */
  check(stream: StreamView, wanted: AckWanted): Result<void>;
  /** Waits until it is reached or `ackTimeoutMs` has passed; what was reached is in each receipt. */
  acknowledge(
    receipts: readonly ReceiptView[],
    wanted: AckWanted,
    signal?: AbortSignal,
  ): Promise<readonly ReceiptView[]>;
}
