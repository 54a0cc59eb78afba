import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { fault } from '../../../src/errors.ts';
import { until } from '../../support/until.ts';
import { dig, problem } from './client.ts';
import { history, log, serveDouble, type Served } from './double.ts';

const path = '/streams/acme/orders/events';
const notice = fault('log-frozen', 'two histories');

async function* endless(signal: AbortSignal): ReturnType<typeof history> {
  yield* history(2);
  if (!signal.aborted) await once(signal, 'abort');
}

async function readUntil(response: IncomingMessage, wanted: string): Promise<string> {
  let text = '';
  for await (const part of response.iterator({ destroyOnReturn: false })) {
    text += String(part);
    if (text.includes(wanted)) return text;
  }
  return assert.fail(`it ended without ${wanted}: ${text}`);
}

async function frozenNow({ api }: Served): Promise<void> {
  await until(() => api.told.size > 0, 'a reader listens');
  for (const tell of api.told) tell(notice);
}

describe('readers of a log that is frozen', () => {
  const forms = [
    ['application/x-ndjson', '{"notice":{'],
    ['text/event-stream', 'event: notice\ndata: {'],
  ] as const;
  for (const [accept, mark] of forms) {
    it(`are told in ${accept}, at once or when it happens, and go on`, async () => {
      await using served = await serveDouble();
      served.api.readWith = (_request, signal) => endless(signal);
      const response = await served.client.open(`${path}?follow=true`, { accept });
      await frozenNow(served);
      const text = await readUntil(response, 'log-frozen');
      assert.ok(text.includes(mark), text);
      assert.ok(text.includes('hw stream recover'), 'with what to do');
      assert.equal(response.readableEnded, false);
      response.destroy();
      await until(() => served.api.told.size === 0, 'nobody listens any more');
      served.api.frozen.push(notice);
      const later = await served.client.open(`${path}?follow=true`, { accept });
      assert.ok((await readUntil(later, 'log-frozen')).includes(mark));
      later.destroy();
      const bounded = await served.client.open(path, { accept });
      bounded.destroy();
    });
  }

  it('are closed over a WebSocket with the code, once, and may come back', async () => {
    await using served = await serveDouble();
    served.api.readWith = (_request, signal) => endless(signal);
    const { client, token } = served;
    const url = `${client.address.replace('http', 'ws')}${path}?follow=true`;
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, ['cloudevents.json'], { headers });
    const closed = once(socket, 'close');
    await frozenNow(served);
    const [code, reason]: unknown[] = await closed;
    assert.deepEqual([code, String(reason)], [4409, 'log-frozen']);
  });

  it('get the proof as bytes, and a coded answer where there is none', async () => {
    await using served = await serveDouble();
    const { client } = served;
    problem(await client.get(`/logs/${log}/fork`), 404, 'fork-unknown');
    problem(await client.get('/logs/nolog/fork'), 400, 'bad-logid');
    const bytes = await client.get(`/logs/${log}/fork`, 'application/cbor');
    assert.equal(bytes.headers['content-type'], 'application/cbor');
    assert.equal(dig({ status: bytes.status }, 'status'), 200);
  });
});
