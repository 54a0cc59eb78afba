/**
 * Who publishes what in the testnet: each seismic network with enough events is an organisation with
 * one stream; those that are too small for a peer of their own share one organisation, a stream each.
 */
import type { SeismicEvent } from './earthquakes.ts';

export interface StreamPlan {
  readonly organisation: string;
  readonly name: string;
  /** `organisation/name`, as on the command line. */
  readonly title: string;
  /** CloudEvents in time order, one JSON text each. */
  readonly events: readonly string[];
}

export interface OrganisationPlan {
  readonly name: string;
  readonly streams: readonly StreamPlan[];
}

/** A network with fewer events in the week has no peer of its own. */
const leastEvents = 20;
/** The organisation that publishes for the small networks. */
export const sharedName = 'small-networks';
/** The USGS national centre: it founds the network and follows every other one. */
export const founderName = 'us';

/** Largest organisation first, the shared one last. */
export function planOrganisations(events: readonly SeismicEvent[]): readonly OrganisationPlan[] {
  const nets = [...Map.groupBy(events, ({ net }) => net)]
    .map(([net, own]) => ({ net, lines: own.map(({ line }) => line) }))
    .toSorted((a, b) => b.lines.length - a.lines.length);
  const large = nets
    .filter(({ lines }) => lines.length >= leastEvents)
    .map(({ net, lines }) => ({ name: net, streams: [stream(net, 'earthquakes', lines)] }));
  const small = nets
    .filter(({ lines }) => lines.length < leastEvents)
    .map(({ net, lines }) => stream(sharedName, net, lines));
  return small.length === 0 ? large : [...large, { name: sharedName, streams: small }];
}

/** The organisations that `name` follows: the next two in the ring, the founder all others. */
export function followedBy(
  name: string,
  organisations: readonly OrganisationPlan[],
): readonly OrganisationPlan[] {
  const others = organisations.filter((organisation) => organisation.name !== name);
  if (name === founderName) return others;
  const at = organisations.findIndex((organisation) => organisation.name === name);
  if (at < 0) return others;
  return [1, 2].flatMap((step) => organisations[(at + step) % organisations.length] ?? []);
}

function stream(organisation: string, name: string, events: readonly string[]): StreamPlan {
  return { organisation, name, title: `${organisation}/${name}`, events };
}
