/** Streams that an administrator's bearer opened end with its delegation. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { tokenCid } from '../../../src/access/ucan-envelope.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import type { Did } from '../../../src/types.ts';
import { textOf } from './client.ts';
import { guarded, organisation, powers, thief, type Guarded } from './guarded.ts';

const events = '/streams/acme/orders/events';
const following = `${events}?follow=true`;

/** A node whose readings go on until their readers leave. */
async function live(): Promise<Guarded> {
  const node = await guarded();
  node.api.readWith = async function* (_request, signal) {
    if (!signal.aborted) await once(signal, 'abort');
    yield* [];
  };
  return node;
}

function revoke(node: Guarded, given: ReturnType<typeof powers>, by: Did): void {
  const ucan = tokenCid(nodeCrypto, given.tokens[0] ?? new Uint8Array(0));
  node.revocations.add({ ucan, revoker: by, path: [] });
  node.changed();
}

async function watched(node: Guarded): Promise<void> {
  while (node.watchers() === 0) await new Promise((done) => setImmediate(done));
}

describe('a live stream that a bearer opened', function () {
  this.timeout(20_000);

  for (const accept of ['text/event-stream', 'application/x-ndjson']) {
    it(`ends when the delegation is revoked, and says so (${accept})`, async () => {
      await using node = await live();
      const given = powers();
      const headers = node.bearer(`GET ${following}`, { powers: given });
      const response = await node.client.open(following, { ...headers, accept });
      assert.equal(response.statusCode, 200);
      await watched(node);
      // A stranger's word on it ends nothing.
      revoke(node, given, thief.did);
      assert.ok(node.watchers() > 0);
      revoke(node, given, organisation.did);
      assert.match(await textOf(response), /ucan-revoked/);
      assert.equal(node.watchers(), 0);
    });
  }

  it('ends when the delegation expires', async () => {
    await using node = await live();
    const headers = node.bearer(`GET ${following}`, { powers: powers() });
    const response = await node.client.open(following, { ...headers, accept: 'text/event-stream' });
    await watched(node);
    node.clock.ms += (7200 + 59) * 1000;
    node.changed();
    assert.ok(node.watchers() > 0, 'within the skew');
    node.clock.ms += 3000;
    node.changed();
    assert.match(await textOf(response), /ucan-expired/);
  });

  it('ends for a WebSocket, and for who came by a ticket', async () => {
    await using node = await live();
    const given = powers();
    const made = await node.client.call(
      'POST',
      '/tickets',
      {
        ...node.bearer('POST /tickets', { powers: given }),
        'content-type': 'application/json',
      },
      JSON.stringify({ path: events }),
    );
    assert.equal(made.status, 201, made.text);
    const url = node.client.address.replace('http', 'ws');
    const headers = node.bearer(`GET ${following}`, { powers: given });
    const open = [
      new WebSocket(`${url}${following}`, 'cloudevents.json', { headers }),
      new WebSocket(`${url}${following}&ticket=${String(made.at('ticket'))}`, 'cloudevents.json'),
    ];
    const closed = open.map(async (socket) => {
      const [code, reason]: unknown[] = await once(socket, 'close');
      return `${String(code)} ${String(reason)}`;
    });
    await Promise.all(open.map((socket) => once(socket, 'open')));
    while (node.watchers() < 4) await new Promise((done) => setImmediate(done));
    revoke(node, given, organisation.did);
    assert.deepEqual(await Promise.all(closed), ['4400 ucan-revoked', '4400 ucan-revoked']);
  });

  it('is not begun where the delegation ended between the ticket and its use', async () => {
    await using node = await live();
    const given = powers();
    const headers = {
      ...node.bearer('POST /tickets', { powers: given }),
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ path: events });
    const made = await node.client.call('POST', '/tickets', headers, body);
    revoke(node, given, organisation.did);
    const path = `${following}&ticket=${String(made.at('ticket'))}`;
    const response = await node.client.open(path, {
      accept: 'text/event-stream',
      authorization: '',
    });
    assert.match(await textOf(response), /ucan-revoked/);
  });

  it('goes on for others, and leaves nothing behind when its reader leaves', async () => {
    await using node = await live();
    const [one, other] = [powers(), powers()];
    const opened = [];
    for (const given of [one, other]) {
      const headers = node.bearer(`GET ${following}`, { powers: given });
      opened.push(await node.client.open(following, headers));
    }
    while (node.watchers() < 4) await new Promise((done) => setImmediate(done));
    revoke(node, one, organisation.did);
    assert.match(await textOf(opened[0] ?? assert.fail()), /ucan-revoked/);
    assert.equal(node.watchers(), 2);
    opened[1]?.destroy();
    while (node.watchers() > 0) await new Promise((done) => setImmediate(done));
  });
});
