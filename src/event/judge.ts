/**
 * The check that a replica makes of an event in a block (ledger.md "Leaves": a producer cannot sign
 * nonsense into the network). A pure function of the bytes, so that all peers agree; extensions are
 * not judged, because another version may know more of them.
 */
import { fromUtf8 } from '../bytes.ts';
import { fault, type Fault, type Place } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, never, ok, type Result } from '../result.ts';
import { dataKind, type Attributes, type EventBytes } from '../types.ts';
import { bodyLength, checkJson } from './data.ts';
import { readAttributes } from './parse-json.ts';
import { isJsonType } from './text-rules.ts';

/**
 * The context attributes of a sound event: `attributes` are RFC 8785 canonical and keep every rule
 * of CloudEvents 1.0.2, the data fits its kind and the kind its content type, the body is at most
 * 192 KiB. Anything else is `event-invalid`; its message names the rule, its place the attribute.
 */
export function judgeEvent(event: EventBytes): Result<Attributes> {
  const read = readAttributes(event.attributes);
  if (!read.ok) return err(invalid(read.error.message, read.error.place));
  const context = read.value;
  const contentType = Object.hasOwn(context, 'datacontenttype') ? context['datacontenttype'] : '';
  const problem = dataProblem(event, contentType === '' ? undefined : String(contentType));
  if (problem !== undefined) return err(invalid(problem, { pointer: '/data' }));
  if (bodyLength(event) > protocol.maxBodyBytes) {
    return err(invalid(`the body is larger than ${protocol.maxBodyBytes} bytes`));
  }
  return ok(context);
}

function invalid(message: string, place?: Place): Fault {
  return fault('event-invalid', message, place);
}

function dataProblem(event: EventBytes, contentType: string | undefined): string | undefined {
  switch (event.kind) {
    case dataKind.none:
      return event.data.length === 0 ? undefined : 'kind none with data';
    case dataKind.json:
      if (!isJsonType(contentType)) return 'kind JSON under a content type that is not JSON';
      return checkJson(event.data)?.message;
    case dataKind.text:
      if (isJsonType(contentType)) return 'kind text without a content type other than JSON';
      return fromUtf8(event.data).ok ? undefined : 'text data that is not UTF-8';
    case dataKind.binary:
      return undefined;
    default:
      return never(event.kind);
  }
}
