/**
 * What gossip and sync need of the ledger, and nothing more; `Ledger` satisfies it by its shape, and
 * a test may stand in with a few lines.
 */
import type { Result, Verdict } from '../result.ts';
import type {
  BlockNumber,
  Did,
  Hash,
  LogId,
  LogIndex,
  ParsedEvent,
  PublicKey,
  StreamName,
  TimeMs,
  TreeSize,
} from '../types.ts';

/** What a log's first entry says, as far as the network has to know it. */
export interface PortGenesis {
  readonly owner: Did;
  readonly name: StreamName;
  readonly visibility: 'public' | 'sealed' | 'direct';
}

/** One log that the ledger keeps or follows; a followed log that has nothing yet has size 0. */
export interface PortLog {
  readonly logId: LogId;
  readonly size: TreeSize;
  readonly root: Hash;
  /** Newest checkpoint text; empty at size 0. */
  readonly checkpoint: string;
  /** Recorded time of the newest entry. */
  readonly time: TimeMs;
  /** Key in force after the newest entry; absent at size 0. */
  readonly writerKey?: PublicKey | undefined;
  readonly genesis?: PortGenesis | undefined;
  readonly role: 'writer' | 'replica';
  readonly state: 'open' | 'waiting' | 'frozen' | 'damaged' | 'closed';
  /** Differs from what it was where the log may have become shorter since. */
  readonly resets?: number | undefined;
  /** Of a closed log: where it ends, and whether all up to there is here. */
  readonly closing?:
    { readonly size: TreeSize; readonly root: Hash; readonly whole: boolean } | undefined;
}

export interface PortBlock {
  readonly number: BlockNumber;
  readonly firstIndex: LogIndex;
  /** Tree size after the block: the index at which the next one begins. */
  readonly size: TreeSize;
  readonly wire: Uint8Array;
  /** Events that have their body; absent where that was not counted. */
  readonly bodies?: number;
}

export interface PortAppended {
  readonly logId: LogId;
  readonly firstIndex: LogIndex;
  readonly size: TreeSize;
  readonly wire: Uint8Array;
  /** True for a block that this node signed. */
  readonly local: boolean;
}

export interface PortOutcome {
  readonly verdict: Verdict;
  readonly logId?: LogId | undefined;
  /** True where this call added the block to the log. */
  readonly applied?: boolean | undefined;
  /** Size of our tree, where the block lies ahead of it: fetch from here. */
  readonly gapFrom?: LogIndex | undefined;
}

export interface PortReceipt {
  readonly log: LogId;
  readonly index: LogIndex;
  readonly leafHash: Hash;
  readonly block: BlockNumber;
  readonly size: TreeSize;
  readonly root: Hash;
  readonly ack: 'local';
  readonly duplicate?: boolean | undefined;
}

export interface PortKeyChain {
  readonly size: TreeSize;
  readonly checkpoint: string;
  readonly entries: readonly {
    readonly index: LogIndex;
    readonly leaf: Uint8Array;
    readonly path: readonly Hash[];
  }[];
  readonly next?: LogIndex | undefined;
}

/** Proofs from stored tiles, as `Ledger.proofs` gives them. */
export interface ProofPort {
  inclusion(logId: LogId, index: LogIndex, size?: TreeSize): Promise<Result<readonly Hash[]>>;
  consistency(logId: LogId, from: TreeSize, to?: TreeSize): Promise<Result<readonly Hash[]>>;
  rangeRoot(logId: LogId, from: LogIndex, to: LogIndex): Promise<Result<Hash>>;
  /** The range proof of FACTS.md section 4.3. */
  range?(
    logId: LogId,
    from: LogIndex,
    to: LogIndex,
    size?: TreeSize,
  ): Promise<Result<readonly Hash[]>>;
}

/** Control entries of a history, as `/keys` gives them. */
export type PortControls = readonly { readonly index: LogIndex; readonly leaf: Uint8Array }[];

/** What gossip needs of `Ledger.forks`; see there. */
export interface ForkPort {
  list(): readonly { readonly logId: LogId }[];
  known(logId: LogId): object | undefined;
  proof(logId: LogId): Promise<Result<Uint8Array | undefined>>;
  peek(bytes: Uint8Array): Result<LogId>;
  offer(
    bytes: Uint8Array,
    via: 'gossip' | 'peer',
    known?: boolean,
  ): Promise<Result<{ readonly isNew: boolean; readonly followed: boolean }>>;
  contradict(
    logId: LogId,
    head: { readonly checkpoint: string; readonly controls?: PortControls },
  ): Promise<Result<object | undefined>>;
  examine(wire: Uint8Array, controls: PortControls): Promise<Result<object | undefined>>;
  keep(wire: Uint8Array, controls: PortControls): Promise<Result<boolean>>;
  room(logId: LogId): Promise<Result<{ readonly kept: number; readonly max: number }>>;
  onFound(
    listener: (found: {
      readonly fork: { readonly logId: LogId };
      readonly proof: Uint8Array;
      readonly via: string;
    }) => void,
  ): Disposable;
}

/** Own logs that wait for a word of others before they sign. */
export interface PortConfirming {
  waiting(): readonly LogId[];
  isWaiting(logId: LogId): boolean;
  /** Another peer has this log of ours. */
  acknowledged(logId: LogId): void;
  /** A peer states a head of a log of ours. */
  reported(logId: LogId, checkpoint: string): Promise<void>;
}

export interface LedgerPort {
  /** Absent in a ledger without recovery: a test's. */
  readonly successors?:
    | {
        onNews(
          listener: (news: { readonly logId: LogId; readonly kind: string }) => void,
        ): Disposable;
      }
    | undefined;
  readonly confirming?: PortConfirming;
  /** A stand-in of a test may have neither. */
  readonly proofs?: ProofPort;
  readonly forks?: ForkPort;
  logs(): readonly PortLog[];
  log(logId: LogId): PortLog | undefined;
  /** Judges a wire block and keeps it where it is the next one; never throws. */
  apply(wire: Uint8Array, via: 'gossip' | 'sync'): Promise<PortOutcome>;
  /** Blocks from the one that holds `from`, in order, up to the head. */
  blocks(
    logId: LogId,
    from: LogIndex,
    options: { maxBytes?: number; signal?: AbortSignal },
  ): AsyncIterable<PortBlock>;
  /** Genesis and control entries from index `from` on, up to about `maxBytes`. */
  keyChain(
    logId: LogId,
    options?: { readonly from?: LogIndex; readonly maxBytes?: number },
  ): Promise<Result<PortKeyChain>>;
  publish(
    logId: LogId,
    events: readonly ParsedEvent[],
    options?: { signal?: AbortSignal },
  ): Promise<Result<readonly Result<PortReceipt>[]>>;
  /** After each block is durable (own) or stored (replica), in order of each log. */
  onAppended(listener: (block: PortAppended) => void): Disposable;
}
