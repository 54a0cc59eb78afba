/** A checked audit bundle in lines for people: what is proved, claimed, attested, and not checked. */
import type { BundleEntryView, BundleFileView, BundleLogView } from '../bundle-view.ts';
import { contentLines, printable } from './proof-report.ts';
import { countText } from './table.ts';

/** Lines of one kind that are listed; `--json` has more. */
const most = 20;

export function bundleReport(
  file: string,
  view: BundleFileView,
  seconds: string,
): readonly string[] {
  const { verdict, reasons, proven, trust, checked, notChecked } = view;
  const why = limited(
    reasons.map(({ code, message, place }) => {
      const where = [
        place?.pointer ?? '',
        place?.index === undefined ? '' : `index ${place.index}`,
        place?.line === undefined ? '' : `line ${place.line}`,
      ].filter((part) => part !== '');
      return `  ${code}: ${printable(message)}${where.length === 0 ? '' : ` (${where.join(', ')})`}`;
    }),
  );
  if (proven === undefined) {
    return [`${file}: ${verdict}; it proves nothing`, ...why];
  }
  const main = proven.logs.filter(({ asked }) => asked.length > 0);
  const signers = [...new Set(main.map(({ checkpoints }) => checkpoints[0]?.signer ?? '?'))];
  const owners = [...new Set(main.map(({ owner }) => owner))];
  const met = trust.met === true ? '' : 'not ';
  const stated = trust.stated ? `the stated trust is ${met}met` : 'no trust was stated';
  return [
    `signed by ${signers.join(', ')} for ${owners.join(', ')}; ${stated}`,
    `${file}: ${verdict}, ${countText(checked.events)} events in ${countText(proven.logs.length)} logs checked in ${seconds} s`,
    ...why,
    '  holds',
    ...limited(proven.asked.map(({ ref, completeness }) => `    ${ref}: ${completeness}`)),
    `    inputs: ${inputsText(proven)}`,
    ...limited(proven.missing.map(({ ref, why: reason }) => `    missing: ${ref}, ${reason}`)),
    ...limited(proven.logs.flatMap(logLines), 200),
    ...entriesLines(proven.entries),
    '  not checked',
    ...notChecked.map((line) => `    ${line}`),
  ];
}

function inputsText({ inputs }: NonNullable<BundleFileView['proven']>): string {
  const { references, state, missing, completeness } = inputs;
  if (state === 'none') return 'nothing cites any';
  const cited = `${countText(references)} references`;
  if (state === 'left out') return `${cited}, not in the file (exported without --ancestors)`;
  const found = missing === 0 ? 'each found and fitting' : `${countText(missing)} inputs missing`;
  return `${cited}, ${found}; ${completeness}`;
}

function logLines(log: BundleLogView): readonly string[] {
  const { claimed } = log;
  const role = log.asked.length > 0 ? '' : ', inputs';
  return [
    `  ${printable(log.stream)}, partition ${log.partition}, of ${log.owner}${role}`,
    `    ${countText(log.events)} events in ${countText(log.entries)} entries of log ${log.log}`,
    ...sealedLines(log),
    ...(log.rotations === 0 ? [] : [`    its key was rotated ${log.rotations} times`]),
    ...(claimed.recorded === undefined ? [] : [`    claimed: recorded ${span(claimed.recorded)}`]),
    ...(claimed.times === undefined ? [] : [`    claimed: event times ${span(claimed.times)}`]),
    ...log.checkpoints.flatMap(({ size, root, signer, attestedBy, cosignatures }) => [
      `    signed by ${signer}: the first ${countText(size)} entries, root ${root}`,
      ...(cosignatures.length === 0
        ? ['    attested by nobody: no cosignature']
        : cosignatures.map(
            ({ name, time, listed }) =>
              `    attested ${time} by ${printable(name)}${listed ? '' : ' (listed by no policy)'}`,
          )),
      ...(attestedBy === undefined
        ? []
        : [`    existed by ${attestedBy}, on the word of the quorum`]),
    ]),
  ];
}

function sealedLines({ sealed: { events, there, opened } }: BundleLogView): readonly string[] {
  if (events === 0) return [];
  const rest = there - opened;
  const closed = rest === 0 ? '' : `, ${countText(rest)} are ciphertext alone: no access`;
  return [`    sealed: ${countText(opened)} opened by their keys${closed}`];
}

/** The events themselves, where they are few. */
function entriesLines(entries: readonly BundleEntryView[]): readonly string[] {
  const asked = entries.filter(
    (entry) => entry.asked && (entry.entry === 'event' || entry.entry === 'sealed'),
  );
  if (asked.length === 0 || asked.length > 3) return [];
  return asked.flatMap((entry) => [
    `  ${entry.ref}`,
    `    leaf ${entry.leafHash}`,
    `    claimed: recorded ${entry.claimed.recordedTime}${entry.claimed.time === undefined ? '' : `, event time ${printable(entry.claimed.time)}`}`,
    ...(entry.claimed.inputs.length === 0
      ? ['    no inputs']
      : limited(entry.claimed.inputs.map((input) => `    made from ${input}`))),
    ...contentLines({
      disclosed: entry.attributes === undefined ? [] : ['attributes', 'data'],
      ...(entry.attributes === undefined ? {} : { attributes: entry.attributes }),
      ...(entry.data === undefined ? {} : { data: entry.data }),
    }),
  ]);
}

function span({ first, last }: { readonly first: string; readonly last: string }): string {
  return first === last ? first : `${first} to ${last}`;
}

function limited(lines: readonly string[], max = most): readonly string[] {
  if (lines.length <= max) return lines;
  return [...lines.slice(0, max), `    and ${countText(lines.length - max)} more (--json)`];
}
