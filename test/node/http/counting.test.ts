/** What callers with a bearer read is told to the book of deliveries, whatever way they read it. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { contentTypes } from '../../../src/event/render.ts';
import { contentBytes } from '../../../src/node/http/formats.ts';
import { delivery, history, log } from './double.ts';
import { admin, guarded, type Guarded } from './guarded.ts';

const events = '/streams/acme/orders/events';
const bytesOf = (from: number, to: number): number => {
  let sum = 0;
  for (let i = from; i < to; i++) sum += contentBytes(delivery(i));
  return sum;
};

/** [from, to, count, bytes] over all that was told, and who it was for. */
function told({ api }: Guarded): readonly unknown[] {
  const all = api.handed;
  const who = new Set(
    all.map(([{ organisation, way, logId }]) => `${organisation} ${way} ${logId}`),
  );
  const handed = all.map(([, one]) => one);
  return [
    [...who],
    Math.min(...handed.map(({ from }) => from)),
    Math.max(...handed.map(({ to }) => to)),
    handed.reduce((sum, { count }) => sum + count, 0),
    handed.reduce((sum, { bytes }) => sum + bytes, 0),
  ];
}
const reader = `${admin.did} http ${log}`;

describe('readings over HTTP', function () {
  this.timeout(20_000);

  it('by a bearer are counted: a batch, NDJSON and Server-Sent Events', async () => {
    for (const accept of [contentTypes.batch, 'application/x-ndjson', 'text/event-stream']) {
      await using node = await guarded();
      node.api.readWith = () => history(25);
      const headers = { accept, ...node.bearer(`GET ${events}`) };
      assert.equal((await node.client.call('GET', events, headers)).status, 200);
      assert.deepEqual(told(node), [[reader], 0, 25, 25, bytesOf(0, 25)], accept);
    }
  });

  it('by a ticket count for who asked for it, over a WebSocket too', async () => {
    await using node = await guarded();
    node.api.readWith = () => history(12);
    const headers = { 'content-type': 'application/json', ...node.bearer('POST /tickets') };
    const made = await node.client.call(
      'POST',
      '/tickets',
      headers,
      JSON.stringify({ path: events }),
    );
    const url = `${node.client.address.replace('http', 'ws')}${events}?ticket=${String(made.at('ticket'))}`;
    const socket = new WebSocket(url, 'cloudevents.json');
    let messages = 0;
    socket.on('message', () => (messages += 1));
    await new Promise((resolve) => socket.once('close', resolve));
    assert.equal(messages, 12, made.text);
    assert.deepEqual(told(node), [[reader], 0, 12, 12, bytesOf(0, 12)]);
  });

  it('of a filter are counted one by one: what lies between was not given', async () => {
    await using node = await guarded();
    node.api.readWith = async function* () {
      yield [delivery(3), delivery(7)];
    };
    const path = `${events}?subject=s`;
    assert.equal((await node.client.call('GET', path, node.bearer(`GET ${path}`))).status, 200);
    assert.deepEqual(
      node.api.handed.map(([, { from, to }]) => [from, to]),
      [
        [3, 4],
        [7, 8],
      ],
    );
  });

  it('without a filter include what lies between, which is no event', async () => {
    await using node = await guarded();
    node.api.readWith = async function* () {
      yield [delivery(3)];
      yield [delivery(7)];
    };
    assert.equal((await node.client.call('GET', events, node.bearer(`GET ${events}`))).status, 200);
    assert.deepEqual(
      node.api.handed.map(([, { from, to }]) => [from, to]),
      [
        [3, 4],
        [4, 8],
      ],
    );
  });

  it('by the token of the home are not counted, nor what is refused', async () => {
    await using node = await guarded();
    node.api.readWith = () => history(5);
    assert.equal((await node.client.call('GET', events)).status, 200);
    const bearer = node.bearer(`GET ${events}`, { seconds: 301 });
    assert.equal((await node.client.call('GET', events, bearer)).status, 403);
    assert.deepEqual(node.api.handed, []);
  });
});
