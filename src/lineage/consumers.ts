/**
 * `hw trace --consumers`: where an event went (events.md "Lineage"): to whom this home gave it, as its
 * journal says, and which events cite it, a trace down by organisation and stream. Seen are the streams
 * that are kept in this home, and deliveries of this home.
 */
import { formatTime } from '../time.ts';
import type { Did, TimeMs } from '../types.ts';
import type { LineageGraph, LineageNode } from './graph.ts';
import { activityText, verdictText } from './render-tree.ts';

/** Somebody was given an event of the trace. */
export interface Given {
  /** Its ref. */
  readonly ref: string;
  /** Absent: some whose names were not kept. */
  readonly organisation?: Did;
  readonly organisationName?: string;
  readonly peer?: string;
  /** `blocks`, `http`, `attributes`, `keys`. */
  readonly way: string;
  readonly grant?: string;
  /** Between these. */
  readonly first: TimeMs;
  readonly last: TimeMs;
  /** Or left out of what was given around it. */
  readonly gaps?: true;
}

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

const seen = 'seen are streams that are kept in this home';
const givenNote = `${seen}, and what this node gave by itself: gossip and copies of others are not`;
const notGivenNote = `${seen}; deliveries are not known here`;

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
export function consumersText(graph: LineageGraph, given: readonly Given[] | undefined): string {
  const root = graph.nodes.get(graph.root);
  const consumers = consumersOf(graph);
  const organisations = new Set(consumers.map(({ organisation }) => organisation));
  const count = consumers.reduce((sum, { uses }) => sum + uses.length, 0);
  const lines = [`${root?.stream ?? ''} #${root?.place.from ?? ''}  ${root?.organisation ?? ''}`];
  lines.push(`    ${graph.root}`);
  lines.push(...givenLines(graph, given ?? []));
  if (count === 0) lines.push('cited by nothing that is kept here');
  else {
    const who = counted(organisations.size, 'organisation');
    lines.push(`cited by ${counted(count, 'event')} of ${who}`);
  }
  for (const consumer of consumers) {
    const { organisation, stream, uses } = consumer;
    const had = wasGiven(consumer, graph.root, given) ? '  was given it' : '';
    lines.push(`${organisation}  ${stream}  ${counted(uses.length, 'event')}${had}`);
    for (const use of uses.slice(0, shownUses)) lines.push(`    ${useText(use)}`);
    if (uses.length > shownUses) lines.push(`    and ${uses.length - shownUses} more`);
  }
  const { incomplete } = graph;
  if (incomplete !== undefined) {
    lines.push(`${incomplete.fault.code}: ${incomplete.fault.message}; it goes on at`);
    for (const ref of incomplete.pending.slice(0, 10)) lines.push(`  ${ref}`);
  }
  lines.push(`${graph.verdict}; ${noteOf(given)}`);
  return `${lines.join('\n')}\n`;
}

function noteOf(given: readonly Given[] | undefined): string {
  return given === undefined ? notGivenNote : givenNote;
}

function wasGiven(
  { owner }: Consumer,
  root: string,
  given: readonly Given[] | undefined,
): boolean | undefined {
  return given?.some(({ ref, organisation }) => ref === root && organisation === owner);
}

/** By organisation: when and how it had the event, and how much of what was made of it. */
function givenLines(graph: LineageGraph, given: readonly Given[]): readonly string[] {
  const [own, made] = [
    given.filter(({ ref }) => ref === graph.root),
    new Map<string, Set<string>>(),
  ];
  for (const one of given) {
    if (one.ref === graph.root) continue;
    const stream = graph.nodes.get(one.ref)?.stream ?? '';
    const key = `${whoText(one)}  ${stream}`;
    made.set(key, (made.get(key) ?? new Set()).add(one.ref));
  }
  const groups = Map.groupBy(own, whoText);
  const lines = [
    groups.size === 0
      ? 'given to nobody by this node'
      : `given to ${counted(groups.size, 'organisation')}`,
  ];
  for (const [who, times] of groups) {
    lines.push(who, ...times.slice(0, shownUses).map((one) => `    ${givenText(one)}`));
    if (times.length > shownUses) lines.push(`    and ${times.length - shownUses} more`);
  }
  if (made.size > 0) lines.push('what was made of it was given to');
  for (const [key, refs] of made) lines.push(`${key}  ${counted(refs.size, 'event')}`);
  return lines;
}

function whoText({ organisation, organisationName }: Given): string {
  if (organisation === undefined) return 'others, who were too many to name';
  return organisationName === undefined ? organisation : `${organisationName}  ${organisation}`;
}

function givenText({ way, peer, grant, first, last, gaps }: Given): string {
  const time = first === last ? formatTime(first) : `${formatTime(first)} to ${formatTime(last)}`;
  const parts = [time, way === 'keys' ? 'keys of its stream' : `by ${way}`];
  if (peer !== undefined) parts.push(`peer ${peer}`);
  if (grant !== undefined) parts.push(`grant …${grant.slice(-8)}`);
  if (gaps === true) parts.push('or left out');
  return parts.join('  ');
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
export function consumersJson(graph: LineageGraph, given: readonly Given[] | undefined): string {
  const root = graph.nodes.get(graph.root);
  const consumers = consumersOf(graph).map((consumer) => ({
    organisation: consumer.organisation,
    owner: consumer.owner,
    stream: consumer.stream,
    given: wasGiven(consumer, graph.root, given),
    events: consumer.uses.map(({ node, depth }) => ({
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
    delivered: given?.map(({ first, last, ...one }) => ({
      ...one,
      first: formatTime(first),
      last: formatTime(last),
    })),
    consumers,
    note: noteOf(given),
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
