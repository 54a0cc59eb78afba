/**
 * When two events are one (ledger.md "An event, in bytes", "Appending"; FACTS.md sections 3.8 and
 * 3.9). `source` and `id` name an event; two of one name are equal if their attributes in string
 * form (5 and "5" alike), kind and data agree, else they conflict.
 *
 *   dedupe key    SHA-256(nodeSecret ‖ source ‖ 00 ‖ id), its first 16 bytes
 *   content hash  SHA-256(nodeSecret ‖ 01 ‖ kind ‖ uint32 length ‖ string forms ‖ data)
 *
 * Both are keyed with the node's 32-byte secret, so that nothing can be guessed from them after a
 * redaction.
 */
import { concat, equal, writeUint32 } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import type { Hash, ParsedEvent } from '../types.ts';
import { canonicalBytes } from './canonical.ts';

/** RFC 8785 of the attributes with every value as its string form. */
export function stringForms(event: ParsedEvent): Uint8Array {
  const { context, attributes } = event;
  const names = Object.keys(context);
  if (names.every((name) => typeof context[name] === 'string')) return attributes;
  const forms = canonicalBytes(names, (name) => String(context[name]));
  if (forms instanceof Uint8Array) return forms;
  throw new TypeError(`attribute ${forms.name} was not checked`);
}

export type Sameness = 'equal' | 'conflict' | 'different';

/** `different` where source or id differ. */
export function compareEvents(a: ParsedEvent, b: ParsedEvent): Sameness {
  const same = (name: string): boolean => String(a.context[name]) === String(b.context[name]);
  if (!same('source') || !same('id')) return 'different';
  const equals =
    a.kind === b.kind && equal(a.data, b.data) && equal(stringForms(a), stringForms(b));
  return equals ? 'equal' : 'conflict';
}

/** 32 bytes that agree exactly where two events of one source and id are equal. */
export function contentHash(hasher: Hasher, nodeSecret: Uint8Array, event: ParsedEvent): Hash {
  const forms = stringForms(event);
  const head = new Uint8Array(6);
  head[0] = 1;
  head[1] = event.kind;
  writeUint32(head, 2, forms.length);
  return hasher.sha256(concat(nodeSecret, head, forms, event.data));
}

// Source and id are mostly short; longer ones get a buffer of their own.
const scratch = new Uint8Array(2048);
const encoder = new TextEncoder();

/** The 16 bytes under which a dedupe row is kept, in a fresh array. */
export function dedupeKey(
  hasher: Hasher,
  nodeSecret: Uint8Array,
  source: string,
  id: string,
): Uint8Array {
  const name = `${source}\0${id}`;
  const room = nodeSecret.length + 3 * name.length;
  const input = room <= scratch.length ? scratch : new Uint8Array(room);
  input.set(nodeSecret);
  const { written } = encoder.encodeInto(name, input.subarray(nodeSecret.length));
  return hasher.sha256(input.subarray(0, nodeSecret.length + written)).slice(0, 16);
}
