/** What a running node takes of a configuration that is read again. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { describe, it } from 'mocha';
import { fault } from '../../src/errors.ts';
import type { Config } from '../../src/node/config-schema.ts';
import { readHome } from '../../src/node/home.ts';
import { Reload } from '../../src/node/reload.ts';
import { err, ok } from '../../src/result.ts';
import { refused, value } from '../access/tokens.ts';
import { first, second } from '../support/certificates.ts';
import { must } from '../support/result.ts';
import { tempFolder } from './cli/harness.ts';
import { testNode, type TestNode } from './running.ts';

const did = 'did:key:z6MkjB9YzFLEfrSP63Xd5BWQrYSqGqvxAXhBAr642eYXbofr' as Config['aliases'][string];
const listen = '127.0.0.1:0';

async function configOf(node: TestNode): Promise<Config> {
  return must(await readHome(node.folder)).config;
}

/** The name in the certificate that a new connection is shown. */
function shown(api: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const { port } = new URL(api);
  const ca = [first.cert, second.cert];
  const socket = connect({ port: Number(port), host: '127.0.0.1', ca }, () => {
    resolve(String(socket.getPeerCertificate().subject.CN));
    socket.destroy();
  });
  socket.on('error', reject);
  return promise;
}

describe('reading config.yaml again', function () {
  this.timeout(30_000);

  it('takes aliases and what is followed, and says what waits for the next start', async () => {
    await using node = await testNode();
    const config = { ...(await configOf(node)), http: { listen } };
    assert.equal((await node.client.get('/streams/partner/orders')).at('code'), 'stream-unknown');
    const changed = {
      ...config,
      aliases: { partner: did },
      follow: [`${did}/orders`],
      roles: ['relay'] as const,
      limits: { ...config.limits, maxLingerMs: 7 },
    };
    const done = value(await node.node.reload(ok(changed)));
    assert.deepEqual(done, {
      taken: ['aliases', 'follow'],
      later: ['limits.maxLingerMs', 'roles'],
    });
    const checks = await node.client.get('/checks');
    assert.match(checks.text, new RegExp(`follow ${did}/orders`));
    const back = value(await node.node.reload(ok(config)));
    assert.deepEqual(back, { taken: ['aliases'], later: ['follow'] });
    assert.match(
      node.log(),
      /config\.yaml was read again: taken: aliases, follow; at the next start/,
    );
  });

  it('goes on as before when the file is wrong', async () => {
    await using node = await testNode();
    const wrong = fault('config-syntax', 'no YAML at all');
    refused(await node.node.reload(err(wrong)), 'config-syntax');
    assert.match(node.log(), /was read again: not taken: no YAML at all/);
    assert.equal((await node.client.get('/status')).status, 200);
  });

  it('shows a new certificate to new connections, and keeps the old one when it is no pair', async () => {
    using folder = tempFolder();
    const [cert, key] = [join(folder.path, 'a.crt'), join(folder.path, 'a.key')];
    const write = (a: string, b: string): void => {
      writeFileSync(cert, a);
      writeFileSync(key, b);
    };
    write(first.cert, first.key);
    const http = { listen, public: listen, tls: { cert, key } };
    await using node = await testNode({ config: { http } });
    const config = { ...(await configOf(node)), http };
    const { api, public: open = '' } = node.node.urls;
    assert.equal(await shown(api), 'headwater-test-first');
    write(second.cert, first.key);
    const alias = { ...config, aliases: { partner: did } };
    refused(await node.node.reload(ok(alias)), 'tls-mismatch');
    assert.equal(await shown(api), 'headwater-test-first');
    write(second.cert, second.key);
    const done = value(await node.node.reload(ok(config)));
    assert.deepEqual(done, { taken: ['http.tls'], later: [] });
    assert.equal(await shown(api), 'headwater-test-second');
    assert.equal(await shown(open), 'headwater-test-second');
  });

  it('reads one after the other', async () => {
    const order: string[] = [];
    const parts = {
      registries: { setAliases: () => undefined },
      follows: { reconfigure: () => Promise.resolve() },
      listeners: {
        reload: async (config: Config) => {
          order.push(`begin ${config.organisation}`);
          await Promise.resolve();
          order.push(`end ${config.organisation}`);
          return ok(false);
        },
      },
      told: () => undefined,
    };
    await using node = await testNode();
    const config = await configOf(node);
    const reload = new Reload(config, parts);
    const other = ok({ ...config, organisation: 'other' });
    const both = await Promise.all([reload.run(other), reload.run(ok(config))]);
    assert.deepEqual(order, ['begin other', 'end other', 'begin acme', 'end acme']);
    assert.deepEqual(
      both.map((done) => value(done).later),
      [['organisation'], []],
    );
  });
});
