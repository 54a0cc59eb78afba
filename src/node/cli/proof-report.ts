/** A verified proof in lines for people: what is proved, what is claimed, what is attested. */
import { toHex } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import type { ProofView, ProvenView } from '../proof-view.ts';
import { countText } from './table.ts';

/** Characters of data that are shown; `--json` has all. */
const shownData = 400;

export function proofReport(
  file: string,
  { verdict, reasons, proven }: ProofView,
): readonly string[] {
  const why = reasons.map(({ code, message }) => `  ${code}: ${printable(message)}`);
  if (proven === undefined) return [`${file}: ${verdict}; it proves nothing`, ...why];
  const { stream, checkpoint, claimed, trust } = proven;
  const stated = trust.stated
    ? `the stated trust is ${trust.met === true ? '' : 'not '}met`
    : 'no trust was stated';
  return [
    `signed by ${checkpoint.signer} for ${stream.owner}; ${stated}`,
    `${file}: ${verdict}, one ${entryText(proven.entry)} of ${stream.name}, partition ${stream.partition}`,
    ...why,
    '  proved',
    `    ${proven.ref} is in the log of ${countText(checkpoint.size)} entries that was signed`,
    `    leaf ${proven.leafHash}`,
    `    root ${checkpoint.root}`,
    '  claimed by the producer',
    `    recorded ${claimed.recordedTime}${claimed.time === undefined ? '' : `, event time ${printable(claimed.time)}`}`,
    ...(claimed.inputs.length === 0
      ? ['    no inputs']
      : claimed.inputs.map((input) => `    made from ${input}`)),
    ...attestedLines(proven),
    ...contentLines(proven),
    '  not checked: whether the signer showed others another history or passed its key on unsaid; its inputs',
  ];
}

function entryText(entry: ProvenView['entry']): string {
  return entry === 'sealed' ? 'sealed event' : entry;
}

function attestedLines({ attested }: ProvenView): readonly string[] {
  const { by, cosignatures } = attested;
  if (cosignatures.length === 0) return ['  attested by nobody: no cosignature'];
  const lines = cosignatures.map(
    ({ name, time, listed }) =>
      `    ${time} by ${printable(name)}${listed ? '' : ' (listed by no policy)'}`,
  );
  const quorum = by === undefined ? 'no quorum was asked for' : `existed by ${by}`;
  return [`  attested by cosigners: ${quorum}`, ...lines];
}

export function contentLines({
  attributes,
  data,
  disclosed,
  eventKey,
}: Pick<ProvenView, 'attributes' | 'data' | 'disclosed' | 'eventKey'>): readonly string[] {
  if (eventKey === 'unopened') return ['  disclosed: the key of the event; it was not opened here'];
  if (disclosed.length === 0) return ['  disclosed: nothing of the content'];
  const by = eventKey === undefined ? '' : ', opened by the key of the event';
  const lines = [`  disclosed: ${disclosed.join(' and ')}${by}`];
  for (const [name, value] of Object.entries(attributes ?? {})) {
    lines.push(`    ${name}: ${printable(String(value))}`);
  }
  if (data === undefined) return lines;
  const bytes = Buffer.from(data.base64, 'base64');
  const size = `${countText(data.bytes)} bytes`;
  if (data.kind === 'none') lines.push('    no data');
  else if (data.kind === 'binary') {
    lines.push(`    data: ${size}, SHA-256 ${toHex(nodeCrypto.sha256(bytes))}`);
  } else {
    const text = Array.from(bytes.toString('utf8'));
    const more = text.length > shownData ? `… (${size})` : '';
    lines.push(`    data: ${printable(text.slice(0, shownData).join(''))}${more}`);
  }
  return lines;
}

/** What others wrote may hold what a terminal would act on. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}
