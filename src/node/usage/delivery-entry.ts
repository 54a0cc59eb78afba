/**
 * A delivery in the journal (events.md "Lineage"): one entry for each range that a consumer was given
 * within an interval.
 *
 *   type     org.headwater.access.delivered       subject   hw:<logId>
 *   data     {log, owner, stream, way, organisation, peer, grant, from, to, events, bytes, first, last}
 *
 * `from` and `to` are indexes, half-open; of way `keys` epochs, and `events` is then called `epochs`, of
 * way `proof` it is `proofs`. `gaps` where not all between them was delivered. Without organisation:
 * consumers for whom there was no room of their own.
 */
import { fromUtf8 } from '../../bytes.ts';
import type { DeliveryWay } from '../../gossip/usage-port.ts';
import { formatTime, parseTime } from '../../time.ts';
import type { EventBytes, LogId } from '../../types.ts';
import { journalTypes, type JournalEntry } from '../core/journal.ts';
import { JsonView } from '../json-view.ts';
import { aboutOf, type About } from './account.ts';
import type { Piece } from './pieces.ts';

/** What is counted of each way. */
export const countNames: Readonly<Record<DeliveryWay, 'events' | 'proofs' | 'epochs'>> = {
  blocks: 'events',
  http: 'events',
  attributes: 'events',
  proof: 'proofs',
  keys: 'epochs',
};

/** Of the entries about one log. */
export function subjectOf(logId: LogId): string {
  return `hw:${logId}`;
}

export function deliveryEntry(about: About, piece: Piece): JournalEntry {
  const { logId, owner, stream, way, organisation, peer, grant } = about;
  const { from, to, count, bytes, first, last, gaps } = piece;
  const who = { organisation, peer, grant };
  return {
    type: journalTypes.delivered,
    subject: subjectOf(logId),
    data: {
      log: logId,
      owner,
      stream,
      way,
      ...who,
      from,
      to,
      [countNames[way]]: count,
      bytes,
      first: formatTime(first),
      last: formatTime(last),
      ...(gaps ? { gaps } : {}),
    },
  };
}

/** Undefined for every other entry. */
export function readDelivery({
  attributes,
  data,
}: EventBytes): { readonly about: About; readonly piece: Piece } | undefined {
  if (viewOf(attributes).text('type') !== journalTypes.delivered) return undefined;
  const said = viewOf(data);
  const text = (name: string): string => said.text(name) ?? '';
  const about = aboutOf({
    log: text('log'),
    owner: text('owner'),
    stream: text('stream'),
    way: text('way'),
    organisation: text('organisation'),
    peer: text('peer'),
    grant: text('grant'),
  });
  if (about === undefined) return undefined;
  const [from, to, bytes] = [said.number('from'), said.number('to'), said.number('bytes')];
  const count = said.number(countNames[about.way]);
  const [first, last] = [parseTime(text('first')), parseTime(text('last'))];
  if (from === undefined || to === undefined || count === undefined || bytes === undefined) {
    return undefined;
  }
  if (!first.ok || !last.ok) return undefined;
  const times = { first: first.value, last: last.value };
  return { about, piece: { from, to, count, bytes, ...times, gaps: said.flag('gaps') } };
}

function viewOf(bytes: Uint8Array): JsonView {
  const text = fromUtf8(bytes);
  return JsonView.parse(text.ok ? text.value : '');
}
