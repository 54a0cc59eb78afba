/** Small graphs made by hand, for what renders them. */
import { fault } from '../../src/errors.ts';
import { formatReference, parseReference } from '../../src/ids.ts';
import type { LineageGraph, LineageNode } from '../../src/lineage/graph.ts';
import { renderTrace, type Rendered, type TraceFormat } from '../../src/lineage/render.ts';
import { asTimeMs } from '../../src/types.ts';
import { signer } from '../support/ledger-home.ts';
import { must } from '../support/result.ts';

const rawLog = 'bafkreiewosdncn5e4ftrbapyilnlkinsbdlaxvyupcn2eqlutrkqtphabu';
const derivedLog = 'bafkreibbk36nbf2cqa2kpzo3inobwthxkpp5i6apux7gflvwwyle5xteja';
const did = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
const other = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH';
const owner = did as NonNullable<LineageNode['owner']>;

export function node(reference: string, more: Partial<LineageNode> = {}): LineageNode {
  const place = must(parseReference(reference));
  const { from, to } = place;
  return {
    ref: formatReference(place),
    place,
    stream: reference.includes(rawLog) ? 'usgs/quakes' : 'daily',
    organisation: reference.includes(rawLog) ? 'usgs' : 'acme',
    owner: reference.includes(rawLog) ? (other as typeof owner) : owner,
    kind: to === from + 1 ? 'event' : 'range',
    verdict: 'intact',
    hash: from.toString(16).padStart(64, '0'),
    next: [],
    attestations: [],
    ...more,
  };
}

export const rawRef = (index: number | string): string => `hw:${rawLog}/${index}`;
export const derivedRef = (index: number | string): string => `hw:${derivedLog}/${index}`;

/** A day's aggregate of a range of two events and one that is not here. */
export function sample(): LineageGraph {
  const facts = { source: '/net', dataKind: 1, dataBytes: 2 } as const;
  const lost = `${rawRef(9)}@${'ee'.repeat(32)}`;
  const nodes = [
    node(derivedRef(5), {
      recordedTime: asTimeMs(1_763_683_300_000),
      next: [rawRef('2-4'), lost],
      event: {
        ...facts,
        type: 'org.acme.daily',
        id: 'd "1"',
        subject: '<b>Zürich & Bern</b>',
        time: '2026-01-02T00:00:00+01:00',
        activity: { kind: 'stated', program: 'agency', version: '1.0', operator: owner },
      },
    }),
    node(rawRef('2-4'), { next: [rawRef(2), rawRef(3)] }),
    node(lost, {
      verdict: 'incomplete',
      problem: fault('lineage-not-kept', 'not kept here'),
      hash: 'ee'.repeat(32),
    }),
    node(rawRef(2), {
      recordedTime: asTimeMs(1_763_683_200_000),
      event: { ...facts, type: 'gov.usgs.earthquake', id: 'us1' },
      attestations: [
        {
          ref: derivedRef(6),
          stream: 'reviews',
          organisation: 'agency',
          verdict: 'intact',
          recordedTime: asTimeMs(1_763_683_400_000),
          statement: '{"accuracy":"reviewed\u001b[31m"}',
        },
      ],
    }),
    node(rawRef(3), { bodyMissing: 'redacted', recordedTime: asTimeMs(1_763_683_200_001) }),
  ];
  return {
    root: derivedRef(5),
    direction: 'up',
    nodes: new Map(nodes.map((one) => [one.ref, one])),
    verdict: 'incomplete',
  };
}

/** Each event made of the one before it. */
export function chain(length: number): LineageGraph {
  const nodes = Array.from({ length }, (_, i) =>
    node(rawRef(length - i), { next: i + 1 === length ? [] : [rawRef(length - i - 1)] }),
  );
  return {
    root: rawRef(length),
    direction: 'up',
    nodes: new Map(nodes.map((one) => [one.ref, one])),
    verdict: 'intact',
  };
}

/** A range of many plain events. */
export function wide(count: number): LineageGraph {
  const members = Array.from({ length: count }, (_, i) => node(rawRef(i + 1)));
  const range = node(rawRef(`1-${count + 1}`), { next: members.map(({ ref }) => ref) });
  const nodes = [node(derivedRef(0), { next: [range.ref] }), range, ...members];
  return {
    root: derivedRef(0),
    direction: 'up',
    nodes: new Map(nodes.map((one) => [one.ref, one])),
    verdict: 'incomplete',
    incomplete: {
      fault: fault('lineage-cut', 'the trace was cut at 3 steps'),
      pending: Array.from({ length: 12 }, (_, i) => rawRef(`9${i}`)),
      more: 3,
    },
  };
}

/** What a trace is as text; in-toto statements are signed by the signer of the test support. */
export function rendered(graph: LineageGraph, format: TraceFormat): Rendered {
  return must(renderTrace(graph, format, signer), format);
}
