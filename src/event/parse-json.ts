/**
 * The JSON event format (CloudEvents 1.0.2 json-format.md, media types
 * `application/cloudevents+json` and `application/cloudevents-batch+json`), read strictly and without
 * changing a byte of the data: kind JSON keeps the exact slice of the `data` member, kind text the
 * decoded string, kind binary the decoded `data_base64` (FACTS.md sections 3.4, 3.6 and 3.7).
 *
 * `data` of a result may be a view of the bytes that were passed in: the caller leaves them alone.
 */
import { fromBase64, utf8 } from '../bytes.ts';
import { at, fault, type Code, type Fault, type Place } from '../errors.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import {
  dataKind,
  type Attributes,
  type AttributeValue,
  type DataKind,
  type ParsedEvent,
} from '../types.ts';
import { AttributeSet, checkAttributes, checkCanonical, internName } from './attributes.ts';
import { jsonText, syntaxFault, view, withinSize } from './data.ts';
import { isPlain } from './canonical.ts';
import { JsonScanner, stringAt, valueKind, type Member } from './json-scan.ts';
import { memberPointer, PlaceFinder, shown } from './text-place.ts';
import { isJsonType } from './text-rules.ts';

/** Limits on what one call reads; the defaults are those of limits.ts. */
export interface ParseLimits {
  readonly maxEventTextBytes: number;
  readonly maxJsonBatchEvents: number;
  readonly maxJsonBatchBytes: number;
}

/**
 * One event in JSON, with white space around it. Places hold the JSON pointer of the member, line,
 * column and byte offset. Codes: `json-utf8`, `json-syntax`, `event-shape`, `duplicate-member`,
 * `data-twice`, `data-base64`, `data-not-text`, `lone-surrogate`, `body-too-large`,
 * `event-too-large` and those of `checkAttributes`.
 */
export function parseJsonEvent(
  bytes: Uint8Array,
  bounds: ParseLimits = limits,
): Result<ParsedEvent> {
  if (bytes.length > bounds.maxEventTextBytes) {
    return err(fault('event-too-large', `more than ${bounds.maxEventTextBytes} bytes of JSON`));
  }
  return parseText(bytes);
}

function parseText(bytes: Uint8Array): Result<ParsedEvent> {
  const text = jsonText(bytes);
  if (!text.ok) return text;
  const scanner = new JsonScanner(text.value);
  const places = new PlaceFinder(text.value);
  scanner.space();
  const event = scanEvent({ scanner, bytes, places });
  scanner.end();
  return scanner.failure === undefined ? event : err(syntaxFault(scanner));
}

/**
 * The context of an event's `attributes`: canonical and by the rules of a replica. Codes as
 * `parseJsonEvent`, and `event-invalid` where they are sound but not canonical.
 */
export function readAttributes(bytes: Uint8Array): Result<Attributes> {
  const text = jsonText(bytes);
  if (!text.ok) return text;
  const scanner = new JsonScanner(text.value);
  if (!text.value.startsWith('{')) {
    return err(fault('event-shape', 'attributes are a JSON object', { offset: 0 }));
  }
  const members = scanner.members();
  scanner.end();
  if (scanner.failure !== undefined) return err(syntaxFault(scanner));
  const places = new PlaceFinder(text.value);
  const scanned: Scanned = { scanner, bytes, places, text: text.value, members, start: 0 };
  const collected = collect(scanned);
  if (!collected.ok) return collected;
  // Nulls, `data`, order and escapes are not in the set, so equal bytes mean canonical ones.
  const { set } = collected.value;
  const plain = isPlain(text.value, members);
  const broken = checkCanonical(set, (name) => locate(scanned, name), bytes, plain);
  return broken === undefined ? ok(set.context) : err(broken);
}

/**
 * A JSON array of events. The outer error says why there is no batch at all: `json-utf8`,
 * `json-syntax`, `batch-shape`, `batch-too-large`. Inner ones belong to one event and carry its
 * `place.index`; the rest of the batch is still read.
 */
export function parseJsonBatch(
  bytes: Uint8Array,
  bounds: ParseLimits = limits,
): Result<readonly Result<ParsedEvent>[]> {
  const { maxJsonBatchBytes, maxJsonBatchEvents } = bounds;
  if (bytes.length > maxJsonBatchBytes) {
    return err(fault('batch-too-large', `a batch is at most ${maxJsonBatchBytes} bytes`));
  }
  const text = jsonText(bytes);
  if (!text.ok) return text;
  const scanner = new JsonScanner(text.value);
  scanner.space();
  if (!scanner.take(0x5b)) return err(notArray(scanner));
  const events: Result<ParsedEvent>[] = [];
  scanner.space();
  if (!scanner.take(0x5d)) {
    const places = new PlaceFinder(text.value);
    const input: Input = { scanner, bytes, places };
    const tooMany = scanElements(input, bounds, events);
    if (tooMany)
      return err(fault('batch-too-large', `a batch is at most ${maxJsonBatchEvents} events`));
  }
  scanner.end();
  return scanner.failure === undefined ? ok(events) : err(syntaxFault(scanner));
}

/** From the first element to behind the closing bracket. True where there are too many. */
function scanElements(input: Input, bounds: ParseLimits, events: Result<ParsedEvent>[]): boolean {
  const { scanner } = input;
  for (;;) {
    if (events.length >= bounds.maxJsonBatchEvents) return true;
    const event = scanEvent(input);
    if (scanner.failure !== undefined) return false;
    events.push(event.ok ? event : err(at(event.error, { index: events.length })));
    scanner.space();
    if (scanner.take(0x5d)) return false;
    if (!scanner.take(0x2c)) {
      scanner.failure = "expected ',' or ']'";
      return false;
    }
    scanner.space();
  }
}

/** Something other than an array: `batch-shape`, or `json-syntax` if it is not even JSON. */
function notArray(scanner: JsonScanner): Fault {
  const start = scanner.at;
  scanner.value();
  scanner.end();
  if (scanner.failure !== undefined) return syntaxFault(scanner);
  return fault(
    'batch-shape',
    'a batch is a JSON array',
    new PlaceFinder(scanner.text).place(start),
  );
}

/** What an event is read from. */
interface Input {
  readonly scanner: JsonScanner;
  readonly bytes: Uint8Array;
  readonly places: PlaceFinder;
}

/** Reads one value that should be an event. Where the scanner has failed, its fault counts. */
function scanEvent(input: Input): Result<ParsedEvent> {
  const { scanner, places } = input;
  const start = scanner.at;
  if (scanner.text.charCodeAt(start) !== 0x7b) {
    scanner.value();
    return err(fault('event-shape', 'an event is a JSON object', places.place(start)));
  }
  const members = scanner.members();
  if (scanner.failure !== undefined) return err(fault('json-syntax', scanner.failure));
  return buildEvent({ ...input, text: scanner.text, members, start });
}

interface Scanned extends Input {
  readonly text: string;
  readonly members: readonly Member[];
  readonly start: number;
}

interface Collected {
  readonly set: AttributeSet;
  readonly data: Member | undefined;
  readonly base64: Member | undefined;
}

/** Sorts the members out: attributes that are not null, `data`, `data_base64`; none twice. */
function collect(scanned: Scanned): Result<Collected> {
  const set = new AttributeSet();
  let absent: Set<string> | undefined;
  let data: Member | undefined;
  let base64: Member | undefined;
  for (const member of scanned.members) {
    const { kind } = member;
    const name = internName(member.name);
    if (absent?.has(name) === true) return err(twice(scanned, member));
    if (name === 'data') {
      if (data !== undefined) return err(twice(scanned, member));
      data = member;
    } else if (kind === valueKind.null) {
      const isRepeat = name === 'data_base64' ? base64 !== undefined : set.has(name);
      if (isRepeat) return err(twice(scanned, member));
      absent = (absent ?? new Set<string>()).add(name);
    } else if (name === 'data_base64') {
      if (base64 !== undefined) return err(twice(scanned, member));
      base64 = member;
    } else {
      const value = attributeValue(scanned.text, member);
      if (typeof value === 'object') return err(memberFault(scanned, member, value));
      if (!set.add(name, value)) return err(twice(scanned, member));
    }
  }
  return ok({ set, data, base64 });
}

function buildEvent(scanned: Scanned): Result<ParsedEvent> {
  const collected = collect(scanned);
  if (!collected.ok) return collected;
  const { set, data, base64 } = collected.value;
  const attributes = checkAttributes(set, (name) => locate(scanned, name));
  if (!attributes.ok) return attributes;
  const content = contentOf(scanned, set.get('datacontenttype'), data, base64);
  if (!content.ok) return content;
  return withinSize({
    attributes: attributes.value,
    context: set.context,
    kind: content.value.kind,
    data: content.value.data,
  });
}

interface Content {
  readonly kind: DataKind;
  readonly data: Uint8Array;
}

const nothing: Content = { kind: dataKind.none, data: new Uint8Array(0) };

function contentOf(
  scanned: Scanned,
  contentType: string | undefined,
  data: Member | undefined,
  base64: Member | undefined,
): Result<Content> {
  const { text, bytes } = scanned;
  if (base64 !== undefined) {
    if (data !== undefined) {
      return refuse(scanned, base64, 'data-twice', 'data and data_base64 exclude each other');
    }
    if (base64.kind !== valueKind.string) {
      return refuse(scanned, base64, 'data-base64', 'data_base64 is not a string');
    }
    const decoded = fromBase64(stringAt(text, base64.start, base64.end, base64.escaped));
    if (decoded.ok) return ok({ kind: dataKind.binary, data: decoded.value });
    return refuse(scanned, base64, 'data-base64', decoded.error.message);
  }
  if (data === undefined) return ok(nothing);
  if (isJsonType(contentType)) {
    // As many units as bytes means ASCII, where both count alike.
    const ascii = text.length === bytes.length;
    const slice = ascii
      ? view(bytes, data.start, data.end)
      : utf8(text.slice(data.start, data.end));
    return ok({ kind: dataKind.json, data: slice });
  }
  if (data.kind !== valueKind.string) {
    const message = 'data of a content type that is not JSON is a string (or use data_base64)';
    return refuse(scanned, data, 'data-not-text', message);
  }
  const value = stringAt(text, data.start, data.end, data.escaped);
  if (value.isWellFormed()) return ok({ kind: dataKind.text, data: utf8(value) });
  return refuse(scanned, data, 'lone-surrogate', 'text data holds a surrogate without its pair');
}

interface ValueProblem {
  readonly code: Code;
  readonly message: string;
}

/** A string, an integer in its one canonical form, or a boolean. */
function attributeValue(text: string, member: Member): AttributeValue | ValueProblem {
  const { kind, start, end } = member;
  if (kind === valueKind.string) return stringAt(text, start, end, member.escaped);
  if (kind === valueKind.true) return true;
  if (kind === valueKind.false) return false;
  const name = shown(member.name);
  if (kind !== valueKind.number) {
    return { code: 'attribute-type', message: `${name} is not a string, boolean or integer` };
  }
  const digits = text.slice(start, end);
  if (/^(?:0|-?[1-9][0-9]*)$/.test(digits)) return Number(digits);
  const message = `${name} is not an integer in its shortest form (no fraction, no exponent)`;
  return { code: 'attribute-integer', message };
}

function twice(scanned: Scanned, member: Member): Fault {
  const place = { pointer: memberPointer(member.name), ...scanned.places.place(member.nameStart) };
  return fault('duplicate-member', `the member ${shown(member.name)} stands twice`, place);
}

function memberFault(scanned: Scanned, member: Member, problem: ValueProblem): Fault {
  return fault(problem.code, problem.message, memberPlace(scanned, member));
}

function refuse(scanned: Scanned, member: Member, code: Code, message: string): Result<never> {
  return err(memberFault(scanned, member, { code, message }));
}

function memberPlace(scanned: Scanned, member: Member): Place {
  return { pointer: memberPointer(member.name), ...scanned.places.place(member.start) };
}

/** The value of a member by its name; for one that is missing, the event. */
function locate(scanned: Scanned, name: string): Place {
  const member = scanned.members.find((candidate) => candidate.name === name);
  if (member !== undefined) return memberPlace(scanned, member);
  return { pointer: memberPointer(name), ...scanned.places.place(scanned.start) };
}
