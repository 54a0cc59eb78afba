/**
 * `hw verify FILE.hwb --html`: an audit bundle as one static page, in the form of `trace --format
 * html` (render-html.ts): the verdict and every check, what is claimed and what is attested, then the
 * lineage as a drawing and step by step. No scripts, nothing from elsewhere, everything escaped.
 */
import { toHex } from '../bytes.ts';
import { didFromKey } from '../ids.ts';
import type { BundleLogReport, BundleReport, Span } from '../ledger/bundle-report.ts';
import { formatTime } from '../time.ts';
import { asTimeMs } from '../types.ts';
import type { LineageGraph } from './graph.ts';
import { drawing, escaped, row, style } from './render-html.ts';

export function renderBundle(report: BundleReport, graph: LineageGraph): string {
  const title = `Audit bundle: ${report.verdict}`;
  const sound = report.verdict !== 'broken';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title><style>${style}.untrusted { stroke: #b26a00; color: #b26a00; }</style></head><body>
<h1>Audit bundle: <strong class="${report.verdict}">${report.verdict}</strong></h1>
${reasons(report)}
<h2>Checks</h2>
<table><thead><tr><th>Check</th><th>Result</th></tr></thead><tbody>
${checks(report)}
</tbody></table>
${sound ? logs(report) : '<p>A broken bundle proves nothing, so nothing of it is shown.</p>'}
${sound ? lineage(report, graph) : ''}
</body></html>
`;
}

function reasons({ reasons: list, stated }: BundleReport): string {
  const trust = stated
    ? 'A trust policy was stated.'
    : 'No trust was stated: whose key signed is said below.';
  if (list.length === 0) return `<p>${trust}</p>`;
  const items = list.map(({ code, message, place }) => {
    const where = [place?.pointer, place?.index === undefined ? undefined : `index ${place.index}`]
      .filter((part) => part !== undefined)
      .join(', ');
    return `<li><code>${escaped(code)}</code> ${escaped(message)} ${escaped(where)}</li>`;
  });
  return `<p>${trust}</p><ul>${items.join('\n')}</ul>`;
}

/** Every check that a bundle which is not broken has passed, and with how much. */
function checks({ verdict, checked, logs: all, manifest, reasons: list }: BundleReport): string {
  if (verdict === 'broken') {
    const { lines, blocks, events } = checked;
    return `<tr><td>lines in their order and form</td><td class="broken">broken after ${lines} lines, ${blocks} blocks, ${events} events</td></tr>`;
  }
  const cosigned = all.reduce(
    (sum, { checkpoints }) =>
      sum + checkpoints.reduce((more, { cosignatures }) => more + cosignatures.length, 0),
    0,
  );
  const inputs = manifest?.inputs;
  const missed = (codes: readonly string[]): boolean =>
    list.some(({ code }) => codes.includes(code));
  const rows: readonly (readonly [string, string, boolean])[] = [
    [
      'the file is whole: hash over all lines, canonical form, fixed order',
      `${checked.lines} lines`,
      true,
    ],
    ['each log opened by its owner, its keys from the first entry on', `${all.length} logs`, true],
    [
      'checkpoints signed by the key in force',
      `${all.reduce((sum, one) => sum + one.checkpoints.length, 0)} checkpoints`,
      true,
    ],
    ['whole blocks, from the bytes to their signed root', `${checked.blocks} blocks`, true],
    ['events against their commitments and the tree', `${checked.events} events`, true],
    [
      'each citation against the log that it means',
      inputsText(inputs),
      (inputs?.missing ?? 0) === 0,
    ],
    [
      'nothing left out, nothing put in, and the first line says so',
      manifest?.asked.map((one) => one.completeness).join('; ') ?? '',
      !missed(['body-withheld']),
    ],
    [
      'cosignatures',
      cosigned === 0 ? 'none' : `${cosigned} verified`,
      !missed(['quorum-missing', 'cosigner-unknown', 'witness-policy']),
    ],
    [
      'the trust that was stated',
      missed(['owner-untrusted', 'log-untrusted', 'quorum-missing'])
        ? 'not met'
        : 'met, or none stated',
      !missed(['owner-untrusted', 'log-untrusted', 'quorum-missing']),
    ],
    ['the grants that allowed each use', manifest?.grants ?? '', true],
  ];
  return rows
    .map(
      ([what, result, passed]) =>
        `<tr><td>${escaped(what)}</td><td class="${passed ? 'intact' : 'incomplete'}">${escaped(result)}</td></tr>`,
    )
    .join('\n');
}

function inputsText(inputs: NonNullable<BundleReport['manifest']>['inputs'] | undefined): string {
  if (inputs === undefined || inputs.state === 'none') return 'nothing is cited';
  if (inputs.state === 'left out') return `${inputs.references} citations, not asked for`;
  return `${inputs.references} citations, ${inputs.missing} inputs missing`;
}

function logs({ logs: all }: BundleReport): string {
  return `<h2>Logs</h2>
<table><thead><tr><th>Log</th><th>Signed</th><th class="claimed">Claimed by its producer</th><th>Attested by cosigners</th></tr></thead><tbody>
${all.map(logRow).join('\n')}
</tbody></table>
<p>Not checked: whether a signer showed others another history; whether what a producer claims is true; grants.</p>`;
}

function logRow(log: BundleLogReport): string {
  const { logId, genesis, entries, events, asked, recorded, times, checkpoints } = log;
  const what = asked.map(({ from, to }) => `#${from}-${to}`).join(', ');
  const signed = checkpoints.map(
    ({ size, root, signer }) =>
      `${size} entries by <code>${escaped(didFromKey(signer))}</code>, root <code>${toHex(root)}</code>`,
  );
  const attested = checkpoints.flatMap(({ size, attestedBy, cosignatures }) => [
    ...cosignatures.map(
      ({ name, timestamp, listed }) =>
        `${escaped(seconds(timestamp))} by <code>${escaped(name)}</code>, first ${size} entries${listed ? '' : ' (listed by no policy)'}`,
    ),
    ...(attestedBy === undefined
      ? []
      : [`<strong>existed by ${escaped(seconds(attestedBy))}</strong>`]),
  ]);
  const claims = [
    recorded === undefined ? '' : `recorded ${span(recorded)}`,
    times === undefined ? '' : `event times ${span(times)}`,
  ].filter((part) => part !== '');
  return `<tr><td>${escaped(genesis.name)}, partition ${genesis.partition} ${what === '' ? '(inputs)' : escaped(what)}<br><code>${escaped(logId)}</code><br>${events} events in ${entries} entries<br>of <code>${escaped(genesis.owner)}</code></td>
<td>${signed.join('<br>')}</td><td class="claimed">${claims.map(escaped).join('<br>')}</td>
<td>${attested.length === 0 ? 'by nobody' : attested.join('<br>')}</td></tr>`;
}

function span({ first, last }: Span): string {
  return first === last ? formatTime(first) : `${formatTime(first)} to ${formatTime(last)}`;
}

/** A cosigner may write any 64-bit number; beyond the year 9999 it is shown as that. */
function seconds(time: bigint): string {
  if (time > 253_402_300_799n) return `${time} s after 1970`;
  return formatTime(asTimeMs(Number(time) * 1000));
}

function lineage({ unseen }: BundleReport, graph: LineageGraph): string {
  if (graph.nodes.size === 0) return '';
  const more = unseen === 0 ? '' : `<p>${unseen} more entries were checked and are not listed.</p>`;
  return `<h2>Lineage</h2>
${drawing(graph)}
<h2>Steps</h2>
${more}
<table><thead><tr><th>Event</th><th>Organisation</th><th>Verified</th><th class="claimed">Claimed by its producer</th></tr></thead>
<tbody>
${[...graph.nodes.values()].map(row).join('\n')}
</tbody></table>`;
}
