/** Proofs, verification and lineage of a running node (`EvidenceApi`). */
import { fault } from '../../errors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { parseDatasetId, type MarquezNode } from '../../lineage/marquez.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId } from '../../types.ts';
import type {
  ConsistencyView,
  EvidenceApi,
  TraceRequest,
  TraceView,
  VerifiedStream,
  VerifyView,
} from '../evidence-api.ts';
import type { Home } from '../home.ts';
import type { StreamView } from '../node-api.ts';
import type { Runtime } from '../runtime.ts';
import { verifyLogs } from '../verify-view.ts';
import { streamLineage, traceEvent, type LineageParts } from './lineage.ts';
import { proveConsistency, proveEvent, type DisclosedPart } from './prove.ts';
import { unknown, type Registries } from './registries.ts';
import type { Streams } from './streams.ts';

export interface EvidenceParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly registries: Registries;
  readonly streams: Streams;
}

type FindStream = (organisation: string | undefined, name: string) => Result<StreamView>;

export class Evidence implements EvidenceApi {
  readonly #parts: EvidenceParts;
  readonly #stream: FindStream;

  constructor(parts: EvidenceParts, stream: FindStream) {
    this.#parts = parts;
    this.#stream = stream;
  }

  checkpoint(log: LogId): Result<string> {
    const summary = this.#parts.ledger.log(log);
    if (summary !== undefined && summary.checkpoint !== '') return ok(summary.checkpoint);
    return err(fault('event-unknown', 'nothing of this log has arrived yet'));
  }

  proof(log: LogId, index: number, part: DisclosedPart): Promise<Result<string>> {
    return proveEvent(this.#parts.ledger, log, asLogIndex(index), part);
  }

  consistency(log: LogId, from: number, to?: number): Promise<Result<ConsistencyView>> {
    return proveConsistency(this.#parts.ledger, log, from, to);
  }

  verify(
    stream: VerifiedStream,
    onProgress: (checked: number, of: number) => void,
    signal: AbortSignal,
  ): Promise<Result<VerifyView>> {
    const { ledger, runtime } = this.#parts;
    if (stream.logs.length === 0) {
      return Promise.resolve(
        err(fault('stream-not-followed', `${stream.display} is not kept here`)),
      );
    }
    return verifyLogs(ledger, stream.display, stream.logs, runtime.clock, { onProgress, signal });
  }

  trace(request: TraceRequest, signal: AbortSignal): Promise<Result<TraceView>> {
    return traceEvent(this.#lineage(), request, signal);
  }

  async marquez(
    nodeId: string,
    depth: number,
    signal: AbortSignal,
  ): Promise<Result<{ readonly graph: readonly MarquezNode[] }>> {
    const id = parseDatasetId(nodeId);
    if (id === undefined) return err(unknown(nodeId));
    const view = this.#stream(id.organisation, id.stream);
    return view.ok ? streamLineage(this.#lineage(), view.value, depth, signal) : view;
  }

  #lineage(): LineageParts {
    const { ledger, streams, registries, home } = this.#parts;
    const { config, keys } = home;
    return { ledger, streams, registries, limits: config.limits, signer: keys.peer };
  }
}
