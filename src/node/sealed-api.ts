/** What the HTTP layer asks of a node about the key epochs of sealed streams, and the shapes. */
import type { Result } from '../result.ts';
import type { LogId, TimeMs } from '../types.ts';
import type { Actor, StreamView } from './node-api.ts';

/** One key epoch of a log: its events are the sealed ones of [from, to). */
export interface EpochView {
  readonly log: LogId;
  readonly epoch: number;
  readonly generation: number;
  readonly from: number;
  readonly to: number;
  /** Recorded times: of the entry that opened it, and of the one that opened the next. */
  readonly opened: TimeMs;
  readonly ended?: TimeMs;
  /** `held`: can be read here; `no-key`: not by us; `shredded`: by nobody who heeds the log. */
  readonly keys: 'held' | 'no-key' | 'shredded';
}

export interface ShredRequest {
  readonly epoch: number;
  /** Which log of the stream, where it has more than one. */
  readonly log?: LogId;
}

export interface ShredView {
  readonly log: LogId;
  readonly epoch: number;
  readonly generation: number;
  readonly from: number;
  readonly to: number;
  /** Index of the control entry that says so; absent where the log was closed before. */
  readonly entry?: number;
  /** It was shredded before. */
  readonly already: boolean;
}

export interface SealedApi {
  /** In order of partition, log and number. Codes: stream-not-sealed, those of the store. */
  epochs(stream: StreamView): Promise<Result<readonly EpochView[]>>;
  /**
   * The keys of the epoch, and of all nodes above it, are destroyed when it resolves; an epoch that is
   * open is ended first. Codes: stream-not-sealed, stream-not-own, position-ambiguous (name the log),
   * epoch-unknown, epoch-keys-missing, file-unwritable, those of `publish` and of the store.
   */
  shred(stream: StreamView, request: ShredRequest, actor: Actor): Promise<Result<ShredView>>;
}
