/** What the HTTP layer asks of a node about retention and redaction, and the shapes of both. */
import type { RetentionPolicy } from '../ledger/retention-policy.ts';
import type { Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { Actor, StreamView } from './node-api.ts';

/** {"keep":"all"}, or any of the others, which then all count. */
export interface RetentionView extends RetentionPolicy {
  readonly keep?: 'all';
}

export interface RedactionView {
  readonly log: LogId;
  readonly index: number;
  /** Index of the control entry that names the event and the reason. */
  readonly entry: number;
  /** It was redacted before: nothing was appended. */
  readonly already: boolean;
}

export interface RetentionApi {
  /** Puts a policy in force in all partitions of an own stream. */
  setPolicy(stream: StreamView, policy: RetentionPolicy, actor: Actor): Promise<Result<StreamView>>;
  /** The content is gone from this home when it resolves; followers do the same as they hear of it. */
  redact(log: LogId, index: number, reason: string, actor: Actor): Promise<Result<RedactionView>>;
}
