/**
 * Attestations: what others signed about the events of a trace. They are events whose parent is the
 * event, in logs that are kept here; each is verified like any step.
 */
import { formatReference } from '../ids.ts';
import { asLogIndex } from '../types.ts';
import { factsOf, statementOf } from './facts.ts';
import { attestationType, type Attestation, type LineageGraph, type LineageNode } from './graph.ts';
import type { LineagePort } from './walk.ts';

export interface AttestationLimits {
  /** Shown of one event. */
  readonly maxAttestations: number;
  /** Events of the graph that are looked at, nearest first. */
  readonly maxAttestedNodes: number;
}

/** The graph with the attestations of its nearest events; a store that fails shows none. */
export async function withAttestations(
  port: LineagePort,
  graph: LineageGraph,
  limits: AttestationLimits,
): Promise<LineageGraph> {
  const nodes = new Map(graph.nodes);
  let looked = 0;
  for (const [ref, node] of graph.nodes) {
    if (node.kind !== 'event' || node.verdict === 'incomplete') continue;
    if (looked >= limits.maxAttestedNodes) break;
    looked += 1;
    const attestations = await attestationsOf(port, node, limits.maxAttestations);
    if (attestations.length > 0) nodes.set(ref, { ...node, attestations });
  }
  return { ...graph, nodes };
}

async function attestationsOf(
  port: LineagePort,
  node: LineageNode,
  max: number,
): Promise<readonly Attestation[]> {
  const { logId, from } = node.place;
  // Uses of the event stand among them, so more are read than are shown.
  const found = await port.children(logId, from, 8 * max);
  const attestations: Attestation[] = [];
  for (const child of found.ok ? found.value.children : []) {
    if (attestations.length >= max) break;
    const traced = await port.entry(child.logId, child.index);
    const event = traced.ok ? traced.value.entry.event : undefined;
    if (!traced.ok || event === undefined) continue;
    if (factsOf(event)?.type !== attestationType) continue;
    const statement = statementOf(event);
    attestations.push({
      ...port.origin(child.logId),
      ref: formatReference({ ...child, from: child.index, to: asLogIndex(child.index + 1) }),
      verdict: traced.value.problem === undefined ? 'intact' : 'broken',
      recordedTime: traced.value.entry.recordedTime,
      ...(statement === undefined ? {} : { statement }),
    });
  }
  return attestations;
}
