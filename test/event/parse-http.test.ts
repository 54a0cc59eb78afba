import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import { decodeHeaderValue, encodeHeaderValue } from '../../src/event/header-value.ts';
import { contentMode, parseHttp, type HttpMessage } from '../../src/event/parse-http.ts';
import type { Fault } from '../../src/errors.ts';
import { limits } from '../../src/limits.ts';
import { ok, type Result } from '../../src/result.ts';
import type { ParsedEvent } from '../../src/types.ts';

const core: readonly (readonly [string, string])[] = [
  ['ce-specversion', '1.0'],
  ['ce-id', '1'],
  ['ce-source', '/s'],
  ['ce-type', 't'],
];
const event = '{"specversion":"1.0","id":"1","source":"/s","type":"t"}';

function request(headers: readonly (readonly [string, string])[], body = ''): HttpMessage {
  return { headers: [...core, ...headers], body: utf8(body) };
}

function typed(contentType: string, body: string): HttpMessage {
  return { headers: [['content-type', contentType]], body: utf8(body) };
}

function lines(count: number): HttpMessage {
  return typed('application/x-ndjson', `${event}\n`.repeat(count));
}

function results(message: HttpMessage): readonly Result<ParsedEvent>[] {
  const parsed = parseHttp(message);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

function faultOf(message: HttpMessage): Fault {
  const [first] = results(message);
  assert.ok(first?.ok === false, 'accepted');
  return first.error;
}

function outerFault(message: HttpMessage): Fault {
  const parsed = parseHttp(message);
  assert.ok(!parsed.ok, 'accepted');
  return parsed.error;
}

describe('an event in HTTP headers', () => {
  it('names the header that is wrong', () => {
    const cases: readonly (readonly [string, string, string, string])[] = [
      ['CE-Subject', '%G0', 'header-value', 'CE-Subject'],
      ['ce-subject', '"a"b"', 'header-value', 'ce-subject'],
      ['ce-subject', '"a\\"', 'header-value', 'ce-subject'],
      ['ce-subject', 'Zürich', 'header-value', 'ce-subject'],
      ['ce-subject', '', 'attribute-empty', 'ce-subject'],
      ['ce-subject', '%00', 'attribute-control-character', 'ce-subject'],
      ['ce-subject', '%EF%BF%BF', 'attribute-noncharacter', 'ce-subject'],
      ['ce-time', '2018-02-30T00:00:00Z', 'attribute-time', 'ce-time'],
      ['ce-dataschema', 'x', 'attribute-uri', 'ce-dataschema'],
      ['ce-my-ext', 'x', 'attribute-name', 'ce-my-ext'],
      ['ce-', 'x', 'attribute-name', 'ce-'],
      ['ce-data_base64', 'AA==', 'attribute-name', 'ce-data_base64'],
      ['ce-hwref', 'hw:x/1', 'attribute-reserved', 'ce-hwref'],
      ['Content-Type', 'json', 'attribute-media-type', 'Content-Type'],
      ['Content-Type', '', 'attribute-empty', 'Content-Type'],
    ];
    for (const [name, value, code, pointer] of cases) {
      const error = faultOf(request([[name, value]]));
      assert.deepEqual([error.code, error.place], [code, { pointer }], `${name}: ${value}`);
    }
    const missing = faultOf({ headers: core.slice(1), body: utf8('') });
    assert.deepEqual(
      [missing.code, missing.place?.pointer],
      ['attribute-missing', 'ce-specversion'],
    );
  });

  it('is missed where there are no such headers, with a hint at both ways', () => {
    const { code, hint } = faultOf(typed('application/json', '{"a":1}'));
    assert.equal(code, 'attribute-missing');
    assert.match(hint, /application\/cloudevents\+json.*ce- headers/);
  });

  it('says where JSON data goes wrong', () => {
    const { code, place } = faultOf(request([['Content-Type', 'application/json']], '{"a":\n x}'));
    assert.deepEqual([code, place], ['json-syntax', { line: 2, column: 2, offset: 7 }]);
  });

  it('reads back any value that it writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        if (!value.isWellFormed()) return;
        const header = encodeHeaderValue(value);
        assert.match(header, /^[\x21\x23-\x7e]*$/);
        assert.deepEqual(decodeHeaderValue(header), ok(value));
        assert.deepEqual(decodeHeaderValue(` \t${header}\t `), ok(value));
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (header) => {
        assert.equal(typeof decodeHeaderValue(header).ok, 'boolean');
      }),
    );
  });

  it('is bounded in size', () => {
    const body = 'x'.repeat(limits.maxEventTextBytes + 1);
    assert.equal(faultOf(request([], body)).code, 'event-too-large');
    assert.equal(faultOf(request([], body.slice(0, 196_608))).code, 'body-too-large');
  });
});

describe('events in HTTP bodies', () => {
  it('are structured, a batch or lines by the content type', () => {
    assert.equal(results(typed('application/cloudevents+json', event)).length, 1);
    assert.equal(
      results(typed('application/cloudevents-batch+json', `[${event},${event}]`)).length,
      2,
    );
    const parsed = results(typed('application/x-ndjson', `${event}\n\n{}\n${event}`));
    assert.deepEqual(
      parsed.map((line) => line.ok),
      [true, false, true],
    );
    const wrong = parsed[1];
    assert.deepEqual(wrong?.ok === false && wrong.error.place, {
      pointer: '/specversion',
      line: 3,
      column: 1,
      offset: 57,
      index: 1,
    });
    assert.equal(contentMode('Application/X-NDJSON; charset=utf-8'), 'ndjson');
  });

  it('leave NDJSON that is the data of one event alone', () => {
    const [one] = results(request([['Content-Type', 'application/x-ndjson']], '1\n2\n'));
    assert.ok(one?.ok);
    assert.equal(one.value.context['datacontenttype'], 'application/x-ndjson');
    assert.equal(one.value.data.length, 4);
  });

  it('are refused in other event formats and charsets', () => {
    for (const type of [
      'application/cloudevents+avro',
      'application/cloudevents',
      'application/cloudevents-batch+xml',
    ])
      assert.equal(outerFault(typed(type, event)).code, 'media-type', type);
    const latin = outerFault(typed('application/cloudevents+json; charset=latin1', event));
    assert.deepEqual([latin.code, latin.place], ['media-type', { pointer: 'Content-Type' }]);
  });

  it('are refused with two content types in any mode', () => {
    const headers: [string, string][] = [
      ['Content-Type', 'application/cloudevents+json'],
      ['content-type', 'application/cloudevents+json'],
    ];
    assert.equal(outerFault({ headers, body: utf8(event) }).code, 'duplicate-header');
  });

  it('may repeat their attributes as headers', () => {
    const headers: [string, string][] = [
      ...core,
      ['Content-Type', 'application/cloudevents+json'],
    ].map(([name = '', value = '']) => [name, value]);
    assert.equal(results({ headers, body: utf8(event) })[0]?.ok, true);
  });

  it('are at most as many as a batch', () => {
    const bounds = { ...limits, maxJsonBatchEvents: 2, maxJsonBatchBytes: 400 };
    assert.equal(parseHttp(lines(2), bounds).ok, true);
    for (const count of [3, 8]) {
      const parsed = parseHttp(lines(count), bounds);
      assert.equal(parsed.ok || parsed.error.code, 'batch-too-large');
    }
  });
});
