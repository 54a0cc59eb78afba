/** Tickets for browsers, pages of other sites, and tokens where they do not belong. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { limits } from '../../../src/limits.ts';
import { loggedUrl } from '../../../src/node/http/callers.ts';
import { Tickets } from '../../../src/node/http/tickets.ts';
import { real } from '../cli/harness.ts';
import { refused, value } from '../../access/tokens.ts';
import { answered, problem, textOf } from './client.ts';
import { guarded, TestClock, type Guarded } from './guarded.ts';

const events = '/streams/acme/orders/events';
const sse = { accept: 'text/event-stream', authorization: '' };

async function ticket(node: Guarded, path = events): Promise<string> {
  const made = await node.client.json('POST', '/tickets', { path });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers['cache-control'], 'no-store');
  assert.equal(made.at('seconds'), 30);
  return String(made.at('ticket'));
}

/** How a WebSocket with these headers ends: `open`, or the status of the refusal. */
function socket(node: Guarded, query: string, headers: Record<string, string>): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const url = `${node.client.address.replace('http', 'ws')}${events}${query}`;
  const one = new WebSocket(url, 'cloudevents.json', { headers });
  one.on('error', () => undefined);
  one.once('unexpected-response', (request, response) => {
    resolve(response.statusCode);
    request.destroy();
  });
  one.once('open', () => {
    one.close();
    resolve('open');
  });
  return promise;
}

function logged(url: string): string {
  const request: unknown = { raw: { url } };
  return loggedUrl(request as Parameters<typeof loggedUrl>[0]);
}

describe('tickets and pages', function () {
  this.timeout(20_000);

  it('opens an event stream and a WebSocket by a ticket, without a header', async () => {
    await using node = await guarded();
    const path = `${events}?limit=3&ticket=${await ticket(node)}`;
    const answer = await node.client.call('GET', path, sse);
    assert.equal(answer.status, 200);
    assert.equal(await socket(node, `?ticket=${await ticket(node)}`, {}), 'open');
    assert.equal(node.api.requests.length, 2);
  });

  it('takes a ticket once', async () => {
    await using node = await guarded();
    const path = `${events}?ticket=${await ticket(node)}`;
    assert.equal((await node.client.call('GET', path, sse)).status, 200);
    problem(await node.client.call('GET', path, sse), 401, 'ticket-refused');
    const again = await ticket(node);
    assert.equal(await socket(node, `?ticket=${again}`, {}), 'open');
    assert.equal(await socket(node, `?ticket=${again}`, {}), 401);
  });

  it('takes no ticket after thirty seconds', async () => {
    await using node = await guarded();
    const [first, second] = [await ticket(node), await ticket(node)];
    node.clock.ms += 29_999;
    assert.equal((await node.client.call('GET', `${events}?ticket=${first}`, sse)).status, 200);
    node.clock.ms += 1;
    const late = await node.client.call('GET', `${events}?ticket=${second}`, sse);
    problem(late, 401, 'ticket-refused');
  });

  it('takes no ticket for another path, and spends it in the attempt', async () => {
    await using node = await guarded();
    const one = await ticket(node, '/streams/acme/other/events');
    problem(await node.client.call('GET', `${events}?ticket=${one}`, sse), 401, 'ticket-refused');
    const two = await ticket(node);
    const elsewhere = `/streams/acme/foreign/events?ticket=${two}`;
    problem(await node.client.call('GET', elsewhere, sse), 401, 'ticket-refused');
    problem(await node.client.call('GET', `${events}?ticket=${two}`, sse), 401, 'ticket-refused');
    assert.equal(node.api.requests.length, 0);
  });

  it('takes a ticket for streaming alone, and gives none for other paths', async () => {
    await using node = await guarded();
    const one = await ticket(node);
    const batch = { accept: 'application/json', authorization: '' };
    const answer = await node.client.call('GET', `${events}?ticket=${one}`, batch);
    problem(answer, 401, 'token-refused');
    const post = await node.client.call('POST', `${events}?ticket=${one}`, sse);
    problem(post, 401, 'token-refused');
    for (const path of [
      '/status',
      '/streams',
      `${events}/1`,
      `${events}?limit=1`,
      '/streams/a/../b/events',
    ]) {
      const refusal = await node.client.json('POST', '/tickets', { path });
      assert.deepEqual(problem(refusal, 400, 'usage'), { pointer: 'body/path' });
    }
  });

  it('gives no ticket to whoever has no token', async () => {
    await using node = await guarded();
    const none = { authorization: '', 'content-type': 'application/json' };
    const body = JSON.stringify({ path: events });
    problem(await node.client.call('POST', '/tickets', none, body), 401, 'token-refused');
    const metrics = { ...none, authorization: 'Bearer the-token-for-metrics' };
    problem(await node.client.call('POST', '/tickets', metrics, body), 401, 'token-refused');
  });

  it('keeps so many tickets of one caller, so many in all, and forgets old ones', () => {
    const clock = new TestClock();
    const few = { ...limits, maxTickets: 3, maxTicketsPerCaller: 2 };
    const tickets = new Tickets(clock, real.random, few);
    const [a, b] = [{ kind: 'home', key: 'a' } as const, { kind: 'home', key: 'b' } as const];
    const first = value(tickets.issue(events, a));
    value(tickets.issue(events, a));
    refused(tickets.issue(events, a), 'tickets-full');
    value(tickets.issue(events, b));
    refused(tickets.issue(events, b), 'tickets-full');
    assert.equal(tickets.size, 3);
    assert.equal(value(tickets.redeem(first, events)), a);
    value(tickets.issue(events, b));
    clock.ms += limits.ticketLifeMs;
    value(tickets.issue(events, a));
    assert.equal(tickets.size, 1);
  });

  it('leaves out of a log what stands in an address to open something', () => {
    assert.equal(logged('/a/b'), '/a/b');
    assert.equal(logged('/a?from=start&limit=1'), '/a?from=start&limit=1');
    assert.equal(logged('/a?from=1&ticket=abc'), '/a?from=1&ticket=…');
    assert.equal(logged('/a?ticket=abc&from=1&Ticket=x'), '/a?ticket=…&from=1&Ticket=…');
    assert.equal(logged('/a?access_token=abc&x=?ticket=1'), '/a?access_token=…&x=?ticket=1');
  });

  it('refuses a token in the address, whatever the parameter is called', async () => {
    await using node = await guarded();
    const none = { authorization: '' };
    for (const name of ['token', 'access_token', 'ticket', 'authorization', 'bearer']) {
      for (const path of ['/status', events]) {
        const answer = await node.client.call('GET', `${path}?${name}=${node.token}`, none);
        problem(answer, 401, 'token-refused');
        assert.ok(!answer.text.includes(node.token));
      }
    }
    const asTicket = await node.client.call('GET', `${events}?ticket=${node.token}`, sse);
    problem(asTicket, 401, 'ticket-refused');
  });

  it('refuses a WebSocket of a page of another site, with the token, with a ticket and without', async () => {
    await using node = await guarded();
    const { host } = new URL(node.client.address);
    const token = { authorization: `Bearer ${node.token}` };
    for (const origin of [
      'https://evil.example',
      `https://${host}`,
      'null',
      'http://127.0.0.1',
      `http://${host}.evil.example`,
      'http://localhost:1',
    ]) {
      assert.equal(await socket(node, '', { ...token, origin }), 403, origin);
      assert.equal(await socket(node, `?ticket=${await ticket(node)}`, { origin }), 403, origin);
      assert.equal(await socket(node, '', { origin }), 403, origin);
    }
    assert.equal(await socket(node, '', { ...token, origin: `http://${host}` }), 'open');
    // A name that was made to point here (DNS rebinding): page and node have the same one.
    const rebound = { ...token, origin: 'http://evil.example:8080', host: 'evil.example:8080' };
    assert.equal(await socket(node, '', rebound), 403);
  });

  it('lets no page of another site read with a ticket', async () => {
    await using node = await guarded();
    const one = await ticket(node);
    const foreign = { ...sse, origin: 'https://evil.example' };
    const answer = await node.client.call('GET', `${events}?ticket=${one}`, foreign);
    problem(answer, 403, 'origin-refused');
    // The refusal came first: the ticket is still good for its own page.
    assert.equal((await node.client.call('GET', `${events}?ticket=${one}`, sse)).status, 200);
  });

  it('allows no other origin to read an answer, and answers no preflight', async () => {
    await using node = await guarded();
    const origin = 'https://evil.example';
    for (const path of ['/health/live', '/openapi.json', events]) {
      const outgoing = node.client.begin('GET', path, { origin });
      outgoing.end();
      const response = await answered(outgoing);
      await textOf(response);
      const cors = Object.keys(response.headers).filter((name) =>
        name.startsWith('access-control'),
      );
      assert.deepEqual(cors, [], path);
      assert.equal(response.headers['cross-origin-resource-policy'], 'same-origin');
      const ask = { origin, 'access-control-request-method': 'POST', authorization: '' };
      const preflight = await node.client.call('OPTIONS', path, ask);
      assert.equal(preflight.status, 401);
      assert.equal(preflight.headers['access-control-allow-origin'], undefined);
    }
  });
});
