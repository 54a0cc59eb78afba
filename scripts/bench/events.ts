/**
 * Real events without end: those of testnet/data in turn, each time round with a fresh id, so that
 * no event is a duplicate and every one goes through the dedupe index.
 */
import { parseJsonEvent } from '../../src/event/parse-json.ts';
import type { ParsedEvent } from '../../src/types.ts';
import { seismicEvents, smallSeismicEvents } from '../../testnet/earthquakes.ts';
import { must } from './must.ts';

/** About 400 bytes an event: id, magnitude, place, time, coordinates. Large: the whole feature, 1 KB. */
export type Size = 'small' | 'large';

interface Template {
  readonly id: string;
  readonly before: string;
  readonly after: string;
}

export class Events {
  readonly #templates: readonly Template[];
  readonly #places: ReadonlyMap<string, number>;
  #next = 0;

  /** Two sources with different `first` give different ids as long as neither reaches the other's. */
  constructor(size: Size = 'small', first = 0) {
    const events = size === 'small' ? smallSeismicEvents() : seismicEvents();
    this.#templates = events.map(({ line }) => template(line));
    this.#places = new Map(this.#templates.map(({ id }, i) => [id, i]));
    this.#next = first;
  }

  /** The number of the next event; they count from 0. */
  get next(): number {
    return this.#next;
  }

  /** The number of the event with this id; undefined for an id that is not ours. */
  numberOf(id: string): number | undefined {
    const dash = id.lastIndexOf('-');
    const place = this.#places.get(id.slice(0, dash));
    const round = Number(id.slice(dash + 1));
    if (place === undefined || !Number.isSafeInteger(round)) return undefined;
    return round * this.#templates.length + place;
  }

  /** The text of the next event, without line end. */
  text(): string {
    const round = Math.floor(this.#next / this.#templates.length);
    const found = this.#templates[this.#next % this.#templates.length];
    if (found === undefined) throw new RangeError('there are no events');
    this.#next += 1;
    return `${found.before}-${round}${found.after}`;
  }

  texts(count: number): readonly string[] {
    return Array.from({ length: count }, () => this.text());
  }

  /** As they arrive: UTF-8 of the JSON. */
  bytes(count: number): readonly Uint8Array[] {
    return Array.from({ length: count }, () => Buffer.from(this.text()));
  }

  parsed(count: number): readonly ParsedEvent[] {
    return this.bytes(count).map((bytes) => must(parseJsonEvent(bytes)));
  }
}

/** The line cut at the end of its `id`. */
function template(line: string): Template {
  const at = line.indexOf('","source"');
  if (at < 0) throw new RangeError('the line does not begin as expected');
  const before = line.slice(0, at);
  return { id: idOf(line), before, after: line.slice(at) };
}

/** The id of an event in JSON whose `id` stands before its data. */
export function idOf(line: string): string {
  const at = line.indexOf('"id":"') + 6;
  return line.slice(at, line.indexOf('"', at));
}
