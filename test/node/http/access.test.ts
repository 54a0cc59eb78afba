import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'mocha';
import { serveDouble } from './double.ts';
import { dig, event, problem } from './client.ts';

const events = '/streams/acme/orders/events';

describe('who may call the API, and what it says of itself', function () {
  this.timeout(20_000);
  it('refuses a caller without the token of the home, or with another one', async () => {
    await using served = await serveDouble();
    const { client } = served;
    for (const authorization of [
      '',
      'Bearer wrong',
      `Basic ${served.token}`,
      `Bearer ${served.token}x`,
      `Bearer ${served.token.slice(0, -1)}`,
    ]) {
      for (const path of ['/status', events, '/no/such/route', '/metrics']) {
        const answer = await client.call('GET', path, { authorization });
        problem(answer, 401, 'token-refused');
        assert.equal(answer.headers['www-authenticate'], 'Bearer');
      }
      const ingested = await client.call(
        'POST',
        events,
        { authorization, 'content-type': 'application/cloudevents+json' },
        JSON.stringify(event(1)),
      );
      problem(ingested, 401, 'token-refused');
    }
    assert.equal(served.api.published.length, 0);
  });

  it('tells whether it lives and is ready, and how it is used, to everyone', async () => {
    await using served = await serveDouble();
    const open = { authorization: '' };
    const { client } = served;
    assert.deepEqual((await client.call('GET', '/health/live', open)).body, { live: true });
    assert.deepEqual((await client.call('GET', '/health/ready', open)).body, { ready: true });
    served.api.isReady = false;
    const unready = await client.call('GET', '/health/ready', open);
    assert.equal(unready.status, 503);
    assert.deepEqual(unready.body, { ready: false });
    assert.equal((await client.call('GET', '/openapi.json?x=1', open)).at('openapi'), '3.1.0');
  });

  it('says which route there is not', async () => {
    await using served = await serveDouble();
    problem(await served.client.get('/nowhere'), 404, 'route-unknown');
    problem(await served.client.call('DELETE', '/status'), 404, 'route-unknown');
    problem(await served.client.json('POST', '/streams/a/b/c/d', {}), 404, 'route-unknown');
  });

  it('describes every route in OpenAPI 3.1 with a summary, and only what works', async () => {
    await using served = await serveDouble();
    const { body } = await served.client.get('/openapi.json');
    const paths = dig(body, 'paths') as Record<string, Record<string, unknown>>;
    const found = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        assert.match(String(dig(operation, 'summary')), /\w/, `${method} ${path}`);
        return [method.toUpperCase(), path] as const;
      }),
    );
    for (const [method, path] of found) {
      const answer = await served.client.call(method, path.replaceAll(/[{}]/g, ''));
      assert.notEqual(answer.at('code'), 'route-unknown', `${method} ${path}`);
    }
    const names = found.map(([method, path]) => `${method} ${path}`);
    for (const wanted of [
      'POST /streams/{org}/{name}/events',
      'GET /streams/{org}/{name}/events',
      'GET /logs/{logId}/checkpoint',
      'PATCH /peers/{peer}',
      'GET /status',
    ]) {
      assert.ok(names.includes(wanted), wanted);
    }
    assert.ok(!names.some((name) => name.includes('/subscriptions')), 'planned, not built');
    const query = dig(paths, '/streams/{org}/{name}/events', 'get', 'parameters');
    const parameters = (query as unknown[]).map((parameter) => dig(parameter, 'name'));
    assert.ok(parameters.includes('follow') && !parameters.includes('filter'));
    assert.equal(dig(body, 'info', 'version'), '1.2.3');
  });

  it('refuses parameters that are planned or unknown, and names wrong values', async () => {
    await using served = await serveDouble();
    const { client } = served;
    const cases = [
      ['GET', `${events}?filter=x`, 'not-supported', 'querystring/filter'],
      ['GET', `${events}?form=1`, 'not-supported', 'querystring/form'],
      ['GET', `${events}?limit=-1`, 'usage', 'querystring/limit'],
      ['GET', `${events}?limit=many`, 'usage', 'querystring/limit'],
      ['GET', `${events}?limit=1&limit=2`, 'usage', 'querystring/limit'],
      ['GET', `${events}?speed=0`, 'usage', 'querystring/speed'],
      ['GET', `${events}?follow=perhaps`, 'usage', 'querystring/follow'],
      ['GET', `${events}?last=true`, 'usage', 'querystring/last'],
      ['GET', `${events}?last=true&subject=a&follow=true`, 'usage', 'querystring/last'],
      ['GET', `${events}/first`, 'usage', 'params/index'],
      ['POST', `${events}?ack=maybe`, 'usage', 'querystring/ack'],
      ['POST', `${events}?sync=true`, 'not-supported', 'querystring/sync'],
    ] as const;
    for (const [method, path, code, pointer] of cases) {
      const type = { 'content-type': 'application/cloudevents+json' };
      const body = method === 'POST' ? JSON.stringify(event(1)) : undefined;
      const answer = await client.call(method, path, method === 'POST' ? type : {}, body);
      assert.deepEqual(problem(answer, 400, code), { pointer }, path);
    }
    const made = await client.json('POST', '/streams', { name: 'a', schema: 'x' });
    assert.deepEqual(problem(made, 400, 'not-supported'), { pointer: 'body/schema' });
    const none = await client.json('POST', '/streams', {});
    assert.deepEqual(problem(none, 400, 'usage'), { pointer: 'body/name' });
    assert.equal(served.api.published.length, 0);
  });

  it('refuses a body that is not JSON, of another type, or too large', async () => {
    await using served = await serveDouble();
    const { client } = served;
    const json = { 'content-type': 'application/json' };
    problem(await client.call('POST', '/streams', json, '{"name":'), 400, 'usage');
    const text = { 'content-type': 'text/plain' };
    problem(await client.call('POST', '/streams', text, 'orders'), 415, 'media-type');
    const large = JSON.stringify({ name: 'x'.repeat(300_000) });
    problem(await client.call('POST', '/streams', json, large), 413, 'request-too-large');
  });

  it('answers what is no HTTP at all and hangs up', async () => {
    await using served = await serveDouble();
    const { port } = new URL(served.client.address);
    for (const garbage of ['\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n', 'HELO there\r\n\r\n']) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(garbage);
      let text = '';
      for await (const part of socket) text += String(part);
      assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json/);
      assert.equal(dig(JSON.parse(text.slice(text.indexOf('\r\n\r\n'))), 'code'), 'usage');
    }
  });

  it('says 429 with Retry-After to a caller who asks too often', async () => {
    await using served = await serveDouble({ maxApiRequestsPerSecond: 5 });
    const { client } = served;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => client.get('/nowhere/health')),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    const all = await Promise.all(Array.from({ length: 20 }, () => client.get('/health/live')));
    const refused = all.find(({ status }) => status === 429);
    assert.ok(refused !== undefined, [...statuses].join(' '));
    problem(refused, 429, 'rate-limited');
    assert.equal(refused.headers['retry-after'], '1');
  });

  it('serves many connections at once, each for many requests', async () => {
    await using served = await serveDouble();
    const { client } = served;
    const type = { 'content-type': 'application/cloudevents+json' };
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, i) =>
          client.call('POST', events, type, JSON.stringify(event(`${round}-${i}`))),
        ),
      );
      assert.ok(
        answers.every(({ status, headers }) => status === 202 && headers.connection !== 'close'),
      );
    }
    assert.equal(served.api.published.length, 600);
  });

  it('reports a defect of its own to its operator, without a stack trace', async () => {
    await using served = await serveDouble();
    const answer = await served.client.get('/status');
    problem(answer, 500, 'internal');
    assert.doesNotMatch(answer.text, /\.ts|at /);
    assert.deepEqual(
      served.told.map(({ code }) => code),
      ['internal'],
    );
  });
});
