/**
 * Marquez's lineage API over our streams (../vectors/openlineage FACTS.md "Marquez lineage API
 * shape"), so that its UI works: a stream is a dataset, what makes a stream's events is a job, and
 * edges point the way the data flows.
 *
 *   dataset:<organisation>:<stream>     job:<organisation>:<what made it>
 */
import { formatTime } from '../time.ts';
import { asTimeMs } from '../types.ts';
import { flowsOf, type LineageGraph, type LineageNode } from './graph.ts';
import { activityText } from './render-tree.ts';

export interface MarquezEdge {
  readonly origin: string;
  readonly destination: string;
}

export interface MarquezNode {
  readonly id: string;
  readonly type: 'DATASET' | 'JOB';
  readonly data: Readonly<Record<string, unknown>>;
  readonly inEdges: readonly MarquezEdge[];
  readonly outEdges: readonly MarquezEdge[];
}

interface Draft {
  readonly type: 'DATASET' | 'JOB';
  readonly namespace: string;
  readonly name: string;
  time: number;
  readonly into: Set<string>;
  readonly out: Set<string>;
}

/** The graph's streams and what made them, sorted by id. */
export function marquezGraph(graphs: readonly LineageGraph[]): {
  readonly graph: readonly MarquezNode[];
} {
  const drafts = new Map<string, Draft>();
  for (const graph of graphs) {
    const ranges = membersOf(graph);
    for (const node of graph.nodes.values()) put(drafts, 'DATASET', node, streamName(node));
    for (const { input, output } of flowsOf(graph)) {
      // A range is not made of its events: what cites it is.
      if (ranges.has(output.ref)) continue;
      const job = put(drafts, 'JOB', output, jobName(output));
      edge(drafts, put(drafts, 'DATASET', input, streamName(input)), job);
      edge(drafts, job, put(drafts, 'DATASET', output, streamName(output)));
    }
  }
  const nodes = [...drafts].map(([id, draft]) => nodeOf(id, draft));
  return { graph: nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1)) };
}

function membersOf(graph: LineageGraph): ReadonlySet<string> {
  return new Set([...graph.nodes.values()].filter((n) => n.kind === 'range').map((n) => n.ref));
}

/** A colon divides an id, so a name has none: `%3A` stands for it. */
function part(text: string): string {
  return text.replaceAll('%', '%25').replaceAll(':', '%3A');
}

/**
 * Organisation and stream of a node id `dataset:<organisation>:<stream>`; undefined for other kinds.
 * A DID may stand in it as it is, though its colons divide it too.
 */
export function parseDatasetId(
  id: string,
): { readonly organisation: string; readonly stream: string } | undefined {
  const match = /^dataset:(.+):([^:#]+)(?:#.*)?$/.exec(id);
  try {
    const [, organisation = '', stream = ''] = (match ?? []).map(decodeURIComponent);
    return organisation === '' || stream === '' ? undefined : { organisation, stream };
  } catch {
    return undefined;
  }
}

function streamName({ stream }: LineageNode): string {
  return stream.slice(stream.lastIndexOf('/') + 1);
}

function jobName(node: LineageNode): string {
  const activity = node.event?.activity;
  return activity === undefined ? `${streamName(node)} (not stated)` : activityText(activity);
}

function put(
  drafts: Map<string, Draft>,
  type: 'DATASET' | 'JOB',
  node: LineageNode,
  name: string,
): string {
  const id = `${type.toLowerCase()}:${part(node.organisation)}:${part(name)}`;
  const time = node.recordedTime ?? 0;
  const known = drafts.get(id);
  if (known === undefined) {
    const namespace = node.organisation;
    drafts.set(id, { type, namespace, name, time, into: new Set(), out: new Set() });
  } else known.time = Math.max(known.time, time);
  return id;
}

function edge(drafts: ReadonlyMap<string, Draft>, from: string, to: string): void {
  drafts.get(from)?.out.add(to);
  drafts.get(to)?.into.add(from);
}

function nodeOf(id: string, draft: Draft): MarquezNode {
  const { type, namespace, name, time, into, out } = draft;
  const updated = formatTime(asTimeMs(time));
  const kind =
    type === 'DATASET'
      ? { type: 'STREAM', physicalName: name, sourceName: namespace, fields: [], facets: {} }
      : { type: 'STREAM', inputs: idsOf(into), outputs: idsOf(out), latestRun: null };
  const data = {
    id: { namespace, name },
    name,
    namespace,
    createdAt: updated,
    updatedAt: updated,
    tags: [],
    ...kind,
  };
  return {
    id,
    type,
    data,
    inEdges: sorted(into).map((origin) => ({ origin, destination: id })),
    outEdges: sorted(out).map((destination) => ({ origin: id, destination })),
  };
}

function sorted(set: ReadonlySet<string>): readonly string[] {
  return [...set].toSorted();
}

function idsOf(ids: ReadonlySet<string>): readonly { namespace: string; name: string }[] {
  return [...ids].toSorted().map((id) => {
    const [, namespace = '', name = ''] = id.split(':').map(decodeURIComponent);
    return { namespace, name };
  });
}
