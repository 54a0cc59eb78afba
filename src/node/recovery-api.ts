/** What the HTTP layer asks of a running node about recovery. */
import type { Result } from '../result.ts';
import type { Actor, StreamView } from './node-api.ts';

export const recoverReasons = ['key', 'fork', 'clock'] as const;

export interface RecoverRequest {
  /** The writer key is lost or stolen; two histories (or damage); a last time that lies in the future. */
  readonly reason: (typeof recoverReasons)[number];
  /** First entry that is not to count; its block and all behind it go. The head where absent. */
  readonly at?: number;
  /** One partition only; needed with `at` where there are several. */
  readonly partition?: number;
  /** Of the recovery key, where it is not in the home; a file of this machine. */
  readonly keyFile?: string;
  readonly passphrase?: string;
}

export interface RecoveryApi {
  /**
   * Goes on in a successor log for each partition that the reason is about, and announces them. Codes:
   * stream-not-own, recover-needless, position-ambiguous, key-file-missing and others of key files,
   * those of `Successors.succeed`.
   */
  recover(stream: StreamView, request: RecoverRequest, actor: Actor): Promise<Result<StreamView>>;
}
