import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex, utf8 } from '../../../src/bytes.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { fault } from '../../../src/errors.ts';
import { readCosignatures, parseCosigner } from '../../../src/ledger/cosignature.ts';
import { formatVkey, parseNoteText } from '../../../src/ledger/note.ts';
import { protocol } from '../../../src/limits.ts';
import { ForeignLog } from '../../support/foreign-log.ts';
import { must } from '../../support/result.ts';
import { createStream, testNode, type TestNode } from '../running.ts';
import { dig, event, lines, problem } from './client.ts';
import { receipt, serveDouble } from './double.ts';

const log = new ForeignLog('example.org/log');
const stranger = new ForeignLog('example.org/log', 22);
const vkey = formatVkey(log.key);

/** As anybody on the network would: without a token. */
async function add(node: TestNode, body: Uint8Array | string): Promise<Response> {
  return fetch(`${node.node.api}/witness/add-checkpoint`, {
    method: 'POST',
    body: Buffer.from(body),
  });
}

const witnessNode = (): Promise<TestNode> =>
  testNode({ config: { roles: ['witness'], witness: { origins: [vkey], urls: [] } } });

describe('a witness over HTTP', function () {
  this.timeout(30_000);

  it('answers with the status codes and bytes of C2SP add-checkpoint, without a token', async () => {
    await using node = await witnessNode();
    const monitor = `${node.node.api}/witness/${toHex(nodeCrypto.sha256(utf8(log.origin)))}/checkpoint`;
    assert.equal((await fetch(monitor)).status, 404);
    const good = await add(node, await log.request(0, 5));
    assert.equal(good.status, 200);
    assert.match(good.headers.get('content-type') ?? '', /^text\/plain/);
    const line = await good.text();
    const did = dig((await node.client.json('GET', '/witness', undefined)).body, 'self', 'did');
    const cosigner = must(parseCosigner(nodeCrypto, String(did)));
    const { text } = must(parseNoteText(log.checkpoint(5)));
    assert.equal(must(readCosignatures(nodeCrypto, text, utf8(line), [cosigner])).length, 1);
    const stale = await add(node, await log.request(0, 7));
    assert.equal(stale.status, 409);
    assert.equal(stale.headers.get('content-type'), 'text/x.tlog.size');
    assert.equal(await stale.text(), '5\n');
    for (const [status, body] of [
      [200, await log.request(5, 7)],
      [400, await log.request(9, 7)],
      [400, 'old x\n\n'],
      [400, ''],
      [403, await stranger.request(7, 8)],
      [404, await new ForeignLog('example.org/other').request(0, 3)],
      [404, await new ForeignLog('headwater/bafkreih').request(0, 3)],
      [409, await log.request(5, 9)],
      [422, await log.request(7, 7, 6)],
      [422, await log.request(7, 9, 3)],
    ] as const) {
      assert.equal((await add(node, body)).status, status);
    }
    const large = await add(node, 'x'.repeat(protocol.maxWitnessRequestBytes + 1));
    assert.equal(large.status, 413);
    const last = await fetch(monitor);
    assert.equal(last.status, 200);
    assert.ok((await last.text()).startsWith(log.checkpoint(7)));
    const metrics = await node.client.call('GET', '/metrics');
    assert.match(metrics.text, /headwater_witness_answers_total\{status="409"\} 2/);
  });

  it('tells nobody without a token what it has cosigned', async () => {
    await using node = await witnessNode();
    assert.equal((await fetch(`${node.node.api}/witness`)).status, 401);
    const odd = await fetch(`${node.node.api}/witness/add-checkpoint`);
    assert.equal(odd.status, 401);
    assert.equal((await fetch(`${node.node.api}/witness/../status`)).status, 401);
  });

  it('holds what it cosigned after a restart, and answers 404 without the role', async () => {
    const first = await witnessNode();
    await add(first, await log.request(0, 5));
    await first.node.stop();
    {
      await using again = await testNode({
        folder: first.folder,
        config: { roles: ['witness'], witness: { origins: [vkey], urls: [] } },
      });
      const forked = await add(again, await log.request(0, 5, 2));
      assert.deepEqual([forked.status, await forked.text()], [409, '5\n']);
    }
    await using without = await testNode({ folder: first.folder });
    assert.equal((await add(without, await log.request(5, 6))).status, 404);
    await first[Symbol.asyncDispose]();
  });
});

describe('publishing with an acknowledgement', function () {
  this.timeout(20_000);

  it('refuses what can never be reached before anything is appended', async () => {
    await using node = await testNode();
    await createStream(node.client, 'orders');
    const path = `/streams/${node.organisation}/orders/events`;
    const post = (ack: string): ReturnType<typeof node.client.call> =>
      node.client.call(
        'POST',
        `${path}?ack=${ack}`,
        { 'content-type': 'application/cloudevents+json' },
        JSON.stringify(event(1)),
      );
    problem(await post('witnessed'), 409, 'ack-none');
    problem(await post('replicated:2'), 404, 'network-none');
    problem(await post('replicated:0'), 400, 'usage');
    problem(await post('replicated:65'), 400, 'usage');
    const view = await node.client.json('GET', `/streams/${node.organisation}/orders`, undefined);
    assert.equal(dig(view.body, 'logs', 0, 'size'), 2);
  });

  it('says in each receipt what was reached', async () => {
    await using served = await serveDouble();
    const shortfall = fault('ack-timeout', '1 of 2');
    served.api.acknowledgeWith = async (receipts) =>
      receipts.map((one) => ({ ...one, replicated: 1, shortfall }));
    const answer = await served.client.call(
      'POST',
      '/streams/acme/orders/events?ack=replicated:2',
      { 'content-type': 'application/cloudevents+json' },
      JSON.stringify(event(1)),
    );
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.body, { receipts: [{ ...receipt(0), replicated: 1, shortfall }] });
  });

  it('answers lines in their order, although their acknowledgements overtake each other', async () => {
    await using served = await serveDouble({ maxPublishEvents: 1 });
    let calls = 0;
    const overtaken = Promise.withResolvers<void>();
    served.api.acknowledgeWith = async (receipts) => {
      calls += 1;
      if (calls === 1) await overtaken.promise;
      else overtaken.resolve();
      return receipts.map((one) => ({ ...one, ack: 'replicated:1', replicated: 1 }));
    };
    const text = [1, 2, 3].map((n) => `${JSON.stringify(event(n))}\n`).join('') + 'garbage\n';
    const answer = await served.client.call(
      'POST',
      '/streams/acme/orders/events?ack=replicated:1',
      { 'content-type': 'application/x-ndjson' },
      text,
    );
    const said = lines(answer.text);
    assert.deepEqual(
      said.slice(0, -1).map((line) => dig(line, 'ack')),
      Array.from({ length: said.length - 1 }, () => 'replicated:1'),
    );
    const froms = said.slice(0, -1).map((line) => Number(dig(line, 'lines', 0)));
    assert.deepEqual(
      froms,
      froms.toSorted((a, b) => a - b),
    );
    assert.equal(dig(said.at(-1), 'error', 'code'), 'json-syntax');
  });
});
