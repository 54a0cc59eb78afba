/**
 * What gossip and sync need of the room that decides who may read. A node without it (a test, a
 * tool) serves no direct log and asks for none.
 */
import type { Decision, Permit, Serving } from '../access/may.ts';
import type { Fault } from '../errors.ts';
import type { Result } from '../result.ts';
import type { Did, LogId, PeerId } from '../types.ts';
import type { AccessAnswer, AskKeys, GrantRequest, KeysAnswer, RequestId } from './access-codec.ts';
import type { FreshnessPort } from './freshness-port.ts';
import type { PortGenesis } from './ledger-port.ts';

/** Who asks, as its connection and hello have proved. */
export interface Asker {
  readonly peer: PeerId;
  readonly organisation: Did;
}

/** What became of a revocation that came by gossip. */
export type RevocationTaken = 'new' | 'known' | 'unrelated';

export interface AccessPort {
  /** Absent where nobody's revocations are judged: a test's. */
  readonly freshness?: FreshnessPort | undefined;
  /**
   * Whether the asker may read a log of this genesis; `grant` as it stands in the request, `as` what it
   * would be served as (blocks).
   */
  may(genesis: PortGenesis, grant: Uint8Array | undefined, asker: Asker, as?: Serving): Decision;
  /** Why a permit in use has ended; undefined while it holds. */
  ended(permit: Permit): Fault | undefined;
  /** Told when permits may have ended; a listener asks again. */
  onChange(listener: () => void): Disposable;
  /** Why the delegations by which a peer stands for its organisation do not count any more. */
  revokedStanding?(peer: PeerId, shown: readonly Uint8Array[]): Fault | undefined;
  /** The owner of a direct log that is followed here by a grant. */
  ownerOf(logId: LogId): Did | undefined;
  /** What is shown to a peer of the owner, a new one each time; `grant-none` where there is none. */
  show(logId: LogId, peer: PeerId): Result<Uint8Array>;
  /** A peer of the owner refused the grant of this log, or (undefined) took it again. */
  answered(logId: LogId, refusal: Fault | undefined): void;
  /** Verifies a revocation and keeps it. Faults: those of `readRevocation`, revocations-full. */
  takeRevocation(token: Uint8Array): Promise<Result<RevocationTaken>>;

  /** A request for a grant, or the same one again. Never tells whether there is such a stream. */
  request(request: GrantRequest, asker: Asker): Promise<Result<AccessAnswer>>;
  /** What became of a request of this asker; `pending` for one that is not known. */
  stateOf(id: RequestId, asker: Asker): Promise<Result<AccessAnswer>>;
  withdraw(id: RequestId, asker: Asker): Promise<Result<AccessAnswer>>;
  /** Epoch keys of a sealed log of ours, for a holder of a grant; absent where no sealed log is written. */
  keys?(ask: AskKeys, asker: Asker): Promise<Result<KeysAnswer>>;
  /** The logs of a stream as JSON, for a holder of a grant. */
  card(grant: Uint8Array, asker: Asker): Result<string>;
  /** Grants that were handed to this peer of our organisation: texts of one answer. */
  handed(asker: Asker): readonly string[];
}
