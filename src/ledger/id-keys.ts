/**
 * Keyed hashes of what producers chose: nothing readable is left in an index after a redaction
 * (ledger.md "Appending"; FACTS.md section 3.9). `secret` is the home's nodeSecret, 32 bytes.
 *
 *   id key        SHA-256(secret ‖ source ‖ 00 ‖ id), 16 bytes
 *   content hash  SHA-256(secret ‖ 01 ‖ kind ‖ uint32 length ‖ string form ‖ data)
 *   subject key   SHA-256(secret ‖ 02 ‖ subject), 8 bytes
 *
 * The string form is RFC 8785 of the attributes with every value as text (5 → "5").
 */
import { utf8, writeUint32 } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import type { Attributes, Hash, ParsedEvent } from '../types.ts';

const secretBytes = 32;
const idKeyBytes = 16;
export const subjectKeyBytes = 8;

export class IdKeys {
  readonly #hasher: Hasher;
  /** The secret, then room for what is hashed behind it. */
  #input: Uint8Array;
  readonly #out = new Uint8Array(32);
  readonly #encoder = new TextEncoder();

  constructor(h: Hasher, secret: Uint8Array) {
    if (secret.length !== secretBytes) throw new RangeError('the node secret is not 32 bytes');
    this.#hasher = h;
    this.#input = new Uint8Array(4096);
    this.#input.set(secret);
  }

  /** 16 bytes, fresh. */
  idKey(source: string, id: string): Uint8Array {
    let end = this.#text(source, secretBytes);
    this.#input[end] = 0;
    end = this.#text(id, end + 1);
    return this.#digest(end, idKeyBytes);
  }

  /** 8 bytes, fresh. */
  subjectKey(subject: string): Uint8Array {
    this.#input[secretBytes] = 2;
    return this.#digest(this.#text(subject, secretBytes + 1), subjectKeyBytes);
  }

  /** 32 bytes, fresh; rows keep the first `contentCheckBytes`. */
  contentHash(event: ParsedEvent): Hash {
    const form = stringForm(event);
    const end = secretBytes + 6 + form.length + event.data.length;
    this.#grow(end);
    this.#input[secretBytes] = 1;
    this.#input[secretBytes + 1] = event.kind;
    writeUint32(this.#input, secretBytes + 2, form.length);
    this.#input.set(form, secretBytes + 6);
    this.#input.set(event.data, secretBytes + 6 + form.length);
    return this.#hasher.sha256(this.#input.subarray(0, end));
  }

  #text(text: string, at: number): number {
    this.#grow(at + 3 * text.length + 1);
    return at + this.#encoder.encodeInto(text, this.#input.subarray(at)).written;
  }

  #digest(end: number, length: number): Uint8Array {
    this.#hasher.sha256Into(this.#input.subarray(0, end), this.#out, 0);
    return this.#out.slice(0, length);
  }

  #grow(length: number): void {
    if (length <= this.#input.length) return;
    const larger = new Uint8Array(2 * length);
    larger.set(this.#input);
    this.#input = larger;
  }
}

/** The attributes themselves unless one of them is no text. */
export function stringForm(event: ParsedEvent): Uint8Array {
  const { context } = event;
  for (const name in context) {
    if (typeof context[name] !== 'string') return utf8(JSON.stringify(asTexts(context)));
  }
  return event.attributes;
}

/** Names are lower-case letters and digits, so this order is that of RFC 8785. */
function asTexts(context: Attributes): Record<string, string> {
  const names = Object.keys(context).sort();
  return Object.fromEntries(names.map((name) => [name, String(context[name])]));
}
