/**
 * Events as others read them: JSON (structured and batch mode), one JSON line, HTTP binary mode. The
 * kept bytes are spliced in and never serialised again.
 *
 *   structured  <attributes without }> [,"hwref":"…"] [,"data":<slice or string> | ,"data_base64":"…"] }
 *   batch       [<structured>,…]
 */
import { concat, fromUtf8, toBase64, utf8 } from '../bytes.ts';
import { never } from '../result.ts';
import { dataKind, type AttributeValue, type EventBytes } from '../types.ts';
import { encodeHeaderValue } from './header-value.ts';

/** What delivery adds to an event (ledger.md "Replay"). */
export interface Delivered {
  /** `hw:<logId>/<index>` of the entry. */
  readonly hwref?: string;
}

export const contentTypes = {
  structured: 'application/cloudevents+json',
  batch: 'application/cloudevents-batch+json',
  ndjson: 'application/x-ndjson',
} as const;

const referenceMember = utf8(',"hwref":"');
const dataMember = utf8(',"data":');
const base64Member = utf8(',"data_base64":"');

/**
 * The event as one JSON object. JSON data stands there byte for byte, with line breaks if the
 * producer had them. Reads back as the same attributes, kind and data (without white space around
 * JSON data). The event must be sound (`judgeEvent`).
 */
export function renderJson(event: EventBytes, extra?: Delivered): Uint8Array {
  return render(event, extra, false);
}

/** As `renderJson` on one line, without LF at the end: for NDJSON, SSE and terminals. */
export function renderLine(event: EventBytes, extra?: Delivered): Uint8Array {
  return render(event, extra, true);
}

/** A JSON batch of events, each with its own `extra`. */
export function renderBatch(
  events: readonly { readonly event: EventBytes; readonly extra?: Delivered }[],
): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { event, extra } of events) {
    parts.push(parts.length === 0 ? utf8('[') : utf8(','), renderJson(event, extra));
  }
  parts.push(parts.length === 0 ? utf8('[]') : utf8(']'));
  return concat(...parts);
}

/** A request or response in binary mode; header values are ASCII. */
export interface HttpEvent {
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

/**
 * Binary content mode: the body is the data as kept. JSON data without a content type is sent as
 * `application/json`, as the JSON format demands of whoever re-encodes it.
 */
export function renderHttp(event: EventBytes, extra?: Delivered): HttpEvent {
  const headers: [string, string][] = [];
  for (const [name, value] of Object.entries(contextOf(event))) {
    if (name === 'datacontenttype') headers.push(['Content-Type', String(value)]);
    else headers.push([`ce-${name}`, encodeHeaderValue(String(value))]);
  }
  if (extra?.hwref !== undefined) headers.push(['ce-hwref', encodeHeaderValue(extra.hwref)]);
  const typed = headers.some(([name]) => name === 'Content-Type');
  if (event.kind === dataKind.json && !typed) headers.push(['Content-Type', 'application/json']);
  return { headers, body: event.data };
}

/** The attributes of an event that was judged before: by us, when it was stored. */
export function contextOf(event: EventBytes): Record<string, AttributeValue> {
  const context: Record<string, AttributeValue> = {};
  const parsed: unknown = JSON.parse(textOf(event.attributes));
  if (typeof parsed !== 'object' || parsed === null) throw new TypeError('attributes not judged');
  for (const [name, value] of Object.entries(parsed)) {
    const kind = typeof value;
    if (kind === 'string' || kind === 'number' || kind === 'boolean') context[name] = value;
  }
  return context;
}

function render(event: EventBytes, extra: Delivered | undefined, oneLine: boolean): Uint8Array {
  const reference = extra?.hwref ?? '';
  const { name, value } = dataPart(event, oneLine);
  const isBase64 = event.kind === dataKind.binary;
  const open = event.attributes.length - 1;
  const nameAt = open + (reference === '' ? 0 : referenceMember.length + reference.length + 1);
  const valueAt = nameAt + name.length;
  const out = new Uint8Array(valueAt + value.length + (isBase64 ? 2 : 1));
  out.set(event.attributes);
  if (reference !== '') putReference(out, open, reference);
  out.set(name, nameAt);
  out.set(value, valueAt);
  if (isBase64) out[out.length - 2] = 0x22;
  out[out.length - 1] = 0x7d;
  return out;
}

/** A reference is ASCII without quotes (`formatReference`): no escapes, a byte a character. */
function putReference(out: Uint8Array, at: number, reference: string): void {
  out.set(referenceMember, at);
  const start = at + referenceMember.length;
  for (let i = 0; i < reference.length; i++) out[start + i] = reference.charCodeAt(i);
  out[start + reference.length] = 0x22;
}

interface DataPart {
  /** From the comma to the start of the value. */
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

const none = new Uint8Array(0);

function dataPart(event: EventBytes, oneLine: boolean): DataPart {
  const { kind, data } = event;
  switch (kind) {
    case dataKind.none:
      return { name: none, value: none };
    case dataKind.json:
      return { name: dataMember, value: oneLine ? withoutBreaks(data) : data };
    case dataKind.text:
      return { name: dataMember, value: utf8(JSON.stringify(textOf(data))) };
    case dataKind.binary:
      return { name: base64Member, value: utf8(toBase64(data)) };
    default:
      return never(kind);
  }
}

/** In JSON a raw line break stands only between tokens, where a space is as good. */
function withoutBreaks(json: Uint8Array): Uint8Array {
  if (!json.includes(0x0a) && !json.includes(0x0d)) return json;
  return json.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x20 : byte));
}

/** UTF-8 that was checked when the event came in. */
function textOf(bytes: Uint8Array): string {
  const text = fromUtf8(bytes);
  if (text.ok) return text.value;
  throw new TypeError('the event was not judged: not UTF-8');
}
