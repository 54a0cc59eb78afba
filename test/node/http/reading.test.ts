import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'mocha';
import { fault } from '../../../src/errors.ts';
import { until } from '../../support/until.ts';
import { delivery, history, log, serveDouble } from './double.ts';
import { dig, lines, problem, textOf } from './client.ts';

const path = '/streams/acme/orders/events';
const sse = { accept: 'text/event-stream' };

/** Ids and data of the messages of an SSE stream; comments are left out. */
function messages(text: string): { id?: string; event?: string; data: unknown }[] {
  return text
    .split('\n\n')
    .filter((part) => part !== '' && !part.startsWith(':'))
    .map((part) => {
      const fields = Object.fromEntries(
        part
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      const { id, event, data = 'null' } = fields;
      const parsed: unknown = JSON.parse(data);
      return { ...(id && { id }), ...(event && { event }), data: parsed };
    });
}

/** Reads until `wanted` stands in the text. */
async function readUntil(response: IncomingMessage, wanted: string): Promise<string> {
  let text = '';
  for await (const part of response.iterator({ destroyOnReturn: false })) {
    text += String(part);
    if (text.includes(wanted)) return text;
  }
  return assert.fail(`it ended without ${wanted}: ${text}`);
}

describe('reading over HTTP', function () {
  this.timeout(20_000);

  it('gives NDJSON with the reference of each event, or enveloped', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    api.readWith = () => history(25);
    const plain = await client.get(path);
    assert.match(plain.headers['content-type'] ?? '', /^application\/x-ndjson/);
    const events = lines(plain.text);
    assert.equal(events.length, 25);
    assert.deepEqual(events[24], {
      specversion: '1.0',
      id: '24',
      source: '/test',
      type: 't',
      hwref: `hw:${log}/24`,
      data: 'xx',
    });
    const enveloped = lines((await client.get(`${path}?envelope=true`)).text);
    assert.deepEqual(enveloped[1], {
      log,
      index: 1,
      recordedTime: '2025-11-21T00:00:00.001Z',
      event: { specversion: '1.0', id: '1', source: '/test', type: 't', data: 'xx' },
    });
  });

  it('gives a batch of at most so many events or bytes', async () => {
    await using served = await serveDouble({ maxJsonBatchEvents: 50, maxJsonBatchBytes: 3000 });
    const { client, api } = served;
    const type = 'application/cloudevents-batch+json';
    api.readWith = ({ limit = 0 }) => history(limit);
    const small = await client.get(`${path}?limit=3`, type);
    assert.match(small.headers['content-type'] ?? '', /^application\/cloudevents-batch\+json/);
    assert.equal((small.body as unknown[]).length, 3);
    assert.equal(small.at(2, 'hwref'), `hw:${log}/2`);
    assert.equal(((await client.get(`${path}?limit=0`, type)).body as unknown[]).length, 0);
    // 67 bytes an event: four blocks of ten fit, the fifth does not.
    const cut = await client.get(path, type);
    assert.equal(api.requests.at(-1)?.limit, 50);
    assert.equal((cut.body as unknown[]).length, 40);
    problem(await client.get(`${path}?limit=51`, type), 400, 'usage');
    problem(await client.get(`${path}?follow=true`, type), 400, 'usage');
    problem(await client.get(`${path}?envelope=true`, type), 400, 'usage');
    problem(await client.get(`${path}?envelope=true`, 'text/event-stream'), 400, 'usage');
    api.readWith = () => history(5, { fault: fault('store-corrupt', 'damaged', { index: 5 }) });
    assert.deepEqual(problem(await client.get(path, type), 500, 'store-corrupt'), { index: 5 });
  });

  it('hands the request on as it was made', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    const query =
      'from=start&to=9&cursor=c&limit=2&subject=a%20b&last=true&speed=2.5&eventFrom=2026-01-01T00:00:00Z';
    await client.get(`${path}?${query}`);
    await client.call('GET', `${path}?from=now&follow=true`, { 'last-event-id': 'token' });
    assert.deepEqual(api.requests, [
      {
        from: 'start',
        to: '9',
        cursor: 'c',
        limit: 2,
        subject: 'a b',
        speed: 2.5,
        eventFrom: '2026-01-01T00:00:00Z',
        last: true,
        follow: false,
        autoAcknowledge: true,
      },
      { from: 'now', resume: 'token', follow: true, last: false, autoAcknowledge: true },
    ]);
  });

  it('gives Server-Sent Events whose ids are position tokens', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    api.readWith = () => history(12);
    const answer = await client.get(path, 'text/event-stream');
    assert.match(answer.headers['content-type'] ?? '', /^text\/event-stream/);
    assert.equal(answer.headers['cache-control'], 'no-store');
    const found = messages(answer.text);
    assert.deepEqual(
      found.map(({ id }) => id),
      Array.from({ length: 12 }, (_, i) => `p${i + 1}`),
    );
    assert.equal(dig(found[3], 'data', 'hwref'), `hw:${log}/3`);
  });

  it('ends with an error that says why, in the form of the stream', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    api.readWith = () => history(10, { fault: fault('store-corrupt', 'damaged', { index: 10 }) });
    const line = lines((await client.get(path)).text).at(-1);
    assert.equal(dig(line, 'error', 'code'), 'store-corrupt');
    const last = messages((await client.get(path, 'text/event-stream')).text).at(-1);
    assert.equal(last?.event, 'error');
    assert.equal(dig(last.data, 'code'), 'store-corrupt');
    assert.equal(dig(last.data, 'place', 'index'), 10);
    api.readWith = () => {
      throw new TypeError('a defect');
    };
    problem(await client.get(path), 500, 'internal');
  });

  it('answers a follower at once and sends it comments while nothing happens', async () => {
    await using served = await serveDouble({ keepAliveMs: 10 });
    const { client, api } = served;
    const waiting = Promise.withResolvers<void>();
    api.readWith = async function* (_request, signal) {
      signal.addEventListener('abort', () => waiting.resolve());
      await waiting.promise;
      yield* history(0);
    };
    const response = await client.open(`${path}?follow=true`, sse);
    assert.equal(response.statusCode, 200);
    await readUntil(response, ': alive\n\n: alive\n\n');
    response.destroy();
    await waiting.promise; // The reader that has gone is let go.
  });

  it('cuts off a reader that takes nothing, tells it why, and holds no more than a batch for it', async () => {
    await using served = await serveDouble({ maxReaderStallMs: 200 });
    const { client, api, told } = served;
    let given = 0;
    let ended = false;
    api.readWith = async function* () {
      try {
        // Without end: 1 MiB a batch.
        for (;;) {
          yield [delivery(given, 1_048_576)];
          given += 1;
        }
      } finally {
        ended = true;
      }
    };
    for (const [accept, mark] of [
      ['text/event-stream', 'event: error\ndata: '],
      ['application/x-ndjson', '{"error":'],
    ] as const) {
      [given, ended] = [0, false];
      const response = await client.open(`${path}?follow=true`, { accept });
      response.pause();
      await until(() => ended, 'the reading was given up');
      // What both ends of the connection hold, and not more.
      assert.ok(given < 64, `${given} MiB were read for a reader that took nothing`);
      const text = await textOf(response);
      const tail = text.slice(text.lastIndexOf(mark));
      assert.match(tail, /"code":"reader-too-slow"/);
      assert.equal(told.at(-1)?.code, 'reader-too-slow');
    }
  });

  it('lets a slow reader go on that takes something now and then', async () => {
    await using served = await serveDouble({ maxReaderStallMs: 1500 });
    const { client, api } = served;
    api.readWith = () => history(40, { size: 1, dataLength: 500_000 });
    const response = await client.open(path);
    let bytes = 0;
    for await (const part of response) {
      bytes += (part as Buffer).length;
      response.pause();
      setTimeout(() => response.resume(), 1);
    }
    assert.ok(bytes > 40 * 500_000);
  });

  it('ends live readers when it closes, whether they read or not, within two seconds', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    api.readWith = async function* (_request, signal) {
      yield* history(3);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    const reading = await client.open(`${path}?follow=true`, sse);
    const lazy = await client.open(`${path}?follow=true`);
    api.readWith = () => history(10_000, { size: 1, dataLength: 1_000_000 });
    const stuck = await client.open(path);
    for (const response of [lazy, stuck]) response.pause().on('error', () => undefined);
    const text = textOf(reading);
    await until(() => api.requests.length === 3, 'all are served');
    const from = performance.now();
    await served.close();
    assert.ok(performance.now() - from < 2000, `${performance.now() - from} ms`);
    const last = messages(await text).at(-1);
    assert.equal(dig(last?.data, 'code'), 'draining');
  });

  it('answers requests that it had begun before it closes, and no new ones', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    const fsync = Promise.withResolvers<void>();
    const accept = api.publishWith;
    api.publishWith = async (...given) => {
      await fsync.promise;
      return accept(...given);
    };
    const type = { 'content-type': 'application/cloudevents+json' };
    const body = '{"specversion":"1.0","id":"1","source":"/s","type":"t"}';
    await client.get('/health/live'); // A connection that is kept alive.
    const published = client.call('POST', path, type, body);
    await until(() => api.published.length === 1, 'it is being published');
    const closed = served.close();
    const late = await client.call('POST', path, type, body).catch(() => undefined);
    assert.ok(late === undefined || late.at('code') === 'draining');
    fsync.resolve();
    assert.equal((await published).status, 202);
    await closed;
  });
});
