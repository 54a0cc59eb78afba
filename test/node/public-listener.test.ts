/** `http.public` of a real node: what anybody may have of public streams, and nothing of the others. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { didFromKey, logIdFromHash } from '../../src/ids.ts';
import { asHash } from '../../src/types.ts';
import { readHome } from '../../src/node/home.ts';
import { must } from '../support/result.ts';
import { toHex, utf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { formatVkey } from '../../src/ledger/note.ts';
import { ForeignLog } from '../support/foreign-log.ts';
import { event } from './http/client.ts';
import { createStream, testNode, type TestNode } from './running.ts';

const listen = '127.0.0.1:0';

async function logOf(node: TestNode, stream: string): Promise<string> {
  const view = await node.client.get(`/streams/acme/${stream}`);
  return String(view.at('id'));
}

const unknown = logIdFromHash(asHash(new Uint8Array(32)));

describe('the public listener of a node', function () {
  this.timeout(30_000);

  it('is off unless it is configured', async () => {
    await using node = await testNode();
    assert.deepEqual(node.node.urls, { api: node.node.api });
  });

  it('serves trees of public streams, and neither direct streams nor the journal, token or not', async () => {
    await using node = await testNode({ config: { http: { listen, public: listen } } });
    await createStream(node.client, 'orders');
    await createStream(node.client, 'secret', { visibility: 'direct' });
    for (const name of ['orders', 'secret']) {
      const sent = await node.client.batch(`/streams/acme/${name}/events`, [event(1)]);
      assert.equal(sent.status, 202);
    }
    const open = node.node.urls.public ?? assert.fail();
    const [orders, secret] = [await logOf(node, 'orders'), await logOf(node, 'secret')];
    const all = await node.client.get('/streams/acme/_registry');
    const get = async (path: string, token = false): Promise<Response> =>
      fetch(`${open}${path}`, token ? { headers: { authorization: `Bearer ${node.token}` } } : {});
    const checkpoint = await get(`/logs/${orders}/checkpoint`);
    assert.equal(checkpoint.status, 200);
    assert.match(await checkpoint.text(), new RegExp(`^headwater/${orders}\n`));
    assert.equal((await get(`/logs/${orders}/block/0`)).status, 200);
    assert.equal((await get(`/logs/${String(all.at('id'))}/checkpoint`)).status, 200);
    const refusals = new Set<string>();
    for (const path of [
      `/logs/${secret}/checkpoint`,
      `/logs/${secret}/block/0`,
      `/logs/${secret}/tile/0/000`,
      `/logs/${unknown}/checkpoint`,
      `/logs/${orders}/events/0`,
      '/streams/acme/orders/events',
      '/streams/acme/secret/events',
      '/status',
      '/metrics',
    ]) {
      for (const token of [false, true]) {
        const answer = await get(path, token);
        refusals.add(`${answer.status} ${await answer.text()}`);
      }
    }
    assert.equal(refusals.size, 1, [...refusals].join('\n'));
    assert.match([...refusals].join(''), /^404 /);
  });

  it('serves no tree of the journal', async () => {
    await using node = await testNode({ config: { http: { listen, public: listen } } });
    const owner = didFromKey(must(await readHome(node.folder)).identity.peerKey);
    const journal = await node.client.get(`/streams/${encodeURIComponent(owner)}/_journal`);
    assert.equal(journal.status, 200, journal.text);
    for (const base of [node.node.urls.public, node.node.api]) {
      const answer = await fetch(`${base}/logs/${String(journal.at('id'))}/checkpoint`);
      assert.ok([401, 404].includes(answer.status), String(answer.status));
    }
  });

  it('cosigns as a witness', async () => {
    const log = new ForeignLog('example.org/log');
    const witness = { origins: [formatVkey(log.key)], urls: [] };
    const http = { listen, public: listen };
    await using node = await testNode({ config: { roles: ['witness'], witness, http } });
    const open = node.node.urls.public ?? assert.fail();
    const body = Buffer.from(await log.request(0, 5));
    const added = await fetch(`${open}/witness/add-checkpoint`, { method: 'POST', body });
    assert.equal(added.status, 200);
    const origin = toHex(nodeCrypto.sha256(utf8(log.origin)));
    assert.equal((await fetch(`${open}/witness/${origin}/checkpoint`)).status, 200);
    assert.equal((await fetch(`${open}/witness`)).status, 404);
  });
});
