/** What the HTTP layer asks of a node about proofs, verification and lineage, and their shapes. */
import type { Direction, StepVerdict } from '../lineage/graph.ts';
import type { MarquezNode } from '../lineage/marquez.ts';
import type { TraceFormat } from '../lineage/render.ts';
import type { Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { DisclosedPart } from './core/prove.ts';

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
    readonly entries: number;
    readonly redacted: number;
    readonly dropped: number;
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

export interface EvidenceApi {
  /** The signed checkpoint note of a log. */
  checkpoint(log: LogId): Result<string>;
  /** The text of a proof of one event, by the newest checkpoint of its log. */
  proof(log: LogId, index: number, part: DisclosedPart): Promise<Result<string>>;
  /** `to` is the head's size where it is left out. */
  consistency(log: LogId, from: number, to?: number): Promise<Result<ConsistencyView>>;
  verify(
    stream: VerifiedStream,
    onProgress: (checked: number, of: number) => void,
    signal: AbortSignal,
  ): Promise<Result<VerifyView>>;

  /** The lineage of one event, rendered. */
  trace(request: TraceRequest, signal: AbortSignal): Promise<Result<TraceView>>;
  /** Streams around one, in the shape of Marquez's API; `nodeId` as there. */
  marquez(
    nodeId: string,
    depth: number,
    signal: AbortSignal,
  ): Promise<Result<{ readonly graph: readonly MarquezNode[] }>>;
}
