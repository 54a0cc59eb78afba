/**
 * `trace --format html`: one static page without scripts or anything from elsewhere: what was found,
 * the graph as a drawing where it is small, and every step with its check. What the producer claims
 * (its times, its activity) stands apart from what was verified.
 */
import { formatTime } from '../time.ts';
import { flowsOf, type LineageGraph, type LineageNode } from './graph.ts';
import { activityText, verdictText } from './render-tree.ts';

/** Larger graphs are listed only: nobody could read the drawing. */
const maxDrawnNodes = 150;
const box = { width: 210, height: 46, gapX: 70, gapY: 16 };

/** What both pages look like. */
export const style: string = `
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #8884; }
code { font-size: .85em; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
rect { fill: #8881; stroke-width: 2; }
path { stroke: #888; fill: none; }
.intact { stroke: #2e7d32; color: #2e7d32; } .incomplete { stroke: #b26a00; color: #b26a00; }
.broken { stroke: #c62828; color: #c62828; } .claimed { opacity: .8; }
`;

export function renderHtml(graph: LineageGraph): string {
  const root = graph.nodes.get(graph.root);
  const title = `Lineage of ${root?.stream ?? ''} #${root?.place.from ?? ''}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title><style>${style}</style></head><body>
<h1>${escaped(title)}</h1>
${summary(graph)}
${drawing(graph)}
<h2>Steps</h2>
<table><thead><tr><th>Event</th><th>Organisation</th><th>Verified</th><th class="claimed">Claimed by its producer</th></tr></thead>
<tbody>
${[...graph.nodes.values()].map(row).join('\n')}
</tbody></table>
</body></html>
`;
}

/** Text as HTML, in content and in quoted attributes. */
export function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (char) => names[char] ?? char);
}

function summary({ nodes, verdict, direction, incomplete }: LineageGraph): string {
  const what = direction === 'up' ? 'where it came from' : 'what was made of it';
  const cut =
    incomplete === undefined
      ? '<p>Nothing was left out but what is marked below.</p>'
      : `<p>${escaped(incomplete.fault.message)}; it goes on at ${incomplete.pending.length + incomplete.more} places.</p>`;
  return `<p>${nodes.size} steps (${what}): <strong class="${verdict}">${verdict}</strong>.
An intact step is in a log whose checkpoint its writer signed; no trust in that writer was stated.</p>${cut}`;
}

/** A step as a row of the table. */
export function row(node: LineageNode): string {
  const { from, to } = node.place;
  const place = `${node.stream} #${to === from + 1 ? from : `${from}-${to}`}`;
  const recorded =
    node.recordedTime === undefined ? '' : `recorded ${formatTime(node.recordedTime)}`;
  const inputs = node.next.length === 0 ? '' : `<br>${node.next.length} steps further`;
  const attested = node.attestations.map(
    (one) =>
      `<br>attested by ${escaped(one.organisation)} (${one.verdict}) <code>${escaped(one.statement ?? one.ref)}</code>`,
  );
  const goesOn = node.cut === undefined ? '' : `<br>goes on; cut by ${node.cut}`;
  const gone = node.bodyMissing === undefined ? '' : `<br>content not here: ${node.bodyMissing}`;
  return `<tr><td id="${escaped(node.ref)}">${escaped(place)}<br><code>${escaped(node.ref)}</code>${inputs}${goesOn}</td>
<td>${escaped(node.organisation)}${node.owner === undefined ? '' : `<br><code>${escaped(node.owner)}</code>`}</td>
<td><strong class="${node.verdict}">${escaped(verdictText(node))}</strong><br><code>${node.hash ?? ''}</code>${gone}${attested.join('')}</td>
<td class="claimed">${[recorded, ...claims(node)]
    .filter((part) => part !== '')
    .map(escaped)
    .join('<br>')}</td></tr>`;
}

function claims({ event }: LineageNode): readonly string[] {
  if (event === undefined) return [];
  const { type, id, source, subject, time, activity } = event;
  return [
    `type ${type}`,
    `id ${id}, source ${source}`,
    subject === undefined ? '' : `subject ${subject}`,
    time === undefined ? '' : `time ${time}`,
    `activity ${activityText(activity)}`,
  ];
}

interface Spot {
  readonly x: number;
  readonly y: number;
}

/** Columns by distance from the event; the data flows to the right. */
export function drawing(graph: LineageGraph): string {
  if (graph.nodes.size > maxDrawnNodes) {
    return `<p>The graph has ${graph.nodes.size} steps: too many to draw.</p>`;
  }
  const spots = layOut(graph);
  const all = [...spots.values()];
  const width = Math.max(...all.map(({ x }) => x)) + box.width + 10;
  const height = Math.max(...all.map(({ y }) => y)) + box.height + 10;
  const lines = flowsOf(graph).map(({ input, output }) => arrow(spots, input.ref, output.ref));
  const boxes = [...graph.nodes].map(([ref, node]) => boxOf(node, spots.get(ref)));
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="lineage graph">
${[...lines, ...boxes].join('\n')}
</svg>`;
}

function layOut(graph: LineageGraph): ReadonlyMap<string, Spot> {
  const columns = new Map<string, number>([[graph.root, 0]]);
  // Nodes are in order of distance, so the one that a step comes from is placed before it.
  for (const [ref, node] of graph.nodes) {
    for (const next of node.next) {
      if (!columns.has(next)) columns.set(next, (columns.get(ref) ?? 0) + 1);
    }
  }
  const last = Math.max(...columns.values());
  const filled = new Map<number, number>();
  return new Map(
    [...graph.nodes.keys()].map((ref) => {
      const distance = columns.get(ref) ?? 0;
      const row = filled.get(distance) ?? 0;
      filled.set(distance, row + 1);
      const column = graph.direction === 'up' ? last - distance : distance;
      const x = 5 + column * (box.width + box.gapX);
      return [ref, { x, y: 5 + row * (box.height + box.gapY) }];
    }),
  );
}

function arrow(spots: ReadonlyMap<string, Spot>, from: string, to: string): string {
  const [a, b] = [spots.get(from), spots.get(to)];
  if (a === undefined || b === undefined) return '';
  const [x1, y1, x2, y2] = [a.x + box.width, a.y + box.height / 2, b.x, b.y + box.height / 2];
  const middle = (x1 + x2) / 2;
  return `<path d="M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}"/>`;
}

function boxOf(node: LineageNode, spot: Spot | undefined): string {
  if (spot === undefined) return '';
  const { from, to } = node.place;
  const place = `${node.stream} #${to === from + 1 ? from : `${from}-${to}`}`;
  const short = (text: string): string =>
    escaped(text.length > 30 ? `${text.slice(0, 29)}…` : text);
  return `<a href="#${escaped(node.ref)}"><rect class="${node.verdict}" x="${spot.x}" y="${spot.y}" width="${box.width}" height="${box.height}" rx="4"/>
<text x="${spot.x + 8}" y="${spot.y + 19}">${short(place)}</text><text x="${spot.x + 8}" y="${spot.y + 36}">${short(node.event?.type ?? verdictText(node))}</text></a>`;
}
