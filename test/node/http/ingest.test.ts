import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'mocha';
import { fault } from '../../../src/errors.ts';
import { err, ok } from '../../../src/result.ts';
import { until } from '../../support/until.ts';
import { receipt, serveDouble } from './double.ts';
import { answered, dig, event, lines, problem, textOf } from './client.ts';

const path = '/streams/acme/orders/events';
const ndjson = { 'content-type': 'application/x-ndjson' };
const structured = { 'content-type': 'application/cloudevents+json' };
const text = (events: readonly unknown[]): string =>
  events.map((one) => `${JSON.stringify(one)}\n`).join('');

describe('publishing over HTTP', function () {
  this.timeout(20_000);
  it('takes binary, structured and batch mode and answers with a receipt for each event', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    const binary = await client.call(
      'POST',
      path,
      {
        'ce-specversion': '1.0',
        'ce-id': '1',
        'ce-source': '/test',
        'ce-type': 'org.test',
        'ce-subject': 'Gr%C3%BC%C3%9Fe',
        'content-type': 'application/json',
      },
      '{"a": 1}',
    );
    const one = await client.call('POST', path, structured, JSON.stringify(event(2)));
    const two = await client.batch(path, [event(3), event(4)]);
    const none = await client.batch(path, []);
    assert.deepEqual(
      [binary, one, two, none].map(({ status }) => status),
      [202, 202, 202, 202],
    );
    assert.deepEqual(two.body, { receipts: [receipt(0), receipt(1)] });
    assert.deepEqual(none.body, { receipts: [] });
    assert.deepEqual(
      api.published.map(({ context }) => context['id']),
      ['1', '2', '3', '4'],
    );
    assert.equal(api.published[0]?.context['subject'], 'Grüße');
    assert.equal(Buffer.from(api.published[0]?.data ?? []).toString(), '{"a": 1}');
  });

  it('refuses a batch as a whole for one bad event, and names its place', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    const wrongTime = await client.batch(path, [event(1), event(2, { time: 'yesterday' })]);
    assert.equal(dig(problem(wrongTime, 422, 'attribute-time'), 'index'), 1);
    const reserved = await client.batch(path, [event(1), event(2, { hwhops: '1' })]);
    assert.equal(dig(problem(reserved, 400, 'not-supported'), 'index'), 1);
    const large = await client.batch(path, [event(1, { data: 'x'.repeat(200_000) })]);
    assert.equal(dig(problem(large, 413, 'body-too-large'), 'index'), 0);
    problem(
      await client.batch(
        path,
        Array.from({ length: 1001 }, (_, i) => event(i)),
      ),
      413,
      'batch-too-large',
    );
    problem(await client.call('POST', path, structured, '{'), 422, 'json-syntax');
    problem(await client.call('POST', path, structured, ''), 422, 'json-syntax');
    const xml = { 'content-type': 'application/cloudevents+xml' };
    problem(await client.call('POST', path, xml, '<event/>'), 415, 'media-type');
    problem(
      await client.call('POST', path, { 'content-type': 'text/plain' }, 'x'),
      422,
      'attribute-missing',
    );
    problem(await client.call('POST', path), 422, 'attribute-missing');
    assert.equal(api.published.length, 0);
  });

  it('lets who is still sending a body over the limit read why, and go on', async () => {
    await using served = await serveDouble({ maxJsonBatchBytes: 2000 });
    const { hostname, port } = new URL(served.client.address);
    const socket = connect(Number(port), hostname);
    let heard = '';
    socket.on('data', (part) => (heard += String(part)));
    const length = 4_000_000;
    const head = [
      `POST ${path} HTTP/1.1`,
      'host: here',
      `authorization: Bearer ${served.token}`,
      'content-type: application/cloudevents-batch+json',
      `content-length: ${length}`,
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n[`);
    await until(() => heard.includes('request-too-large'), 'the answer');
    socket.write('x'.repeat(length - 1));
    socket.write('GET /health/live HTTP/1.1\r\nhost: here\r\n\r\n');
    await until(() => heard.includes('HTTP/1.1 200'), 'the next answer');
    socket.destroy();
  });

  it('refuses a body over the configured limit', async () => {
    await using served = await serveDouble({ maxJsonBatchBytes: 2000, maxEventTextBytes: 500 });
    const { client, api } = served;
    const batch = await client.batch(path, [event(1, { data: 'x'.repeat(3000) })]);
    problem(batch, 413, 'request-too-large');
    const one = await client.call(
      'POST',
      path,
      structured,
      JSON.stringify(event(1, { data: 'x'.repeat(600) })),
    );
    problem(one, 413, 'event-too-large');
    const long = await client.call(
      'POST',
      path,
      ndjson,
      text([event(1, { data: 'x'.repeat(600) })]),
    );
    assert.equal(dig(lines(long.text)[0], 'error', 'code'), 'line-too-long');
    assert.equal(api.published.length, 0);
  });

  it('answers for each event with partial', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    api.publishWith = (_stream, events) =>
      Promise.resolve(
        ok(
          events.map((one, i) =>
            one.context['id'] === 'taken'
              ? err(fault('event-conflict', 'other bytes'))
              : ok(receipt(i)),
          ),
        ),
      );
    const events = [
      event(1),
      event(2, { time: 'x' }),
      event('taken'),
      event(4, { hwhops: 1 }),
      event(5),
    ];
    const answer = await client.batch(`${path}?partial=true`, events);
    assert.equal(answer.status, 200);
    const results = answer.at('results') as unknown[];
    assert.deepEqual(
      results.map((result) => dig(result, 'error', 'code') ?? dig(result, 'receipt', 'index')),
      [0, 'attribute-time', 'event-conflict', 'not-supported', 2],
    );
    assert.deepEqual(
      results.map((result) => dig(result, 'error', 'place', 'index')),
      [undefined, 1, 2, 3, undefined],
    );
  });

  it('says where a stream is unknown, of another owner, or not taken now', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    const body = JSON.stringify(event(1));
    const to = (name: string): ReturnType<typeof client.call> =>
      client.call('POST', `/streams/acme/${name}/events`, structured, body);
    problem(await to('nothing'), 404, 'stream-unknown');
    problem(await to('foreign'), 403, 'stream-not-own');
    const faults = [
      ['busy', 429, '1'],
      ['disk-full', 507, undefined],
      ['clock-untrusted', 503, '1'],
      ['stream-paused', 503, '1'],
      ['event-conflict', 409, undefined],
    ] as const;
    for (const [code, status, retry] of faults) {
      api.publishWith = () => Promise.resolve(err(fault(code, 'told to')));
      const answer = await to('orders');
      problem(answer, status, code);
      assert.equal(answer.headers['retry-after'], retry);
    }
    api.isReady = false;
    const draining = await to('orders');
    problem(draining, 503, 'draining');
    assert.equal(draining.headers['retry-after'], '1');
  });
});

describe('publishing NDJSON over HTTP', function () {
  this.timeout(20_000);
  it('answers with one line for each run of lines in a block, in order', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    api.publishWith = (_stream, events) =>
      Promise.resolve(ok(events.map((_, i) => ok(receipt(i < 2 ? i : i + 1, i < 2 ? 1 : 2)))));
    const answer = await client.call(
      'POST',
      path,
      ndjson,
      text([event(1), event(2), event(3), event(4)]),
    );
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'] ?? '', /^application\/x-ndjson/);
    const { log } = receipt(0);
    assert.deepEqual(lines(answer.text), [
      { lines: [1, 2], log, index: 0, block: 1, ack: 'local' },
      { lines: [3, 4], log, index: 3, block: 2, ack: 'local' },
    ]);
  });

  it('stops at the first bad line, with all before it published', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    const body = `${text([event(1), event(2)])}nonsense\n${text([event(4)])}`;
    const answer = await client.call('POST', path, ndjson, body);
    const [first, second, ...rest] = lines(answer.text);
    assert.deepEqual(dig(first, 'lines'), [1, 2]);
    assert.equal(dig(second, 'error', 'code'), 'json-syntax');
    assert.equal(dig(second, 'error', 'place', 'line'), 3);
    assert.deepEqual(rest, []);
    assert.equal(api.published.length, 2);
  });

  it('goes on behind bad lines with partial', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    const body = `x\n${text([event(2)])}\n\n${text([event(5, { hwreplyto: 'x' }), event(6)])}y`;
    const answer = await client.call('POST', `${path}?partial=true`, ndjson, body);
    assert.deepEqual(
      lines(answer.text).map(
        (line) => dig(line, 'lines', 0) ?? dig(line, 'error', 'place', 'line'),
      ),
      [1, 2, 5, 6, 7],
    );
    assert.equal(api.published.length, 2);
  });

  it('answers while it is still being sent', async () => {
    await using served = await serveDouble();
    const { client } = served;
    const outgoing = client.begin('POST', path, ndjson);
    outgoing.write(text([event(1)]));
    const response = await answered(outgoing);
    const parts = response.iterator({ destroyOnReturn: false });
    const first = await parts.next();
    assert.deepEqual(dig(lines(String(first.value))[0], 'lines'), [1, 1]);
    outgoing.write(text([event(2)]).slice(0, 20));
    outgoing.end(text([event(2)]).slice(20));
    const second = await parts.next();
    assert.deepEqual(dig(lines(String(second.value))[0], 'lines'), [2, 2]);
    assert.equal((await parts.next()).done, true);
  });

  it('waits where a queue is full instead of failing', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    let busy = 3;
    const accept = api.publishWith;
    api.publishWith = (...given) =>
      busy-- > 0 ? Promise.resolve(err(fault('busy', 'full'))) : accept(...given);
    const answer = await client.call('POST', path, ndjson, text([event(1)]));
    assert.deepEqual(dig(lines(answer.text)[0], 'lines'), [1, 1]);
    assert.equal(api.roomAsked, 3);
  });

  it('names the line at which publishing failed', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    api.publishWith = () => Promise.resolve(err(fault('disk-full', 'no room')));
    const answer = await client.call('POST', path, ndjson, `\n\n${text([event(3), event(4)])}`);
    assert.deepEqual(
      lines(answer.text).map((line) => [
        dig(line, 'error', 'code'),
        dig(line, 'error', 'place', 'line'),
      ]),
      [['disk-full', 3]],
    );
  });

  it('gives the whole answer to a client that goes on sending after it ended', async () => {
    await using served = await serveDouble();
    const { client } = served;
    const outgoing = client.begin('POST', path, ndjson);
    outgoing.write('nonsense\n');
    const response = await answered(outgoing);
    const more = text(Array.from({ length: 2000 }, (_, i) => event(i, { data: 'x'.repeat(200) })));
    for (let i = 0; i < 10; i++) outgoing.write(more);
    outgoing.end();
    const [only, ...rest] = lines(await textOf(response));
    assert.equal(dig(only, 'error', 'code'), 'json-syntax');
    assert.deepEqual(rest, []);
    assert.equal(served.api.published.length, 0);
    assert.equal((await client.get('/health/live')).status, 200);
  });

  it('does not publish the unfinished line of a client that breaks off', async () => {
    await using served = await serveDouble();
    const { client, api } = served;
    const outgoing = client.begin('POST', path, ndjson);
    const whole = text([event(1)]);
    outgoing.write(`${whole}${whole.slice(0, -3)}`);
    const response = await answered(outgoing);
    await response.iterator({ destroyOnReturn: false }).next();
    outgoing.destroy();
    await served.close();
    assert.equal(api.published.length, 1);
  });

  it('ends with receipts-unread where nobody reads the answers, in bounded memory', async () => {
    await using served = await serveDouble({ maxUnreadReceiptBytes: 65_536, maxReceiptWaitMs: 50 });
    const { client } = served;
    const outgoing = client.begin('POST', `${path}?partial=true`, ndjson);
    outgoing.end('x\n'.repeat(80_000));
    const response = await answered(outgoing);
    // Answers pile up at both ends of the connection until the server has had enough.
    await until(() => served.told.length > 0, 'it is cut off');
    const all = lines(await textOf(response));
    assert.equal(dig(all.at(-1), 'error', 'code'), 'receipts-unread');
    assert.ok(all.length < 80_000, 'it ended early');
    const places = all.slice(0, -1).map((line) => dig(line, 'error', 'place', 'line'));
    assert.deepEqual(
      places,
      places.map((_, i) => i + 1),
    );
  });

  it('does not cut off a client that reads, however many answers there are', async () => {
    await using served = await serveDouble({ maxUnreadReceiptBytes: 4096 });
    const { client } = served;
    const answer = await client.call('POST', `${path}?partial=true`, ndjson, 'x\n'.repeat(5000));
    assert.equal(lines(answer.text).length, 5000);
  });

  it('tells a client that is still sending that the node stops', async () => {
    await using served = await serveDouble();
    const { client } = served;
    const outgoing = client.begin('POST', path, ndjson);
    outgoing.write(text([event(1)]));
    const response = await answered(outgoing);
    const rest = textOf(response);
    await until(() => served.api.published.length === 1, 'published');
    const from = performance.now();
    const closed = served.close();
    const [first, second] = lines(await rest);
    assert.deepEqual(dig(first, 'lines'), [1, 1]);
    assert.equal(dig(second, 'error', 'code'), 'draining');
    await closed;
    assert.ok(performance.now() - from < 2000);
  });
});
