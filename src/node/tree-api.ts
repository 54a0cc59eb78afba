/** The static trees of the logs of a node: what HTTP serves of them (static-tree.ts). */
import type { StaticPath } from '../ledger/static-tree.ts';
import type { Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { Actor, StreamView } from './node-api.ts';

export interface TreeApi {
  /** True where the log is here and everybody on this machine may read its tree. */
  isPublic(log: string): boolean;
  /**
   * The exact bytes of a file. Codes: stream-unknown (also for what belongs to the peer alone),
   * event-unknown (nothing has arrived yet), tile-unknown, block-unknown,
   * cosigned-unknown, store-corrupt.
   */
  file(log: LogId, path: StaticPath): Promise<Result<Uint8Array>>;
  /** False while none of the log's blocks can have lost a body: what was copied is still right. */
  mayBeReduced(log: LogId): Promise<Result<boolean>>;
}

/** A place that is followed, and how it was found the last time. */
export interface UrlView {
  readonly url: string;
  readonly stream: LogId;
  readonly problem?: string;
}

export interface UrlFollowed {
  /** `<owner DID>/<name>` and id of the stream that lies there. */
  readonly name: string;
  readonly stream: LogId;
  /** As far as something of it is here already. */
  readonly streams: readonly StreamView[];
}

/** What is followed from static trees at URLs. */
export interface UrlApi {
  list(): readonly UrlView[];
  /**
   * Looks there once and follows the stream from then on. `target`, a stream or log, says what must
   * lie there. Codes: bad-url, url-known, url-unreachable, url-missing, url-content, control-full,
   * and what speaks against the blocks.
   */
  follow(url: string, target: string | undefined, actor: Actor): Promise<Result<UrlFollowed>>;
  /** Codes: bad-url, url-unknown. */
  unfollow(url: string, purge: boolean, actor: Actor): Promise<Result<readonly StreamView[]>>;
}
