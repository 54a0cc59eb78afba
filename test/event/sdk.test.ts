/** The npm `cloudevents` SDK as a stranger: we read what it sends, and it reads what we send. */
import * as assert from 'node:assert/strict';
import { CloudEvent, HTTP, type CloudEventV1, type Message } from 'cloudevents';
import { describe, it } from 'mocha';
import { parseHttp, type HttpMessage } from '../../src/event/parse-http.ts';
import { contentTypes, renderBatch, renderHttp, renderJson } from '../../src/event/render.ts';
import { utf8 } from '../../src/bytes.ts';
import type { ParsedEvent } from '../../src/types.ts';

const core = {
  id: 'ci38-1',
  source: '/seismic/ci',
  type: 'gov.usgs.earthquake.earthquake',
  subject: 'ci38',
  time: '2018-02-07T01:26:13.840Z',
  region: 'southern california',
  felt: 3,
  tsunami: false,
};

const events: readonly CloudEvent<unknown>[] = [
  new CloudEvent({ ...core, datacontenttype: 'application/json', data: { mag: 1.2, place: 'é' } }),
  new CloudEvent({ ...core, datacontenttype: 'application/json', data: [1, 'x', null] }),
  new CloudEvent({ ...core, datacontenttype: 'text/plain', data: 'hello' }),
  new CloudEvent({ ...core, datacontenttype: 'application/xml', data: '<a b="c"/>' }),
  new CloudEvent({ ...core }),
  new CloudEvent({
    ...core,
    datacontenttype: 'application/octet-stream',
    data: Uint8Array.of(0, 1, 255),
  }),
];

/** What the SDK made, as it would arrive. */
function arrived(message: Message): HttpMessage {
  const headers = Object.entries(message.headers).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  const { body } = message;
  if (body instanceof Uint8Array) return { headers, body };
  return { headers, body: utf8(typeof body === 'string' ? body : '') };
}

function sole(message: HttpMessage): ParsedEvent {
  const parsed = parseHttp(message);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  assert.equal(parsed.value.length, 1);
  const [event] = parsed.value;
  assert.ok(event?.ok, JSON.stringify(event));
  return event.value;
}

/** Attributes as text: in headers the SDK cannot tell 3 from "3". */
function attributesOf(event: CloudEvent<unknown>): Record<string, string> {
  const attributes = Object.entries(event.toJSON())
    .filter(([name, value]) => !/^data(?:_base64)?$/.test(name) && value !== undefined)
    .map(([name, value]) => [name, String(value)]);
  return Object.fromEntries(attributes) as Record<string, string>;
}

function texts(context: ParsedEvent['context']): Record<string, string> {
  return Object.fromEntries(Object.entries(context).map(([name, value]) => [name, String(value)]));
}

function bytesOf(data: unknown): Uint8Array {
  if (data === undefined) return new Uint8Array(0);
  // The SDK hands binary data out as an array of 32-bit numbers.
  if (data instanceof Uint8Array || data instanceof Uint32Array) return Uint8Array.from(data);
  return utf8(typeof data === 'string' ? data : JSON.stringify(data));
}

function read(message: Message): CloudEventV1<unknown> {
  const event = HTTP.toEvent(message);
  assert.ok(!Array.isArray(event));
  return event;
}

describe('the npm cloudevents SDK', () => {
  it('is understood in binary mode', () => {
    for (const event of events) {
      const parsed = sole(arrived(HTTP.binary(event)));
      assert.deepEqual(parsed.data, bytesOf(event.data));
      const expected = attributesOf(event);
      // The SDK states application/json where the event has no data at all.
      const stated = { datacontenttype: 'application/json; charset=utf-8', ...expected };
      assert.deepEqual(texts(parsed.context), event.data === undefined ? stated : expected);
    }
  });

  it('is refused in binary mode where it sends text outside ASCII without encoding it', () => {
    const parsed = parseHttp(arrived(HTTP.binary(new CloudEvent({ ...core, subject: 'Zürich' }))));
    assert.ok(parsed.ok);
    const [event] = parsed.value;
    assert.ok(event?.ok === false);
    assert.deepEqual(
      [event.error.code, event.error.place],
      ['header-value', { pointer: 'ce-subject' }],
    );
  });

  it('is understood in structured mode', () => {
    for (const event of [...events, new CloudEvent({ ...core, subject: 'Zürich' })]) {
      const parsed = sole(arrived(HTTP.structured(event)));
      assert.deepEqual(texts(parsed.context), attributesOf(event));
      assert.deepEqual(parsed.context['felt'], 3);
      assert.deepEqual(parsed.context['tsunami'], false);
      assert.deepEqual(parsed.data, bytesOf(event.data));
    }
  });

  it('is understood in batches', () => {
    const body = `[${events.map((event) => String(HTTP.structured(event).body)).join(',')}]`;
    const headers: [string, string][] = [['content-type', 'application/cloudevents-batch+json']];
    const parsed = parseHttp({ headers, body: utf8(body) });
    assert.ok(parsed.ok);
    assert.equal(parsed.value.length, events.length);
    assert.ok(parsed.value.every((event) => event.ok));
  });

  it('reads our structured mode', () => {
    for (const event of events) {
      const ours = sole(arrived(HTTP.structured(event)));
      const body = new TextDecoder().decode(renderJson(ours));
      const back = read({ headers: { 'content-type': contentTypes.structured }, body });
      assert.equal(back.id, core.id);
      assert.equal(back['felt'], 3);
      assert.equal(back.subject, core.subject);
      assert.deepEqual(bytesOf(back.data), bytesOf(event.data));
    }
  });

  it('reads our binary mode', () => {
    for (const event of events) {
      const ours = sole(arrived(HTTP.structured(event)));
      const http = renderHttp(ours);
      const headers = Object.fromEntries(
        http.headers.map(([name, value]) => [name.toLowerCase(), value]),
      );
      const isText = /json|text|xml/.test(headers['content-type'] ?? '');
      const body = isText ? new TextDecoder().decode(http.body) : Buffer.from(http.body);
      const back = read({ headers, body });
      assert.equal(back.id, core.id);
      // The SDK does not undo the percent-encoding that section 3.1.3.2 of the binding asks for.
      assert.equal(back.subject, core.subject);
      assert.equal(decodeURIComponent(String(back['region'])), core.region);
      assert.deepEqual(bytesOf(back.data), bytesOf(event.data));
    }
  });

  it('reads our batches', () => {
    const ours = events.map((event) => ({ event: sole(arrived(HTTP.structured(event))) }));
    const body = new TextDecoder().decode(renderBatch(ours));
    const back = HTTP.toEvent({ headers: { 'content-type': contentTypes.batch }, body });
    assert.ok(Array.isArray(back));
    assert.equal(back.length, events.length);
  });
});
