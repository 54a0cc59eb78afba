/**
 * Public body (ledger.md "An event, in bytes"; FACTS.md section 3.3): dag-cbor
 * `[kind uint, attributes bytes, data bytes]`, at most 196,608 bytes.
 *
 *   83 | kind 1 | 58..5a length attributes | 40..5a length data
 */
import { CborReader, CborWriter } from '../cbor.ts';
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { DataKind, EventBytes } from '../types.ts';

/** Length of a canonical head with this argument. */
export function headBytes(argument: number): number {
  if (argument < 24) return 1;
  if (argument < 0x100) return 2;
  if (argument < 0x10000) return 3;
  return argument < 0x100000000 ? 5 : 9;
}

/** Length of the public body of an event; also what is billed. */
export function bodyLength(event: EventBytes): number {
  const [a, d] = [event.attributes.length, event.data.length];
  return 2 + headBytes(a) + a + headBytes(d) + d;
}

/** Any length; whether it fits a block is for the caller. */
export function encodeBody(event: EventBytes): Uint8Array {
  const writer = new CborWriter(bodyLength(event));
  writeBody(writer, event);
  return writer.take();
}

export function writeBody(writer: CborWriter, event: EventBytes): void {
  writer.list(3).uint(event.kind).bytes(event.attributes).bytes(event.data);
}

/**
 * Strictly one body; attributes and data are views. Codes: body-too-large, body-encoding,
 * body-shape, body-kind.
 */
export function decodeBody(bytes: Uint8Array): Result<EventBytes> {
  return decodeBodyAt(bytes, 0, bytes.length);
}

/** As `decodeBody`, of `bytes[start, end)` without cutting it out. */
export function decodeBodyAt(bytes: Uint8Array, start: number, end: number): Result<EventBytes> {
  if (end - start > protocol.maxBodyBytes) {
    return err(fault('body-too-large', 'a body is at most 192 KiB'));
  }
  const reader = new CborReader(bytes, start, end);
  if (reader.list() !== 3) return refused(reader, 'a public body is a list of three');
  const [major, kind] = reader.head();
  const known = major === 0 && isKind(kind);
  if (!known && reader.failed === undefined) {
    return err(fault('body-kind', 'the kind is not 0..3'));
  }
  const attributes = reader.bytes();
  const data = reader.bytes();
  reader.end();
  if (reader.failed !== undefined || !isKind(kind)) {
    return refused(reader, 'attributes and data are byte strings');
  }
  if (kind === 0 && data.length > 0) return err(fault('body-kind', 'kind none with data'));
  return ok({ attributes, kind, data });
}

/** 0 none, 1 JSON, 2 text, 3 binary. */
export function isKind(kind: number): kind is DataKind {
  return kind >= 0 && kind <= 3;
}

function refused(
  reader: CborReader,
  shape: string,
): ReturnType<typeof err<ReturnType<typeof fault>>> {
  const inner = reader.failed;
  if (inner === undefined || inner.code === 'cbor-shape') return err(fault('body-shape', shape));
  return err(fault('body-encoding', inner.message));
}
