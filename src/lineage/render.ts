/** The formats of `hw trace`, by name. */
import type { LineageGraph } from './graph.ts';
import { renderDot } from './render-dot.ts';
import { renderHtml } from './render-html.ts';
import { renderJson } from './render-json.ts';
import { renderTree } from './render-tree.ts';
import { never } from '../result.ts';

export const traceFormats = ['tree', 'json', 'dot', 'html'] as const;
export type TraceFormat = (typeof traceFormats)[number];

export function isTraceFormat(text: string): text is TraceFormat {
  return traceFormats.some((format) => format === text);
}

/** What a trace is as text, with its media type; ends with a line feed. */
export interface Rendered {
  readonly type: string;
  readonly text: string;
}

export function renderTrace(graph: LineageGraph, format: TraceFormat): Rendered {
  switch (format) {
    case 'tree':
      return { type: 'text/plain; charset=utf-8', text: renderTree(graph) };
    case 'json':
      return { type: 'application/json', text: `${renderJson(graph)}\n` };
    case 'dot':
      return { type: 'text/vnd.graphviz', text: renderDot(graph) };
    case 'html':
      return { type: 'text/html; charset=utf-8', text: renderHtml(graph) };
    default:
      return never(format);
  }
}
