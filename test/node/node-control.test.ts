import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { LevelStore, type Store } from '../../src/ledger/store.ts';
import { ok, type Result } from '../../src/result.ts';
import { FailingStore } from '../support/failing-store.ts';
import { until } from '../support/until.ts';
import { dig, event, lines, problem } from './http/client.ts';
import { createStream, testNode } from './running.ts';
import { ids, journal, peerDid, registry } from './views.ts';

const path = '/streams/acme/orders/events';

const actionType = 'org.headwater.operator.action';

describe('a running node', function () {
  this.timeout(20_000);

  it('says in its status what it is and does', async () => {
    await using home = await testNode();
    const { client, organisation, node } = home;
    await createStream(client, 'orders');
    const status = await client.get('/status');
    const { version, ready, name, api, addresses, peers, store } = status.body as Record<
      string,
      unknown
    >;
    assert.match(String(version), /^\d+\.\d+\.\d+/);
    assert.deepEqual(
      { ready, name, api, addresses, peers },
      { ready: true, name: 'acme', api: node.api, addresses: [], peers: [] },
    );
    assert.equal(status.at('organisation'), organisation);
    assert.equal(status.at('network'), undefined);
    assert.equal(dig(store, 'accepting'), true);
    assert.ok(Number(dig(store, 'bytes')) > 0);
    assert.ok(Number(status.at('residentBytes')) > 10_000_000);
    assert.ok(Number(status.at('startedAt')) <= Date.now());
    const checks = status.at('checks') as unknown[];
    assert.ok(checks.every((check) => dig(check, 'name') === 'disk' || dig(check, 'ok') === true));
    assert.deepEqual((await client.get('/checks')).at('checks'), checks);
    const metrics = await client.get('/metrics');
    assert.match(metrics.headers['content-type'] ?? '', /^text\/plain/);
    assert.match(metrics.text, /^headwater_log_size\{stream="orders",partition="0"\} 2$/m);
    problem(await client.get('/network'), 404, 'network-none');
    problem(
      await client.json('PATCH', '/peers/12D3KooWx', { state: 'banned' }),
      404,
      'network-none',
    );
    problem(await client.json('POST', '/network/invites', {}), 404, 'network-none');
  });

  it('drains when asked over HTTP, and keeps what it acknowledged', async () => {
    await using home = await testNode();
    const { client, folder, node } = home;
    await createStream(client, 'orders');
    const reading = await client.open(`${path}?follow=true`, { accept: 'text/event-stream' });
    const pending = Array.from({ length: 50 }, (_, i) => client.batch(path, [event(i)]));
    const settled = Promise.allSettled(pending);
    await pending[0];
    const from = performance.now();
    const asked = await client.json('POST', '/shutdown', { why: 'moving house' });
    assert.equal(asked.status, 202);
    assert.deepEqual(asked.body, { stopping: true });
    await node.stopped;
    assert.ok(performance.now() - from < 2000, `${performance.now() - from} ms`);
    const answers = await settled;
    const taken = answers.flatMap((answer, i) =>
      answer.status === 'fulfilled' && answer.value.status === 202 ? [String(i)] : [],
    );
    let text = '';
    for await (const part of reading) text += String(part);
    assert.match(text.slice(text.lastIndexOf('event: ')), /^event: error\ndata: .*"draining"/);
    await using restarted = await testNode({ folder });
    const kept = new Set(await ids(restarted.client, path));
    assert.deepEqual(
      taken.filter((id) => !kept.has(id)),
      [],
    );
    const peer = await peerDid(folder);
    await until(async () => (await journal(restarted, peer)).length === 5, 'five entries');
    const entries = await journal(restarted, peer);
    assert.deepEqual(
      entries.map(([type, , data]) => dig(data, 'action') ?? type),
      [
        'org.headwater.node.started',
        'stream.create',
        'node.stop',
        'org.headwater.node.stopped',
        'org.headwater.node.started',
      ],
    );
    assert.equal(dig(entries[2]?.[2], 'why'), 'moving house');
  });

  it('stops taking events when the disk is full, goes on reading, and recovers by itself', async () => {
    const stores: FailingStore[] = [];
    await using home = await testNode({
      limits: { storeRetryMs: 20 },
      openStore: async (folder) => {
        const inner = await LevelStore.open(folder);
        if (!inner.ok) return inner;
        const store = new FailingStore(inner.value);
        stores.push(store);
        return ok(store);
      },
    });
    const { client } = home;
    const [store = assert.fail()] = stores;
    await createStream(client, 'orders');
    await client.batch(path, [event(1)]);
    store.failWrites = 'disk-full';
    problem(await client.batch(path, [event(2)]), 507, 'disk-full');
    const text = `${JSON.stringify(event(3))}\n`;
    const streamed = await client.call(
      'POST',
      path,
      { 'content-type': 'application/x-ndjson' },
      text,
    );
    assert.equal(dig(lines(streamed.text)[0], 'error', 'code'), 'disk-full');
    problem(await client.json('POST', '/streams', { name: 'more' }), 507, 'disk-full');
    assert.deepEqual(await ids(client, path), ['1']);
    const status = await client.get('/status');
    assert.equal(status.at('store', 'accepting'), false);
    const check = (status.at('checks') as unknown[]).find((one) => dig(one, 'name') === 'store');
    assert.equal(dig(check, 'ok'), false);
    assert.equal(typeof dig(check, 'since'), 'number');
    store.failWrites = undefined;
    await until(async () => (await client.batch(path, [event(2)])).status === 202, 'it recovers');
    assert.deepEqual(await ids(client, path), ['1', '2']);
    assert.equal((await client.get('/status')).at('store', 'accepting'), true);
    await createStream(client, 'more');
  });

  it('says 429 before memory grows, and takes what it said no to when there is room', async () => {
    const stores: FailingStore[] = [];
    await using home = await testNode({
      limits: { maxPendingEvents: 10, maxLingerMs: 2 },
      openStore: async (folder) => {
        const inner = await LevelStore.open(folder);
        if (!inner.ok) return inner;
        stores.push(new FailingStore(inner.value));
        return ok(stores[0] ?? assert.fail());
      },
    });
    const { client } = home;
    const [store = assert.fail()] = stores;
    await createStream(client, 'orders');
    const gate = Promise.withResolvers<void>();
    store.gate = gate.promise;
    const lots = Array.from({ length: 10 }, (_, lot) => [
      event(`${lot}a`),
      event(`${lot}b`),
      event(`${lot}c`),
    ]);
    const asked = lots.map((lot) => client.batch(path, lot));
    const first = await Promise.race(asked);
    problem(first, 429, 'busy');
    assert.equal(first.headers['retry-after'], '1');
    gate.resolve();
    const answers = await Promise.all(asked);
    assert.ok(answers.some(({ status }) => status === 202));
    for (const [i, { status }] of answers.entries()) {
      if (status === 202) continue;
      const again = async (): Promise<boolean> =>
        (await client.batch(path, lots[i] ?? [])).status === 202;
      await until(again, 'there is room');
    }
    assert.equal(new Set(await ids(client, path)).size, 30);
    assert.equal((await ids(client, path)).length, 30);
  });

  it('completes a stream whose creation was cut off, by the same call or at the next start', async () => {
    const stores: FailingStore[] = [];
    const openStore = async (folder: string): Promise<Result<Store>> => {
      const inner = await LevelStore.open(folder);
      if (!inner.ok) return inner;
      stores.push(new FailingStore(inner.value));
      return ok(stores.at(-1) ?? assert.fail());
    };
    await using home = await testNode({ limits: { storeRetryMs: 20 }, openStore });
    const { client, folder } = home;
    const [store = assert.fail()] = stores;
    // Each log is one batch, and the card the next one: the batch after two logs fails.
    const failAfter = (count: number): void => {
      const done = store.batches.length + count;
      Object.defineProperty(store, 'failWrites', {
        configurable: true,
        get: () => (store.batches.length >= done ? 'disk-full' : undefined),
      });
    };
    const heal = async (): Promise<void> => {
      Object.defineProperty(store, 'failWrites', {
        configurable: true,
        writable: true,
        value: undefined,
      });
      await until(
        async () => (await client.get('/status')).at('store', 'accepting') === true,
        'healed',
      );
    };
    const peer = await peerDid(folder);
    await until(async () => (await journal(home, peer)).length === 1, 'nothing else is written');
    const wanted = { name: 'orders', partitions: 2 };
    failAfter(1);
    problem(await client.json('POST', '/streams', wanted), 507, 'disk-full');
    await heal();
    problem(
      await client.json('POST', '/streams', { ...wanted, partitions: 3 }),
      409,
      'stream-exists',
    );
    failAfter(1);
    problem(await client.json('POST', '/streams', wanted), 507, 'disk-full');
    await heal();
    assert.equal((await registry(home)).length, 1, 'not announced yet');
    assert.equal((await client.json('POST', '/streams', wanted)).status, 201);
    assert.equal((await registry(home)).length, 2);
    problem(await client.json('POST', '/streams', wanted), 409, 'stream-exists');
    failAfter(1);
    problem(
      await client.json('POST', '/streams', { name: 'other', partitions: 2 }),
      507,
      'disk-full',
    );
    await heal();
    await home.node.stop();
    await using restarted = await testNode({ folder });
    assert.deepEqual((await registry(restarted)).at(-1), ['org.headwater.stream.created', 'other']);
    const shown = await restarted.client.get('/streams/acme/other');
    assert.equal((shown.at('logs') as unknown[]).length, 2);
  });

  it('never writes a secret to its log', async () => {
    await using home = await testNode();
    const { client, folder, token } = home;
    await createStream(client, 'orders');
    await client.batch(path, [event(1, { data: 'the-secret-of-the-event' })]);
    await client.call('GET', '/status', { authorization: 'Bearer a-wrong-token' });
    await client.get('/streams/acme/none');
    const text = home.log();
    await home.node.stop();
    assert.match(text, /the node is ready/);
    const keys = [];
    for (const name of ['organisation', 'peer', 'writer', 'recovery', 'node']) {
      keys.push((await readFile(join(folder, `keys/${name}.key`), 'utf8')).trim());
    }
    for (const secret of [token, 'a-wrong-token', 'the-secret-of-the-event', ...keys]) {
      assert.ok(!home.log().includes(secret), 'a secret is in the log');
    }
  });

  it('refuses an address that is taken', async () => {
    await using home = await testNode();
    const listen = home.node.api.replace('http://', '');
    await assert.rejects(() => testNode({ listen }), /port-in-use/);
  });

  it('follows what is configured and says what no registry knows', async () => {
    const stranger = 'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp';
    await using home = await testNode({ follow: [`${stranger}/prices`, 'nobody/news'] });
    const { client, folder } = home;
    const open = async (): Promise<unknown[]> =>
      ((await client.get('/checks')).at('checks') as unknown[])
        .map((check) => dig(check, 'name'))
        .filter((name) => String(name).startsWith('follow '));
    assert.deepEqual(await open(), [`follow ${stranger}/prices`, 'follow nobody/news']);
    const asked = await client.json('POST', '/follows', { target: stranger, why: 'partners' });
    assert.deepEqual(asked.body, { streams: [] });
    problem(
      await client.json('POST', '/follows', { target: 'nobody/else' }),
      404,
      'stream-unknown',
    );
    const configured = { target: `${stranger}/prices` };
    problem(await client.json('DELETE', '/follows', configured), 409, 'config-follow');
    assert.equal((await client.json('DELETE', '/follows', { target: stranger })).status, 200);
    const actions = async (): Promise<Awaited<ReturnType<typeof journal>>> =>
      (await journal(home, await peerDid(folder))).filter(([type]) => type === actionType);
    await until(async () => (await actions()).length === 2, 'journaled');
    assert.deepEqual(
      (await actions()).map(([, subject, data]) => [
        subject,
        dig(data, 'action'),
        dig(data, 'why'),
      ]),
      [
        [stranger, 'follow', 'partners'],
        [stranger, 'unfollow', undefined],
      ],
    );
  });
});
