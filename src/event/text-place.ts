/** Places in JSON text: computed only when something is wrong, so that the good path pays nothing. */
import type { Place } from '../errors.ts';

const maxPointer = 128;

/**
 * Finds places in one text. It goes on from the last position it was asked for, so that a batch of
 * bad events costs one pass in all and not one each.
 */
export class PlaceFinder {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #column = 1;
  #offset = 0;

  /** `text` is well-formed: it was decoded from UTF-8. */
  constructor(text: string) {
    this.#text = text;
  }

  /** Line and column (in characters) from 1, and byte offset, of a position in UTF-16 units. */
  place(at: number): Place {
    if (at < this.#at) {
      this.#at = 0;
      this.#line = 1;
      this.#column = 1;
      this.#offset = 0;
    }
    const end = Math.min(at, this.#text.length);
    while (this.#at < end) this.#step(this.#text.charCodeAt(this.#at));
    return { line: this.#line, column: this.#column, offset: this.#offset };
  }

  #step(unit: number): void {
    const paired = unit >= 0xd800 && unit < 0xdc00;
    this.#at += paired ? 2 : 1;
    this.#offset += unit < 0x80 ? 1 : unit < 0x800 ? 2 : paired ? 4 : 3;
    if (unit === 0x0a) {
      this.#line += 1;
      this.#column = 1;
    } else {
      this.#column += 1;
    }
  }
}

/** The JSON pointer of a member of the event object (RFC 6901), cut where the name is absurd. */
export function memberPointer(name: string): string {
  return `/${shown(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** A name from outside, fit for a message. */
export function shown(name: string): string {
  return name.slice(0, maxPointer).toWellFormed();
}

/** Offset of the byte at which `bytes` stops being well-formed UTF-8; its length if it is cut. */
export function utf8FaultAt(bytes: Uint8Array): number {
  let [good, bad] = [0, bytes.length];
  // A prefix that decodes, a character cut at its end allowed, has no fault in it: bisect.
  while (good < bad) {
    const middle = (good + bad + 1) >>> 1;
    if (decodesSoFar(bytes.subarray(0, middle))) good = middle;
    else bad = middle - 1;
  }
  return good;
}

function decodesSoFar(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
