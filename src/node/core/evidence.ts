/** Proofs, verification and lineage of a running node (`EvidenceApi`). */
import { fault } from '../../errors.ts';
import type { GossipNode } from '../../gossip/gossip-node.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { parseDatasetId, type MarquezNode } from '../../lineage/marquez.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId } from '../../types.ts';
import { usualWorkers, withWorkers } from '../audit-workers.ts';
import type {
  BundleRequest,
  BundleView,
  ConsistencyView,
  EvidenceApi,
  RangeProofRequest,
  RangeProofView,
  TraceRequest,
  TraceView,
  VerifiedStream,
  VerifyView,
} from '../evidence-api.ts';
import type { Home } from '../home.ts';
import type { Actor, StreamView } from '../node-api.ts';
import type { UsageApi } from '../usage-api.ts';
import { repairLogs } from '../repair-logs.ts';
import type { Runtime } from '../runtime.ts';
import { contentsCheck } from '../sealed/contents.ts';
import { Disclosing } from '../sealed/disclosing.ts';
import type { SealedRoom } from '../sealed/sealed-room.ts';
import { verifyLogs } from '../verify-view.ts';
import type { Journal } from './journal.ts';
import { openBundle } from './bundle.ts';
import { foreignParts, type ForeignParts } from './foreign-logs.ts';
import { streamLineage, traceEvent, type LineageParts } from './lineage.ts';
import { proveConsistency, proveEvent, type DisclosedPart } from './prove.ts';
import { proveRange, proveRangeFile } from './prove-range.ts';
import { unknown, type Registries } from './registries.ts';
import { peersOf } from './scrubbing.ts';
import type { Streams } from './streams.ts';

export interface EvidenceParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly registries: Registries;
  readonly streams: Streams;
  readonly journal: Journal;
  readonly usage: { readonly api: UsageApi };
  readonly sealed: SealedRoom;
  readonly network: () => { readonly gossip: GossipNode } | undefined;
}

type FindStream = (organisation: string | undefined, name: string) => Result<StreamView>;

export class Evidence implements EvidenceApi {
  readonly #parts: EvidenceParts;
  readonly #stream: FindStream;
  readonly #disclosing: Disclosing;

  constructor(parts: EvidenceParts, stream: FindStream) {
    this.#parts = parts;
    this.#disclosing = new Disclosing(parts.ledger, parts.sealed);
    this.#stream = stream;
  }

  checkpoint(log: LogId): Result<string> {
    const summary = this.#parts.ledger.log(log);
    if (summary !== undefined && summary.checkpoint !== '') return ok(summary.checkpoint);
    return err(fault('event-unknown', 'nothing of this log has arrived yet'));
  }

  proof(log: LogId, index: number, part: DisclosedPart): Promise<Result<string>> {
    return proveEvent(this.#parts.ledger, log, asLogIndex(index), part, this.#disclosing);
  }

  consistency(log: LogId, from: number, to?: number): Promise<Result<ConsistencyView>> {
    return proveConsistency(this.#parts.ledger, log, from, to);
  }

  verify(
    stream: VerifiedStream,
    onProgress: (checked: number, of: number) => void,
    signal: AbortSignal,
    threads?: number,
  ): Promise<Result<VerifyView>> {
    const { ledger, runtime, sealed } = this.#parts;
    if (stream.logs.length === 0) {
      return Promise.resolve(
        err(fault('stream-not-followed', `${stream.display} is not kept here`)),
      );
    }
    const entries = stream.logs.reduce((sum, { size }) => sum + size, 0);
    // One core stays for those whom the node serves.
    const count = threads ?? usualWorkers(entries, runtime.cores() - 1);
    return withWorkers(count, (workers) => {
      const options = { onProgress, signal, workers };
      const contents = contentsCheck(ledger, sealed);
      return verifyLogs(ledger, stream.display, stream.logs, runtime.clock, options, contents);
    });
  }

  async repair(
    stream: VerifiedStream,
    actor: Actor,
    signal: AbortSignal,
  ): Promise<Result<VerifyView>> {
    const { ledger, journal, network } = this.#parts;
    const logs = stream.logs.map(({ log }) => log);
    journal.did('stream.repair', stream.display, actor);
    const source = peersOf(() => network()?.gossip);
    const repairs = await repairLogs(ledger, logs, source, signal);
    if (!repairs.ok) return repairs;
    // What a damaged head hid is counted now.
    const sized = logs.map((log) => ({ log, size: ledger.log(log)?.size ?? 0 }));
    const view = await this.verify({ ...stream, logs: sized }, () => undefined, signal);
    return view.ok ? ok({ ...view.value, repairs: repairs.value }) : view;
  }

  trace(request: TraceRequest, signal: AbortSignal): Promise<Result<TraceView>> {
    return traceEvent(this.#lineage(), request, signal);
  }

  range(log: LogId, request: RangeProofRequest): Promise<Result<RangeProofView>> {
    return proveRange(this.#parts.ledger, log, request);
  }

  rangeFile(log: LogId, from: number, to: number, index?: number): Promise<Result<string>> {
    return proveRangeFile(this.#parts.ledger, log, from, to, index);
  }

  bundle(request: BundleRequest, signal: AbortSignal): Promise<Result<BundleView>> {
    const { ledger, streams } = this.#parts;
    const keys = this.#disclosing;
    return openBundle({ ledger, streams, foreign: this.#foreign(), keys }, request, signal);
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
    const { ledger, streams, registries, sealed, home, usage } = this.#parts;
    const { config, keys } = home;
    const { limits } = config;
    const named = { ledger, streams, registries, sealed, limits, usage: usage.api };
    return { ...named, signer: keys.peer, foreign: this.#foreign() };
  }

  #foreign(): ForeignParts | undefined {
    const { registries, runtime, network } = this.#parts;
    return foreignParts(network()?.gossip, registries, runtime.clock);
  }
}
