/**
 * The grammar of RFC 8259, read without building values. An event's `data` must be kept as the exact
 * slice that was sent and numbers as they were written, which JSON.parse throws away; it also lets
 * duplicate names pass and says little about where it failed. So the text is scanned once: values
 * are passed over, the members of the event object are noted by position.
 *
 *   value  = object / array / string / number / true / false / null
 *   space  = U+0020 / U+0009 / U+000A / U+000D          no byte order mark, nothing after the value
 *
 * Nesting costs no call stack, so depth is bounded by the size of the input alone.
 */

/** What a value is, by its first character. */
export const valueKind = {
  object: 1,
  array: 2,
  string: 3,
  number: 4,
  true: 5,
  false: 6,
  null: 7,
} as const;
export type ValueKind = (typeof valueKind)[keyof typeof valueKind];

/** One member of the event object; positions count UTF-16 units of the text. */
export interface Member {
  readonly name: string;
  readonly nameStart: number;
  readonly kind: ValueKind;
  readonly start: number;
  readonly end: number;
  /** The value is a string that holds a backslash. */
  readonly escaped: boolean;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** The first syntax error sticks: `failure` says what was expected and `at` where. */
export class JsonScanner {
  readonly text: string;
  at: number;
  failure: string | undefined;
  #escaped = false;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  space(): void {
    const text = this.text;
    let at = this.at;
    for (;;) {
      const unit = text.charCodeAt(at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) break;
      at += 1;
    }
    this.at = at;
  }

  /** True, and moves on, if the next unit is `unit`. */
  take(unit: number): boolean {
    if (this.text.charCodeAt(this.at) !== unit) return false;
    this.at += 1;
    return true;
  }

  /** Only white space may follow. */
  end(): void {
    if (this.failure !== undefined) return;
    this.space();
    if (this.at < this.text.length) this.#fail('text after the JSON value');
  }

  /** Passes over one value. `at` must stand on its first character. */
  value(): ValueKind {
    const kind = this.#start();
    if (kind === valueKind.object || kind === valueKind.array) this.#inside(kind);
    return kind;
  }

  /** The members of the object that starts at `at`, in order, repeats included. */
  members(): readonly Member[] {
    const members: Member[] = [];
    this.at += 1;
    this.space();
    if (this.take(closeBrace)) return members;
    for (;;) {
      const nameStart = this.at;
      this.#name();
      if (this.failure !== undefined) return members;
      const name = this.#nameAt(nameStart, members.length);
      const start = this.at;
      const kind = this.value();
      if (this.failure !== undefined) return members;
      const escaped = kind === valueKind.string && this.#escaped;
      members.push({ name, nameStart, kind, start, end: this.at, escaped });
      this.space();
      if (this.take(closeBrace)) return members;
      if (!this.take(comma)) {
        this.#fail("expected ',' or '}'");
        return members;
      }
      this.space();
    }
  }

  #nameEnd = 0;

  /** The name that was read; mostly the one that stood at this place in the object before. */
  #nameAt(start: number, place: number): string {
    const { text } = this;
    const usual = usualNames[place];
    const length = this.#nameEnd - start - 2;
    if (usual?.length === length && !this.#escaped && text.startsWith(usual, start + 1)) {
      return usual;
    }
    const name = stringAt(text, start, this.#nameEnd, this.#escaped);
    if (place < maxUsualNames && name.length <= maxUsualLength) usualNames[place] = name;
    return name;
  }

  /** A string, a colon and the space around it; leaves `at` on the value. */
  #name(): void {
    if (this.text.charCodeAt(this.at) !== quote) return this.#fail("expected '\"'");
    this.#string();
    this.#nameEnd = this.at;
    this.space();
    if (!this.take(colon)) return this.#fail("expected ':'");
    this.space();
  }

  /** Passes over a scalar, or the opening of an object or array. */
  #start(): ValueKind {
    switch (this.text.charCodeAt(this.at)) {
      case quote:
        this.#string();
        return valueKind.string;
      case openBrace:
        this.at += 1;
        return valueKind.object;
      case openBracket:
        this.at += 1;
        return valueKind.array;
      case 0x74:
        this.#literal('true');
        return valueKind.true;
      case 0x66:
        this.#literal('false');
        return valueKind.false;
      case 0x6e:
        this.#literal('null');
        return valueKind.null;
      default:
        this.#number();
        return valueKind.number;
    }
  }

  /** From behind the opening of a container to behind its end. `open` lists the closing units due. */
  #inside(kind: ValueKind): void {
    const open: number[] = [];
    let closing = kind === valueKind.object ? closeBrace : closeBracket;
    let fresh = true;
    while (this.failure === undefined) {
      this.space();
      if (this.take(closing)) {
        if (open.length === 0) return;
        closing = open.pop() ?? 0;
        fresh = false;
        continue;
      }
      if (!fresh) {
        if (!this.take(comma)) {
          return this.#fail(closing === closeBrace ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        this.space();
      }
      if (closing === closeBrace) this.#name();
      if (this.failure !== undefined) return;
      const inner = this.#start();
      fresh = inner === valueKind.object || inner === valueKind.array;
      if (fresh) {
        open.push(closing);
        closing = inner === valueKind.object ? closeBrace : closeBracket;
      }
    }
  }

  #string(): void {
    const text = this.text;
    let at = this.at + 1;
    this.#escaped = false;
    for (;;) {
      const unit = text.charCodeAt(at);
      if (unit === quote) {
        this.at = at + 1;
        return;
      }
      if (unit === backslash) {
        this.#escaped = true;
        const length = escapeLength(text, at);
        if (length === 0) return this.#fail('not an escape sequence', at);
        at += length;
      } else if (unit >= 0x20) {
        at += 1;
      } else {
        const cut = at >= text.length;
        return this.#fail(cut ? 'the string has no end' : 'a raw control character', at);
      }
    }
  }

  #literal(word: string): void {
    if (this.text.startsWith(word, this.at)) this.at += word.length;
    else this.#fail('expected a value');
  }

  /** -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
  #number(): void {
    const start = this.at;
    const minus = this.take(0x2d);
    if (!this.take(0x30) && !this.#digits()) {
      this.at = minus ? this.at : start;
      return this.#fail(minus ? 'expected a digit' : 'expected a value');
    }
    if (this.take(0x2e) && !this.#digits()) return this.#fail('expected a digit');
    if (this.take(0x65) || this.take(0x45)) {
      if (!this.take(0x2b)) this.take(0x2d);
      if (!this.#digits()) this.#fail('expected a digit');
    }
  }

  #digits(): boolean {
    const start = this.at;
    let unit = this.text.charCodeAt(this.at);
    while (unit >= 0x30 && unit <= 0x39) unit = this.text.charCodeAt(++this.at);
    return this.at > start;
  }

  #fail(message: string, at: number = this.at): void {
    this.failure ??= message;
    this.at = at;
  }
}

// Events of one source have the same members in the same order: their names need not be cut out of
// the text, and hashed, each time.
const usualNames: string[] = [];
const maxUsualNames = 32;
const maxUsualLength = 64;

/** The value of the string whose quotes stand at `start` and before `end`; the grammar was checked. */
export function stringAt(text: string, start: number, end: number, escaped: boolean): string {
  return escaped ? unescape(text.slice(start, end)) : text.slice(start + 1, end - 1);
}

function unescape(quoted: string): string {
  const value: unknown = JSON.parse(quoted);
  return typeof value === 'string' ? value : '';
}

const shortEscapes = '"\\/bfnrt';

/** Length of the escape that starts at `at`, 0 if it is none. */
function escapeLength(text: string, at: number): number {
  if (at + 1 >= text.length) return 0;
  const next = text.charAt(at + 1);
  if (shortEscapes.includes(next)) return 2;
  return next === 'u' && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6)) ? 6 : 0;
}
