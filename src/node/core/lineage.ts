/**
 * `hw trace` for a running node and for a stopped one: finds the event, walks over the logs of this
 * home and, on a node with a network, over what its peers show of others, and renders. What the steps are called comes from the genesis of each log, else from the
 * registry that lists it.
 */
import type { Signer } from '../../crypto.ts';
import { fault } from '../../errors.ts';
import { judgeEvent } from '../../event/judge.ts';
import { parseReference, type Reference } from '../../ids.ts';
import type { ForeignLog } from '../../ledger/foreign-log.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { TracedEntry } from '../../ledger/lineage-reader.ts';
import { withAttestations } from '../../lineage/attestations.ts';
import type { LineageGraph, Origin } from '../../lineage/graph.ts';
import type { Given } from '../../lineage/consumers.ts';
import { marquezGraph, type MarquezNode } from '../../lineage/marquez.ts';
import { renderConsumers, renderTrace } from '../../lineage/render.ts';
import { walkLineage, type LineagePort } from '../../lineage/walk.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId, type LogIndex } from '../../types.ts';
import type { Limits } from '../config-schema.ts';
import type { TraceRequest, TraceView } from '../evidence-api.ts';
import type { StreamView } from '../node-api.ts';
import type { SealedRoom } from '../sealed/sealed-room.ts';
import type { UsageApi } from '../usage-api.ts';
import { ForeignLogs, unreachable, type ForeignParts } from './foreign-logs.ts';
import type { Registries } from './registries.ts';
import { oneLog, type Streams } from './streams.ts';

export type LineageLimits = Pick<
  Limits,
  | 'lineageNodes'
  | 'maxLineageNodes'
  | 'maxLineageDepth'
  | 'maxLineagePending'
  | 'maxAttestations'
  | 'maxAttestedNodes'
>;

export interface LineageParts {
  readonly ledger: Pick<Ledger, 'lineage' | 'log'>;
  readonly streams: Pick<Streams, 'parse' | 'view'>;
  readonly registries: Pick<Registries, 'ofLog' | 'nameOf'>;
  readonly limits: LineageLimits;
  /** The peer's: signs in-toto statements. */
  readonly signer: Signer;
  /** To whom this home gave what. */
  readonly usage?: Pick<UsageApi, 'ofEntry' | 'deliveriesOf'> | undefined;
  /** What opens sealed events; absent: their content is not shown. */
  readonly sealed?: OpensSealed | undefined;
  /** Where what is not kept here is read from; absent in a stopped node. */
  readonly foreign?: ForeignParts | undefined;
}

/** Newest events of a stream from which its place among other streams is told. */
const sampledEvents = 32;
const sampledEntries = 1024;
const marquezNodes = 2000;

/**
 * Codes: bad-reference and those of `parseReference`, those of resolving a stream's name,
 * stream-not-followed, position-ambiguous, usage (a depth or limit out of bounds), those of
 * `walkLineage`.
 */
export async function traceEvent(
  parts: LineageParts,
  request: TraceRequest,
  signal: AbortSignal,
): Promise<Result<TraceView>> {
  const place = placeOf(parts.streams, request.event);
  if (!place.ok) return place;
  const { foreign } = parts;
  const others = foreign === undefined ? undefined : new ForeignLogs(foreign, signal);
  const port = portOf(parts, others);
  const graph = await walk(parts, port, place.value, { ...request, signal });
  if (!graph.ok) return graph;
  const rendered =
    request.consumers === true
      ? renderConsumers(graph.value, request.format, await givenOf(parts, graph.value))
      : renderTrace(graph.value, request.format, parts.signer);
  if (!rendered.ok) return rendered;
  const { verdict, nodes } = graph.value;
  return ok({ verdict, steps: nodes.size, ...rendered.value });
}

/** To whom the event was given, and what was made of it here. */
async function givenOf(
  { usage }: LineageParts,
  graph: LineageGraph,
): Promise<readonly Given[] | undefined> {
  if (usage === undefined) return undefined;
  const given: Given[] = [];
  for (const [ref, { place, kind }] of graph.nodes) {
    if (kind !== 'event') continue;
    const { logId, from } = place;
    const found =
      ref === graph.root ? await usage.deliveriesOf(logId, from) : usage.ofEntry(logId, from);
    given.push(...found.map((one) => ({ ref, ...one })));
  }
  return given;
}

async function walk(
  { limits }: LineageParts,
  port: LineagePort,
  place: Reference | { readonly logId: LogId; readonly index: LogIndex },
  wanted: Pick<TraceRequest, 'direction' | 'depth' | 'limit'> & { readonly signal: AbortSignal },
): Promise<Result<LineageGraph>> {
  const { direction, depth, limit, signal } = wanted;
  const graph = await walkLineage(port, place, {
    direction,
    maxDepth: Math.min(depth ?? limits.maxLineageDepth, limits.maxLineageDepth),
    maxNodes: Math.min(limit ?? limits.lineageNodes, limits.maxLineageNodes),
    maxPending: limits.maxLineagePending,
    signal,
  });
  return graph.ok ? ok(await withAttestations(port, graph.value, limits)) : graph;
}

/** An event, or a range from which a trace that was cut goes on. */
function placeOf(streams: LineageParts['streams'], text: string): Result<Reference> {
  const reference = parseReference(text);
  if (reference.ok) return reference;
  const event = eventOf(streams, text);
  if (!event.ok) return event;
  const { logId, index } = event.value;
  return ok({ logId, from: index, to: asLogIndex(index + 1) });
}

/** EVENT of the command line (ledger.md "Positions"). */
export function eventOf(
  streams: Pick<Streams, 'parse' | 'view'>,
  text: string,
): Result<{ readonly logId: LogId; readonly index: LogIndex }> {
  const numbered = /^(.+)#(0|[1-9][0-9]{0,14})$/.exec(text);
  if (numbered === null) {
    const reference = parseReference(text);
    if (!reference.ok) return reference;
    const { logId, from, to } = reference.value;
    if (to === from + 1) return ok({ logId, index: from });
    return err(fault('bad-reference', `${text} is a range: name one event of it`));
  }
  const key = streams.parse(numbered[1] ?? '');
  const view = key.ok ? streams.view(key.value) : key;
  const log = view.ok ? oneLog(view.value) : view;
  return log.ok ? ok({ logId: log.value.log, index: asLogIndex(Number(numbered[2])) }) : log;
}

type OpensSealed = Pick<SealedRoom, 'open'>;

/** An entry as it can be read here: of a sealed one the event, where there is a key and it is one. */
async function opened(
  sealed: OpensSealed | undefined,
  read: Promise<Result<TracedEntry>>,
): Promise<Result<TracedEntry>> {
  const traced = await read;
  if (!traced.ok || sealed === undefined || traced.value.entry.kind !== 'sealed') return traced;
  const content = await sealed.open(traced.value.entry);
  if (!content.ok || !('event' in content.value)) return traced;
  const { event } = content.value;
  if (!judgeEvent(event).ok) return traced;
  return ok({ ...traced.value, entry: { ...traced.value.entry, event } });
}

function portOf(
  { ledger, streams, registries, sealed }: LineageParts,
  others?: ForeignLogs,
): LineagePort {
  const reader = ledger.lineage();
  const views = new Map<LogId, StreamView | undefined>();
  const viewOf = (logId: LogId): StreamView | undefined => {
    if (!views.has(logId)) {
      const key = ledger.log(logId)?.genesis ?? registries.ofLog(logId);
      const view = key === undefined ? undefined : streams.view(key);
      views.set(logId, view?.ok === true ? view.value : undefined);
    }
    return views.get(logId);
  };
  const kept = {
    size: (logId: LogId) => reader.size(logId),
    closed: (logId: LogId) => viewOf(logId)?.visibility === 'direct',
    origin: (logId: LogId) => originOf(logId, viewOf(logId)),
    entry: (logId: LogId, index: LogIndex) => opened(sealed, reader.entry(logId, index)),
    rangeRoot: (logId: LogId, from: LogIndex, to: LogIndex) => reader.rangeRoot(logId, from, to),
    children: (logId: LogId, index: LogIndex, max: number) => reader.children(logId, index, max),
  };
  return others === undefined ? kept : { ...kept, ...reading(kept, others, registries) };
}

/** What is kept is read here, what was reached from its peers. */
function reading(
  kept: LineagePort,
  others: ForeignLogs,
  registries: Pick<Registries, 'nameOf'>,
): Partial<LineagePort> {
  const foreign = (logId: LogId, to: number): ForeignLog | undefined =>
    (kept.size(logId) ?? 0) >= to ? undefined : others.get(logId);
  return {
    reach: (place) => others.reach(place),
    entry: async (logId, index) => {
      const log = foreign(logId, index + 1);
      if (log === undefined) return kept.entry(logId, index);
      return toldAs(logId, await log.entry(index));
    },
    rangeRoot: async (logId, from, to) => {
      const log = foreign(logId, to);
      if (log === undefined) return kept.rangeRoot(logId, from, to);
      return toldAs(logId, await log.rangeRoot(from, to));
    },
    origin: (logId) => {
      const known = kept.origin(logId);
      const genesis = known.owner === undefined ? others.get(logId)?.chain?.genesis : undefined;
      if (genesis === undefined) return known;
      const { owner, name } = genesis;
      return { stream: `${owner}/${name}`, organisation: registries.nameOf(owner) ?? owner, owner };
    },
  };
}

/** What a peer says wrongly is no word about the entry: nobody showed it. */
function toldAs<T>(logId: LogId, read: Result<T>): Result<T> {
  if (read.ok || asTold.has(read.error.code)) return read;
  return err(unreachable(logId, read.error));
}
const asTold: ReadonlySet<string> = new Set(['lineage-limit', 'interrupted', 'index-over-head']);

function originOf(logId: LogId, view: StreamView | undefined): Origin {
  if (view === undefined) return { stream: `hw:${logId}`, organisation: 'unknown' };
  const { display, organisation, owner } = view;
  return { stream: display, organisation: organisation ?? owner, owner };
}

/** The streams around one, as Marquez shows them, told from its newest events. Code: `interrupted`. */
export async function streamLineage(
  parts: LineageParts,
  view: StreamView,
  depth: number,
  signal: AbortSignal,
): Promise<Result<{ readonly graph: readonly MarquezNode[] }>> {
  const port = portOf(parts);
  const graphs: LineageGraph[] = [];
  for (const { log, size } of view.logs) {
    const lowest = Math.max(0, size - sampledEntries);
    let sampled = 0;
    for (let index = size - 1; index >= lowest && sampled < sampledEvents; index--) {
      const event = { logId: log, index: asLogIndex(index) };
      for (const direction of ['up', 'down'] as const) {
        const graph = await walk(parts, port, event, {
          direction,
          depth,
          limit: marquezNodes,
          signal,
        });
        if (graph.ok) graphs.push(graph.value);
        else if (graph.error.code === 'interrupted') return graph;
        else break;
        if (direction === 'down') sampled += 1;
      }
    }
  }
  return ok(marquezGraph(graphs));
}
