/**
 * OpenLineage 2-0-2 (../vectors/openlineage): each event that cites inputs is a finished run. Its job
 * is what made it as its producer states, the streams are the datasets. Our own facet carries what
 * OpenLineage has no word for: which entries, their hashes, and what was verified.
 *
 * OpenLineage wants a run to start and to complete. All that is signed is when the output was
 * recorded, so both events have that time.
 */
import { formatReference } from '../ids.ts';
import { formatTime } from '../time.ts';
import { asTimeMs } from '../types.ts';
import { flowsOf, type LineageGraph, type LineageNode } from './graph.ts';
import { activityText } from './render-tree.ts';

const schemaUrl = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';
const facetBase = 'https://openlineage.io/spec/facets';
/** Who made this metadata: the software, not the organisation. */
const producer = 'urn:headwater:trace';
const ownSchema = 'urn:headwater:openlineage:1#/$defs/HeadwaterEntriesDatasetFacet';

type Json = Readonly<Record<string, unknown>>;

/** A JSON array of run events, one a line: what `POST /api/v1/lineage/batch` takes. */
export function renderOpenLineage(graph: LineageGraph): string {
  const events = openLineageEvents(graph).map((event) => JSON.stringify(event));
  return `[\n${events.join(',\n')}\n]\n`;
}

export function openLineageEvents(graph: LineageGraph): readonly Json[] {
  const inputs = new Map<string, LineageNode[]>([[graph.root, []]]);
  for (const { input, output } of flowsOf(graph)) {
    // The events of a range are its content: whoever cites the range read it as a whole.
    if (output.kind === 'range') continue;
    const list = inputs.get(output.ref);
    if (list === undefined) inputs.set(output.ref, [input]);
    else list.push(input);
  }
  return [...inputs].flatMap(([ref, from]) => {
    const output = graph.nodes.get(ref);
    if (output === undefined) return [];
    return [runEvent('START', output, from), runEvent('COMPLETE', output, from)];
  });
}

function runEvent(
  eventType: 'START' | 'COMPLETE',
  output: LineageNode,
  inputs: readonly LineageNode[],
): Json {
  return {
    eventType,
    eventTime: formatTime(output.recordedTime ?? asTimeMs(0)),
    run: { runId: runId(output) },
    job: job(output),
    inputs: datasets(inputs),
    outputs: datasets([output]),
    producer,
    schemaURL: schemaUrl,
  };
}

/** UUID version 8 (RFC 9562): 122 bits of the output's leaf hash, so a second export names the same run. */
function runId({ hash = '' }: LineageNode): string {
  const hex = hash.padEnd(32, '0').slice(0, 32);
  const variant = ((Number.parseInt(hex[16] ?? '0', 16) & 3) | 8).toString(16);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`];
  return [...parts, `${variant}${hex.slice(17, 20)}`, hex.slice(20)].join('-');
}

function job(output: LineageNode): Json {
  const activity = output.event?.activity;
  const facets: Record<string, Json> = {
    jobType: facet('1-0-0/JobTypeJobFacet.json#/$defs/JobTypeJobFacet', {
      processingType: 'STREAMING',
      integration: 'HEADWATER',
    }),
  };
  if (activity?.kind === 'stated' && activity.operator !== undefined) {
    const owners = [{ name: activity.operator, type: 'OPERATOR' }];
    facets['ownership'] = facet('1-0-0/OwnershipJobFacet.json#/$defs/OwnershipJobFacet', {
      owners,
    });
  }
  if (activity?.kind === 'declared') {
    const description = `declared at ${formatReference(activity.reference)}`;
    const url = '1-0-0/DocumentationJobFacet.json#/$defs/DocumentationJobFacet';
    facets['documentation'] = facet(url, { description });
  }
  return { namespace: namespace(output), name: jobName(output), facets };
}

function jobName(output: LineageNode): string {
  const activity = output.event?.activity;
  if (activity === undefined) return `${streamName(output)} (not stated)`;
  if (activity.kind === 'declared') return activityText(activity);
  return activity.version === undefined
    ? activity.program
    : `${activity.program}@${activity.version}`;
}

/** One dataset a stream, with all its entries that were read. */
function datasets(nodes: readonly LineageNode[]): readonly Json[] {
  const streams = Map.groupBy(nodes, (node) => `${namespace(node)} ${streamName(node)}`);
  return [...streams.values()].map((entries) => {
    const [first] = entries;
    if (first === undefined) throw new RangeError('a group has a first');
    const version = '1-0-0/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet';
    const datasetVersion = entries.map(({ ref }) => ref).join(' ');
    return {
      namespace: namespace(first),
      name: streamName(first),
      facets: {
        version: facet(version, { datasetVersion }),
        headwater_entries: {
          _producer: producer,
          _schemaURL: ownSchema,
          entries: entries.map(entryOf),
        },
      },
    };
  });
}

function entryOf({ ref, hash, verdict, problem, kind }: LineageNode): Json {
  const code = problem === undefined ? {} : { problem: problem.code };
  return { ref, kind, ...(hash === undefined ? {} : { hash }), verdict, ...code };
}

/** `headwater://<organisation's DID>`: the source, as other namespaces are. */
function namespace({ owner, organisation }: LineageNode): string {
  return `headwater://${owner ?? encodeURIComponent(organisation)}`;
}

function streamName({ stream }: LineageNode): string {
  return stream.slice(stream.lastIndexOf('/') + 1);
}

function facet(schema: string, fields: Json): Json {
  return { _producer: producer, _schemaURL: `${facetBase}/${schema}`, ...fields };
}
