/**
 * The real data of the testnet: a week of USGS earthquakes as CloudEvents (data/SOURCE.md has the
 * mapping), and the two aggregates whose answers are known.
 */
import { readFileSync } from 'node:fs';

interface Feature {
  readonly id: string;
  readonly properties: {
    readonly net: string;
    readonly type: string;
    readonly time: number;
    readonly updated: number;
    readonly mag: number;
    readonly place: string;
  };
  readonly geometry: { readonly coordinates: readonly number[] };
}

/** One event: which network reported it and its CloudEvent as a JSON line without line end. */
export interface SeismicEvent {
  readonly net: string;
  readonly line: string;
}

const file = (name: string): string =>
  readFileSync(new URL(`./data/${name}`, import.meta.url), 'utf8');

/** The features as published, one text a line, in time order. */
export function featureLines(): readonly string[] {
  return file('earthquakes.ndjson').trimEnd().split('\n');
}

function parse(line: string): Feature {
  const feature: Feature = JSON.parse(line);
  return feature;
}

function attributes(feature: Feature): Record<string, string> {
  const { net, type, time, updated } = feature.properties;
  return {
    specversion: '1.0',
    id: `${feature.id}-${updated}`,
    source: `/seismic/${net}`,
    type: `gov.usgs.earthquake.${type.replaceAll(' ', '-')}`,
    subject: feature.id,
    time: new Date(time).toISOString(),
    partitionkey: net,
    datacontenttype: 'application/json',
  };
}

/** The whole feature as data, byte for byte (about 1 KB an event). */
export function seismicEvents(): readonly SeismicEvent[] {
  return featureLines().map((line) => {
    const feature = parse(line);
    const head = JSON.stringify(attributes(feature)).slice(0, -1);
    return { net: feature.properties.net, line: `${head},"data":${line}}` };
  });
}

/** Id, magnitude, place, time and coordinates only (about 400 bytes an event), for the benches. */
export function smallSeismicEvents(): readonly SeismicEvent[] {
  return featureLines().map((line) => {
    const feature = parse(line);
    const { net, mag, place, time } = feature.properties;
    const data = { id: feature.id, mag, place, time, coordinates: feature.geometry.coordinates };
    return { net, line: JSON.stringify({ ...attributes(feature), data }) };
  });
}

/** `eq.count_by_net`: events for each network. */
export function countByNet(features: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of features) {
    const { net } = parse(line).properties;
    counts[net] = (counts[net] ?? 0) + 1;
  }
  return counts;
}

/** `eq.hourly_max_mag`: the largest magnitude of each UTC hour that has an event. */
export function hourlyMaxMag(features: Iterable<string>): Record<string, number> {
  const maxima: Record<string, number> = {};
  for (const line of features) {
    const { mag, time } = parse(line).properties;
    const hour = `${new Date(time).toISOString().slice(0, 13)}:00:00Z`;
    maxima[hour] = Math.max(maxima[hour] ?? Number.NEGATIVE_INFINITY, mag);
  }
  return maxima;
}

/** The reference answer of that name. */
export function knownAnswer(id: string): unknown {
  const answers: {
    files: Record<string, { answers: readonly { id: string; value: unknown }[] }>;
  } = JSON.parse(file('answers.json'));
  const found = answers.files['earthquakes.ndjson']?.answers.find((answer) => answer.id === id);
  if (found === undefined) throw new Error(`no answer ${id}`);
  return found.value;
}
