/** What the HTTP layer asks of a node about proofs, verification and lineage, and their shapes. */
import type { Direction, StepVerdict } from '../lineage/graph.ts';
import type { MarquezNode } from '../lineage/marquez.ts';
import type { TraceFormat } from '../lineage/render.ts';
import type { Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { BundleDisclosure } from './core/bundle.ts';
import type { DisclosedPart } from './core/prove.ts';
import type { Actor } from './node-api.ts';
import type { SealedCounts } from './sealed/contents.ts';

/** operations.md `hw verify --json`. */
export interface VerifyView {
  readonly verdict: 'intact' | 'broken' | 'incomplete' | 'untrusted';
  readonly stream: string;
  readonly logs: readonly {
    readonly log: LogId;
    readonly size: number;
    readonly root: string;
    readonly blocks: number;
    readonly signer: string;
    readonly witnesses: readonly string[];
    /** Up to where they cosigned, and when the last of them did. */
    readonly witnessed?: { readonly size: number; readonly by: string };
    readonly entries: number;
    readonly redacted: number;
    readonly dropped: number;
    /** Of a sealed log: what of its ciphertext could be opened here. */
    readonly sealed?: SealedCounts;
    /** Its writer signed two histories; the verdict is of the one that is kept here. */
    readonly forked?: true;
  }[];
  readonly checkedEvents: number;
  readonly firstProblem?: {
    readonly log: LogId;
    readonly index: number;
    /** One past the last entry that may be affected, where more than one is. */
    readonly to?: number;
    readonly code: string;
    readonly expected?: string;
    readonly found?: string;
  };
  readonly seconds: number;
  /** Was trust stated (`--trust`, `--witness`), and is it met? */
  readonly trust?: { readonly stated: boolean; readonly met?: boolean };
  /** Why a sound stream is `untrusted`. */
  readonly reasons?: readonly {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
  }[];
  /** With `repair`: what was damaged before, and what became of it. The verdict is that after it. */
  readonly repairs?: readonly RepairView[];
}

/** One damaged place, and what mended it or why nothing could. */
export interface RepairView {
  readonly log: LogId;
  readonly what: 'block' | 'rows' | 'tile' | 'head';
  readonly index: number;
  readonly to?: number;
  readonly code: string;
  /** A peer, or the blocks of this home; absent where it is still damaged. */
  readonly from?: string;
  readonly reason?: { readonly code: string; readonly message: string };
}

export interface ConsistencyView {
  readonly from: number;
  readonly to: number;
  /** RFC 6962 section 2.1.2, base64. */
  readonly proof: readonly string[];
}

export interface TraceRequest {
  /** EVENT as on the command line: `hw:<logId>/<index>` or `STREAM#<index>`. */
  readonly event: string;
  readonly direction: Direction;
  /** Steps from the event; without end where absent. */
  readonly depth?: number;
  /** Steps in all. */
  readonly limit?: number;
  readonly format: TraceFormat;
  /** Where it went, by organisation and stream; of a trace down, as tree or json. */
  readonly consumers?: boolean;
}

export interface TraceView {
  readonly verdict: StepVerdict;
  readonly steps: number;
  /** Media type and content in the format that was asked for. */
  readonly type: string;
  readonly text: string;
}

/** What verifying needs of a stream's view. */
export interface VerifiedStream {
  readonly display: string;
  readonly logs: readonly { readonly log: LogId; readonly size: number }[];
}

/** What `hw export --bundle` asks for. */
export interface BundleRequest {
  /** STREAM, EVENT or a range `hw:<logId>/<from>-<to>`. */
  readonly of: string;
  /** Bounds of a stream as `hw replay` takes them; widened to whole blocks. */
  readonly from?: string;
  readonly to?: string;
  /** With everything that the events were made from, as far as it is kept here or by peers. */
  readonly ancestors?: boolean;
  /** Keys of sealed events that are held here: none where absent, of what was asked for, of all. */
  readonly disclose?: BundleDisclosure;
}

export interface BundleView {
  /** Entries that the bundle carries, references to inputs, and inputs that are missing. */
  readonly entries: number;
  readonly references: number;
  readonly missing: number;
  /** Sealed events whose keys it carries. */
  readonly opened: number;
  /** Where the entries that it carries stand, seals and all. */
  readonly carried: readonly { readonly log: LogId; readonly from: number; readonly to: number }[];
  /** The file as it is made; throws HeadwaterError. To be read once, or not at all. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface RangeProofView {
  readonly log: LogId;
  readonly from: number;
  readonly to: number;
  readonly size: number;
  /** Root of the range, hex: what a child's leaf cites. */
  readonly rangeRoot: string;
  /** Range proof in the tree of `size`, base64. */
  readonly proof: readonly string[];
  /** Signed; absent where `size` is not the head's. */
  readonly checkpoint?: string;
  /** One entry's place in the range, where an index was named. */
  readonly member?: {
    readonly index: number;
    readonly leafHash: string;
    readonly proof: readonly string[];
  };
}

export interface RangeProofRequest {
  readonly from: number;
  readonly to: number;
  readonly size?: number;
  readonly index?: number;
}

export interface EvidenceApi {
  /** The signed checkpoint note of a log. */
  checkpoint(log: LogId): Result<string>;
  /** The text of a proof of one event, by the newest checkpoint of its log. */
  proof(log: LogId, index: number, part: DisclosedPart): Promise<Result<string>>;
  /** `to` is the head's size where it is left out. */
  consistency(log: LogId, from: number, to?: number): Promise<Result<ConsistencyView>>;
  /** `threads` check beside each other; as many as suit the machine where it is left out. */
  verify(
    stream: VerifiedStream,
    onProgress: (checked: number, of: number) => void,
    signal: AbortSignal,
    threads?: number,
  ): Promise<Result<VerifyView>>;
  /** Mends what is damaged, with blocks from peers, then verifies. */
  repair(stream: VerifiedStream, actor: Actor, signal: AbortSignal): Promise<Result<VerifyView>>;

  /** Proof that a range has this root in the log, and of one entry's place in it. */
  range(log: LogId, request: RangeProofRequest): Promise<Result<RangeProofView>>;
  /** The same as a file for `hw verify`, with the log's keys; always of the head. */
  rangeFile(log: LogId, from: number, to: number, index?: number): Promise<Result<string>>;
  /** An audit bundle as it is made. */
  bundle(request: BundleRequest, signal: AbortSignal): Promise<Result<BundleView>>;

  /** The lineage of one event, rendered. */
  trace(request: TraceRequest, signal: AbortSignal): Promise<Result<TraceView>>;
  /** Streams around one, in the shape of Marquez's API; `nodeId` as there. */
  marquez(
    nodeId: string,
    depth: number,
    signal: AbortSignal,
  ): Promise<Result<{ readonly graph: readonly MarquezNode[] }>>;
}
