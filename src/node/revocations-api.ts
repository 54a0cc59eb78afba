/** Taking back what lets somebody act for the organisation: to write its logs, to operate a node. */
import type { Result } from '../result.ts';
import type { Did, LogId, PeerId } from '../types.ts';
import type { Actor } from './node-api.ts';
import type { KeySource } from './organisation-key.ts';

export interface RevokeWriterRequest extends KeySource {
  /** Index of the last good entry by log; of the others the newest one that is here. */
  readonly good: ReadonlyMap<LogId, number>;
}

export interface RevokedLogView {
  readonly log: LogId;
  readonly stream: string;
  readonly partition: number;
  /** Index of the last good entry. */
  readonly last: number;
  /** Entries that were here beyond it. */
  readonly beyond: number;
}

export interface RevokedWriterView {
  readonly peer: PeerId;
  /** CIDs of the delegations that are void. */
  readonly delegations: readonly string[];
  readonly logs: readonly RevokedLogView[];
  /** Whether it was taken back too that it is a peer of ours: it has said hello since our start. */
  readonly standing: boolean;
}

export interface RevokedView {
  readonly delegation: string;
  readonly command: string;
  readonly holder: Did;
  readonly revoker: Did;
  /** In the registry already; else it is put there as soon as that can be written. */
  readonly recorded: boolean;
}

export interface RevocationsApi {
  /**
   * Takes back the `/flow/write` delegation of a peer, in the registry, with the last good entry of each
   * of its logs. Codes: writer-unknown (no log here was written by it, and it has not said hello), key-file-missing, key-not-issuer,
   * log-unknown, index-over-head, successor-predecessor (no block ends there), those of the registry.
   */
  revokeWriter(
    peer: PeerId,
    request: RevokeWriterRequest,
    actor: Actor,
  ): Promise<Result<RevokedWriterView>>;
  /**
   * Takes back the last delegation of a container. Codes: those of containers and delegations,
   * key-not-issuer, revocations-full.
   */
  revokeDelegation(delegation: string, key: KeySource, actor: Actor): Promise<Result<RevokedView>>;
}
