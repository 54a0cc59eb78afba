/**
 * What holds for an event's data wherever it comes from: its size, that JSON is JSON, and that the
 * kind fits the content type (ledger.md "An event, in bytes"; FACTS.md sections 3.3 to 3.5).
 */
import { fromUtf8 } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { EventBytes } from '../types.ts';
import { JsonScanner } from './json-scan.ts';
import { PlaceFinder, utf8FaultAt } from './text-place.ts';

/** A plain view of the same memory: what comes from Node may be a Buffer, whose methods differ. */
export function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

/** Strict UTF-8, or `json-utf8` with the byte offset. A byte order mark is kept. */
export function jsonText(bytes: Uint8Array): Result<string> {
  const text = fromUtf8(bytes);
  if (text.ok) return text;
  const offset = utf8FaultAt(bytes);
  return err(fault('json-utf8', 'the JSON text is not valid UTF-8', { offset }));
}

/** The fault of a scanner that has stopped, `json-syntax` with line, column and byte offset. */
export function syntaxFault(scanner: JsonScanner): Fault {
  const place = new PlaceFinder(scanner.text).place(scanner.at);
  const isMark = scanner.text.startsWith('\ufeff') && scanner.at === 0;
  const message = isMark ? 'a byte order mark' : (scanner.failure ?? 'not JSON');
  return fault('json-syntax', message, place);
}

/** Whether `bytes` are one JSON value with white space around: `json-utf8`, `json-syntax`. */
export function checkJson(bytes: Uint8Array): Fault | undefined {
  const text = jsonText(bytes);
  if (!text.ok) return text.error;
  const scanner = new JsonScanner(text.value);
  scanner.space();
  scanner.value();
  scanner.end();
  return scanner.failure === undefined ? undefined : syntaxFault(scanner);
}

/** Length in bytes of the public body, dag-cbor [kind, attributes, data]: what is billed. */
export function bodyLength(event: EventBytes): number {
  const { attributes, data } = event;
  return (
    2 + headLength(attributes.length) + attributes.length + headLength(data.length) + data.length
  );
}

function headLength(length: number): number {
  if (length < 24) return 1;
  if (length < 0x100) return 2;
  return length < 0x10000 ? 3 : 5;
}

/** The event itself, or `body-too-large` where its body is above 192 KiB. */
export function withinSize<T extends EventBytes>(event: T): Result<T> {
  const length = bodyLength(event);
  if (length <= protocol.maxBodyBytes) return ok(event);
  const message = `the event takes ${length} bytes, more than ${protocol.maxBodyBytes}`;
  return err(fault('body-too-large', message));
}
