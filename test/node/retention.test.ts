/** Policies, redaction and the bounded journal, over HTTP and on the command line. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { lockHome } from '../../src/node/home-lock.ts';
import { homePaths } from '../../src/node/home.ts';
import { must } from '../support/result.ts';
import { until } from '../support/until.ts';
import { faultOf, hw, json, real, tempFolder } from './cli/harness.ts';
import { event, lines, problem } from './http/client.ts';
import { createStream, testNode, type TestNode } from './running.ts';
import { ids, journal, peerDid } from './views.ts';

const path = '/streams/acme/orders';

async function publish({ client }: TestNode, from: number, to: number): Promise<void> {
  const events = Array.from({ length: to - from }, (_, i) => event(from + i, { subject: 's' }));
  const answer = await client.batch(`${path}/events`, events);
  assert.equal(answer.status, 202, answer.text);
}

describe('retention of a running node', function () {
  this.timeout(20_000);

  it('is set when a stream is made, shown, changed, and acts by itself', async () => {
    await using home = await testNode({ limits: { retentionIntervalMs: 20 } });
    const { client } = home;
    await createStream(client, 'orders', { retention: { maxAgeMs: 3_600_000 } });
    assert.deepEqual((await client.get(path)).at('retention'), { maxAgeMs: 3_600_000 });
    await publish(home, 0, 10);
    const set = await client.json('PATCH', path, { retention: { below: 7 }, why: 'contract' });
    assert.equal(set.status, 200, set.text);
    assert.deepEqual(set.at('retention'), { below: 7 });
    await until(async () => (await client.get(path)).at('logs', 0, 'lowest') === 7, 'lowest');
    const wanted = ['5', '6', '7', '8', '9'];
    await until(async () => (await ids(client, `${path}/events`)).join() === wanted.join(), 'gone');
    problem(await client.get(`${path}/events/3`), 410, 'event-dropped');
    problem(await client.get(`${path}/events/3/proof`), 410, 'event-dropped');
    const proof = await client.get(`${path}/events/3/proof?disclose=none`);
    assert.equal(proof.status, 200, proof.text);
    assert.equal((await client.get(`${path}/events/8`)).status, 200);
    const verified = await client.json('POST', `${path}/verify`, {});
    assert.equal(verified.at('verdict'), 'incomplete');
    assert.equal(verified.at('firstProblem', 'code'), 'event-dropped');
    assert.equal(verified.at('logs', 0, 'dropped'), 5);
    // What is not there yet cannot be meant: a digit too many would drop what comes.
    const beyond = await client.json('PATCH', path, { retention: { below: 70_000 } });
    assert.equal(beyond.at('code'), 'index-over-head', beyond.text);
    assert.match(String(beyond.at('hint')), /what comes later is kept/);
    const kept = await client.json('PATCH', path, { retention: { keep: 'all' } });
    assert.deepEqual(kept.at('retention'), { keep: 'all' });
    const entries = await journal(home, await peerDid(home.folder));
    const actions = entries.map(([, subject, data]) => JSON.stringify([subject, data]));
    assert.ok(actions.some((text) => text.includes('stream.policy') && text.includes('contract')));
    const metrics = await client.get('/metrics', 'text/plain');
    assert.match(metrics.text, /headwater_dropped_bodies_total 5\n/);
    problem(await client.json('PATCH', path, { retention: { maxAgeMs: 0 } }), 400, 'usage');
    problem(await client.json('PATCH', path, { retention: { days: 3 } }), 400, 'not-supported');
  });

  it('redacts an event, for the owner only, and says so with 410 afterwards', async () => {
    await using home = await testNode();
    const { client } = home;
    await createStream(client, 'orders');
    await publish(home, 0, 3);
    const url = `${path}/events/3/redact`;
    const done = await client.json('POST', url, { reason: 'asked by the customer' });
    assert.equal(done.status, 200, done.text);
    assert.deepEqual([done.at('index'), done.at('already')], [3, false]);
    problem(await client.get(`${path}/events/3`), 410, 'event-redacted');
    assert.deepEqual(await ids(client, `${path}/events`), ['0', '2']);
    assert.deepEqual(await ids(client, `${path}/events?subject=s`), ['0', '2']);
    assert.equal((await client.json('POST', url, { reason: 'again' })).at('already'), true);
    problem(await client.json('POST', url, {}), 400, 'usage');
    problem(await client.json('POST', url, { reason: ' ' }), 422, 'redact-fields');
    const seal = `${path}/events/1/redact`;
    problem(await client.json('POST', seal, { reason: 'x' }), 404, 'event-unknown');
    const over = `${path}/events/99/redact`;
    problem(await client.json('POST', over, { reason: 'x' }), 404, 'index-over-head');
    const entries = await journal(home, await peerDid(home.folder));
    const told = entries.map(([, , data]) => JSON.stringify(data));
    assert.ok(told.some((text) => text.includes('"redact"') && text.includes('customer')));
  });

  it('keeps the journal within its bounds, also one that was made without any', async () => {
    using folder = tempFolder();
    const options = {
      folder: folder.path,
      limits: { retentionIntervalMs: 20, journalMaxBytes: 9000 },
    };
    {
      await using home = await testNode({ folder: folder.path });
      await createStream(home.client, 'orders');
    }
    await using home = await testNode(options);
    const { client } = home;
    const url = `/streams/${await peerDid(home.folder)}/_journal`;
    await until(async () => (await client.get(url)).at('retention', 'maxBytes') === 9000, 'bound');
    for (let i = 0; i < 30; i++) await client.json('PATCH', path, { paused: i % 2 === 0 });
    await until(async () => Number((await client.get(url)).at('logs', 0, 'lowest')) > 20, 'lowest');
    const few = async (): Promise<number> => lines((await client.get(`${url}/events`)).text).length;
    await until(async () => (await few()) < 20, 'few entries');
    assert.ok((await few()) > 0);
    problem(
      await client.json('PATCH', url, { retention: { keep: 'all' } }),
      400,
      'retention-policy',
    );
  });

  it('is a matter of two commands', async () => {
    await using home = await testNode({ limits: { retentionIntervalMs: 20 } });
    const paths = homePaths(home.folder);
    await using _lock = must(await lockHome(paths, real));
    writeFileSync(paths.nodeInfo, JSON.stringify({ api: home.node.api }));
    const at = ['--home', home.folder];
    const made = await hw(['stream', 'create', 'orders', '--max-age', '30d', '--json', ...at]);
    assert.equal(made.code, 0, made.stdout + made.stderr);
    assert.deepEqual(json(made)['retention'], { maxAgeMs: 2_592_000_000 });
    await publish(home, 0, 6);
    const shown = await hw(['stream', 'policy', 'orders', ...at]);
    assert.match(shown.stdout, /^orders keeps 30 d back\n {2}log bafkr.*: 9 entries, all offered/);
    const flags = ['--below', '4', '--max-bytes', '10GiB'];
    const set = await hw(['stream', 'policy', 'orders', ...flags, '--json', ...at]);
    assert.deepEqual(json(set)['retention'], { maxBytes: 10 * 2 ** 30, below: 4 });
    await until(async () => (await ids(home.client, `${path}/events`)).length === 4, 'dropped');
    const done = await hw(['redact', 'orders#5', '--reason', 'asked', ...at]);
    assert.deepEqual([done.code, done.stderr], [0, '']);
    assert.match(done.stdout, /^orders#5 is redacted: .*entry \d+ says why\n/);
    const replayed = await hw(['replay', 'orders', ...at]);
    assert.equal(lines(replayed.stdout).length, 3);
    assert.match(replayed.stderr, /^note: events before index 4 are no longer kept: .*10 GiB/);
    const verified = await hw(['verify', 'orders', '--json', ...at]);
    assert.equal(verified.code, 4);
    const [log] = json(verified)['logs'] as Record<string, unknown>[];
    assert.deepEqual([log?.['dropped'], log?.['redacted']], [2, 1]);
    const gone = await hw(['prove', 'orders#5', ...at]);
    assert.equal(gone.code, 4);
    assert.match(gone.stderr, /event-redacted/);
    const file = join(home.folder, 'leaf.tlog-proof');
    assert.equal(
      (await hw(['prove', 'orders#5', '--disclose', 'none', '--out', file, ...at])).code,
      0,
    );
    assert.equal((await hw(['verify', file])).code, 0);
    for (const wrong of [
      ['stream', 'policy', 'orders', '--max-age', '30'],
      ['stream', 'policy', 'orders', '--max-bytes', '10 GB'],
      ['stream', 'policy', 'orders', '--keep', 'some'],
      ['stream', 'policy', 'orders', '--keep', 'all', '--compact'],
      ['stream', 'create', 'more', '--max-age', '0d'],
      ['redact', 'orders#5'],
    ]) {
      const refused = await hw([...wrong, '--json', ...at]);
      assert.deepEqual([refused.code, faultOf(refused)['code']], [2, 'usage'], wrong.join(' '));
    }
  });
});
