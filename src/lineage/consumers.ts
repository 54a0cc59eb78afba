/**
 * `hw trace --consumers`: where an event went, as far as events that cite it say so (events.md
 * "Lineage"). A trace down, by organisation and stream. Seen are the streams that are kept in this
 * home; deliveries to readers who published nothing of it are in nobody's stream.
 */
import { formatTime } from '../time.ts';
import type { LineageGraph, LineageNode } from './graph.ts';
import { activityText, verdictText } from './render-tree.ts';

interface Use {
  readonly node: LineageNode;
  /** 1: cites the event itself, or a range that holds it. */
  readonly depth: number;
}

interface Consumer {
  readonly organisation: string;
  readonly owner: string | undefined;
  readonly stream: string;
  readonly uses: readonly Use[];
}

/** Events listed of one stream in the text form; the rest is counted. */
const shownUses = 5;

const consumersNote =
  'seen are streams that are kept in this home; deliveries to readers are not recorded yet';

function consumersOf(graph: LineageGraph): readonly Consumer[] {
  const depths = new Map([[graph.root, 0]]);
  for (const [ref, depth] of depths) {
    for (const next of graph.nodes.get(ref)?.next ?? []) {
      if (!depths.has(next)) depths.set(next, depth + 1);
    }
  }
  const uses = [...depths].flatMap(([ref, depth]) => {
    const node = graph.nodes.get(ref);
    return node === undefined || depth === 0 ? [] : [{ node, depth }];
  });
  const groups = Map.groupBy(uses, ({ node }) => `${node.organisation}\n${node.stream}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { organisation, owner, stream } = first.node;
    return [{ organisation, owner, stream, uses: group }];
  });
}

/** Lines with a line feed each. */
export function consumersText(graph: LineageGraph): string {
  const root = graph.nodes.get(graph.root);
  const consumers = consumersOf(graph);
  const organisations = new Set(consumers.map(({ organisation }) => organisation));
  const count = consumers.reduce((sum, { uses }) => sum + uses.length, 0);
  const lines = [`${root?.stream ?? ''} #${root?.place.from ?? ''}  ${root?.organisation ?? ''}`];
  lines.push(`    ${graph.root}`);
  if (count === 0) lines.push('cited by nothing that is kept here');
  else {
    const who = counted(organisations.size, 'organisation');
    lines.push(`cited by ${counted(count, 'event')} of ${who}`);
  }
  for (const { organisation, stream, uses } of consumers) {
    lines.push(`${organisation}  ${stream}  ${counted(uses.length, 'event')}`);
    for (const use of uses.slice(0, shownUses)) lines.push(`    ${useText(use)}`);
    if (uses.length > shownUses) lines.push(`    and ${uses.length - shownUses} more`);
  }
  const { incomplete } = graph;
  if (incomplete !== undefined) {
    lines.push(`${incomplete.fault.code}: ${incomplete.fault.message}; it goes on at`);
    for (const ref of incomplete.pending.slice(0, 10)) lines.push(`  ${ref}`);
  }
  lines.push(`${graph.verdict}; ${consumersNote}`);
  return `${lines.join('\n')}\n`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function useText({ node, depth }: Use): string {
  const { recordedTime, event } = node;
  const time = recordedTime === undefined ? '' : formatTime(recordedTime);
  const steps = depth === 1 ? 'cites it' : `${depth} steps on`;
  const parts = [node.ref, event?.type ?? '', time, steps, verdictText(node)];
  if (event?.activity !== undefined) parts.push(`by ${activityText(event.activity)}`);
  return parts.filter((part) => part !== '').join('  ');
}

/** One line of JSON without line feed. */
export function consumersJson(graph: LineageGraph): string {
  const root = graph.nodes.get(graph.root);
  const consumers = consumersOf(graph).map(({ organisation, owner, stream, uses }) => ({
    organisation,
    owner,
    stream,
    events: uses.map(({ node, depth }) => ({
      ref: node.ref,
      depth,
      type: node.event?.type,
      verdict: node.verdict,
      recordedTime: node.recordedTime === undefined ? undefined : formatTime(node.recordedTime),
      activity: node.event === undefined ? undefined : activityText(node.event.activity),
    })),
  }));
  const { incomplete } = graph;
  return JSON.stringify({
    ref: graph.root,
    stream: root?.stream,
    organisation: root?.organisation,
    verdict: graph.verdict,
    consumers,
    note: consumersNote,
    ...(incomplete === undefined
      ? {}
      : {
          incomplete: {
            code: incomplete.fault.code,
            pending: incomplete.pending,
            more: incomplete.more,
          },
        }),
  });
}
