/**
 * What the HTTP layer asks of a running node, and the shapes that both sides agree on. `core/`
 * implements it; `http/` only translates. Every method that changes something takes the actor, so
 * that the journal can say who and why.
 */
import type { Fault } from '../errors.ts';
import type { UsagePort } from '../gossip/usage-port.ts';
import type { EpochPolicy } from '../ledger/epoch-policy.ts';
import type { RetentionPolicy } from '../ledger/retention-policy.ts';
import type { Result } from '../result.ts';
import type {
  Did,
  EventBytes,
  LogId,
  LogIndex,
  ParsedEvent,
  PeerId,
  StreamName,
  TimeMs,
} from '../types.ts';
import type { AttributesApi } from './core/attributes.ts';
import type { BackupApi } from './core/backup.ts';
import type { EvidenceApi } from './evidence-api.ts';
import type { RecoveryApi } from './recovery-api.ts';
import type { RekeyApi } from './rekey-api.ts';
import type { SealedApi } from './sealed-api.ts';
import type { WitnessApi } from './witness-api.ts';
import type { GrantsApi } from './grants-api.ts';
import type { RevocationsApi } from './revocations-api.ts';
import type { ForksApi } from './forks-api.ts';
import type { SealedWhy } from './sealed/sealed-room.ts';
import type { KeySource } from './organisation-key.ts';
import type { SuccessionView } from './succession-view.ts';
import type { TreeApi, UrlApi } from './tree-api.ts';
import type { RetentionApi, RetentionView } from './retention-api.ts';
import type { UsageApi } from './usage-api.ts';

/** Who does something, and why: `api`, `cli`, `config`; the reason is the operator's own words. */
export interface Actor {
  readonly who: string;
  readonly why?: string;
}

/** operations.md "Shapes": what a publisher gets for one event. */
export interface ReceiptView {
  readonly log: LogId;
  readonly index: LogIndex;
  readonly leafHash: string;
  readonly block: number;
  readonly size: number;
  readonly root: string;
  /** `local`, `replicated:N` or `witnessed`: what was reached. */
  readonly ack: string;
  /** Organisations that said to hold it, where that was asked for. */
  readonly replicated?: number;
  /** Why what was asked for was not reached (`ack-timeout`); the event is in the log all the same. */
  readonly shortfall?: Fault;
}

export interface LogView {
  readonly log: LogId;
  readonly partition: number;
  readonly size: number;
  /** Hex of the root at that size. */
  readonly root: string;
  readonly blocks: number;
  readonly role: 'writer' | 'replica';
  readonly state: 'open' | 'waiting' | 'paused' | 'frozen' | 'damaged' | 'closed';
  /** Entries and milliseconds behind the best head that peers report; 0 where we lead. */
  readonly lagEntries: number;
  readonly lastTime?: TimeMs;
  readonly writerKey: string;
  /** Lowest index whose content is still offered. */
  readonly lowest: number;
  readonly problem?: Fault;
  /** Of a sealed log: the key epoch that is open, and when it was opened. */
  readonly epoch?: {
    readonly epoch: number;
    readonly generation: number;
    readonly since?: TimeMs;
  };
  /** The log that this one goes on from, after a recovery. */
  readonly predecessor?: LogId;
  /** Of a closed log: where it ends, what goes on, and whether all up to there is here. */
  readonly closing?: { readonly size: number; readonly successor: LogId; readonly whole: boolean };
  /** Two histories are proved: sizes and roots (hex) of their checkpoints, A not larger than B. */
  readonly fork?: {
    readonly a: { readonly size: number; readonly root: string };
    readonly b: { readonly size: number; readonly root: string };
  };
}

export interface StreamView {
  /** How a user may name it here: own name, `alias/name`, else `did:key:…/name`. */
  readonly display: string;
  readonly owner: Did;
  /** Alias or registry name of the owner, where known. */
  readonly organisation?: string;
  readonly name: StreamName;
  /** DIDs that the owner had before; absent where there are none. */
  readonly succeeded?: readonly SuccessionView[];
  /** The log of partition 0: the stream's identity. */
  readonly id: LogId;
  readonly visibility: 'public' | 'sealed' | 'direct';
  readonly partitions: number;
  readonly own: boolean;
  readonly followed: boolean;
  readonly paused: boolean;
  readonly contentType?: string;
  /** What is kept of the content; absent where nothing of the stream is here. */
  readonly retention?: RetentionView;
  /** Of a sealed stream whose control entries are here: when its key epochs end. */
  readonly epochs?: EpochPolicy;
  /** Local logs; empty for a stream that is only known from a registry. */
  readonly logs: readonly LogView[];
}

/** One delivered event; `hwref` is added when it is rendered. */
export interface Delivery {
  readonly log: LogId;
  readonly index: LogIndex;
  readonly recordedTime: TimeMs;
  /** Absent exactly where `sealed` says why it cannot be read. */
  readonly event?: EventBytes;
  readonly sealed?: SealedWhy;
  /** Makes the position token after this event (ledger.md "Positions"): SSE id, cursor value. */
  position(): string;
}

export interface ReadRequest {
  /** `start`, `now`, an index, an RFC 3339 time or a position token. */
  readonly from?: string;
  readonly to?: string;
  /** Position token to go on from, before `cursor` and `from`: what the reader itself has had last. */
  readonly resume?: string;
  /** Name of a durable cursor: read from it; `from` counts only where it does not exist yet. */
  readonly cursor?: string;
  /** Move the cursor as deliveries are taken (automatic acknowledgement). */
  readonly autoAcknowledge?: boolean;
  readonly limit?: number;
  readonly subject?: string;
  /** Only the newest event of the subject. */
  readonly last?: boolean;
  /** Go on with live events after the history. */
  readonly follow?: boolean;
  /** 0 or absent: full speed; 1: original pace by event `time`; N: N times as fast. */
  readonly speed?: number;
  /** Scan by the events' own `time`, RFC 3339. */
  readonly eventFrom?: string;
  readonly eventTo?: string;
}

export interface NewStream {
  readonly name: string;
  readonly partitions?: number;
  readonly visibility?: 'public' | 'sealed' | 'direct';
  /** Of a sealed stream: when its key epochs end; an hour where absent. */
  readonly epochs?: EpochPolicy;
  readonly contentType?: string;
  readonly description?: string;
  readonly retention?: RetentionPolicy;
  /** Vkeys or did:keys of its witnesses, and how many of them must cosign. */
  readonly witnesses?: { readonly keys: readonly string[]; readonly quorum: number };
}

export interface PeerView {
  readonly peer: PeerId;
  readonly organisation?: Did;
  readonly name?: string;
  readonly succeeded?: readonly SuccessionView[];
  readonly address?: string;
  readonly connected: boolean;
  readonly state: 'ok' | 'paused' | 'banned' | 'refused';
  readonly roles: readonly string[];
  readonly version?: string;
  readonly reason?: string;
  readonly since?: TimeMs;
}

/** Everything that is not OK has a reason, a since, and what to do. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly level: 'ok' | 'warning' | 'error';
  readonly reason?: string;
  readonly since?: TimeMs;
  readonly hint?: string;
}

export interface StatusView {
  readonly version: string;
  readonly ready: boolean;
  readonly organisation: Did;
  readonly name?: string;
  readonly succeeded?: readonly SuccessionView[];
  readonly peer: PeerId;
  readonly network?: { readonly id: string; readonly name: string; readonly version: number };
  readonly api: string;
  readonly addresses: readonly string[];
  readonly startedAt: TimeMs;
  readonly streams: readonly StreamView[];
  readonly peers: readonly PeerView[];
  readonly checks: readonly Check[];
  readonly store: { readonly bytes: number; readonly accepting: boolean };
  readonly rates: { readonly publishedPerSecond: number; readonly appliedPerSecond: number };
  readonly scrub: ScrubView;
  readonly residentBytes: number;
}

/** The background check of what is stored; counts since the start, but `open`: damaged now. */
export interface ScrubView {
  readonly running: boolean;
  readonly rounds: number;
  readonly checkedEntries: number;
  readonly found: number;
  readonly repaired: number;
  readonly open: number;
}

export interface NetworkView {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly founder: Did;
  readonly membership: 'open' | 'listed';
  readonly members: readonly Did[];
  readonly bootstrap: readonly string[];
}

export interface NodeApi {
  readonly retention: RetentionApi;
  /** Who has had what. */
  readonly usage: UsageApi;
  /** Told of what is handed over. */
  readonly deliveries: UsagePort;
  status(): Promise<StatusView>;
  checks(): Promise<readonly Check[]>;
  /** False while starting, draining or unable to serve. */
  ready(): boolean;

  /** `organisation` is a DID, an alias, a registry name, or undefined for our own. */
  stream(organisation: string | undefined, name: string): Result<StreamView>;
  /** STREAM as on the command line: `name`, `alias/name`, `did:key:…/name`, `hw:<logId>`. */
  streamByText(text: string): Result<StreamView>;
  /** Own and followed streams; with `all` also those that are only known from registries. */
  streams(all: boolean): Promise<readonly StreamView[]>;
  createStream(input: NewStream, actor: Actor): Promise<Result<StreamView>>;
  setStreamPaused(stream: StreamView, paused: boolean, actor: Actor): Promise<Result<StreamView>>;
  /** A stream (as text), or a DID for all public streams of an organisation. Durable. */
  follow(target: string, actor: Actor): Promise<Result<readonly StreamView[]>>;
  unfollow(target: string, purge: boolean, actor: Actor): Promise<Result<readonly StreamView[]>>;

  /** One result per event, in order, after the fsync; the whole call fails only as a whole. */
  publish(
    stream: StreamView,
    events: readonly ParsedEvent[],
    signal?: AbortSignal,
  ): Promise<Result<readonly Result<ReceiptView>[]>>;
  /** Resolves once there may be room in a queue that was `busy`, or the signal aborts. */
  room(signal: AbortSignal): Promise<void>;
  /** Batches of deliveries, bounded in bytes; ends at the head unless `follow`. Faults throw. */
  read(
    stream: StreamView,
    request: ReadRequest,
    signal: AbortSignal,
  ): Promise<Result<AsyncIterable<readonly Delivery[]>>>;
  /** A log that is kept here, from its text form. */
  logId(text: string): Result<LogId>;
  event(log: LogId, index: number): Promise<Result<Delivery>>;
  setCursor(name: string, position: string): Promise<Result<void>>;
  readonly evidence: EvidenceApi;
  readonly recovery: RecoveryApi;
  readonly witness: WitnessApi;
  readonly backup: BackupApi;
  readonly forks: ForksApi;
  readonly tree: TreeApi;
  readonly urls: UrlApi;
  readonly grants: GrantsApi;
  readonly revocations: RevocationsApi;
  readonly attributes: AttributesApi;
  readonly keyEpochs: SealedApi;
  readonly rekeying: RekeyApi;

  peers(): readonly PeerView[];
  /** Another peer of ours was enrolled beside this node: said in the journal. */
  enrolled(peer: PeerId, actor: Actor): void;
  setPeerState(
    peer: string,
    state: 'ok' | 'paused' | 'banned',
    actor: Actor,
  ): Promise<Result<PeerView>>;

  network(): NetworkView | undefined;
  /** The invite line; `member` also lists that DID. */
  invite(member: string | undefined, actor: Actor, key?: KeySource): Promise<Result<string>>;
  acceptMember(member: string, actor: Actor, key?: KeySource): Promise<Result<NetworkView>>;

  /** Prometheus text format. */
  metrics(): Promise<string>;
  /** Starts the drain; the caller's answer is sent before the process ends. */
  shutdown(actor: Actor): void;
}
