import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import { compareEvents } from '../../src/event/identity.ts';
import { makeEvent } from '../../src/event/make.ts';
import { parseHttp } from '../../src/event/parse-http.ts';
import { parseJsonBatch, parseJsonEvent } from '../../src/event/parse-json.ts';
import { renderBatch, renderHttp, renderJson, renderLine } from '../../src/event/render.ts';
import { ok } from '../../src/result.ts';
import { dataKind, type DataKind, type ParsedEvent } from '../../src/types.ts';

const attributes = '{"id":"ü","source":"/s","specversion":"1.0","type":"t"}';
const hwref = 'hw:bafkreicgqbkdpq2fdohplpdiwojfet2ueruauwufbuf4lfozqml5d2hyxa/12';

function event(kind: DataKind, data: string, contentType?: string): ParsedEvent {
  const context = { specversion: '1.0', id: 'ü', source: '/s', type: 't' };
  const typed = contentType === undefined ? context : { ...context, datacontenttype: contentType };
  const made = makeEvent(typed, kind, utf8(data));
  assert.ok(made.ok);
  return made.value;
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Sound events of every kind. */
const anyEvent: fc.Arbitrary<ParsedEvent> = fc
  .tuple(
    fc.dictionary(
      fc.stringMatching(/^x[a-z0-9]{0,10}$/),
      fc.oneof(
        fc.boolean(),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.string({ unit: 'grapheme' }),
      ),
    ),
    fc.oneof(
      fc.record({
        kind: fc.constant(dataKind.json),
        data: fc.json({ maxDepth: 3 }),
        type: fc.constantFrom(undefined, 'application/json'),
      }),
      fc.record({
        kind: fc.constant(dataKind.text),
        data: fc.string({ unit: 'grapheme' }),
        type: fc.constantFrom('text/plain', 'a/b'),
      }),
      fc.record({
        kind: fc.constant(dataKind.none),
        data: fc.constant(''),
        type: fc.constantFrom(undefined, 'a/b'),
      }),
      fc.record({
        kind: fc.constant(dataKind.binary),
        data: fc.string({ unit: 'binary' }).map((s) => s.toWellFormed()),
        type: fc.constantFrom(undefined, 'a/b'),
      }),
    ),
  )
  .map(([extensions, { kind, data, type }]) => {
    const core = { specversion: '1.0', id: '1', source: '/s', type: 't' };
    const typed = type === undefined ? {} : { datacontenttype: type };
    const made = makeEvent({ ...extensions, ...core, ...typed }, kind, utf8(data));
    assert.ok(made.ok, JSON.stringify(made));
    return made.value;
  });

describe('an event rendered as JSON', () => {
  it('has the attributes and data byte for byte', () => {
    const open = attributes.slice(0, -1);
    const cases: readonly (readonly [ParsedEvent, string])[] = [
      [event(0, ''), attributes],
      [event(1, '{"b" : 1.0}'), `${open},"data":{"b" : 1.0}}`],
      [event(3, 'abc'), `${open},"data_base64":"YWJj"}`],
      [event(3, ''), `${open},"data_base64":""}`],
      [
        event(2, 'a"\n', 'text/plain'),
        `{"datacontenttype":"text/plain",${open.slice(1)},"data":"a\\"\\n"}`,
      ],
    ];
    for (const [sent, text] of cases) {
      assert.equal(decode(renderJson(sent)), text);
      assert.equal(decode(renderLine(sent)), text);
      const delivered = JSON.parse(decode(renderJson(sent, { hwref }))) as unknown;
      assert.deepEqual(delivered, { ...(JSON.parse(text) as object), hwref });
    }
    assert.equal(
      decode(renderJson(event(1, '1'), { hwref })),
      `${open},"hwref":"${hwref}","data":1}`,
    );
  });

  it('takes one line where a line is asked for', () => {
    const sent = event(1, '\r\n[1,\n"a\\nb" ]\n');
    assert.equal(decode(renderLine(sent)), `${attributes.slice(0, -1)},"data":  [1, "a\\nb" ] }`);
    assert.ok(decode(renderJson(sent)).includes('\n'));
    assert.equal(decode(sent.data), '\r\n[1,\n"a\\nb" ]\n');
  });

  it('reads back as the same event, alone and in a batch', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 4 }), (events) => {
        for (const sent of events) {
          assert.deepEqual(parseJsonEvent(renderJson(sent)), ok(sent));
          assert.deepEqual(parseJsonEvent(renderLine(sent)), ok(sent));
        }
        const batch = renderBatch(events.map((sent) => ({ event: sent })));
        assert.deepEqual(parseJsonBatch(batch), ok(events.map((sent) => ok(sent))));
      }),
    );
  });

  it('in a batch has the reference of each', () => {
    const batch = renderBatch([{ event: event(0, ''), extra: { hwref } }, { event: event(0, '') }]);
    const [first, second] = JSON.parse(decode(batch)) as [object, object];
    assert.deepEqual(first, { ...second, hwref });
  });
});

describe('an event rendered for HTTP binary mode', () => {
  it('has ASCII headers and the data as kept', () => {
    const { headers, body } = renderHttp(event(2, 'x', 'text/plain; charset=utf-8'), { hwref });
    assert.deepEqual(headers, [
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['ce-id', '%C3%BC'],
      ['ce-source', '/s'],
      ['ce-specversion', '1.0'],
      ['ce-type', 't'],
      ['ce-hwref', hwref],
    ]);
    assert.equal(decode(body), 'x');
  });

  it('reads back as an equal event where that mode can say it', () => {
    fc.assert(
      fc.property(anyEvent, (sent) => {
        const http = renderHttp(sent);
        for (const [, value] of http.headers) assert.match(value, /^[\x20-\x7e]*$/);
        const parsed = parseHttp(http);
        assert.ok(parsed.ok);
        const [back] = parsed.value;
        assert.ok(back?.ok, JSON.stringify(back));
        assert.deepEqual(back.value.data, sent.data);
        const { json, text } = dataKind;
        const untyped = sent.context['datacontenttype'] === undefined;
        const retyped =
          (sent.kind === json && untyped) ||
          sent.data.length === 0 ||
          (sent.kind === text && sent.context['datacontenttype'] === 'a/b');
        if (!retyped) assert.equal(compareEvents(back.value, sent), 'equal');
      }),
    );
  });
});
