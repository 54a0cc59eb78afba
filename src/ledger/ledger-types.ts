/** What goes into the ledger and what comes out: the types of the `Ledger` class. */
import type { CborMap } from '../cbor.ts';
import type { Crypto } from '../crypto.ts';
import type { Fault } from '../errors.ts';
import type { Host } from '../host.ts';
import type { Result, Verdict } from '../result.ts';
import type {
  BlockNumber,
  Did,
  EventBytes,
  Hash,
  LogId,
  LogIndex,
  PublicKey,
  StreamName,
  TimeMs,
  TreeSize,
} from '../types.ts';
import type { Closing } from './closing.ts';
import type { RangeWorkers } from './audit-range.ts';
import type { EpochPolicy } from './epoch-policy.ts';
import type { Genesis } from './genesis.ts';
import type { Guard } from './guard.ts';
import type { Judges } from './judges.ts';
import type { KeyEntry } from './key-chain.ts';
import type { RetentionPolicy } from './retention-policy.ts';
import type { Sealing } from './sealing.ts';
import type { Store } from './store.ts';
import type { RestoreGuard } from './unconfirmed.ts';

/** The limits that the ledger heeds; `{ ...protocol, ...limits }` of limits.ts has them all. */
export interface LedgerLimits {
  readonly maxBlockEvents: number;
  readonly maxBlockBytes: number;
  readonly minLingerMs: number;
  readonly maxLingerMs: number;
  readonly maxPendingEvents: number;
  readonly maxPendingBytes: number;
  readonly maxBatchEvents: number;
  readonly maxBatchBytes: number;
  readonly maxClockStepMs: number;
  readonly maxClockSkewMs: number;
  readonly dedupeWindowMs: number;
  readonly maxDedupeFilterBytes: number;
  readonly minDedupeSliceRows: number;
  readonly maxDedupeSliceRows: number;
  readonly flushIntervalMs: number;
  readonly maxUnwrittenBlocks: number;
  readonly maxCachedTiles: number;
  readonly maxRecentBlockBytes: number;
  readonly maxLineageBlocks: number;
  readonly maxForkEvidence: number;
  readonly maxCosignedPerLog: number;
  readonly maxCosignedAhead: number;
  readonly maxRevokedBlocks: number;
  readonly maxWitnessedLogs: number;
  readonly maxWitnessQueue: number;
  readonly maxForeignForks: number;
  readonly maxCursors: number;
  readonly storeRetryMs: number;
  readonly scrubEventsPerSecond: number;
  readonly scrubBytesPerSecond: number;
  readonly minScrubRoundMs: number;
  readonly scrubRetryMs: number;
  readonly maxScrubFindings: number;
  readonly restoreGuardMs: number;
  readonly confirmSettleMs: number;
  readonly maxConfirmDoubts: number;
  readonly retentionIntervalMs: number;
  readonly retentionBatchBlocks: number;
  readonly retentionCompactBlocks: number;
  readonly maxReasonLength: number;
}

export interface LedgerOptions {
  /** Owned by the ledger from here on: disposing the ledger closes it. */
  readonly store: Store;
  /** Owned too. */
  readonly guard: Guard;
  readonly host: Host;
  readonly crypto: Crypto;
  readonly judges: Judges;
  readonly limits: LedgerLimits;
  /** 32 bytes that never leave this home: keys the dedupe and subject indexes. */
  readonly nodeSecret: Uint8Array;
  /** `hw up --accept-clock`: a step of the clock above `maxClockStepMs` is meant. */
  readonly acceptClockStep?: boolean;
  /** Own logs that others have wait for their word before they sign; absent: none waits. */
  readonly restoreGuard?: RestoreGuard;
  /** The peers' word on our clock, asked before each block: a fault (`clock-untrusted`) stops signing. */
  readonly clockCheck?: () => Result<void>;
  /** Keys of sealed logs; without it none is written, and what is sealed stays so. */
  readonly sealing?: Sealing;
}

/** What a new log is; the genesis is made of it. */
export interface NewLog {
  readonly owner: Did;
  readonly name: StreamName;
  readonly partition: number;
  readonly partitions: number;
  /** The first log of partition 0; absent exactly in that one. */
  readonly stream?: LogId;
  /** SHA-256 of the recovery public key. */
  readonly recoveryHash: Hash;
  readonly visibility: 'public' | 'sealed' | 'direct';
  readonly retention: CborMap;
  /** Of a sealed log; an hour where absent. */
  readonly epochs?: EpochPolicy;
  readonly contentType?: string;
  readonly schema?: string;
  /** `{keys, quorum}`, see trust-policy.ts. */
  readonly witnesses?: CborMap;
  /** Delegations from the owner to the writer key, root first; empty where they are the same. */
  readonly proof: readonly Uint8Array[];
}

/** Given after the block is synced and the guard file holds its size. */
export interface Receipt {
  readonly log: LogId;
  readonly index: LogIndex;
  readonly leafHash: Hash;
  readonly block: BlockNumber;
  /** Size and root of the checkpoint that first covers the event. */
  readonly size: TreeSize;
  readonly root: Hash;
  readonly ack: 'local';
  /** The event was in the log before: this is the first receipt again. */
  readonly duplicate?: boolean;
}

export interface Head {
  readonly logId: LogId;
  /** 0 for a followed log of which nothing has arrived; then the rest is empty. */
  readonly size: TreeSize;
  readonly root: Hash;
  readonly blocks: number;
  /** The signed note that covers `size`; '' at size 0. */
  readonly checkpoint: string;
  /** Recorded time of the last entry. */
  readonly time: TimeMs;
  /** Undefined at size 0. */
  readonly writerKey: PublicKey | undefined;
}

/** The key epoch of a sealed log in which its next event is sealed, if it is not due to end. */
export interface OpenEpoch {
  readonly epoch: number;
  readonly generation: number;
  /** Recorded time of the entry that opened it. */
  readonly since?: TimeMs;
}

/**
 * `open`: takes what it should. `waiting`: an own log that may not sign yet (`reason` says why).
 * `frozen`: two histories are known. `damaged`: the stored tail does not verify; reading goes on as
 * far as it is sound. `closed`: a successor goes on.
 */
export type LogStanding = 'open' | 'waiting' | 'frozen' | 'damaged' | 'closed';

export interface LogSummary extends Head {
  /** Of a `closed` log: where it ends, its successor, and whether all up to there is here. */
  readonly closing?: Closing & { readonly whole: boolean };
  /** As it is signed, but `owner` is the DID that the organisation has now (src/identities.ts). */
  readonly genesis: Genesis | undefined;
  /** The owner that the genesis names, where that DID was succeeded by another. */
  readonly formerOwner?: Did;
  readonly role: 'writer' | 'replica';
  readonly state: LogStanding;
  readonly reason?: Fault;
  readonly paused: boolean;
  /** How often its end was set anew since the start, and not by growing: it may be shorter than before. */
  readonly resets: number;
  /** A block with a time more than 5 minutes ahead of our clock was taken in by sync. */
  readonly clockAhead: boolean;
  /** What the log keeps, as far as its control entries have been looked at. */
  readonly retention: RetentionPolicy;
  /** Lowest index whose body is still offered, by the newest seal. */
  readonly lowest: LogIndex;
  /** Of a sealed log: the epoch that is open, and the rest where its control entries were read. */
  readonly epoch?: OpenEpoch;
  readonly epochs?: EpochPolicy;
  /** False in a log that was followed; own logs are true even while no signer is attached. */
  readonly createdLocally: boolean;
}

export interface LedgerEntry {
  readonly logId: LogId;
  readonly index: LogIndex;
  readonly kind: 'event' | 'sealed' | 'seal' | 'control';
  readonly recordedTime: TimeMs;
  /** The leaf's bytes, made when asked for (from the block, once for all its entries). */
  leaf(): Uint8Array;
  /** Of kind `event`, unless the body is missing; views into the block. */
  readonly event?: EventBytes;
  /** Of kind `sealed`, unless missing: ciphertext and tag. */
  readonly sealedBody?: Uint8Array;
  /** Of kind `control`. */
  readonly control?: CborMap;
  readonly bodyMissing?: 'retention' | 'redacted' | 'withheld';
}

/** All entries of one stored block that a reader asked for: the fast form of replay. */
export interface EntryBatch {
  readonly logId: LogId;
  readonly block: BlockNumber;
  /** First entry and one past the last, within the range that was asked for. */
  readonly from: LogIndex;
  readonly to: LogIndex;
  /** Index after the block: where to go on. */
  readonly next: LogIndex;
  kind(index: number): LedgerEntry['kind'];
  recordedTime(index: number): TimeMs;
  /** Undefined for what is no event or has no body. Attributes and data are views. */
  event(index: number): EventBytes | undefined;
  /** The stored body bytes (a view), undefined where there is none. */
  body(index: number): Uint8Array | undefined;
  entry(index: number): LedgerEntry;
  /** Leaf and ciphertext (a view) of a sealed event; undefined for all else, and where the body is gone. */
  sealed(index: number): SealedEntry | undefined;
}

export interface SealedEntry {
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
}

/** A block as it was received or made: exact bytes, checked against their stored hash when read. */
export interface StoredBlock {
  readonly logId: LogId;
  readonly number: BlockNumber;
  readonly firstIndex: LogIndex;
  readonly size: TreeSize;
  readonly wire: Uint8Array;
  /** Events that have their body, of a block that was read from the store. */
  readonly bodies?: number;
}

export interface AppendedBlock extends StoredBlock {
  readonly root: Hash;
  /** We wrote it. */
  readonly local: boolean;
  readonly time: TimeMs;
  /** It holds control entries. */
  readonly controls: boolean;
}

export interface ReadOptions {
  /** Ends after the block with which this many wire bytes are reached; at least one block. */
  readonly maxBytes?: number;
  /** For who follows a log: what was just appended may come from memory, not from the store. */
  readonly recent?: boolean;
  readonly signal?: AbortSignal;
}

export interface ApplyOutcome {
  readonly verdict: Verdict;
  readonly logId?: LogId;
  /** The block is ahead of our head: fetch from here. */
  readonly gapFrom?: LogIndex;
  /** True where the block was added to the log by this call. */
  readonly applied?: boolean;
}

/** One entry of a log's key chain with the way from it to the root of `size`. */
export interface ChainEntry extends KeyEntry {
  readonly path: readonly Hash[];
}

export interface KeyChainPage {
  readonly logId: LogId;
  readonly size: TreeSize;
  readonly checkpoint: string;
  /** Genesis first, then control entries in order of index. */
  readonly entries: readonly ChainEntry[];
  /** Where the next page begins; absent on the last. */
  readonly next?: LogIndex;
}

export interface VerifyProblem {
  readonly index: LogIndex;
  /** One past the last entry that is affected, where more than one is. */
  readonly to?: LogIndex;
  readonly code: Fault['code'];
  readonly message: string;
  readonly expected?: string;
  readonly found?: string;
}

export interface VerifyReport {
  readonly log: LogId;
  /** `intact`, `broken` (something is wrong) or `incomplete` (something is not there). */
  readonly verdict: 'intact' | 'broken' | 'incomplete';
  readonly size: TreeSize;
  readonly root: Hash;
  readonly blocks: number;
  /** did:key of the writer key in force at the head. */
  readonly signer: string;
  readonly witnesses: readonly string[];
  readonly entries: number;
  readonly redacted: number;
  readonly dropped: number;
  readonly checkedEvents: number;
  readonly firstProblem?: VerifyProblem;
  /** In order of index, the first 100; the first of `broken` ones is `firstProblem`. */
  readonly problems: readonly VerifyProblem[];
}

export interface VerifyOptions {
  /** After each block: entries checked so far, and of how many. */
  readonly onProgress?: (checked: number, of: number) => void;
  readonly signal?: AbortSignal;
  /** Threads that check stretches of blocks beside each other. */
  readonly workers?: RangeWorkers | undefined;
  /** False: the indexes, which are no evidence, are not counted. */
  readonly rows?: boolean;
}

/** Counters for metrics; all only grow, but for those that say what is held now. */
export interface LedgerStats {
  readonly publishedEvents: number;
  readonly publishedBlocks: number;
  readonly appliedEvents: number;
  readonly appliedBlocks: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly busy: number;
  readonly storeFailures: number;
  readonly forks: number;
  readonly pendingEvents: number;
  readonly pendingBytes: number;
  readonly dedupeFilterBytes: number;
  /** Events whose id had to be looked up in the store. */
  readonly dedupeLookups: number;
  /** Bodies taken out of stored blocks by retention, and of those by redaction. */
  readonly droppedBodies: number;
  readonly redactedBodies: number;
  /** Times that something due could not be dropped; it is tried again. */
  readonly retentionFailures: number;
  /** False while the store refuses writes: publishing answers `disk-full` or `store-failed`. */
  readonly accepting: boolean;
}
