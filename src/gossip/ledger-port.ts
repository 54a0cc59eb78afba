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
}

export interface PortBlock {
  readonly number: BlockNumber;
  readonly firstIndex: LogIndex;
  /** Tree size after the block: the index at which the next one begins. */
  readonly size: TreeSize;
  readonly wire: Uint8Array;
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

export interface LedgerPort {
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
