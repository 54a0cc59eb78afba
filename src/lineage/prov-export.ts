/**
 * A trace as a PROV document (events.md "Lineage"): events and ranges are entities, what made an event
 * is its activity as the producer states it, organisations and operators are agents. What nobody
 * stated is left out: no activity is invented, and an event without one is derived from its inputs
 * all the same.
 *
 *   hw:   the reference of an entry or a range, `<logId>/<index>`
 *   did:  an organisation or an operator
 */
import { formatReference } from '../ids.ts';
import { formatTime } from '../time.ts';
import { flowsOf, type LineageGraph, type LineageNode } from './graph.ts';
import { qualifiedName, type ProvAttribute, type ProvDocument, type ProvRecord } from './prov.ts';

const prefixes: ReadonlyMap<string, string> = new Map([
  ['hw', 'hw:'],
  ['did', 'did:'],
  ['headwater', 'urn:headwater:prov:1:'],
]);

export function provOf(graph: LineageGraph): ProvDocument {
  const records: ProvRecord[] = [];
  const agents = new Map<string, ProvRecord>();
  const organisation = (owner: string | undefined, name: string): string => {
    const id = owner ?? `headwater:${name}`;
    const attributes = [type('prov:Organization'), label(name)];
    if (!agents.has(id)) agents.set(id, { kind: 'agent', id, args: [], attributes });
    return id;
  };
  for (const node of graph.nodes.values()) {
    records.push(entity(node));
    const agent = organisation(node.owner, node.organisation);
    records.push(relation('wasAttributedTo', [node.ref, agent]));
    records.push(...activity(node, agents, agent));
    for (const one of node.attestations) {
      const by = organisation(one.owner, one.organisation);
      const said = one.statement === undefined ? [] : [own('statement', one.statement)];
      const attributes = [own('attests', node.ref), own('verdict', one.verdict), ...said];
      records.push({ kind: 'entity', id: one.ref, args: [], attributes });
      records.push(relation('wasAttributedTo', [one.ref, by]));
      records.push(
        relation('wasDerivedFrom', [one.ref, node.ref, undefined, undefined, undefined]),
      );
    }
  }
  for (const { input, output } of flowsOf(graph)) records.push(...flow(input, output));
  return { prefixes, records: [...agents.values(), ...records], bundles: new Map() };
}

function entity(node: LineageNode): ProvRecord {
  const { event, hash, problem, recordedTime } = node;
  const kind = node.kind === 'range' ? 'prov:Collection' : 'headwater:Event';
  const attributes: (ProvAttribute | undefined)[] = [
    type(kind),
    own('stream', node.stream),
    own('verdict', node.verdict),
    hash === undefined ? undefined : own(node.kind === 'range' ? 'rangeRoot' : 'leafHash', hash),
    problem === undefined ? undefined : own('problem', problem.code),
    recordedTime === undefined ? undefined : own('recordedTime', formatTime(recordedTime)),
    node.bodyMissing === undefined ? undefined : own('bodyMissing', node.bodyMissing),
    ...(event === undefined ? [] : claims(event)),
  ];
  const known = attributes.filter((attribute) => attribute !== undefined);
  return { kind: 'entity', id: node.ref, args: [], attributes: known };
}

/** The producer's word, by the names of CloudEvents. */
function claims(event: NonNullable<LineageNode['event']>): readonly (ProvAttribute | undefined)[] {
  const { type, source, id, subject, time } = event;
  return [
    own('type', type),
    own('source', source),
    own('id', id),
    subject === undefined ? undefined : own('subject', subject),
    time === undefined ? undefined : own('time', time),
  ];
}

/** The activity of an event, if its producer stated one, and who carried it out. */
function activity(
  node: LineageNode,
  agents: Map<string, ProvRecord>,
  organisation: string,
): readonly ProvRecord[] {
  const stated = node.event?.activity;
  if (stated === undefined) return [];
  const id = activityId(node);
  const time = node.recordedTime === undefined ? undefined : formatTime(node.recordedTime);
  if (stated.kind === 'declared') {
    const declaration = formatReference(stated.reference);
    return [
      {
        kind: 'activity',
        id,
        args: [undefined, undefined],
        attributes: [own('flow', declaration)],
      },
      { kind: 'entity', id: declaration, args: [], attributes: [type('prov:Plan')] },
      relation('wasAssociatedWith', [id, organisation, declaration]),
      relation('wasGeneratedBy', [node.ref, id, time]),
    ];
  }
  const { program, version, digest, operator } = stated;
  const attributes = [
    own('program', program),
    version === undefined ? undefined : own('version', version),
    digest === undefined ? undefined : own('sourceDigest', digest),
  ].filter((attribute) => attribute !== undefined);
  if (operator !== undefined && !agents.has(operator)) {
    agents.set(operator, { kind: 'agent', id: operator, args: [], attributes: [] });
  }
  return [
    { kind: 'activity', id, args: [undefined, undefined], attributes },
    relation('wasAssociatedWith', [id, operator ?? organisation, undefined]),
    relation('wasGeneratedBy', [node.ref, id, time]),
  ];
}

function flow(input: LineageNode, output: LineageNode): readonly ProvRecord[] {
  if (output.kind === 'range') return [relation('hadMember', [output.ref, input.ref])];
  const derived = relation('wasDerivedFrom', [
    output.ref,
    input.ref,
    output.event?.activity === undefined ? undefined : activityId(output),
    undefined,
    undefined,
  ]);
  if (output.event?.activity === undefined) return [derived];
  return [relation('used', [activityId(output), input.ref, undefined]), derived];
}

function activityId({ place }: LineageNode): string {
  return `headwater:activity/${place.logId}/${place.from}`;
}

function relation(kind: ProvRecord['kind'], args: readonly (string | undefined)[]): ProvRecord {
  return { kind, args, attributes: [] };
}

function own(name: string, text: string): ProvAttribute {
  return { name: `headwater:${name}`, value: { text } };
}
function label(text: string): ProvAttribute {
  return { name: 'prov:label', value: { text } };
}
function type(name: string): ProvAttribute {
  return { name: 'prov:type', value: { text: name, type: qualifiedName } };
}
