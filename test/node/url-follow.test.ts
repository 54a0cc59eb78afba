import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, it } from 'mocha';
import { hw, json, tempFolder } from './cli/harness.ts';
import { answered, dig, event, problem, textOf, type Client } from './http/client.ts';
import { createStream, testNode, type TestNode } from './running.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { parseDid, parseLogId } from '../../src/ids.ts';
import { ApiClient } from '../../src/node/api-client.ts';
import { apiSource } from '../../src/node/log-source.ts';
import { exportTree } from '../../src/node/static-export.ts';
import { DiskFolder } from '../../src/node/tree-folder.ts';
import { asStreamName } from '../../src/types.ts';
import { must } from '../support/result.ts';
import { until } from '../support/until.ts';
import { owner, serveFolder } from './static-support.ts';

const path = '/streams/acme/orders/events';
const poll = { urlPollMs: 20 };

async function publishSome(client: Client, from: number, count: number): Promise<void> {
  const batch = Array.from({ length: count }, (_, i) => event(from + i, { data: { n: from + i } }));
  assert.equal((await client.batch(path, batch)).status, 202);
}

interface Stream {
  readonly id: string;
  readonly size: number;
  readonly root: unknown;
  readonly name: string;
}

/** The one stream of a node. */
async function streamOf({ client }: TestNode): Promise<Stream | undefined> {
  const stream = (await client.get('/streams')).at('streams', 0);
  if (stream === undefined) return undefined;
  const [size, root] = [dig(stream, 'logs', 0, 'size'), dig(stream, 'logs', 0, 'root')];
  const name = `${String(dig(stream, 'owner'))}/${String(dig(stream, 'name'))}`;
  return { id: String(dig(stream, 'id')), size: Number(size), root, name };
}

/** Ids and roots of the logs of that stream. */
async function chainOf({ client }: TestNode): Promise<string> {
  const logs = (await client.get('/streams')).at('streams', 0, 'logs');
  return JSON.stringify(
    Array.isArray(logs) ? logs.map((log) => [dig(log, 'log'), dig(log, 'root')]) : [],
  );
}

/** As `hw export` does while the node runs. */
async function exportTo(home: TestNode, path: string): Promise<void> {
  const { node, token, organisation } = home;
  const stream = (await streamOf(home)) ?? assert.fail();
  using client = new ApiClient(node.api.replace('http://', ''), token);
  await using folder = must(await DiskFolder.open(path, owner));
  const { signal } = new AbortController();
  const parts = { source: apiSource(client, signal), folder, crypto: nodeCrypto, signal };
  const id = must(parseLogId(stream.id));
  const by = must(parseDid(organisation));
  const logs = [{ log: id, partition: 0 }];
  const index = { stream: id, owner: by, name: asStreamName('orders'), partitions: 1, logs };
  must(await exportTree(parts, index));
}

describe('a static tree of a node', function () {
  this.timeout(20_000);

  it('is served with what caches have to know', async () => {
    await using home = await testNode();
    const { client } = home;
    await createStream(client, 'orders');
    await publishSome(client, 0, 300);
    const { id, size } = (await streamOf(home)) ?? assert.fail();
    const at = `/logs/${id}`;
    const note = await client.get(`${at}/checkpoint`);
    assert.equal(note.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(note.headers['cache-control'], 'public, max-age=10');
    assert.equal(note.text.split('\n')[1], String(size));
    const tile = await client.get(`${at}/tile/0/000`, '*/*');
    assert.equal(tile.headers['content-type'], 'application/octet-stream');
    assert.equal(tile.headers['content-length'], '8192');
    assert.equal(tile.headers['cache-control'], 'public, max-age=31536000, immutable');
    const partial = await client.get(`${at}/tile/0/001.p/${size - 256}`, '*/*');
    assert.equal(partial.headers['content-length'], String(32 * (size - 256)));
    const bundle = await client.get(`${at}/tile/entries/000`, '*/*');
    assert.equal(bundle.headers['cache-control'], 'public, max-age=31536000, immutable');
    const block = await client.get(`${at}/block/1`, '*/*');
    assert.equal(block.headers['cache-control'], 'public, max-age=300');
    for (const one of [note, tile, bundle, block]) {
      const url = one === note ? 'checkpoint' : one === tile ? 'tile/0/000' : undefined;
      if (url === undefined) continue;
      const etag = String(one.headers.etag);
      assert.match(etag, /^"[0-9a-f]{32}"$/);
      const known = await client.call('GET', `${at}/${url}`, { 'if-none-match': `"x", W/${etag}` });
      assert.equal(known.status, 304);
      assert.equal(known.text, '');
      assert.equal(known.headers.etag, etag);
      const other = await client.call('GET', `${at}/${url}`, { 'if-none-match': '"x"' });
      assert.equal(other.status, 200);
    }
    problem(await client.get(`${at}/tile/0/002`), 404, 'tile-unknown');
    problem(await client.get(`${at}/tile/1/000.p/2`), 404, 'tile-unknown');
    problem(await client.get(`${at}/block/99`), 404, 'block-unknown');
    problem(await client.get(`${at}/cosigned`), 404, 'cosigned-unknown');
    problem(await client.get(`${at}/tile/0/2`), 400, 'bad-tile-path');
    problem(await client.get(`${at}/tile/0/..%2f..%2fcheckpoint`), 400, 'bad-tile-path');
    problem(await client.get(`${at}/block/01`), 400, 'bad-tile-path');
    problem(
      await client.get(`/logs/${id.slice(0, -1)}${id.endsWith('a') ? 'e' : 'a'}/checkpoint`),
      404,
      'stream-unknown',
    );
    assert.deepEqual((await client.get(`${at}/tree`)).body, { mayBeReduced: false });
  });

  it('of a public stream needs no token on this machine, and of no other stream does anybody learn', async () => {
    await using home = await testNode();
    const { client, node } = home;
    await createStream(client, 'orders');
    await createStream(client, 'secrets', { visibility: 'direct' });
    const { streams } = (await client.get('/streams')).body as {
      streams: Record<string, unknown>[];
    };
    const [open, direct] = ['orders', 'secrets'].map((name) =>
      String(streams.find((one) => one['name'] === name)?.['id']),
    );
    const bare = async (url: string): Promise<{ status: number; text: string }> => {
      const { request } = await import('node:http');
      const outgoing = request(`${node.api}${url}`);
      outgoing.end();
      const response = await answered(outgoing);
      return { status: response.statusCode ?? 0, text: await textOf(response) };
    };
    for (const file of ['checkpoint', 'tile/0/000.p/2', 'tile/entries/000.p/1', 'block/0']) {
      assert.equal((await bare(`/logs/${open}/${file}`)).status, 200, file);
      const refused = await bare(`/logs/${direct}/${file}`);
      assert.equal(refused.status, 401, file);
      const unknown = await bare(`/logs/${open?.slice(0, -2)}aa/${file}`);
      assert.equal(unknown.text, refused.text, 'the same as for a log that does not exist');
    }
    for (const url of [
      `/logs/${open}/events/0`,
      `/logs/${open}/tree`,
      '/streams',
      '/logs/x/checkpoint',
    ]) {
      assert.equal((await bare(url)).status, 401, url);
    }
    const own = await client.get(`/logs/${direct}/checkpoint`);
    assert.equal(own.status, 200);
    assert.equal(own.headers['cache-control'], 'private, max-age=10');
  });
});

describe('hw export --static', function () {
  this.timeout(20_000);

  it('writes from the store of a stopped node what the running one gives', async () => {
    using out = tempFolder();
    using homes = tempFolder();
    const folder = join(homes.path, 'acme');
    const online = join(out.path, 'online');
    {
      await using home = await testNode({ folder });
      await createStream(home.client, 'orders');
      await publishSome(home.client, 0, 300);
      await exportTo(home, online);
      await createStream(home.client, 'secrets', { visibility: 'direct' });
    }
    const stopped = join(out.path, 'stopped');
    const args = ['--home', folder, '--json', 'export', '--static'];
    const ran = await hw([...args, stopped, 'orders']);
    assert.equal(ran.code, 0, ran.stdout);
    const report = json(ran);
    const log = String(report['stream']);
    assert.equal(dig(report, 'logs', 0, 'from'), 0);
    for (const file of [
      'headwater.json',
      `${log}/checkpoint`,
      `${log}/tile/0/000`,
      `${log}/block/1`,
    ]) {
      assert.deepEqual(
        await readFile(join(stopped, file)),
        await readFile(join(online, file)),
        file,
      );
    }
    assert.equal(json(await hw([...args, stopped, 'orders']))['files'], 0);
    const direct = await hw([...args, join(out.path, 'x'), 'secrets']);
    assert.equal(dig(json(direct), 'error', 'code'), 'stream-private');
    assert.equal(direct.code, 5);
    const journal = await hw([...args, join(out.path, 'x'), '_journal']);
    assert.equal(dig(json(journal), 'error', 'code'), 'stream-private');
    const absent = await hw([...args, join(out.path, 'x'), 'nothing']);
    assert.equal(dig(json(absent), 'error', 'code'), 'stream-unknown');
    for (const flag of [['--from', '3'], ['--ancestors']]) {
      const misplaced = await hw([...args, stopped, 'orders', ...flag]);
      assert.equal(dig(json(misplaced), 'error', 'code'), 'usage', flag[0]);
    }
    const onto = await hw([...args, join(stopped, 'headwater.json'), 'orders']);
    assert.equal(dig(json(onto), 'error', 'code'), 'file-unwritable');
    const nowhere = await hw([...args, join(stopped, 'headwater.json/a/b'), 'orders']);
    assert.equal(dig(json(nowhere), 'error', 'code'), 'file-unwritable');
  });
});

describe('following from a URL', function () {
  this.timeout(30_000);

  it('keeps a verified copy by a plain file server, goes on with it, and after a restart', async () => {
    using out = tempFolder();
    await using acme = await testNode();
    await createStream(acme.client, 'orders');
    await publishSome(acme.client, 0, 600);
    await exportTo(acme, out.path);
    await using server = await serveFolder(out.path);
    using homeOfBeta = tempFolder();
    const folder = join(homeOfBeta.path, 'beta');
    const ours = (await streamOf(acme)) ?? assert.fail();
    {
      await using beta = await testNode({ folder, limits: poll });
      const { url } = server;
      const follow = (target: string): ReturnType<Client['json']> =>
        beta.client.json('POST', '/follows', { url, target });
      problem(await follow(`hw:${ours.id.slice(0, -2)}aa`), 422, 'url-content');
      const followed = await follow(`hw:${ours.id}`);
      assert.equal(followed.status, 200, followed.text);
      assert.deepEqual([followed.at('name'), followed.at('stream')], [ours.name, ours.id]);
      await until(async () => (await streamOf(beta))?.size === ours.size, 'the same size');
      assert.deepEqual((await streamOf(beta))?.root, ours.root);
      const verified = await beta.client.json('POST', `/streams/${ours.name}/verify`, {});
      assert.equal(verified.at('verdict'), 'intact', verified.text);
      await publishSome(acme.client, 600, 10);
      await exportTo(acme, out.path);
      const more = (await streamOf(acme)) ?? assert.fail();
      await until(async () => (await streamOf(beta))?.size === more.size, 'the same size');
    }
    const control = JSON.parse(await readFile(join(folder, 'control.json'), 'utf8'));
    assert.deepEqual(control.followUrls, [`${ours.id} ${server.url}`]);
    await using again = await testNode({ folder, limits: poll });
    await publishSome(acme.client, 610, 10);
    await exportTo(acme, out.path);
    const last = (await streamOf(acme)) ?? assert.fail();
    await until(async () => (await streamOf(again))?.size === last.size, 'the same size');
    // What goes wrong there is told, with a code and what to do, and it ends once it is mended.
    const note = join(out.path, ours.id, 'checkpoint');
    const text = await readFile(note, 'utf8');
    await writeFile(note, 'nonsense');
    const name = `url ${server.url}`;
    const check = async (): Promise<unknown> => {
      const checks = (await again.client.get('/checks')).at('checks') as unknown[];
      return checks.find((one) => dig(one, 'name') === name);
    };
    await until(async () => (await check()) !== undefined, 'a check');
    const metrics = await again.client.get('/metrics', 'text/plain');
    assert.match(metrics.text, /headwater_url_follows 1\n[^]*headwater_url_follows_failing 1\n/);
    assert.match(String(dig(await check(), 'reason')), /note-malformed/);
    await writeFile(note, text);
    await until(async () => (await check()) === undefined, 'the check is gone');
    const end = (): ReturnType<Client['json']> =>
      again.client.json('DELETE', '/follows', { url: server.url, purge: true });
    assert.equal((await end()).status, 200);
    assert.equal(await streamOf(again), undefined);
    problem(await end(), 404, 'url-unknown');
  });

  it('reads a log from the node that writes it, and ends where the stream is unfollowed by name', async () => {
    await using acme = await testNode();
    await createStream(acme.client, 'orders');
    await publishSome(acme.client, 0, 20);
    const ours = (await streamOf(acme)) ?? assert.fail();
    await using beta = await testNode({ limits: poll });
    const url = `${acme.node.api}/logs/${ours.id}`;
    const followed = await beta.client.json('POST', '/follows', { url });
    assert.equal(followed.status, 200, followed.text);
    await until(async () => (await streamOf(beta))?.size === ours.size, 'the same size');
    const again = await beta.client.json('POST', '/follows', { url });
    assert.equal(again.status, 200, 'what is followed already is no error');
    const gone = await beta.client.json('DELETE', '/follows', { target: ours.name });
    assert.equal(gone.status, 200, gone.text);
    problem(await beta.client.json('DELETE', '/follows', { url }), 404, 'url-unknown');
    assert.equal(await streamOf(beta), undefined);
  });

  it('takes every partition of a stream from a folder', async () => {
    using out = tempFolder();
    using homes = tempFolder();
    const folder = join(homes.path, 'acme');
    let roots: unknown[] = [];
    {
      await using home = await testNode({ folder });
      await createStream(home.client, 'orders', { partitions: 3 });
      await publishSome(home.client, 0, 60);
      const logs = (await home.client.get('/streams')).at('streams', 0, 'logs') as unknown[];
      roots = logs.map((log) => dig(log, 'root'));
    }
    const ran = await hw(['--home', folder, '--json', 'export', 'orders', '--static', out.path]);
    assert.equal(ran.code, 0, ran.stdout);
    await using beta = await testNode({ limits: poll });
    const followed = await beta.client.json('POST', '/follows', {
      url: pathToFileURL(out.path).href,
    });
    assert.equal(followed.status, 200, followed.text);
    const held = async (): Promise<unknown[]> => {
      const logs = (await beta.client.get('/streams')).at('streams', 0, 'logs');
      return Array.isArray(logs) ? logs.map((log) => dig(log, 'root')) : [];
    };
    assert.equal(roots.length, 3);
    await until(async () => String(await held()) === String(roots), 'all three');
  });

  it('goes on across recoveries, also of what was exported beyond the place that was chosen', async () => {
    using out = tempFolder();
    using homes = tempFolder();
    const folder = join(homes.path, 'acme');
    await using beta = await testNode({ limits: poll });
    const followed = async (): Promise<unknown> => {
      const url = pathToFileURL(out.path).href;
      return (await beta.client.json('POST', '/follows', { url })).status;
    };
    for (const at of [40, undefined]) {
      let ours = '';
      {
        await using home = await testNode({ folder });
        if (at !== undefined) await createStream(home.client, 'orders');
        for (const n of [0, 1, 2]) await publishSome(home.client, 30 * n, 30);
        if (at !== undefined) {
          await exportTo(home, out.path);
          assert.equal(await followed(), 200);
          const whole = await chainOf(home);
          await until(async () => (await chainOf(beta)) === whole, 'the log before its recovery');
        }
        const body = { reason: 'key', ...(at === undefined ? {} : { at }) };
        const done = await home.client.json('POST', '/streams/acme/orders/recover', body);
        assert.equal(done.status, 200, done.text);
        await publishSome(home.client, 1000, 5);
        ours = await chainOf(home);
      }
      const ran = await hw(['--home', folder, '--json', 'export', 'orders', '--static', out.path]);
      assert.equal(ran.code, 0, ran.stdout);
      await until(async () => (await chainOf(beta)) === ours, 'the same chain');
    }
    await using late = await testNode({ limits: poll });
    const url = pathToFileURL(out.path).href;
    assert.equal((await late.client.json('POST', '/follows', { url })).status, 200);
    const all = await chainOf(beta);
    await until(async () => (await chainOf(late)) === all, 'the same chain, for who comes late');
    const name = `/streams/${(await streamOf(late))?.name ?? ''}`;
    const read = async ({ client }: TestNode): Promise<string> =>
      (await client.get(`${name}/events`)).text;
    assert.equal(await read(late), await read(beta));
    const verified = await late.client.json('POST', `${name}/verify`, {});
    assert.equal(verified.at('verdict'), 'intact', verified.text);
  });

  it('says what is wrong with a place before it is kept', async () => {
    await using beta = await testNode({ limits: poll });
    const follow = (body: unknown): ReturnType<Client['json']> =>
      beta.client.json('POST', '/follows', body);
    problem(await follow({ url: 'ftp://example.org/' }), 400, 'bad-url');
    problem(await follow({ url: 'https://user:word@example.org/' }), 400, 'bad-url');
    problem(await follow({ url: 'http://127.0.0.1:1/' }), 503, 'url-unreachable');
    problem(await follow({ url: 'file:///nowhere/at/all/' }), 404, 'url-missing');
    problem(await follow({}), 400, 'usage');
    const bare = await hw(['--home', beta.folder, '--json', 'follow']);
    assert.equal(dig(json(bare), 'error', 'code'), 'usage');
    const neither = await hw(['--home', beta.folder, '--json', 'export', 'orders']);
    assert.equal(dig(json(neither), 'error', 'code'), 'usage');
    const control = await readFile(join(beta.folder, 'control.json'), 'utf8').catch(() => '{}');
    assert.equal(dig(JSON.parse(control), 'followUrls'), undefined);
  });
});
