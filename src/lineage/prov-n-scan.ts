/**
 * Words of PROV-N. A name ends at white space or at one of `,;()[]='"` that no backslash escapes;
 * comments are `//` to the end of the line and between slash-star and star-slash, and begin only
 * where a word could (`ex:a//b` is a name). Faults are thrown here and become results in the reader.
 */
import { HeadwaterError, type Place } from '../errors.ts';
import { provFault } from './prov.ts';

const wordEnd = /[\s,;()[\]='"]/;
const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
};

export class ProvScanner {
  readonly #text: string;
  #at = 0;
  /** The reader's option, carried along. */
  readonly anyMarkers: boolean;

  constructor(text: string, anyMarkers: boolean) {
    this.#text = text;
    this.anyMarkers = anyMarkers;
  }

  place(): Place {
    const before = this.#text.slice(0, this.#at).split('\n');
    return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
  }

  fail(message: string): never {
    throw new HeadwaterError(provFault('prov-syntax', message, this.place()).error);
  }

  shape(message: string): never {
    throw new HeadwaterError(provFault('prov-shape', message, this.place()).error);
  }

  /** Takes the character if it comes next. */
  take(char: string): boolean {
    return this.takeText(char);
  }

  takeText(text: string): boolean {
    this.#skip();
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  expect(char: string): void {
    if (!this.take(char)) this.fail(`expected ${char}`);
  }

  expectWord(word: string): void {
    if (this.word() !== word) this.fail(`expected ${word}`);
  }

  expectEnd(): void {
    this.#skip();
    if (this.#at < this.#text.length) this.fail('text behind endDocument');
  }

  /** A name, a time, a number or a marker, with its escapes as they are. */
  word(): string {
    this.#skip();
    const from = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] ?? '';
      if (char === '\\') this.#at += 1;
      else if (wordEnd.test(char)) break;
    }
    if (this.#at === from) this.fail('expected a name');
    return this.#text.slice(from, this.#at);
  }

  /** `<…>` without the brackets. */
  iri(): string {
    this.expect('<');
    const end = this.#text.indexOf('>', this.#at);
    const iri = this.#text.slice(this.#at, Math.max(end, this.#at));
    if (end < 0 || /[\s<"]/.test(iri)) this.fail('an IRI stands between < and >');
    this.#at = end + 1;
    return iri;
  }

  /** `'…'`, with its escapes; undefined where none comes. */
  quotedName(): string | undefined {
    if (!this.take("'")) return undefined;
    const name = this.word();
    if (this.#text[this.#at] !== "'") this.fail("expected '");
    this.#at += 1;
    return name;
  }

  /** `"…"` or `"""…"""`, unescaped; undefined where none comes. */
  string(): string | undefined {
    this.#skip();
    const mark = this.#text.startsWith('"""', this.#at) ? '"""' : '"';
    if (!this.#text.startsWith(mark, this.#at)) return undefined;
    this.#at += mark.length;
    let value = '';
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || (mark === '"' && char === '\n')) this.fail('a string has no end');
      if (this.#text.startsWith(mark, this.#at)) break;
      this.#at += 1;
      if (char !== '\\') value += char;
      else {
        const escaped = this.#text[this.#at] ?? '';
        value += escapes[escaped] ?? escaped;
        this.#at += 1;
      }
    }
    this.#at += mark.length;
    return value;
  }

  /** `@en` directly behind a string. */
  language(): string | undefined {
    const match = /^@([A-Za-z]+(?:-[A-Za-z0-9]+)*)/.exec(this.#text.slice(this.#at, this.#at + 64));
    if (match?.[1] === undefined) return undefined;
    this.#at += match[0].length;
    return match[1];
  }

  /** A qualified name, or an IRI with its brackets. */
  typeName(): string {
    this.#skip();
    return this.#text[this.#at] === '<' ? `<${this.iri()}>` : unescaped(this.word());
  }

  /** White space and comments. */
  #skip(): void {
    for (;;) {
      while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
      if (this.#text.startsWith('//', this.#at)) {
        const end = this.#text.indexOf('\n', this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else if (this.#text.startsWith('/*', this.#at)) {
        const end = this.#text.indexOf('*/', this.#at + 2);
        if (end < 0) this.fail('a comment has no end');
        this.#at = end + 2;
      } else return;
    }
  }
}

/** A name without the backslashes of its escapes. */
export function unescaped(name: string): string {
  return name.replaceAll(/\\(.)/gs, '$1');
}
