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
  readonly before: string;
  readonly after: string;
}

export class Events {
  readonly #templates: readonly Template[];
  #next = 0;

  /** Two sources with different `first` give different ids as long as neither reaches the other's. */
  constructor(size: Size = 'small', first = 0) {
    const events = size === 'small' ? smallSeismicEvents() : seismicEvents();
    this.#templates = events.map(({ line }) => template(line));
    this.#next = first;
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
  return { before: line.slice(0, at), after: line.slice(at) };
}
