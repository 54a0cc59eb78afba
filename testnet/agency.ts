/**
 * The agency: an organisation that measures nothing itself. It reads the streams of the seismic
 * networks and says for each day which significant earthquakes there were; every event of its own
 * cites the events that it was made from, neighbours of one log as a range.
 */
import { JsonView } from '../src/node/json-view.ts';
import type { Peer } from './lib/peer.ts';
import { inParallel, until } from './lib/until.ts';

/** As the agency counts it. */
const significantMagnitude = 2.5;
/** Organisation and stream. */
export const agencyName = 'agency';
export const agencyStream = 'significant-per-day';
const program = 'significant-per-day 1.0';

/** One event of a network as a reader gets it. */
interface Measured {
  readonly network: string;
  readonly ref: string;
  /** UTC. */
  readonly day: string;
  readonly subject: string;
  readonly magnitude: number;
  readonly place: string;
}

export interface DayOfQuakes {
  readonly day: string;
  /** CloudEvent, one JSON text. */
  readonly event: string;
  /** Refs of the events that it was made from. */
  readonly inputs: readonly string[];
  /** Networks whose events they are. */
  readonly networks: readonly string[];
  readonly parents: string;
}

/**
 * The days of these streams, each a list of CloudEvents in the order of their log, with `hwref`. A
 * day that is not over in the data is a day like any other.
 */
export function daysOf(streams: ReadonlyMap<string, readonly string[]>): readonly DayOfQuakes[] {
  const significant: { readonly quake: Measured; readonly at: number }[] = [];
  for (const [network, lines] of streams) {
    for (const [at, line] of lines.entries()) {
      const quake = measured(network, line);
      if (quake.magnitude >= significantMagnitude) significant.push({ quake, at });
    }
  }
  const days = Map.groupBy(significant, ({ quake }) => quake.day);
  return [...days]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([day, found]) => {
      const parents = [...Map.groupBy(found, ({ quake }) => quake.network).values()]
        .flatMap(citations)
        .join(' ');
      const quakes = found.map(({ quake }) => quake);
      return {
        day,
        event: eventOf(day, quakes, parents),
        inputs: quakes.map(({ ref }) => ref),
        networks: [...new Set(quakes.map(({ network }) => network))],
        parents,
      };
    });
}

/** `hw:<log>/<index>`, or a range where the stream has nothing else between two of them. */
function citations(
  found: readonly { readonly quake: Measured; readonly at: number }[],
): readonly string[] {
  const runs: { log: string; from: number; to: number; at: number }[] = [];
  for (const { quake, at } of found) {
    const [log = '', index = ''] = quake.ref.slice('hw:'.length).split('/');
    const last = runs.at(-1);
    const next = Number(index);
    if (last !== undefined && last.log === log && last.at + 1 === at) {
      [last.to, last.at] = [next + 1, at];
    } else runs.push({ log, from: next, to: next + 1, at });
  }
  return runs.map(({ log, from, to }) =>
    to === from + 1 ? `hw:${log}/${from}` : `hw:${log}/${from}-${to}`,
  );
}

function eventOf(day: string, quakes: readonly Measured[], hwparents: string): string {
  const largest = quakes.reduce((a, b) => (b.magnitude > a.magnitude ? b : a));
  const { network, subject, magnitude, place } = largest;
  return JSON.stringify({
    specversion: '1.0',
    id: day,
    source: '/agency/significant',
    type: 'org.example.significant.day',
    subject: day,
    hwparents,
    hwactivity: program,
    datacontenttype: 'application/json',
    data: { day, count: quakes.length, largest: { network, id: subject, magnitude, place } },
  });
}

function measured(network: string, line: string): Measured {
  const event = JsonView.parse(line);
  const feature = event.at('data').at('properties');
  return {
    network,
    ref: event.text('hwref') ?? '',
    day: (event.text('time') ?? '').slice(0, 10),
    subject: event.text('subject') ?? '',
    magnitude: feature.number('mag') ?? 0,
    place: feature.text('place') ?? '',
  };
}

/** Runs the agency on its peer: follows the streams, reads them whole, publishes its days. */
export async function runAgency(
  peer: Peer,
  streams: ReadonlyMap<string, number>,
): Promise<readonly (DayOfQuakes & { readonly ref: string })[]> {
  const read = await inParallel([...streams], 4, async ([title, count]) => {
    await until(`the agency to hear of ${title}`, async () => {
      await peer.api.post('/follows', { target: title });
      return true;
    });
    const lines = await until(`the agency to have ${title}`, async () => {
      const kept = await peer.api.replay(title);
      return kept.length === count ? kept : undefined;
    });
    return [title, lines] as const;
  });
  await peer.api.post('/streams', { name: agencyStream, contentType: 'application/json' });
  const days = daysOf(new Map(read));
  const events = days.map(({ event }) => event);
  const receipts = await peer.api.publish(`${agencyName}/${agencyStream}`, events);
  return days.map((day, i) => {
    const receipt = receipts[i];
    return { ...day, ref: `hw:${receipt?.text('log') ?? ''}/${receipt?.number('index') ?? -1}` };
  });
}
