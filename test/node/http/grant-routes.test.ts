/** `/grants` and attributes of a running node, as a program sees them. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { didFromKey } from '../../../src/ids.ts';
import { JsonView } from '../../../src/node/json-view.ts';
import { signerFromSeed } from '../../../src/crypto-node.ts';
import { createStream, testNode, type TestNode } from '../running.ts';

const dids = [41, 42, 43].map((byte) =>
  didFromKey(signerFromSeed(new Uint8Array(32).fill(byte)).publicKey),
);

async function call(
  { client }: TestNode,
  method: string,
  path: string,
  body?: unknown,
): Promise<JsonView & { readonly status: number }> {
  const answer = await client.json(method, path, body);
  return Object.assign(JsonView.parse(answer.text), { status: answer.status });
}

describe('grants over HTTP', function () {
  this.timeout(20_000);

  it('are listed in pages, by stream, state and side, and refuse what is not known', async () => {
    await using node = await testNode();
    for (const name of ['orders', 'prices']) {
      await createStream(node.client, name, { visibility: 'direct' });
    }
    for (const to of dids) {
      const made = await call(node, 'POST', '/grants', { stream: 'orders', to, seconds: 3600 });
      assert.equal(made.status, 201, String(made.text('detail')));
    }
    const terms = { stream: 'prices', to: dids[0], fields: 'attributes', depth: 0 };
    const made = await call(node, 'POST', '/grants', terms);
    assert.deepEqual([made.text('fields'), made.number('handOns')], ['attributes', 0]);
    const first = await call(node, 'GET', '/grants?limit=2');
    assert.equal(first.list('grants').length, 2);
    const rest = await call(node, 'GET', `/grants?after=${first.text('next') ?? ''}`);
    assert.deepEqual([rest.list('grants').length, rest.text('next')], [2, undefined]);
    const some = await call(node, 'GET', '/grants?stream=orders&state=active&side=given');
    assert.deepEqual(
      some.list('grants').map((grant) => grant.text('holder')),
      dids,
    );
    assert.equal((await call(node, 'GET', '/grants?side=through')).list('grants').length, 0);
    assert.equal((await call(node, 'GET', '/grants?side=other')).status, 400);
    assert.equal((await call(node, 'GET', '/grants?limit=0')).status, 400);
    const lost = await call(node, 'GET', '/grants?after=nothing');
    assert.deepEqual([lost.status, lost.text('code')], [404, 'grant-unknown']);
  });

  it('are neither handed on nor renewed where they were given', async () => {
    await using node = await testNode();
    await createStream(node.client, 'orders', { visibility: 'direct' });
    const made = await call(node, 'POST', '/grants', { stream: 'orders', to: dids[0] });
    const path = `/grants/${made.text('id') ?? ''}`;
    const handed = await call(node, 'POST', `${path}/hand-on`, { peer: dids[1] });
    assert.deepEqual([handed.status, handed.text('code')], [403, 'grant-holder']);
    const nobody = await call(node, 'POST', `${path}/hand-on`, { peer: 'nobody' });
    assert.deepEqual([nobody.status, nobody.text('code')], [400, 'usage']);
    const renewed = await call(node, 'POST', `${path}/renew`, {});
    assert.deepEqual([renewed.status, renewed.text('code')], [403, 'grant-holder']);
    await createStream(node.client, 'closed', { visibility: 'sealed' });
    const sealed = { stream: 'closed', to: dids[0], fields: 'attributes' };
    const refused = await call(node, 'POST', '/grants', sealed);
    assert.deepEqual([refused.status, refused.text('code')], [403, 'fields-unsupported']);
    const fields = await call(node, 'POST', '/grants', {
      stream: 'orders',
      to: dids[0],
      fields: 'x',
    });
    assert.equal(fields.status, 400);
  });
});

describe('attributes over HTTP', function () {
  this.timeout(20_000);

  it('come with their proofs and without data', async () => {
    await using node = await testNode();
    await createStream(node.client, 'orders', { visibility: 'direct' });
    const event = { specversion: '1.0', id: '1', source: '/a', type: 'a.b', data: { secret: 1 } };
    const path = `/streams/${encodeURIComponent(node.organisation)}/orders`;
    const headers = { 'content-type': 'application/cloudevents+json' };
    const sent = await node.client.call('POST', `${path}/events`, headers, JSON.stringify(event));
    assert.ok(sent.status < 300, sent.text);
    const page = await call(node, 'GET', `${path}/attributes`);
    const [one, ...none] = page.list('events');
    assert.equal(none.length, 0);
    assert.deepEqual(one?.at('attributes').value, {
      id: '1',
      source: '/a',
      specversion: '1.0',
      type: 'a.b',
    });
    assert.match(one?.text('proof') ?? '', /^c2sp.org\/tlog-proof@v1\n/);
    assert.equal((await call(node, 'GET', `${path}/attributes?from=x`)).status, 400);
    assert.equal((await call(node, 'GET', '/streams/nobody/orders/attributes')).status, 404);
  });
});
