/**
 * `hw trace` on a terminal: one line a step, inputs below what was made of them. An event that was
 * shown above is named again without its steps, and the many plain inputs of a range are counted.
 */
import { placeText, type Fault } from '../errors.ts';
import { formatTime } from '../time.ts';
import type { Activity } from '../event/activity.ts';
import { formatReference } from '../ids.ts';
import type { LineageGraph, LineageNode } from './graph.ts';

/** Inputs of a range that are listed one by one where they have no steps of their own. */
const shownMembers = 5;
/** Deeper than so many characters the tree goes on at the left margin, with its level in front. */
const maxIndent = 96;

interface Item {
  readonly ref: string;
  /** What stands before the line, and before the lines below it. */
  readonly lead: string;
  readonly below: string;
  readonly level: number;
}

/** Lines with a line feed each. Iterative: a chain of inputs may be longer than the stack is deep. */
export function renderTree(graph: LineageGraph): string {
  const lines: string[] = [];
  const shown = new Set<string>();
  const stack: (Item | string)[] = [{ ref: graph.root, lead: '', below: '', level: 0 }];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    if (typeof item === 'string') {
      lines.push(item);
      continue;
    }
    const node = graph.nodes.get(item.ref);
    if (node === undefined) continue;
    const again = shown.has(node.ref);
    shown.add(node.ref);
    lines.push(`${item.lead}${headline(node)}${again ? ', shown above' : ''}`);
    if (again) continue;
    for (const detail of details(node)) lines.push(`${item.below}    ${detail}`);
    stack.push(...steps(graph, node, item).toReversed());
  }
  return `${[...lines, ...summary(graph)].join('\n')}\n`;
}

function steps(
  graph: LineageGraph,
  node: LineageNode,
  { below, level }: Item,
): readonly (Item | string)[] {
  const plain =
    node.kind === 'range' ? node.next.filter((ref) => isPlain(graph.nodes.get(ref))) : [];
  const folded = new Set(plain.length > 2 * shownMembers ? plain.slice(shownMembers) : []);
  const listed = node.next.filter((ref) => !folded.has(ref));
  const count = listed.length + (folded.size > 0 ? 1 : 0);
  const deep = below.length > maxIndent;
  const items: (Item | string)[] = listed.map((ref, i) => {
    if (deep) return { ref, lead: `[${level + 1}] `, below: '', level: level + 1 };
    const last = i + 1 === count;
    const lead = `${below}${last ? '└─ ' : '├─ '}`;
    return { ref, lead, below: `${below}${last ? '   ' : '│  '}`, level: level + 1 };
  });
  if (folded.size > 0) items.push(`${below}└─ and ${folded.size} more events, each intact`);
  return items;
}

/** Intact and without anything of its own to say. */
function isPlain(node: LineageNode | undefined): boolean {
  if (node === undefined || node.verdict !== 'intact' || node.next.length > 0) return false;
  return node.attestations.length === 0 && node.cut === undefined && node.bodyMissing === undefined;
}

function headline(node: LineageNode): string {
  const { from, to } = node.place;
  const where = `${node.stream} #${to === from + 1 ? from : `${from}-${to}`}`;
  const what = node.kind === 'range' ? `${to - from} entries` : (node.event?.type ?? node.kind);
  const source = node.fetched === true ? ', from a peer' : '';
  return [where, node.organisation, what, timeOf(node), `${verdictText(node)}${source}`]
    .filter((part) => part !== '')
    .join('  ');
}

function timeOf({ recordedTime }: LineageNode): string {
  return recordedTime === undefined ? '' : formatTime(recordedTime);
}

/** The verdict as a user reads it. */
export function verdictText({
  verdict,
  problem,
}: Pick<LineageNode, 'verdict' | 'problem'>): string {
  if (problem === undefined) return verdict;
  if (problem.code === 'lineage-no-access') return 'no access';
  if (problem.code === 'lineage-not-kept') return 'not kept here';
  if (problem.code === 'lineage-unreachable') return 'unreachable';
  return `${verdict}: ${problemText(problem)}`;
}

function problemText(problem: Fault): string {
  const place = placeText(problem.place);
  return `${problem.code}, ${problem.message}${place === '' ? '' : ` (${place})`}`;
}

function details(node: LineageNode): readonly string[] {
  const lines = [node.ref];
  if (node.event !== undefined) {
    const { id, source, subject, time, activity } = node.event;
    const claimed = [`id ${id}`, `source ${source}`];
    if (subject !== undefined) claimed.push(`subject ${subject}`);
    if (time !== undefined) claimed.push(`time ${time}`);
    lines.push(claimed.join(', '), `activity ${activityText(activity)}`);
  }
  if (node.problem?.code === 'lineage-unreachable') lines.push(node.problem.message);
  if (node.bodyMissing === 'sealed') lines.push('content sealed: no access');
  else if (node.bodyMissing !== undefined) lines.push(`content not here: ${node.bodyMissing}`);
  for (const one of node.attestations) {
    const said = one.statement === undefined ? '' : `: ${printable(one.statement)}`;
    lines.push(`attested by ${one.organisation}, ${one.verdict}, ${one.ref}${said}`);
  }
  if (node.cut !== undefined)
    lines.push(`goes on (${node.cut === 'depth' ? '--depth' : '--limit'})`);
  return lines;
}

/** Data may hold what a terminal would act on. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');
}

/** What made an event, as its producer states it. */
export function activityText(activity: Activity | undefined): string {
  if (activity === undefined) return 'not stated';
  if (activity.kind === 'declared') return formatReference(activity.reference);
  const { program, version, digest, operator } = activity;
  return [program, version, digest, operator].filter((part) => part !== undefined).join(' ');
}

function summary({ nodes, verdict, incomplete }: LineageGraph): readonly string[] {
  const all = [...nodes.values()];
  const count = (kind: LineageNode['verdict']): number =>
    all.filter((node) => node.verdict === kind).length;
  const owners = new Set(all.map(({ organisation }) => organisation));
  const lines = [
    `${all.length} steps, ${owners.size} organisations: ${count('intact')} intact, ` +
      `${count('incomplete')} not here, ${count('broken')} broken; ${verdict}`,
  ];
  if (incomplete === undefined) return lines;
  const { fault, pending, more } = incomplete;
  lines.push(`${fault.code}: ${fault.message}; it goes on at`);
  for (const ref of pending.slice(0, 10)) lines.push(`  ${ref}`);
  const rest = Math.max(0, pending.length - 10) + more;
  if (rest > 0) lines.push(`  and ${rest} more places`);
  return lines;
}
