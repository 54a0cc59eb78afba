import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { fault } from '../../../src/errors.ts';
import { err } from '../../../src/result.ts';
import { until } from '../../support/until.ts';
import { delivery, history, log, serveDouble, type Served } from './double.ts';
import { dig } from './client.ts';

const path = '/streams/acme/orders/events';

function connect(
  { client, token }: Served,
  query = '',
  protocols: string[] = ['cloudevents.json'],
): WebSocket {
  const url = `${client.address.replace('http', 'ws')}${path}${query}`;
  return new WebSocket(url, protocols, { headers: { authorization: `Bearer ${token}` } });
}

interface Heard {
  readonly messages: unknown[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

function listen(socket: WebSocket): Heard {
  const messages: unknown[] = [];
  socket.on('message', (data: Buffer, binary) => {
    assert.equal(binary, false);
    messages.push(JSON.parse(data.toString()));
  });
  const closed = once(socket, 'close').then(([code, reason]: unknown[]) => ({
    code: Number(code),
    reason: String(reason),
  }));
  return { messages, closed };
}

/** Status and code of an upgrade that was refused. */
async function refusal(socket: WebSocket): Promise<readonly [number, unknown]> {
  const { promise, resolve } = Promise.withResolvers<readonly [number, unknown]>();
  socket.on('unexpected-response', (_request, response) => {
    let text = '';
    response.on('data', (part) => (text += String(part)));
    response.on('end', () => resolve([response.statusCode ?? 0, dig(JSON.parse(text), 'code')]));
  });
  return promise;
}

describe('reading over a WebSocket', function () {
  this.timeout(20_000);

  it('sends one event a text message and closes at the end of the range', async () => {
    await using served = await serveDouble();
    served.api.readWith = () => history(25);
    const socket = connect(served, '?from=abc&limit=25');
    const { messages, closed } = listen(socket);
    assert.deepEqual(await closed, { code: 1000, reason: 'end of the range' });
    assert.equal(socket.protocol, 'cloudevents.json');
    assert.equal(messages.length, 25);
    assert.deepEqual(messages[7], {
      specversion: '1.0',
      id: '7',
      source: '/test',
      type: 't',
      hwref: `hw:${log}/7`,
      data: 'xx',
    });
    assert.deepEqual(served.api.requests, [
      { from: 'abc', limit: 25, follow: false, last: false, autoAcknowledge: true },
    ]);
  });

  it('refuses the upgrade without the token, the subprotocol or a good query', async () => {
    await using served = await serveDouble();
    assert.deepEqual(await refusal(connect(served, '', [])), [400, 'usage']);
    assert.deepEqual(await refusal(connect(served, '', ['cloudevents.avro'])), [400, 'usage']);
    assert.deepEqual(await refusal(connect(served, '?filter=x')), [400, 'not-supported']);
    assert.deepEqual(await refusal(connect(served, '?envelope=true')), [400, 'usage']);
    const stranger = connect({ ...served, token: 'wrong' });
    assert.deepEqual(await refusal(stranger), [401, 'token-refused']);
    assert.equal(served.api.requests.length, 0);
    const from = performance.now();
    await served.close(); // No socket of a refused upgrade holds it up.
    assert.ok(performance.now() - from < 1000);
  });

  it('closes with our code where the reading cannot begin or go on', async () => {
    await using served = await serveDouble();
    const { api } = served;
    api.read = () => Promise.resolve(err(fault('bad-position', 'another stream')));
    const refused = listen(connect(served));
    assert.deepEqual(await refused.closed, { code: 4400, reason: 'bad-position' });
    api.read = (_stream, request, signal) =>
      Promise.resolve({ ok: true, value: api.readWith(request, signal) });
    api.readWith = () => history(10, { fault: fault('store-corrupt', 'damaged') });
    const broken = listen(connect(served));
    assert.deepEqual(await broken.closed, { code: 4400, reason: 'store-corrupt' });
    assert.equal(broken.messages.length, 10);
  });

  it('pings while nothing happens and lets a reader go that leaves', async () => {
    await using served = await serveDouble({ keepAliveMs: 10 });
    const gone = Promise.withResolvers<void>();
    served.api.readWith = async function* (_request, signal) {
      signal.addEventListener('abort', () => gone.resolve());
      await gone.promise;
      yield* history(0);
    };
    const socket = connect(served, '?follow=true');
    await once(socket, 'ping');
    await once(socket, 'ping');
    socket.send('hello'); // Nobody listens, and nothing breaks.
    socket.close();
    await gone.promise;
  });

  it('cuts off a reader that takes nothing, with a reason, and holds no more than a batch', async () => {
    await using served = await serveDouble({ maxReaderStallMs: 200 });
    let given = 0;
    let ended = false;
    served.api.readWith = async function* () {
      try {
        for (; ; given++) yield [delivery(given, 1_048_576)];
      } finally {
        ended = true;
      }
    };
    const socket = connect(served, '?follow=true');
    const { messages, closed } = listen(socket);
    await once(socket, 'open');
    socket.pause();
    await until(() => ended, 'the reading was given up');
    assert.ok(given < 64, `${given} MiB were read for a reader that took nothing`);
    assert.equal(served.told.at(-1)?.code, 'reader-too-slow');
    socket.resume();
    assert.deepEqual(await closed, { code: 4429, reason: 'reader-too-slow' });
    assert.equal(messages.length, given + 1, 'what was sent before arrives whole');
  });

  it('tells readers that the node stops, and waits for none of them', async () => {
    await using served = await serveDouble();
    served.api.readWith = async function* (_request, signal) {
      yield* history(2);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    const [good, deaf] = [connect(served, '?follow=true'), connect(served, '?follow=true')];
    const { messages, closed } = listen(good);
    await Promise.all([once(good, 'open'), once(deaf, 'open')]);
    deaf.pause();
    await until(() => messages.length === 2, 'the history came');
    const from = performance.now();
    await served.close();
    assert.ok(performance.now() - from < 2000, `${performance.now() - from} ms`);
    assert.deepEqual(await closed, { code: 1001, reason: 'draining' });
    deaf.terminate();
  });
});
