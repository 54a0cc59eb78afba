/** The formats of `hw trace`, by name. */
import type { Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import type { LineageGraph } from './graph.ts';
import { consumersJson, consumersText, type Given } from './consumers.ts';
import { renderIntoto } from './intoto.ts';
import { renderOpenLineage } from './openlineage.ts';
import { provOf } from './prov-export.ts';
import { writeProvJson } from './prov-json.ts';
import { writeProvN } from './prov-n-write.ts';
import { renderDot } from './render-dot.ts';
import { renderHtml } from './render-html.ts';
import { renderJson } from './render-json.ts';
import { renderTree } from './render-tree.ts';
import { err, never, ok, type Result } from '../result.ts';

const provNType = 'text/provenance-notation; charset="UTF-8"';

export const traceFormats = [
  'tree',
  'json',
  'dot',
  'html',
  'prov-json',
  'prov-n',
  'openlineage',
  'intoto',
] as const;
export type TraceFormat = (typeof traceFormats)[number];

export function isTraceFormat(text: string): text is TraceFormat {
  return traceFormats.some((format) => format === text);
}

/** What a trace is as text, with its media type; ends with a line feed. */
export interface Rendered {
  readonly type: string;
  readonly text: string;
}

/** `signer` signs an in-toto statement, which is about what an event was made from. */
export function renderTrace(
  graph: LineageGraph,
  format: TraceFormat,
  signer: Signer,
): Result<Rendered> {
  if (format === 'intoto' && graph.direction === 'down') {
    return err(fault('usage', 'intoto says what an event was made from: trace up'));
  }
  return ok(rendered(graph, format, signer));
}

/** Where an event went, of a trace down; `usage` for a format that only a trace has. */
export function renderConsumers(
  graph: LineageGraph,
  format: TraceFormat,
  given: readonly Given[] | undefined,
): Result<Rendered> {
  if (format === 'json') {
    return ok({ type: 'application/json', text: `${consumersJson(graph, given)}\n` });
  }
  if (format === 'tree') {
    return ok({ type: 'text/plain; charset=utf-8', text: consumersText(graph, given) });
  }
  return err(fault('usage', `--consumers is written as tree or json, not as ${format}`));
}

function rendered(graph: LineageGraph, format: TraceFormat, signer: Signer): Rendered {
  switch (format) {
    case 'tree':
      return { type: 'text/plain; charset=utf-8', text: renderTree(graph) };
    case 'json':
      return { type: 'application/json', text: `${renderJson(graph)}\n` };
    case 'dot':
      return { type: 'text/vnd.graphviz', text: renderDot(graph) };
    case 'html':
      return { type: 'text/html; charset=utf-8', text: renderHtml(graph) };
    case 'prov-json':
      return { type: 'application/json', text: `${writeProvJson(provOf(graph))}\n` };
    case 'prov-n':
      return { type: provNType, text: writeProvN(provOf(graph)) };
    case 'openlineage':
      return { type: 'application/json', text: renderOpenLineage(graph) };
    case 'intoto':
      return { type: 'application/vnd.in-toto+dsse', text: renderIntoto(graph, signer) };
    default:
      return never(format);
  }
}
