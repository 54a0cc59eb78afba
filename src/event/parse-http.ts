/**
 * Events in HTTP requests (CloudEvents 1.0.2 HTTP binding; FACTS.md section 3.5): binary, structured
 * and batch mode, and NDJSON, told apart by Content-Type.
 */
import { fromUtf8 } from '../bytes.ts';
import { at, fault, type Fault } from '../errors.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { dataKind, type DataKind, type ParsedEvent } from '../types.ts';
import { AttributeSet, checkAttributes } from './attributes.ts';
import { checkJson, view, withinSize } from './data.ts';
import { decodeHeaderValue, trimBlanks } from './header-value.ts';
import { NdjsonParser } from './ndjson.ts';
import { parseJsonBatch, parseJsonEvent, type ParseLimits } from './parse-json.ts';
import { shown } from './text-place.ts';
import { isJsonType, isUtf8Charset, isUtf8TextType } from './text-rules.ts';

/** Headers in the order received, repeats included (Node: `rawHeaders` in pairs); the whole body. */
export interface HttpMessage {
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

export type ContentMode = 'binary' | 'structured' | 'batch' | 'ndjson';

/** Mode of a request, by the prefix of its Content-Type without regard to case. */
export function contentMode(contentType: string | undefined): ContentMode {
  const type = contentType?.toLowerCase() ?? '';
  if (type.startsWith('application/cloudevents-batch')) return 'batch';
  if (type.startsWith('application/cloudevents')) return 'structured';
  return /^application\/x-ndjson *(?:;|$)/.test(type) ? 'ndjson' : 'binary';
}

/**
 * The events of a request. The outer error concerns the request as a whole (`duplicate-header` for
 * Content-Type, `media-type`, those of `parseJsonBatch`); inner ones carry the event's
 * `place.index`. In binary mode `place.pointer` is the name of the header. NDJSON here is a whole
 * body; a stream goes through `parseNdjson`. Further codes: `header-name`, `header-value`.
 */
export function parseHttp(
  message: HttpMessage,
  bounds: ParseLimits = limits,
): Result<readonly Result<ParsedEvent>[]> {
  const contentType = oneContentType(message);
  if (!contentType.ok) return contentType;
  const mode = contentMode(contentType.value);
  if (mode === 'binary' || (mode === 'ndjson' && hasEventHeaders(message))) {
    return ok([parseBinary(message, contentType.value, bounds)]);
  }
  const unfit = unfitFormat(contentType.value ?? '');
  if (unfit !== undefined) return err(unfit);
  if (mode === 'batch') return parseJsonBatch(message.body, bounds);
  if (mode === 'structured') return ok([parseJsonEvent(message.body, bounds)]);
  return parseLines(message.body, bounds);
}

/** Only the JSON format is spoken, and JSON is UTF-8. */
function unfitFormat(contentType: string): Fault | undefined {
  const known = /^application\/(?:cloudevents(?:-batch)?\+json|x-ndjson) *(?:;|$)/i;
  const place = { pointer: 'Content-Type' };
  if (!known.test(contentType)) {
    return fault('media-type', `no event format for ${JSON.stringify(shown(contentType))}`, place);
  }
  if (isUtf8Charset(contentType)) return undefined;
  return fault('media-type', 'events in JSON are UTF-8, no other charset', place);
}

function parseLines(body: Uint8Array, bounds: ParseLimits): Result<readonly Result<ParsedEvent>[]> {
  const { maxJsonBatchBytes, maxJsonBatchEvents } = bounds;
  if (body.length > maxJsonBatchBytes) {
    return err(fault('batch-too-large', `a batch is at most ${maxJsonBatchBytes} bytes`));
  }
  const parser = new NdjsonParser(bounds);
  const lines = [...parser.push(body), ...parser.end()];
  if (lines.length > maxJsonBatchEvents) {
    return err(fault('batch-too-large', `a batch is at most ${maxJsonBatchEvents} events`));
  }
  return ok(
    lines.map(({ result }, index) => (result.ok ? result : err(at(result.error, { index })))),
  );
}

function hasEventHeaders(message: HttpMessage): boolean {
  return message.headers.some(([name]) => name.toLowerCase() === 'ce-specversion');
}

/** The value of Content-Type without blanks at its ends. */
function oneContentType(message: HttpMessage): Result<string | undefined> {
  let found: string | undefined;
  for (const [name, value] of message.headers) {
    if (name.length !== 12 || name.toLowerCase() !== 'content-type') continue;
    if (found !== undefined) {
      const place = { pointer: 'Content-Type' };
      return err(fault('duplicate-header', 'the header Content-Type stands twice', place));
    }
    found = trimBlanks(value);
  }
  return ok(found);
}

function parseBinary(
  message: HttpMessage,
  contentType: string | undefined,
  bounds: ParseLimits,
): Result<ParsedEvent> {
  const set = new AttributeSet();
  if (contentType !== undefined) set.add('datacontenttype', contentType);
  for (const [header, value] of message.headers) {
    const lower = header.toLowerCase();
    if (!lower.startsWith('ce-')) continue;
    const place = { pointer: shown(header) };
    const name = lower.slice(3);
    if (name === 'datacontenttype') {
      return err(fault('header-name', 'datacontenttype travels as Content-Type', place));
    }
    const decoded = decodeHeaderValue(value);
    if (!decoded.ok) return err(at(decoded.error, place));
    if (!set.add(name, decoded.value)) {
      return err(fault('duplicate-header', `the header ${place.pointer} stands twice`, place));
    }
  }
  if (!set.names.some((name) => name !== 'datacontenttype')) {
    const place = { pointer: 'ce-specversion' };
    return err(
      fault('attribute-missing', 'the request is no event: no ce- headers', place, noEventHint),
    );
  }
  const attributes = checkAttributes(set, headerPlace);
  if (!attributes.ok) return attributes;
  if (message.body.length > bounds.maxEventTextBytes) {
    return err(fault('event-too-large', `more than ${bounds.maxEventTextBytes} bytes`));
  }
  const kind = bodyKind(message.body, contentType);
  if (!kind.ok) return kind;
  const data = view(message.body, 0, message.body.length);
  return withinSize({ attributes: attributes.value, context: set.context, kind: kind.value, data });
}

const noEventHint =
  'Send the event as application/cloudevents+json, or its attributes as ce- headers.';

function headerPlace(name: string): { readonly pointer: string } {
  return { pointer: name === 'datacontenttype' ? 'Content-Type' : `ce-${shown(name)}` };
}

/** What the bytes of a body are under a content type (FACTS.md section 3.5). */
function bodyKind(body: Uint8Array, contentType: string | undefined): Result<DataKind> {
  if (body.length === 0) return ok(dataKind.none);
  if (contentType === undefined) return ok(dataKind.binary);
  if (isJsonType(contentType)) {
    const problem = checkJson(body);
    return problem === undefined ? ok(dataKind.json) : err(problem);
  }
  const isText = isUtf8TextType(contentType) && fromUtf8(body).ok;
  return ok(isText ? dataKind.text : dataKind.binary);
}
