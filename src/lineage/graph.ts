/**
 * Where an event came from, or where it went: what a trace found (events.md "Lineage"). Pure data;
 * walk.ts makes it, everything else in this room renders it.
 *
 * It has no cycles, and cannot have any: an event's leaf holds the hash of each parent, so a parent's
 * bytes are fixed before its child's. For two events to cite each other, even in two organisations,
 * each hash would have to be known before the other: a collision of SHA-256. And a hash that its
 * publisher merely made up does not match the entry that is later written there (`parent-mismatch`).
 */
import type { Activity } from '../event/activity.ts';
import type { Fault } from '../errors.ts';
import type { Reference } from '../ids.ts';
import type { DataKind, Did, TimeMs } from '../types.ts';

/** How far a step is sure: ledger.md "Proofs". The signer's own trust is stated nowhere here. */
export type StepVerdict = 'intact' | 'incomplete' | 'broken';

/** Whose entries a log holds, as far as it is known here. */
export interface Origin {
  /** As a user would name it; the log's id where nothing is known of it. */
  readonly stream: string;
  /** Name of the organisation, else its DID, else `unknown`. */
  readonly organisation: string;
  readonly owner?: Did;
}

/** What the event says of itself: its producer's word. */
export interface EventFacts {
  readonly type: string;
  readonly source: string;
  readonly id: string;
  readonly subject?: string;
  readonly time?: string;
  readonly contentType?: string;
  /** Absent: not stated. */
  readonly activity?: Activity;
  readonly dataKind: DataKind;
  readonly dataBytes: number;
}

/** A signed statement of somebody about an event: `org.headwater.attestation`. */
export interface Attestation extends Origin {
  readonly ref: string;
  readonly verdict: StepVerdict;
  readonly recordedTime: TimeMs;
  /** Its data where that is short JSON or text. */
  readonly statement?: string;
}

export interface LineageNode extends Origin {
  /** Unique in the graph: `hw:<logId>/<index>`, a range, or either with `@` and the cited hash. */
  readonly ref: string;
  readonly place: Reference;
  readonly kind: 'event' | 'range' | 'entry';
  readonly verdict: StepVerdict;
  /** Why it is not `intact`. */
  readonly problem?: Fault;
  /** Leaf hash of an event, range root of a range; as cited where it is not here. */
  readonly hash?: string;
  readonly recordedTime?: TimeMs;
  readonly event?: EventFacts;
  /** Its body is gone, and why; the leaf and its parents are still proved. */
  readonly bodyMissing?: 'retention' | 'redacted' | 'withheld' | 'sealed';
  /** Read from peers and verified like all others: its log is not kept here. */
  readonly fetched?: boolean;
  /** Refs of the next steps: inputs when tracing up, uses when tracing down. */
  readonly next: readonly string[];
  /** It has further steps that the trace did not take. */
  readonly cut?: 'depth' | 'limit';
  readonly attestations: readonly Attestation[];
}

export type Direction = 'up' | 'down';

export interface LineageGraph {
  readonly root: string;
  readonly direction: Direction;
  /** By ref, the root first, in order of distance. */
  readonly nodes: ReadonlyMap<string, LineageNode>;
  /** The worst of all steps; `incomplete` too where the trace was cut by its limit. */
  readonly verdict: StepVerdict;
  /** `lineage-cut`, with where to go on. */
  readonly incomplete?: Cut;
}

export interface Cut {
  readonly fault: Fault;
  /** Refs of steps that were not taken, as many as may be listed. */
  readonly pending: readonly string[];
  /** How many more there are. */
  readonly more: number;
}

/** Type of the events that say something about another event. */
export const attestationType = 'org.headwater.attestation';

/** Data flow: from input to what was made of it, whichever way the trace went. */
export interface Flow {
  readonly input: LineageNode;
  readonly output: LineageNode;
}

/** Every step as data flow. */
export function flowsOf(graph: LineageGraph): readonly Flow[] {
  const flows: Flow[] = [];
  for (const node of graph.nodes.values()) {
    for (const ref of node.next) {
      const other = graph.nodes.get(ref);
      if (other === undefined) continue;
      const up = graph.direction === 'up';
      flows.push(up ? { input: other, output: node } : { input: node, output: other });
    }
  }
  return flows;
}

/** The worse of two verdicts. */
export function worse(a: StepVerdict, b: StepVerdict): StepVerdict {
  if (a === 'broken' || b === 'broken') return 'broken';
  return a === 'incomplete' || b === 'incomplete' ? 'incomplete' : 'intact';
}
