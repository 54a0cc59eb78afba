import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex, utf8 } from '../../src/bytes.ts';
import { bodyLength } from '../../src/event/data.ts';
import { parseJsonBatch, parseJsonEvent } from '../../src/event/parse-json.ts';
import { judgeEvent } from '../../src/event/judge.ts';
import { PlaceFinder } from '../../src/event/text-place.ts';
import type { Fault } from '../../src/errors.ts';
import { limits, protocol } from '../../src/limits.ts';
import { ok, type Result } from '../../src/result.ts';
import { dataKind, type ParsedEvent } from '../../src/types.ts';

const core = '"specversion":"1.0","id":"1","source":"/s","type":"t"';

function parse(text: string): Result<ParsedEvent> {
  return parseJsonEvent(utf8(text));
}

function faultOf(result: Result<unknown>): Fault {
  assert.ok(!result.ok, 'accepted');
  return result.error;
}

function valueOf<T>(result: Result<T>): T {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

/** The byte at which `part` begins. */
function byteOf(text: string, part: string): number {
  return Buffer.from(text).indexOf(part);
}

function batch(count: number): Uint8Array {
  return utf8(`[${Array(count).fill(`{${core}}`).join(',')}]`);
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('an event in JSON', () => {
  it('names the member, line, column and byte of what is wrong', () => {
    const text = `{ ${core},\n  "subject": "Zürich 😀",\r\n  "Ort": "Zürich", "time" : "now" }`;
    const named = faultOf(parse(text));
    assert.equal(named.code, 'attribute-name');
    assert.deepEqual(named.place, {
      pointer: '/Ort',
      line: 3,
      column: 10,
      offset: byteOf(text, '"Zürich"'),
    });
    const time = faultOf(parse(text.replace('Ort', 'ort')));
    assert.equal(time.code, 'attribute-time');
    assert.equal(time.message, 'time is not an RFC 3339 time with its zone');
    assert.deepEqual(time.place, {
      pointer: '/time',
      line: 3,
      column: 29,
      offset: byteOf(text, '"now"'),
    });
    const syntax = faultOf(parse(`{"subject":"ü😀",}`));
    assert.deepEqual(syntax.place, { line: 1, column: 17, offset: 20 });
  });

  it('points to repeats, missing members and escaped names', () => {
    const twice = faultOf(parse(`{${core},"a":1,"a":2}`));
    assert.deepEqual(
      [twice.code, twice.place],
      ['duplicate-member', { pointer: '/a', line: 1, column: 62, offset: 61 }],
    );
    const missing = faultOf(parse(' {"specversion":"1.0","id":"1","source":"/s"}'));
    assert.deepEqual([missing.code, missing.place?.pointer], ['attribute-missing', '/type']);
    assert.equal(faultOf(parse(`{${core},"a/~b":1}`)).place?.pointer, '/a~1~0b');
  });

  it('tells the byte at which UTF-8 ends', () => {
    for (const bad of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf0, 0x9f]]) {
      const before = utf8(`{${core},"subject":"ü`);
      const bytes = Uint8Array.from([...before, ...bad, ...utf8('"}')]);
      const { code, place } = faultOf(parseJsonEvent(bytes));
      assert.equal(code, 'json-utf8');
      const offset = place?.offset ?? -1;
      assert.ok(offset >= before.length && offset <= before.length + bad.length, `${offset}`);
    }
  });

  it('has no attribute by inheritance', () => {
    const { context } = valueOf(parse(`{${core},"constructor":"c","tostring":true}`));
    assert.deepEqual(
      { ...context },
      {
        specversion: '1.0',
        id: '1',
        source: '/s',
        type: 't',
        constructor: 'c',
        tostring: true,
      },
    );
    assert.equal(faultOf(parse(`{${core},"__proto__":"x"}`)).code, 'attribute-name');
    assert.equal(
      faultOf(parse(`{${core},"__proto__":null,"__proto__":null}`)).code,
      'duplicate-member',
    );
    assert.equal(
      faultOf(parse(`{${core},"constructor":1,"constructor":1}`)).code,
      'duplicate-member',
    );
  });

  it('refuses repeats also of nulls and of data in both forms', () => {
    const repeats = [
      '"x":null,"x":null',
      '"x":null,"x":1',
      '"x":1,"x":null',
      '"data":null,"data":1',
    ];
    for (const member of [
      '"data_base64":null,"data_base64":"AA=="',
      '"data_base64":"AA==","data_base64":null',
    ])
      repeats.push(member);
    for (const members of repeats)
      assert.equal(faultOf(parse(`{${core},${members}}`)).code, 'duplicate-member', members);
    assert.equal(valueOf(parse(`{${core},"data_base64":null,"data":null}`)).kind, dataKind.json);
  });

  it('checks the extensions that Headwater names', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['"recordedtime":"yesterday"', 'attribute-time'],
      ['"expirytime":5', 'attribute-type'],
      ['"sequence":""', 'attribute-empty'],
      ['"correlationid":true', 'attribute-type'],
      ['"dataref":"a b"', 'attribute-uri'],
      ['"traceparent":""', 'attribute-empty'],
    ];
    for (const [member, code] of cases)
      assert.equal(faultOf(parse(`{${core},${member}}`)).code, code, member);
    valueOf(
      parse(`{${core},"sequence":"00042","recordedtime":"2026-01-31T12:00:00Z","dataref":"/x"}`),
    );
  });

  it('takes a body of 192 KiB and not one byte more', () => {
    const room = protocol.maxBodyBytes - bodyLength(valueOf(parse(`{${core},"data":""}`)));
    // The head of a longer byte string takes four bytes more.
    const fits = valueOf(parse(`{${core},"data":"${'x'.repeat(room - 4)}"}`));
    assert.equal(bodyLength(fits), protocol.maxBodyBytes);
    const { code } = faultOf(parse(`{${core},"data":"${'x'.repeat(room - 3)}"}`));
    assert.equal(code, 'body-too-large');
    const padded = `{${core}${' '.repeat(limits.maxEventTextBytes)}}`;
    assert.equal(faultOf(parse(padded)).code, 'event-too-large');
    valueOf(parse(padded.replace('  ', '').replace(' '.repeat(core.length), '')));
  });

  it('takes a text body of 192 KiB in which every byte is escaped', () => {
    const head = `{${core},"datacontenttype":"text/plain","data":"`;
    const { data } = valueOf(parse(`${head}${'\\u0000'.repeat(196_000)}"}`));
    assert.equal(data.length, 196_000);
  });

  it('gives plain arrays also where the input is a Buffer', () => {
    const pool = Buffer.from(`xx{${core},"data":[1, 2]}`);
    const event = valueOf(parseJsonEvent(pool.subarray(2)));
    assert.equal(Object.getPrototypeOf(event.data), Uint8Array.prototype);
    assert.equal(decode(event.data), '[1, 2]');
  });

  it('keeps the exact slice of any JSON data and sorts the attributes', () => {
    const name = fc
      .stringMatching(/^[a-z0-9]{1,12}$/)
      .filter((n) => !/^(?:hw|data$|time$)/.test(n));
    const value = fc.oneof(
      fc.boolean(),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.string({ unit: 'grapheme' }),
    );
    const data = fc.json({ maxDepth: 3 });
    fc.assert(
      fc.property(
        fc.dictionary(name, value),
        data,
        fc.constantFrom('', ' ', '\r\n\t'),
        (extensions, json, space) => {
          const own = { specversion: '1.0', id: 'ü', source: '/s', type: 't' };
          const attributes: Record<string, unknown> = { ...extensions, ...own };
          const members = Object.entries(attributes).map(
            ([key, v]) => `"${key}":${JSON.stringify(v)}`,
          );
          members.splice(members.length >>> 1, 0, `"data"${space}:${space}${json}`);
          const event = valueOf(parse(`{${members.join(`${space},`)}${space}}`));
          assert.equal(decode(event.data), json);
          const sorted = Object.keys(attributes).sort();
          const canonical = sorted.map((key) => `"${key}":${JSON.stringify(attributes[key])}`);
          assert.equal(decode(event.attributes), `{${canonical.join(',')}}`);
          assert.deepEqual({ ...event.context }, attributes);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('sorts many attributes and writes long ones', () => {
    const many = Array.from({ length: 60 }, (_, i) => [`a${(i * 37) % 60}`, 'x"\\'.repeat(12 * i)]);
    const attributes = {
      ...Object.fromEntries(many),
      specversion: '1.0',
      id: '1',
      source: '/s',
      type: 'ü',
    };
    const event = valueOf(parse(JSON.stringify(attributes)));
    const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
    assert.equal(decode(event.attributes), JSON.stringify(Object.fromEntries(sorted)));
    assert.deepEqual(judgeEvent(event), ok(event.context));
  });

  it('is refused, not thrown over, when cut or damaged anywhere', () => {
    const whole = utf8(`{${core},"subject":"Zürich","n":-5,"data":{"a":[1.5e3,"\\u00e9"]}}`);
    for (let i = 0; i < whole.length; i++) {
      const { code, place } = faultOf(parseJsonEvent(whole.subarray(0, i)));
      assert.match(code, /^json-(?:syntax|utf8)$/);
      assert.ok((place?.offset ?? -1) <= i);
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const damaged = whole.slice();
        damaged[at] = byte;
        const parsed = parseJsonEvent(damaged);
        if (parsed.ok) assert.equal(bodyLength(parsed.value) > 0, true);
        else assert.ok(parsed.error.hint !== '');
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        assert.ok(!parseJsonEvent(bytes).ok);
        assert.equal(typeof parseJsonBatch(bytes).ok, 'boolean');
      }),
    );
  });
});

describe('places in a text', () => {
  it('are found in any order', () => {
    const places = new PlaceFinder('a\nü😀\nx');
    const last = { line: 3, column: 1, offset: 9 };
    assert.deepEqual(places.place(6), last);
    assert.deepEqual(places.place(3), { line: 2, column: 2, offset: 4 });
    assert.deepEqual(places.place(6), last);
    assert.deepEqual(places.place(99), { line: 3, column: 2, offset: 10 });
  });
});

describe('a JSON batch', () => {
  it('judges each event and says which one is wrong and where', () => {
    const text = `[ {${core}},\n {"id":"2"}, 5,\n {${core},"a":1.5} ]`;
    const results = valueOf(parseJsonBatch(utf8(text)));
    const places = results.map((result) =>
      result.ok ? 'ok' : [result.error.code, result.error.place],
    );
    assert.deepEqual(places, [
      'ok',
      ['attribute-missing', { pointer: '/specversion', line: 2, column: 2, offset: 60, index: 1 }],
      ['event-shape', { line: 2, column: 14, offset: 72, index: 2 }],
      ['attribute-integer', { pointer: '/a', line: 3, column: 61, offset: 135, index: 3 }],
    ]);
  });

  it('is refused whole where it is not an array or not JSON', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['{}', 'batch-shape'],
      ['"x"', 'batch-shape'],
      ['', 'json-syntax'],
      ['[', 'json-syntax'],
      ['[]]', 'json-syntax'],
      ['{', 'json-syntax'],
      [`[{${core}},]`, 'json-syntax'],
      [`[{${core}} {${core}}]`, 'json-syntax'],
      [`[{${core},"id":}]`, 'json-syntax'],
    ];
    for (const [text, code] of cases) {
      const error = faultOf(parseJsonBatch(utf8(text)));
      assert.equal(error.code, code, text);
      assert.notEqual(error.place?.offset, undefined, text);
    }
  });

  it('holds as many events and bytes as the limits say and not one more', () => {
    const bounds = { ...limits, maxJsonBatchEvents: 3, maxJsonBatchBytes: 200 };
    assert.equal(valueOf(parseJsonBatch(batch(3), bounds)).length, 3);
    assert.equal(
      faultOf(parseJsonBatch(batch(4), { ...bounds, maxJsonBatchBytes: 300 })).code,
      'batch-too-large',
    );
    const padded = utf8(`[${' '.repeat(198)}]`);
    assert.deepEqual(valueOf(parseJsonBatch(padded, bounds)), []);
    assert.equal(
      faultOf(parseJsonBatch(utf8(`[${' '.repeat(199)}]`), bounds)).code,
      'batch-too-large',
    );
  });

  it('finds the places of many bad events in one pass', () => {
    const filler = `"${'ü'.repeat(3500)}"`;
    const text = `[${Array(1000).fill(`{"id":${filler}}`).join(',')}]`;
    const before = process.hrtime.bigint();
    const results = valueOf(parseJsonBatch(utf8(text)));
    assert.ok(process.hrtime.bigint() - before < 3_000_000_000n);
    assert.equal(results.length, 1000);
    const last = results[999];
    assert.equal(
      last?.ok === false && last.error.place?.offset,
      utf8(text.slice(0, text.lastIndexOf('{'))).length,
    );
  });

  it('keeps each event as it is kept alone', () => {
    const events = [`{${core},"data":{"b": 1}}`, `{${core},"subject":"ü","data":[ ]}`, `{${core}}`];
    const together = valueOf(parseJsonBatch(utf8(`[${events.join(' , ')}]`))).map(valueOf);
    const alone = events.map((event) => valueOf(parse(event)));
    assert.deepEqual(
      together.map(({ data }) => toHex(data)),
      alone.map(({ data }) => toHex(data)),
    );
    assert.deepEqual(together, alone);
  });
});
