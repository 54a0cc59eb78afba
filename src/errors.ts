/**
 * The one form of an error everywhere: CLI, HTTP problem+json, log. A code never changes meaning;
 * the table of codes, with hint, exit code and HTTP status, is in `codes.ts`.
 */
import { codes, classes } from './codes.ts';

export type Code = keyof typeof codes;

/** Where the fault is; whichever of these are known. Lines and columns count from 1. */
export interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** JSON pointer (RFC 6901) or the name of an attribute, header or field. */
  readonly pointer?: string;
  /** Position of an event in a batch, or of an entry in a log, from 0. */
  readonly index?: number;
  /** Byte offset in the input. */
  readonly offset?: number;
}

export interface Fault {
  readonly code: Code;
  /** What is wrong, one sentence without the place. */
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
  readonly place?: Place;
}

/** Makes a fault; the hint comes from the table unless a better one is at hand. */
export function fault(code: Code, message: string, place?: Place, hint?: string): Fault {
  const base = { code, message, hint: hint ?? codes[code][1] };
  return place === undefined ? base : { ...base, place };
}

/** The same fault seen from further out: places are merged, the outer one wins. */
export function at(inner: Fault, place: Place): Fault {
  return { ...inner, place: { ...inner.place, ...place } };
}

/** For the few places where a fault must be thrown (streams, iterators, the edge of a command). */
export class HeadwaterError extends Error {
  readonly fault: Fault;
  constructor(inner: Fault, options?: ErrorOptions) {
    super(inner.message, options);
    this.name = 'HeadwaterError';
    this.fault = inner;
  }
}

export function exitCode(code: Code): number {
  return classes[codes[code][0]].exit;
}

export function httpStatus(code: Code): number {
  return classes[codes[code][0]].status;
}

/** `file:line:column`, pointer and index, for people; empty where nothing is known. */
export function placeText(place: Place | undefined): string {
  if (place === undefined) return '';
  const position = [place.file, place.line, place.column].filter((part) => part !== undefined);
  const parts = [
    position.join(':'),
    place.pointer,
    place.index === undefined ? undefined : `index ${place.index}`,
    place.offset === undefined ? undefined : `byte ${place.offset}`,
  ];
  return parts.filter((part) => part !== undefined && part !== '').join(', ');
}
