import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { JsonScanner, stringAt, valueKind } from '../../src/event/json-scan.ts';

function scan(text: string): JsonScanner {
  const scanner = new JsonScanner(text);
  scanner.space();
  scanner.value();
  scanner.end();
  return scanner;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON with white space and escapes, and the same with one character changed. */
const jsonText = fc
  .tuple(fc.json({ maxDepth: 4 }), fc.constantFrom(undefined, 1, '\t', '\r\n '))
  .map(([text, indent]) => JSON.stringify(JSON.parse(text), undefined, indent));
const pieces = ['"', '\\', '\\u00e9', '\\ud800', '{', '}', '[', ']', ',', ':', ' ', '\n', '0', '-'];
const piece = fc.constantFrom(
  ...pieces,
  '1e5',
  '.',
  'true',
  'nul',
  '\u0000',
  '\u00a0',
  '\ufeff',
  '😀',
);
const damaged = fc.tuple(jsonText, fc.nat(), fc.nat(2), piece).map(([text, at, cut, put]) => {
  const place = at % (text.length + 1);
  return text.slice(0, place) + put + text.slice(place + cut);
});

describe('the JSON scanner', () => {
  it('accepts exactly what JSON.parse accepts', () => {
    const soup = fc.array(piece, { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(jsonText, damaged, soup), (text) => {
        assert.equal(scan(text).failure === undefined, isJson(text), text);
      }),
      { numRuns: 3000 },
    );
  });

  it('finds the members of an object, repeats included, and where they stand', () => {
    const members = fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.jsonValue()), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(members, fc.constantFrom('', ' ', '\r\n\t'), (list, space) => {
        const parts = list.map(
          ([name, value]) => `${JSON.stringify(name)}${space}:${space}${JSON.stringify(value)}`,
        );
        const text = `{${space}${parts.join(`${space},${space}`)}${space}}`;
        const scanner = new JsonScanner(text);
        const found = scanner
          .members()
          .map((member) => [
            member.name,
            JSON.parse(text.slice(member.start, member.end)) as unknown,
          ]);
        assert.equal(scanner.failure, undefined);
        assert.equal(scanner.at, text.length);
        assert.deepEqual(
          found,
          list.map(([name, value]) => [name, JSON.parse(JSON.stringify(value))]),
        );
      }),
    );
  });

  it('says what each value is', () => {
    const kinds = ['{}', '[]', '""', '0', 'true', 'false', 'null'].map((text) =>
      new JsonScanner(text).value(),
    );
    const { object, array, string, number } = valueKind;
    assert.deepEqual(kinds, [
      object,
      array,
      string,
      number,
      valueKind.true,
      valueKind.false,
      valueKind.null,
    ]);
  });

  it('stops at the first thing that is wrong', () => {
    const cases: readonly (readonly [string, number, string])[] = [
      ['', 0, 'expected a value'],
      ['{"a":1,}', 7, "expected '\"'"],
      ['{"a" 1}', 5, "expected ':'"],
      ['{"a":1 "b"', 7, "expected ',' or '}'"],
      ['[1 2]', 3, "expected ',' or ']'"],
      ['[1,]', 3, 'expected a value'],
      ['01', 1, 'text after the JSON value'],
      ['-', 1, 'expected a digit'],
      ['1.e5', 2, 'expected a digit'],
      ['1e+', 3, 'expected a digit'],
      ['"a\nb"', 2, 'a raw control character'],
      ['"a', 2, 'the string has no end'],
      ['"\\x"', 1, 'not an escape sequence'],
      ['"\\u12g4"', 1, 'not an escape sequence'],
      ['"\\', 1, 'not an escape sequence'],
      ['tru', 0, 'expected a value'],
    ];
    for (const [text, at, failure] of cases) {
      const scanner = scan(text);
      assert.deepEqual([scanner.at, scanner.failure], [at, failure], text);
    }
  });

  it('takes any depth without the call stack', () => {
    const depth = 500_000;
    assert.equal(scan('['.repeat(depth) + ']'.repeat(depth)).failure, undefined);
    assert.equal(scan('{"a":'.repeat(depth) + '1' + '}'.repeat(depth)).failure, undefined);
    assert.equal(scan('['.repeat(depth)).failure, 'expected a value');
  });

  it('reads strings with and without escapes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const text = JSON.stringify(value);
        assert.equal(stringAt(text, 0, text.length, text.includes('\\')), value);
      }),
    );
  });
});
