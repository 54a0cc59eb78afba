import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { dig, event, lines, problem } from './http/client.ts';
import { createStream, testNode } from './running.ts';
import { ids, journal, peerDid, registry } from './views.ts';
import { until } from '../support/until.ts';

const path = '/streams/acme/orders/events';

describe('streams of a running node', function () {
  this.timeout(20_000);

  it('are made, shown, listed and announced in the registry', async () => {
    await using home = await testNode();
    const { client, organisation } = home;
    const made = await client.json('POST', '/streams', {
      name: 'orders',
      partitions: 2,
      contentType: 'application/json',
      description: 'What was ordered.',
    });
    assert.equal(made.status, 201);
    const shown = (await client.get('/streams/acme/orders')).body;
    assert.deepEqual(made.body, shown);
    const { display, owner, name, visibility, partitions, own, followed, paused } = shown as Record<
      string,
      unknown
    >;
    assert.deepEqual(
      { display, owner, name, visibility, partitions, own, followed, paused },
      {
        display: 'orders',
        owner: organisation,
        name: 'orders',
        visibility: 'public',
        partitions: 2,
        own: true,
        followed: false,
        paused: false,
      },
    );
    assert.deepEqual((await client.get(`/streams/${organisation}/orders`)).body, shown);
    const listed = await client.get('/streams');
    assert.deepEqual(listed.body, { streams: [shown] });
    assert.deepEqual(await registry(home), [
      ['org.headwater.profile.updated', organisation],
      ['org.headwater.stream.created', 'orders'],
    ]);
    await createStream(client, 'private', { visibility: 'direct' });
    assert.equal((await registry(home)).length, 2, 'a direct stream is in no registry');
  });

  it('are made once, however many ask at once, and only with a good name', async () => {
    await using home = await testNode();
    const { client } = home;
    const asked = await Promise.all(
      Array.from({ length: 5 }, () => client.json('POST', '/streams', { name: 'orders' })),
    );
    assert.deepEqual(
      asked.map(({ status }) => status).toSorted((a, b) => a - b),
      [201, 409, 409, 409, 409],
    );
    problem(asked.find(({ status }) => status === 409) ?? assert.fail(), 409, 'stream-exists');
    assert.equal((await registry(home)).length, 2);
    for (const name of ['_journal', 'Orders', '', 'a/b']) {
      problem(await client.json('POST', '/streams', { name }), 400, 'bad-name');
    }
    problem(await client.json('POST', '/streams', { name: 'a', partitions: 300 }), 400, 'usage');
    problem(await client.get('/streams/acme/nothing'), 404, 'stream-unknown');
    problem(await client.get('/streams/nobody/orders'), 404, 'stream-unknown');
    problem(await client.get('/streams/acme/No%20name'), 400, 'bad-name');
  });

  it('take events and give the first receipt again for the same ones', async () => {
    await using home = await testNode();
    const { client } = home;
    await createStream(client, 'orders');
    const first = await client.batch(path, [event(1), event(2)]);
    const again = await client.batch(path, [event(2), event(1)]);
    const receipts = first.at('receipts') as unknown[];
    assert.deepEqual(again.at('receipts'), receipts.toReversed());
    assert.deepEqual(Object.keys(receipts[0] as object), [
      'log',
      'index',
      'leafHash',
      'block',
      'size',
      'root',
      'ack',
    ]);
    assert.match(String(dig(receipts[0], 'leafHash')), /^[0-9a-f]{64}$/);
    const other = await client.batch(path, [event(3), event(1, { subject: 'other' })]);
    assert.deepEqual(problem(other, 409, 'event-conflict'), { index: 1 });
    const partial = await client.batch(`${path}?partial=true`, [
      event(4),
      event(1, { subject: 'other' }),
    ]);
    assert.equal(partial.at('results', 1, 'error', 'code'), 'event-conflict');
    assert.equal(dig(partial.at('results', 0), 'receipt', 'ack'), 'local');
    const text = `${JSON.stringify(event(4))}\n${JSON.stringify(event(5))}\n`;
    const streamed = await client.call(
      'POST',
      path,
      { 'content-type': 'application/x-ndjson' },
      text,
    );
    const answers = lines(streamed.text);
    assert.deepEqual(dig(answers[0], 'lines'), [1, 1], 'the duplicate stands in an earlier block');
    assert.deepEqual(dig(answers[1], 'lines'), [2, 2]);
    assert.deepEqual(await ids(client, path), ['1', '2', '3', '4', '5']);
  });

  it('pause and resume with who and why, at once, and across a restart', async () => {
    await using home = await testNode();
    const { client, folder } = home;
    const peer = await peerDid(folder);
    await createStream(client, 'orders', { why: 'first' });
    const body = { paused: true, why: 'stocktaking' };
    const paused = await client.json('PATCH', '/streams/acme/orders', body);
    assert.equal(paused.at('paused'), true);
    assert.equal(paused.at('logs', 0, 'state'), 'paused');
    const status = await client.get('/status');
    assert.equal(status.at('streams', 0, 'paused'), true);
    assert.equal(status.at('streams', 0, 'logs', 0, 'state'), 'paused');
    problem(await client.batch(path, [event(1)]), 503, 'stream-paused');
    await home.node.stop();
    await using restarted = await testNode({ folder });
    problem(await restarted.client.batch(path, [event(1)]), 503, 'stream-paused');
    await restarted.client.json('PATCH', '/streams/acme/orders', { paused: false });
    assert.equal((await restarted.client.batch(path, [event(1)])).status, 202);
    await until(async () => (await journal(restarted, peer)).length === 6, 'six entries');
    const [version] = [(await restarted.client.get('/status')).at('version')];
    assert.deepEqual(await journal(restarted, peer), [
      ['org.headwater.node.started', undefined, { version }],
      [
        'org.headwater.operator.action',
        'orders',
        { action: 'stream.create', who: 'api', why: 'first' },
      ],
      [
        'org.headwater.operator.action',
        'orders',
        { action: 'stream.pause', who: 'api', why: 'stocktaking' },
      ],
      ['org.headwater.node.stopped', undefined, {}],
      ['org.headwater.node.started', undefined, { version }],
      ['org.headwater.operator.action', 'orders', { action: 'stream.resume', who: 'api' }],
    ]);
  });

  it('verify as intact, and say so in the shape of hw verify', async () => {
    await using home = await testNode();
    const { client, organisation } = home;
    await createStream(client, 'orders');
    await client.batch(path, [event(1), event(2)]);
    const answer = await client.call('POST', '/streams/acme/orders/verify');
    assert.equal(answer.status, 200, answer.text);
    const shown = await client.get('/streams/acme/orders');
    assert.equal(answer.at('verdict'), 'intact');
    assert.equal(answer.at('stream'), 'orders');
    assert.equal(answer.at('checkedEvents'), 2);
    assert.equal(typeof answer.at('seconds'), 'number');
    assert.equal(answer.at('firstProblem'), undefined);
    const [log] = answer.at('logs') as unknown[];
    for (const member of ['log', 'size', 'root', 'blocks']) {
      assert.deepEqual(dig(log, member), shown.at('logs', 0, member), member);
    }
    assert.equal(dig(log, 'signer'), shown.at('logs', 0, 'writerKey'));
    assert.notEqual(dig(log, 'signer'), organisation);
    assert.deepEqual(dig(log, 'witnesses'), []);
    problem(await client.call('POST', '/streams/acme/none/verify'), 404, 'stream-unknown');
  });
});
