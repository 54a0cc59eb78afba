/**
 * `trace --format json` (operations.md "Shapes"): {"ref","stream","organisation","verdict",
 * "parents":[…]}, `children` when tracing down. Each event is written once; where it comes again it
 * has `"seen": true` and no steps. The text is made without recursion, because a chain of inputs
 * may be longer than the stack is deep.
 */
import { formatReference } from '../ids.ts';
import { formatTime } from '../time.ts';
import type { EventFacts, LineageGraph, LineageNode } from './graph.ts';

interface Open {
  readonly next: readonly string[];
  at: number;
}

/** One line of JSON without line feed. */
export function renderJson(graph: LineageGraph): string {
  const parts: string[] = [];
  const seen = new Set<string>();
  const stack: Open[] = [];
  const begin = (ref: string): void => {
    const node = graph.nodes.get(ref);
    if (node === undefined) return;
    const again = seen.has(ref);
    seen.add(ref);
    const fields = JSON.stringify({ ...nodeFields(node), ...(again ? { seen: true } : {}) });
    parts.push(`${fields.slice(0, -1)},"${stepsName(graph)}":[`);
    stack.push({ next: again ? [] : node.next, at: 0 });
  };
  begin(graph.root);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const ref = top.next[top.at];
    if (ref !== undefined) {
      if (top.at > 0) parts.push(',');
      top.at += 1;
      begin(ref);
      continue;
    }
    stack.pop();
    parts.push(stack.length === 0 ? `]${tail(graph)}}` : ']}');
  }
  return parts.join('');
}

function stepsName({ direction }: LineageGraph): string {
  return direction === 'up' ? 'parents' : 'children';
}

/** Of the whole trace, in the root. */
function tail({ verdict, incomplete, nodes }: LineageGraph): string {
  const trace = {
    verdict,
    steps: nodes.size,
    ...(incomplete === undefined
      ? {}
      : {
          incomplete: {
            code: incomplete.fault.code,
            message: incomplete.fault.message,
            pending: incomplete.pending,
            more: incomplete.more,
          },
        }),
  };
  return `,"trace":${JSON.stringify(trace)}`;
}

/** The members of a node but for its steps, in the order of the shape. */
function nodeFields(node: LineageNode): Readonly<Record<string, unknown>> {
  const { ref, stream, organisation, owner, kind, verdict, problem, hash, recordedTime } = node;
  const optional = {
    owner,
    problem: problem === undefined ? undefined : { code: problem.code, message: problem.message },
    hash,
    recordedTime: recordedTime === undefined ? undefined : formatTime(recordedTime),
    time: node.event?.time,
    event: node.event === undefined ? undefined : eventFields(node.event),
    bodyMissing: node.bodyMissing,
    fetched: node.fetched,
    cut: node.cut,
    attestations: node.attestations.length === 0 ? undefined : node.attestations.map(attested),
  };
  return { ref, stream, organisation, kind, verdict, ...optional };
}

function attested(one: LineageNode['attestations'][number]): Readonly<Record<string, unknown>> {
  return { ...one, recordedTime: formatTime(one.recordedTime) };
}

function eventFields(event: EventFacts): Readonly<Record<string, unknown>> {
  const { type, source, id, subject, contentType, activity, dataBytes } = event;
  const made =
    activity?.kind === 'declared'
      ? { kind: 'declared', reference: formatReference(activity.reference) }
      : activity;
  return { type, source, id, subject, contentType, dataBytes, activity: made ?? 'not stated' };
}
