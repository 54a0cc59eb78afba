/** TLS of the HTTP listeners: the files, what is said of them, and a node that speaks it. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { describe, it } from 'mocha';
import { ApiClient } from '../../src/node/api-client.ts';
import { loadTls, tlsFinding, tlsKeyMode } from '../../src/node/tls.ts';
import { asTimeMs } from '../../src/types.ts';
import { first, second } from '../support/certificates.ts';
import { must } from '../support/result.ts';
import { tempFolder } from './cli/harness.ts';
import { testNode } from './running.ts';

const listen = '127.0.0.1:0';

function files(folder: string): void {
  writeFileSync(join(folder, 'a.crt'), first.cert);
  writeFileSync(join(folder, 'a.key'), first.key, { mode: 0o600 });
  writeFileSync(join(folder, 'b.key'), second.key);
  writeFileSync(join(folder, 'text'), 'nothing of the kind');
}

describe('the files of http.tls', () => {
  it('reads a certificate and its key, relative to the home', async () => {
    using folder = tempFolder();
    files(folder.path);
    const http = { listen, tls: { cert: 'a.crt', key: 'a.key' } };
    const loaded = must(await loadTls({ http }, folder.path));
    assert.equal(loaded?.cert, first.cert);
    assert.equal(must(await loadTls({ http: { listen } }, folder.path)), undefined);
  });

  for (const [name, cert, key, code, file, pointer] of [
    ['a certificate that is not there', 'no.crt', 'a.key', 'tls-file', 'no.crt', 'http.tls.cert'],
    ['a key that is not there', 'a.crt', 'no.key', 'tls-file', 'no.key', 'http.tls.key'],
    ['a certificate that is none', 'text', 'a.key', 'tls-file', 'text', 'http.tls.cert'],
    ['a key that is none', 'a.crt', 'text', 'tls-file', 'text', 'http.tls.key'],
    ['the key of another certificate', 'a.crt', 'b.key', 'tls-mismatch', 'b.key', 'http.tls.key'],
    ['a certificate without a key', 'a.crt', undefined, 'tls-file', 'config.yaml', 'http.tls.key'],
    ['a key without a certificate', undefined, 'a.key', 'tls-file', 'config.yaml', 'http.tls.cert'],
  ] as const) {
    it(`refuses ${name}, with the file`, async () => {
      using folder = tempFolder();
      files(folder.path);
      const tls = {
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      };
      const loaded = await loadTls({ http: { listen, tls } }, folder.path);
      assert.ok(!loaded.ok);
      assert.equal(loaded.error.code, code);
      assert.deepEqual(loaded.error.place, { file: join(folder.path, file), pointer });
      assert.ok(!JSON.stringify(loaded.error).includes('nothing of the kind'));
    });
  }

  it('warns of a certificate that expires soon, and tells of one that has or is not valid yet', async () => {
    using folder = tempFolder();
    files(folder.path);
    const http = { listen, tls: { cert: 'a.crt', key: 'a.key' } };
    const loaded = must(await loadTls({ http }, folder.path));
    assert.ok(loaded !== undefined);
    const day = 86_400_000;
    const at = (ms: number): unknown => {
      const { ok, level, reason } = tlsFinding(loaded, asTimeMs(ms));
      return [ok, level, reason?.replace(/^.*a\.crt /, '')];
    };
    assert.deepEqual(at(loaded.notBefore - 1), [false, 'error', 'is not valid yet']);
    assert.deepEqual(at(loaded.notBefore), [true, 'ok', undefined]);
    assert.deepEqual(at(loaded.notAfter - 14 * day), [true, 'ok', undefined]);
    assert.deepEqual(at(loaded.notAfter - 3 * day), [false, 'warning', 'expires in 3 days']);
    assert.deepEqual(at(loaded.notAfter + 1), [false, 'error', 'has expired']);
  });

  it('says that everybody can read a key', async () => {
    using folder = tempFolder();
    files(folder.path);
    const keyFile = join(folder.path, 'a.key');
    assert.ok((await tlsKeyMode({ keyFile })).ok);
    chmodSync(keyFile, 0o644);
    const open = await tlsKeyMode({ keyFile });
    assert.equal(open.ok ? '' : open.error.code, 'key-file-mode');
  });
});

describe('a node that speaks TLS', function () {
  this.timeout(30_000);

  it('answers those who trust its certificate, on every listener, and nobody in plain text', async () => {
    using folder = tempFolder();
    files(folder.path);
    const cert = join(folder.path, 'a.crt');
    const tls = { cert, key: join(folder.path, 'a.key') };
    const http = { listen, public: listen, metrics: listen, tls };
    await using node = await testNode({ config: { http } });
    const { api, public: open = '', metrics = '' } = node.node.urls;
    for (const url of [api, open, metrics]) assert.match(url, /^https:/);
    const { host } = new URL(api);
    using client = new ApiClient(host, node.token, first.cert);
    assert.ok(must(await client.call({ method: 'GET', path: '/status' })).status === 200);
    using other = new ApiClient(host, node.token, second.cert);
    const refused = await other.call({ method: 'GET', path: '/status' });
    assert.equal(refused.ok ? '' : refused.error.code, 'node-unreachable');
    using plain = new ApiClient(host, node.token);
    assert.equal((await plain.call({ method: 'GET', path: '/status' })).ok, false);
    assert.equal(await status(`${open}/health/live`), 200);
    assert.equal(await status(`${open}/status`), 404);
    assert.equal(await status(`${metrics}/metrics`), 200);
    assert.equal(await status(`${api}/metrics`), 401);
  });

  it('speaks no TLS below 1.2', async () => {
    using folder = tempFolder();
    files(folder.path);
    const tls = { cert: join(folder.path, 'a.crt'), key: join(folder.path, 'a.key') };
    await using node = await testNode({ config: { http: { listen, tls } } });
    const { port } = new URL(node.node.api);
    const options = { port: Number(port), host: '127.0.0.1', ca: first.cert };
    const ends = await Promise.all(
      (['TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const).map((version) => {
        const { promise, resolve } = Promise.withResolvers<string>();
        const ciphers = 'ALL:@SECLEVEL=0';
        const both = { minVersion: version, maxVersion: version, ciphers } as const;
        const socket = connect({ ...options, ...both }, () => {
          resolve(socket.getProtocol() ?? '');
          socket.destroy();
        });
        socket.on('error', () => resolve('refused'));
        return promise;
      }),
    );
    assert.deepEqual(ends, ['refused', 'TLSv1.2', 'TLSv1.3']);
  });
});

/** The status of a GET without a token. */
function status(url: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const agent = new Agent({ ca: first.cert });
  request(url, { agent }, (response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
    agent.destroy();
  })
    .on('error', reject)
    .end();
  return promise;
}
