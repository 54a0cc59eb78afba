import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { dig, event, lines, problem, type Client } from './http/client.ts';
import { createStream, testNode, type TestNode } from './running.ts';
import { until } from '../support/until.ts';

const path = '/streams/acme/orders/events';

async function publish(
  client: Client,
  ids: readonly (string | number)[],
  to = path,
): Promise<void> {
  for (const id of ids) {
    const subject = `s${Number(id) % 3}`;
    const time = `2026-01-01T00:00:0${Number(id) % 10}Z`;
    const answer = await client.batch(to, [event(id, { subject, time, partitionkey: subject })]);
    assert.equal(answer.status, 202, answer.text);
  }
}

async function read(client: Client, query = ''): Promise<unknown[]> {
  const answer = await client.get(`${path}${query}`, 'application/x-ndjson');
  assert.equal(answer.status, 200, answer.text);
  return lines(answer.text);
}
const ids = (events: readonly unknown[]): unknown[] => events.map((one) => dig(one, 'id'));

interface Message {
  readonly id: string;
  readonly data: unknown;
}

/** The next messages of an SSE stream; the response stays open. */
async function messages(response: IncomingMessage, count: number): Promise<Message[]> {
  const found: Message[] = [];
  let rest = '';
  for await (const part of response.iterator({ destroyOnReturn: false })) {
    const pieces = (rest + String(part)).split('\n\n');
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      const match = /^id: (.+)\ndata: (.+)$/.exec(piece);
      if (match !== null) found.push({ id: match[1] ?? '', data: JSON.parse(match[2] ?? '') });
    }
    if (found.length >= count) return found;
  }
  return found;
}

async function withEvents(count: number): Promise<TestNode> {
  const home = await testNode();
  await createStream(home.client, 'orders');
  await publish(
    home.client,
    Array.from({ length: count }, (_, i) => i),
  );
  return home;
}

describe('reading a stream of a running node', function () {
  this.timeout(20_000);

  it('begins and ends at start, now, an index, a time or a position', async () => {
    await using home = await withEvents(6);
    const { client } = home;
    const all = await read(client, '?envelope=true');
    assert.deepEqual(ids(all.map((one) => dig(one, 'event'))), ['0', '1', '2', '3', '4', '5']);
    const index = (i: number): number => Number(dig(all[i], 'index'));
    const time = (i: number): string => encodeURIComponent(String(dig(all[i], 'recordedTime')));
    const response = await client.open(path, { accept: 'text/event-stream' });
    const tokens = (await messages(response, 6)).map(({ id }) => id);
    assert.deepEqual(ids(await read(client, '?from=start&limit=2')), ['0', '1']);
    assert.deepEqual(ids(await read(client, '?limit=0')), []);
    assert.deepEqual(ids(await read(client, '?from=now')), []);
    assert.deepEqual(ids(await read(client, '?to=start')), []);
    assert.deepEqual(ids(await read(client, '?to=now')), ['0', '1', '2', '3', '4', '5']);
    assert.deepEqual(ids(await read(client, `?from=${index(2)}&to=${index(4)}`)), ['2', '3']);
    assert.deepEqual(ids(await read(client, '?from=999999')), []);
    assert.deepEqual(ids(await read(client, `?from=${tokens[2]}&to=${tokens[4]}`)), ['3', '4']);
    const from = ids(await read(client, `?from=${time(3)}`));
    assert.deepEqual(from.slice(-3), ['3', '4', '5']);
    const until3 = ids(await read(client, `?to=${time(3)}`));
    assert.deepEqual([...until3, ...from], ['0', '1', '2', '3', '4', '5']);
    for (const wrong of ['yesterday', '-1', `${tokens[0]}x`]) {
      problem(await client.get(`${path}?from=${wrong}`), 400, 'bad-position');
      problem(await client.get(`${path}?to=${wrong}`), 400, 'bad-position');
    }
  });

  it('scans by the time of the events, and by subject through its index', async () => {
    await using home = await withEvents(7);
    const { client } = home;
    const scanned = '?eventFrom=2026-01-01T00:00:02Z&eventTo=2026-01-01T00:00:05Z';
    assert.deepEqual(ids(await read(client, scanned)), ['2', '3', '4']);
    problem(await client.get(`${path}?eventFrom=noon`), 400, 'bad-time');
    assert.deepEqual(ids(await read(client, '?subject=s1')), ['1', '4']);
    assert.deepEqual(ids(await read(client, '?subject=s0&limit=2')), ['0', '3']);
    assert.deepEqual(ids(await read(client, '?subject=s0&last=true')), ['6']);
    assert.deepEqual(ids(await read(client, '?subject=none&last=true')), []);
  });

  it('gives one event by index, and no seal', async () => {
    await using home = await withEvents(2);
    const { client } = home;
    const [first] = await read(client, '?envelope=true');
    const index = Number(dig(first, 'index'));
    const log = String(dig(first, 'log'));
    const one = await client.get(`${path}/${index}`);
    assert.match(one.headers['content-type'] ?? '', /^application\/cloudevents\+json/);
    assert.equal(one.at('id'), '0');
    assert.equal(one.at('hwref'), `hw:${log}/${index}`);
    assert.deepEqual((await client.get(`/logs/${log}/events/${index}`)).body, one.body);
    problem(await client.get(`${path}/${index + 1}`), 404, 'event-unknown');
    problem(await client.get(`${path}/999999`), 404, 'index-over-head');
    problem(await client.get('/logs/nothing/events/0'), 400, 'bad-logid');
    const note = await client.get(`/logs/${log}/checkpoint`);
    assert.ok(note.text.startsWith(`headwater/${log}\n`), note.text);
    assert.equal((await client.get('/streams/acme/orders/checkpoint')).text, note.text);
  });

  it('goes on live behind the history, and resumes by Last-Event-ID without gap or duplicate', async () => {
    await using home = await withEvents(3);
    const { client } = home;
    const headers = { accept: 'text/event-stream' };
    const first = await client.open(`${path}?follow=true`, headers);
    const history = await messages(first, 3);
    await publish(client, [3, 4]);
    const live = await messages(first, 2);
    first.destroy();
    assert.deepEqual(ids([...history, ...live].map(({ data }) => data)), ['0', '1', '2', '3', '4']);
    await publish(client, [5]);
    const again = { ...headers, 'last-event-id': live.at(-2)?.id ?? '' };
    const second = await client.open(`${path}?follow=true&from=start`, again);
    await publish(client, [6]);
    const rest = await messages(second, 3);
    second.destroy();
    assert.deepEqual(ids(rest.map(({ data }) => data)), ['4', '5', '6']);
    const wrong = await client.call('GET', path, { 'last-event-id': 'other' });
    problem(wrong, 400, 'bad-position');
  });

  it('goes on live over NDJSON and WebSocket, from a token too', async () => {
    await using home = await withEvents(2);
    const { client, node, token } = home;
    const sse = await client.open(path, { accept: 'text/event-stream' });
    const [first] = await messages(sse, 1);
    const url = `${node.api.replace('http', 'ws')}${path}?follow=true&from=${first?.id}`;
    const authorization = `Bearer ${token}`;
    const socket = new WebSocket(url, 'cloudevents.json', { headers: { authorization } });
    const heard: unknown[] = [];
    socket.on('message', (data: Buffer) => heard.push(dig(JSON.parse(data.toString()), 'id')));
    await once(socket, 'open');
    const tail = await client.open(`${path}?follow=true&from=now&limit=2`);
    await until(() => heard.length === 1, 'the history came');
    await publish(client, [2, 3]);
    let text = '';
    for await (const part of tail) text += String(part);
    assert.deepEqual(ids(lines(text)), ['2', '3']);
    await until(() => heard.length === 3, 'what was live came');
    assert.deepEqual(heard, ['1', '2', '3']);
    socket.terminate();
  });

  it('keeps a cursor that moves as events are taken, and can be set', async () => {
    await using home = await withEvents(4);
    const { client, folder } = home;
    assert.deepEqual(ids(await read(client, '?cursor=mine&limit=2')), ['0', '1']);
    assert.deepEqual(ids(await read(client, '?cursor=mine&limit=1')), ['2']);
    const sse = await client.open(path, { accept: 'text/event-stream' });
    const [first] = await messages(sse, 4);
    await home.node.stop();
    await using restarted = await testNode({ folder });
    assert.deepEqual(ids(await read(restarted.client, '?cursor=mine&from=start')), ['3']);
    assert.deepEqual(ids(await read(restarted.client, '?cursor=mine')), []);
    const set = await restarted.client.json('PUT', '/cursors/mine', { position: first?.id });
    assert.equal(set.status, 200);
    assert.deepEqual(ids(await read(restarted.client, '?cursor=mine')), ['1', '2', '3']);
    assert.deepEqual(ids(await read(restarted.client, '?cursor=other&from=now')), []);
    problem(
      await restarted.client.json('PUT', '/cursors/mine', { position: 'x' }),
      400,
      'bad-position',
    );
  });

  it('merges partitions, resumes each, and asks for more than an index', async () => {
    await using home = await testNode();
    const { client } = home;
    await createStream(client, 'many', { partitions: 3 });
    const many = '/streams/acme/many/events';
    await publish(
      client,
      Array.from({ length: 9 }, (_, i) => i),
      many,
    );
    const response = await client.open(many, { accept: 'text/event-stream' });
    const all = await messages(response, 9);
    assert.deepEqual(
      ids(all.map(({ data }) => data))
        .map(Number)
        .toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    );
    const logs = new Set(all.map(({ data }) => String(dig(data, 'hwref')).split('/')[0]));
    assert.ok(logs.size > 1, 'several partitions took part');
    for (const [i, { id }] of all.entries()) {
      const rest = lines((await client.get(`${many}?from=${id}`)).text);
      assert.equal(rest.length, 8 - i);
    }
    problem(await client.get(`${many}?from=1`), 409, 'position-ambiguous');
    problem(await client.get(`${many}/1`), 409, 'position-ambiguous');
    problem(await client.get('/streams/acme/many/checkpoint'), 409, 'position-ambiguous');
    const last = lines((await client.get(`${many}?subject=s2&last=true`)).text);
    assert.deepEqual(ids(last), ['8']);
  });

  it('replays at the pace of the events', async () => {
    await using home = await withEvents(3);
    const from = performance.now();
    // Two pauses of a second, fifty times as fast.
    assert.deepEqual(ids(await read(home.client, '?speed=50')), ['0', '1', '2']);
    const took = performance.now() - from;
    assert.ok(took >= 39, `${took} ms`);
  });
});
