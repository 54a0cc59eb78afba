/** What each route needs, and what opens without a token. */
import assert from 'node:assert/strict';
import type { FastifyInstance } from 'fastify';
import { describe, it } from 'mocha';
import { limits } from '../../../src/limits.ts';
import { buildServer, declaredRoutes } from '../../../src/node/http/server.ts';
import { buildMetricsServer, buildPublicServer } from '../../../src/node/http/public-server.ts';
import { commandOf, entryPoints } from '../../../src/node/http/entry-points.ts';
import { addressGroup, Attempts, isLoopback } from '../../../src/node/http/attempts.ts';
import { real } from '../cli/harness.ts';
import { problem } from './client.ts';
import { Double, log } from './double.ts';
import { guarded, TestClock } from './guarded.ts';

const token = 'the-token-of-this-home';
const here = '127.0.0.1';
const stranger = '192.0.2.7';

class Open extends Double {
  override tree = {
    isPublic: (id: string): boolean => id === log,
    file: (): never => {
      throw new Error('not here');
    },
    mayBeReduced: (): never => {
      throw new Error('not here');
    },
  };
  override logId = (() => ({ ok: true, value: log })) as never;
  override metrics = (() => Promise.resolve('headwater_up 1\n')) as never;
}

const shared = {
  timers: real.timers,
  clock: real.clock,
  limits,
  onFault: (): void => undefined,
};

function api(): Promise<FastifyInstance> {
  const security = { clock: real.clock, random: real.random };
  return buildServer(new Open(), { ...shared, token, version: '1', security });
}

/** A path of a route as one would ask for it. */
function concrete(route: string): string {
  return route
    .replace(':logId', log)
    .replace(':originHash', 'ab'.repeat(32))
    .replace('tile/*', 'tile/0/000')
    .replace('block/*', 'block/0')
    .replaceAll(/:\w+/g, '1');
}

describe('the entry points of the API', function () {
  this.timeout(20_000);

  it('has an entry for each route, and no entry without a route', async () => {
    const server = await api();
    await server.ready();
    const declared = declaredRoutes(server).toSorted();
    await server.close();
    assert.ok(declared.length > 40);
    assert.deepEqual(declared, Object.keys(entryPoints).toSorted());
  });

  it('finds the command of a request before it is sent', () => {
    assert.equal(commandOf('GET', '/status'), '/flow/admin/read');
    assert.equal(commandOf('POST', '/streams/acme/orders/events?ack=local'), '/flow/admin/publish');
    assert.equal(commandOf('GET', `/logs/${log}/tile/0/x001/067`), '/flow/admin/read');
    assert.equal(commandOf('POST', '/streams/a/b/verify?repair=true'), '/flow/admin/control');
    assert.equal(commandOf('POST', '/streams/a/b/verify'), '/flow/admin/read');
    assert.equal(commandOf('POST', '/shutdown'), '/flow/admin/stop');
    assert.equal(commandOf('GET', '/nowhere'), '/flow/admin/read');
  });

  it('opens without a token from this machine only what is named so', async () => {
    const server = await api();
    for (const [route, entry] of Object.entries(entryPoints)) {
      const [method = '', path = ''] = route.split(' ');
      const ask = { method: method as 'GET', url: concrete(path) };
      const local = await server.inject({ ...ask, remoteAddress: here });
      assert.equal(local.statusCode === 401, entry.local === undefined, route);
      // From elsewhere everything needs a token, and that of the home is not taken in plain text.
      const remote = await server.inject({ ...ask, remoteAddress: stranger });
      assert.equal(remote.statusCode, 401, route);
      const headers = { authorization: `Bearer ${token}` };
      const plain = await server.inject({ ...ask, headers, remoteAddress: stranger });
      assert.equal(plain.statusCode, 401, route);
    }
    await server.close();
  });

  it('opens the tree of a public stream alone', async () => {
    const server = await api();
    const other = log.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'));
    for (const file of ['checkpoint', 'cosigned', 'tile/0/000', 'block/0']) {
      const ask = (id: string) =>
        server.inject({ url: `/logs/${id}/${file}`, remoteAddress: here });
      assert.notEqual((await ask(log)).statusCode, 401, file);
      assert.equal((await ask(other)).statusCode, 401, file);
      assert.equal((await ask(`%2e%2e/${log}`)).statusCode, 401, file);
    }
    await server.close();
  });

  it('gives /metrics, and nothing else, to the token for metrics', async () => {
    await using node = await guarded();
    const headers = { authorization: 'Bearer the-token-for-metrics' };
    const metrics = await node.client.call('GET', '/metrics', headers);
    assert.equal(metrics.status, 500, 'let in: the double has none');
    for (const path of ['/status', '/checks', '/streams', '/metrics/x']) {
      problem(await node.client.call('GET', path, headers), 401, 'token-refused');
    }
    problem(await node.client.call('POST', '/metrics', headers), 401, 'token-refused');
    const wrong = { authorization: 'Bearer the-token-for-metrics2' };
    problem(await node.client.call('GET', '/metrics', wrong), 401, 'token-refused');
  });
});

describe('the public listener', function () {
  this.timeout(20_000);

  it('answers none of the routes of the API but those that are public', async () => {
    const server = buildPublicServer(new Open(), shared);
    const found: string[] = [];
    for (const route of Object.keys(entryPoints)) {
      const [method = '', path = ''] = route.split(' ');
      const headers = { authorization: `Bearer ${token}` };
      const url = concrete(path);
      const answer = await server.inject({ method: method as 'GET', url, headers });
      if (answer.statusCode !== 404) found.push(route);
      else assert.equal(answer.json<{ code: string }>().code, 'route-unknown', route);
    }
    const wanted = Object.entries(entryPoints).filter(([, entry]) => entry.public === true);
    assert.deepEqual(found.toSorted(), wanted.map(([route]) => route).toSorted());
    for (const url of ['/.well-known/did.json', '/openapi.json', '/console/', '/dsp', '/']) {
      assert.equal((await server.inject({ url })).statusCode, 404, url);
    }
    await server.close();
  });

  it('says the same of a direct log, an unknown one and a route that there is not', async () => {
    const server = buildPublicServer(new Open(), shared);
    const other = log.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'));
    const bodies = new Set<string>();
    for (const url of [
      `/logs/${other}/checkpoint`,
      `/logs/${other}/tile/0/000`,
      '/logs/x/block/0',
      `/logs/${log}/events/0`,
      '/streams/acme/_journal/events',
      `/logs/..%2f${log}/checkpoint`,
      `/logs/${log}/../../status`,
      `/logs/${log}/%2e%2e/%2e%2e/status`,
      '/health/ready',
    ]) {
      const answer = await server.inject({ url });
      bodies.add(`${answer.statusCode} ${answer.body}`);
    }
    assert.equal(bodies.size, 1, [...bodies].join('\n'));
    await server.close();
  });

  it('serves no file outside of a tree, whatever the name', async () => {
    const server = buildPublicServer(new Open(), shared);
    for (const name of [
      'tile/../../../api.token',
      'tile/%2e%2e/%2e%2e/api.token',
      'tile/0/..%2f..%2fapi.token',
      'tile//etc/passwd',
      'block/0%00',
      'block/-1',
      'tile/0/x1/001',
    ]) {
      const answer = await server.inject({ url: `/logs/${log}/${name}` });
      assert.ok([400, 404].includes(answer.statusCode), `${name}: ${answer.statusCode}`);
    }
    await server.close();
  });

  it('counts requests by address, unknown routes too', async () => {
    const clock = new TestClock();
    const few = { ...limits, maxPublicRequestsPerSecond: 3 };
    const server = buildPublicServer(new Open(), { ...shared, clock, limits: few });
    const ask = async (remoteAddress: string): Promise<number> =>
      (await server.inject({ url: '/nowhere', remoteAddress })).statusCode;
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push(await ask(stranger));
    assert.deepEqual(statuses, [404, 404, 404, 429]);
    const limited = await server.inject({ url: '/health/live', remoteAddress: stranger });
    assert.deepEqual([limited.statusCode, limited.headers['retry-after']], [429, '1']);
    assert.equal(await ask('192.0.2.8'), 404);
    for (let i = 0; i < 4; i++) await ask(`2001:db8::${i}`);
    assert.equal(await ask('2001:db8::ffff'), 429, 'a /64 is one caller');
    clock.ms += 400;
    assert.equal(await ask(stranger), 404);
    await server.close();
  });

  it('takes no body and no head over its limits', async () => {
    const server = buildPublicServer(new Open(), shared);
    const address = await server.listen({ host: here, port: 0 });
    const large = await fetch(`${address}/witness/add-checkpoint`, {
      method: 'POST',
      body: 'x'.repeat(70_000),
    });
    assert.equal(large.status, 413);
    const headers = { 'x-long': 'x'.repeat(limits.maxPublicHeaderBytes) };
    const long = await fetch(`${address}/health/live`, { headers });
    assert.equal(long.status, 413);
    await server.close();
  });

  it('cuts off a head that does not come, although a body may take longer', async () => {
    const few = { ...limits, publicHeadersTimeoutMs: 60 };
    const server = buildPublicServer(new Open(), { ...shared, limits: few });
    const { port } = new URL(await server.listen({ host: here, port: 0 }));
    const { connect } = await import('node:net');
    const socket = connect(Number(port), here);
    const started = performance.now();
    socket.write('GET / HTTP/1.1\r\nhost:');
    let text = '';
    for await (const part of socket) text += String(part);
    assert.match(text, /"request-timeout"/);
    assert.ok(performance.now() - started < limits.publicHeadersTimeoutMs);
    await server.close();
  });

  it('cuts off whoever sends a head or a body bit by bit, and who takes more than a share', async () => {
    const few = {
      ...limits,
      publicHeadersTimeoutMs: 60,
      publicRequestTimeoutMs: 120,
      maxPublicConnectionsPerAddress: 4,
    };
    const server = buildPublicServer(new Open(), { ...shared, limits: few });
    const address = new URL(await server.listen({ host: here, port: 0 }));
    const { connect } = await import('node:net');
    const slow = async (start: string): Promise<string> => {
      const socket = connect(Number(address.port), here);
      socket.on('error', () => undefined);
      socket.write(start);
      let text = '';
      for await (const part of socket) text += String(part);
      return text;
    };
    const body = 'POST /witness/add-checkpoint HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nx';
    for (const text of await Promise.all([slow('GET / HTTP/1.1\r\nhost:'), slow(body)])) {
      assert.match(text, /^HTTP\/1\.1 400 .*"request-timeout"/s);
    }
    const sockets = Array.from({ length: 6 }, () => connect(Number(address.port), here));
    const closed = sockets.map(
      (socket) => new Promise((resolve) => socket.on('error', resolve).on('close', resolve)),
    );
    await Promise.race(closed);
    for (const socket of sockets) socket.destroy();
    await server.close();
  });

  it('has metrics alone on the listener for metrics', async () => {
    const server = buildMetricsServer(new Open(), shared);
    assert.equal((await server.inject({ url: '/metrics' })).body, 'headwater_up 1\n');
    for (const route of Object.keys(entryPoints)) {
      const [method = '', path = ''] = route.split(' ');
      if (path === '/metrics') continue;
      const answer = await server.inject({ method: method as 'GET', url: concrete(path) });
      assert.equal(answer.statusCode, 404, route);
    }
    await server.close();
  });
});

describe('callers by address', () => {
  it('takes an IPv6 /64 for one caller, and IPv4 in either form for the same', () => {
    assert.equal(addressGroup('::ffff:192.0.2.1'), addressGroup('192.0.2.1'));
    assert.equal(addressGroup('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
    assert.equal(addressGroup('2001:db8::1'), '2001:db8:0:0::/64');
    assert.equal(addressGroup('fe80::1%eth0'), addressGroup('fe80::2'));
    assert.equal(addressGroup(undefined), '');
  });

  it('knows this machine', () => {
    for (const local of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
      assert.ok(isLoopback(local), local);
    }
    for (const other of ['192.0.2.1', '::ffff:192.0.2.1', '0.0.0.0', '::', '', '1270.0.0.1']) {
      assert.ok(!isLoopback(other), other);
    }
  });

  it('forgets whoever rested longest when it is full', () => {
    const clock = new TestClock();
    const attempts = new Attempts(clock, 1, 2);
    assert.ok(attempts.take('a') && attempts.take('b'));
    assert.ok(!attempts.take('a') && attempts.take('c'));
    assert.equal(attempts.size, 2);
    assert.ok(!attempts.take('a'));
    assert.ok(attempts.take('b'), 'forgotten');
  });
});
