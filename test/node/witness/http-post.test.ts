import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { afterEach, describe, it } from 'mocha';
import { toHex, utf8 } from '../../../src/bytes.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { protocol } from '../../../src/limits.ts';
import { getCheckpoint, postCheckpoint } from '../../../src/node/witness/http-post.ts';
import { must, refused } from '../../support/result.ts';

const origin = nodeCrypto.sha256(utf8('headwater/x'));

const patience = (ms = 5000): AbortSignal => AbortSignal.timeout(ms);

describe('a witness over HTTP', () => {
  const servers: Server[] = [];
  const seen: string[] = [];

  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
    seen.length = 0;
  });

  /** Answers with this, and remembers what it was asked. */
  async function serve(status: number, body: string | undefined): Promise<string> {
    const server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => {
        text += String(chunk);
      });
      request.on('end', () => {
        seen.push(`${request.method} ${request.url} ${text}`);
        if (body !== undefined) response.writeHead(status).end(body);
      });
    });
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    return `http://127.0.0.1:${address.port}/witness`;
  }

  it('is posted a checkpoint and asked for its last one under its prefix', async () => {
    const prefix = await serve(409, '7\n');
    const posted = must(await postCheckpoint(`${prefix}/`, utf8('old 0\n\nx'), patience()));
    assert.deepEqual([posted.status, posted.body], [409, utf8('7\n')]);
    const asked = must(await getCheckpoint(prefix, origin, patience()));
    assert.deepEqual([asked.status, asked.body], [409, utf8('7\n')]);
    assert.deepEqual(seen, [
      'POST /witness/add-checkpoint old 0\n\nx',
      `GET /witness/${toHex(origin)}/checkpoint `,
    ]);
  });

  it('is given up where it says too much, nothing, or is not there', async () => {
    const long = await serve(200, 'x'.repeat(protocol.maxWitnessAnswerBytes + 1));
    refused(await getCheckpoint(long, origin, patience()), 'witness-unreachable');
    const silent = await serve(200, undefined);
    refused(await getCheckpoint(silent, origin, patience(50)), 'witness-unreachable');
    const nobody = getCheckpoint('http://127.0.0.1:9/witness', origin, patience());
    refused(await nobody, 'witness-unreachable');
  });
});
