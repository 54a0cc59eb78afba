/** What the HTTP layer asks of a node about new generations of keys. */
import type { Result } from '../result.ts';
import type { LogId, TimeMs } from '../types.ts';
import type { Actor, StreamView } from './node-api.ts';

/** The epoch that a log goes on in. */
export interface OpenedView {
  readonly log: LogId;
  readonly epoch: number;
  readonly generation: number;
  readonly since: TimeMs;
}

export interface RekeyApi {
  /**
   * A new generation of keys in each log of an own sealed stream: keys that are out open nothing that is
   * published from then on. Codes: stream-not-sealed, stream-not-own, those of `Ledger.openEpoch`.
   */
  rekey(stream: StreamView, actor: Actor): Promise<Result<readonly OpenedView[]>>;
}
