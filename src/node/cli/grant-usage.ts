/** `hw grant list --usage`: who has read what, for people. */
import { formatTime } from '../../time.ts';
import { asTimeMs } from '../../types.ts';
import type { JsonView } from '../json-view.ts';
import { bytesText, countText, durationText, table } from './table.ts';

/** The answer of `GET /grants?usage=true` as tables; `now` in ms. */
export function usageLines(answer: JsonView, now: number): readonly string[] {
  const given = answer.list('grants').filter((grant) => grant.text('side') !== 'got');
  const rows = given.map((grant) => [
    (grant.text('id') ?? '').slice(-8),
    grant.text('stream') ?? '',
    grant.text('holderName') ?? grant.text('holder') ?? '',
    rangeText(grant),
    grant.text('state') ?? '',
    ageText(grant.number('since'), now),
    ...usageCells(grant.at('usage'), grant.text('holder'), now),
  ]);
  const readers = answer
    .list('readers')
    .map((reader) => [
      reader.text('stream') ?? '',
      readerText(reader),
      ...usageCells(reader, reader.text('organisation'), now),
    ]);
  const read = ['EVENTS', 'BYTES', 'LAST READ', 'BY PEER', 'ALSO'];
  const head = ['GRANT', 'STREAM', 'HOLDER', 'RECORDED', 'STATE', 'SINCE', ...read];
  return [
    ...(rows.length === 0 ? ['no grants given'] : table(head, rows)),
    ...(readers.length === 0
      ? []
      : ['', ...table(['STREAM', 'READ WITHOUT A GRANT OF OURS BY', ...read], readers)]),
  ];
}

function usageCells(usage: JsonView, holder: string | undefined, now: number): readonly string[] {
  const last = usage.number('last');
  if (last === undefined) return ['0', '0 B', 'never', '', ''];
  const others = [
    [usage.number('epochs') ?? 0, 'epoch keys'],
    [usage.number('proofs') ?? 0, 'proofs'],
  ] as const;
  return [
    countText(usage.number('events') ?? 0),
    bytesText(usage.number('bytes') ?? 0),
    ageText(last, now),
    peersText(usage.list('peers'), holder),
    others
      .flatMap(([count, what]) => (count === 0 ? [] : [`${countText(count)} ${what}`]))
      .join(', '),
  ];
}

/** Ends of peer ids, the one that read last first; of another organisation with its name. */
function peersText(peers: readonly JsonView[], holder: string | undefined): string {
  const names = peers.map((one) => {
    const peer = one.text('peer');
    const id = peer === undefined ? 'HTTP' : `…${peer.slice(-8)}`;
    const who = one.text('organisation');
    if (who === undefined) return 'others';
    return who === holder ? id : `${id} (${one.text('organisationName') ?? `…${who.slice(-8)}`})`;
  });
  const all = [...new Set(names)];
  const more = all.length - shownPeers;
  return `${all.slice(0, shownPeers).join(' ')}${more > 0 ? ` and ${more} more` : ''}`;
}
const shownPeers = 3;

function readerText(reader: JsonView): string {
  const grant = reader.text('grant');
  const who = reader.text('organisationName') ?? reader.text('organisation') ?? 'others';
  if (grant !== undefined) return `${who} (grant …${grant.slice(-8)})`;
  return reader.flag('sealed') ? `${who} (ciphertext)` : who;
}

function rangeText(grant: JsonView): string {
  const [from, to] = [grant.number('from'), grant.number('to')];
  if (from === undefined && to === undefined) return 'all';
  return `${timeText(from)}…${timeText(to)}`;
}

function timeText(ms: number | undefined): string {
  return ms === undefined ? '' : formatTime(asTimeMs(ms));
}

function ageText(ms: number | undefined, now: number): string {
  return ms === undefined ? '' : `${durationText(now - ms)} ago`;
}
