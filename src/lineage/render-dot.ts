/** `trace --format dot`: a Graphviz digraph; arrows point the way the data went. */
import { flowsOf, type LineageGraph, type LineageNode } from './graph.ts';
import { verdictText } from './render-tree.ts';

const colours: Readonly<Record<LineageNode['verdict'], string>> = {
  intact: '#2e7d32',
  incomplete: '#b26a00',
  broken: '#c62828',
};

export function renderDot(graph: LineageGraph): string {
  const ids = new Map([...graph.nodes.keys()].map((ref, i) => [ref, `n${i}`]));
  const lines = [
    'digraph lineage {',
    '  rankdir=LR;',
    '  node [shape=box, fontname="sans-serif"];',
  ];
  for (const [ref, node] of graph.nodes) {
    const shape = node.kind === 'range' ? ', style=rounded' : '';
    const colour = colours[node.verdict];
    lines.push(
      `  ${ids.get(ref) ?? ''} [label=${quoted(label(node))}, color="${colour}"${shape}];`,
    );
  }
  for (const { input, output } of flowsOf(graph)) {
    lines.push(`  ${ids.get(input.ref) ?? ''} -> ${ids.get(output.ref) ?? ''};`);
  }
  return `${lines.join('\n')}\n}\n`;
}

function label(node: LineageNode): string {
  const { from, to } = node.place;
  const place = to === from + 1 ? `#${from}` : `#${from}-${to}`;
  const type = node.event?.type ?? node.kind;
  return [`${node.stream} ${place}`, node.organisation, type, verdictText(node)].join('\n');
}

/** A string of the DOT language: only quotes and backslashes mean something in it. */
function quoted(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `"${escaped}"`;
}
