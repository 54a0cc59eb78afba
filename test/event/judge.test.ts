import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, utf8 } from '../../src/bytes.ts';
import { bodyLength } from '../../src/event/data.ts';
import { judgeEvent } from '../../src/event/judge.ts';
import { makeEvent } from '../../src/event/make.ts';
import { parseJsonEvent } from '../../src/event/parse-json.ts';
import { checkSupported } from '../../src/event/supported.ts';
import type { Fault } from '../../src/errors.ts';
import { protocol } from '../../src/limits.ts';
import { ok } from '../../src/result.ts';
import { dataKind, type DataKind, type EventBytes } from '../../src/types.ts';

const plain = '{"id":"1","source":"/s","specversion":"1.0","type":"t"}';

function signed(attributes: string, kind: DataKind = 0, data = ''): EventBytes {
  return { attributes: utf8(attributes), kind, data: utf8(data) };
}

function typed(contentType: string): string {
  return plain.replace('{', `{"datacontenttype":"${contentType}",`);
}

function refusal(event: EventBytes): Fault {
  const judged = judgeEvent(event);
  assert.ok(!judged.ok, 'accepted');
  assert.equal(judged.error.code, 'event-invalid');
  return judged.error;
}

describe('what a replica accepts as an event', () => {
  it('is the context of canonical attributes', () => {
    const context = { id: '1', source: '/s', specversion: '1.0', type: 't' };
    assert.deepEqual(judgeEvent(signed(plain)), ok(context));
    const more = plain.replace('"source"', '"n":-5,"ok":true,"source"');
    assert.deepEqual(judgeEvent(signed(more)), ok({ ...context, n: -5, ok: true }));
  });

  it('has attributes in their one canonical form', () => {
    const forms = [
      `${plain} `,
      ` ${plain}`,
      plain.replace(':', ': '),
      '{"source":"/s","id":"1","specversion":"1.0","type":"t"}',
      plain.replace('"t"', '"\\u0074"'),
      plain.replace('"t"', '"\\/t"'),
      plain.replace('"t"', '"\\u00fc"'),
      plain.replace('"source"', '"n":5.0,"source"'),
      plain.replace('"source"', '"n":-0,"source"'),
      plain.replace('"source"', '"n":null,"source"'),
      plain.replace('{', '{"data":1,'),
      plain.replace('{', '{"data_base64":"AA==",'),
      plain.replace('{', '{"data_base64":null,'),
      plain.replace('"id":"1"', '"id":"1","id":"1"'),
      `[${plain}]`,
      '',
      'null',
      '{}',
      `\ufeff${plain}`,
      plain.slice(0, -1),
      `${plain}{}`,
    ];
    for (const form of forms) refusal(signed(form));
    assert.ok(judgeEvent(signed(plain.replace('"t"', '"ü\\"\\\\"'))).ok);
  });

  it('keeps the rules of CloudEvents, with the attribute named', () => {
    const broken: readonly (readonly [string, string, string])[] = [
      ['"id":"1",', '', '/id'],
      ['"1.0"', '"1.1"', '/specversion'],
      ['"/s"', '"/ s"', '/source'],
      ['"t"', '5', '/type'],
      ['"t"', '"\u007f"', '/type'],
      ['"t"', '"\ufdd0"', '/type'],
      ['"t"', '"\\ud800"', '/type'],
      ['{', '{"hwref":"hw:x/1",', '/hwref'],
      ['"source"', '"partitionkey":"","source"', '/partitionkey'],
      ['"source"', '"n":2147483648,"source"', '/n'],
    ];
    for (const [from, to, pointer] of broken)
      assert.equal(refusal(signed(plain.replace(from, to))).place?.pointer, pointer, to);
    refusal({ ...signed(plain), attributes: concat(utf8(plain), Uint8Array.of(0xff)) });
  });

  it('may carry extensions that only a newer peer understands', () => {
    const newer = plain
      .replace('"id"', '"hwparents":"x","id"')
      .replace('"source"', '"sequence":5,"source"');
    assert.ok(judgeEvent(signed(newer)).ok);
  });

  it('has data that fits its kind and a kind that fits its content type', () => {
    const { none, json, text, binary } = dataKind;
    const sound = [
      signed(plain, json, ' [1]\n'),
      signed(typed('a/b+json'), json, '{"a":1,"a":2}'),
      signed(typed('text/plain'), text, 'Zürich\u0000'),
      signed(typed('text/plain'), text, ''),
      signed(typed('application/json'), binary, 'not json'),
      signed(plain, binary, ''),
    ];
    for (const event of sound) assert.ok(judgeEvent(event).ok);
    const unsound = [
      signed(plain, none, 'x'),
      signed(plain, json, ''),
      signed(plain, json, '{a:1}'),
      signed(plain, json, '1 2'),
      signed(plain, json, '\ufeff1'),
      signed(typed('text/plain'), json, '1'),
      signed(plain, text, 'x'),
      signed(typed('application/json'), text, 'x'),
      { ...signed(typed('text/plain'), text), data: Uint8Array.of(0xff) },
      { ...signed(plain, json), data: Uint8Array.of(0x22, 0xff, 0x22) },
    ];
    for (const event of unsound) assert.equal(refusal(event).place?.pointer, '/data');
  });

  it('is at most 192 KiB as a body', () => {
    const room = protocol.maxBodyBytes - bodyLength(signed(plain, dataKind.binary)) - 4;
    const fits = signed(plain, dataKind.binary, 'x'.repeat(room));
    assert.equal(bodyLength(fits), protocol.maxBodyBytes);
    assert.ok(judgeEvent(fits).ok);
    refusal(signed(plain, dataKind.binary, 'x'.repeat(room + 1)));
  });

  it('is never a matter of exceptions, and never of one flipped bit in the names', () => {
    const whole = utf8(plain);
    for (let i = 0; i < whole.length; i++)
      refusal({ ...signed(plain), attributes: whole.subarray(0, i) });
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.constantFrom(0, 1, 2, 3),
        fc.uint8Array(),
        (attributes, kind, data) => {
          refusal({ attributes, kind, data });
        },
      ),
    );
  });
});

describe('events that a node makes itself', () => {
  const attributes = { specversion: '1.0', id: '1', source: '/s', type: 't' };

  it('are the ones that the same JSON would give', () => {
    const made = makeEvent(attributes, dataKind.json, utf8('{"a":1}'));
    assert.deepEqual(made, parseJsonEvent(utf8(`${plain.slice(0, -1)},"data":{"a":1}}`)));
    assert.deepEqual(makeEvent(attributes, dataKind.none), parseJsonEvent(utf8(plain)));
  });

  it('are checked like any other', () => {
    const unsound = [
      [makeEvent({ ...attributes, id: '' }, 0), 'attribute-empty'],
      [makeEvent({ ...attributes, n: 1.5 }, 0), 'attribute-integer'],
      [makeEvent(attributes, 1, utf8('{')), 'json-syntax'],
      [makeEvent(attributes, 3, new Uint8Array(200_000)), 'body-too-large'],
    ] as const;
    for (const [result, code] of unsound) assert.equal(result.ok || result.error.code, code);
  });
});

describe('attributes of ours that nothing acts on yet', () => {
  it('are refused at ingest by name', () => {
    for (const name of ['hwdatadigest', 'hwreplyto', 'hwhops', 'hwnew']) {
      const event = parseJsonEvent(utf8(plain.replace('{', `{"${name}":"x",`)));
      assert.ok(event.ok);
      const checked = checkSupported(event.value);
      assert.ok(!checked.ok);
      assert.deepEqual(
        [checked.error.code, checked.error.place],
        ['not-supported', { pointer: `/${name}` }],
      );
    }
    const other = parseJsonEvent(utf8(plain.replace('{', '{"ahw":"x",')));
    assert.ok(other.ok && checkSupported(other.value).ok);
  });
});
