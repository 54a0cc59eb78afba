/** `POST /revocations` and `POST /peers/…/revoke` of a real node. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseContainer } from '../../../src/access/ucan-container.ts';
import { signerFromSeed } from '../../../src/crypto-node.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { didFromKey } from '../../../src/ids.ts';
import { mintAdminDelegation, mintBearer, readPowers } from '../../../src/node/admin-tokens.ts';
import { openHome, type Home } from '../../../src/node/home.ts';
import { commandOf } from '../../../src/node/http/entry-points.ts';
import { asTimeMs } from '../../../src/types.ts';
import { must } from '../../support/result.ts';
import { real, tempFolder } from '../cli/harness.ts';
import { problem } from '../http/client.ts';
import { createStream, testNode, type TestNode } from '../running.ts';

const ada = signerFromSeed(new Uint8Array(32).fill(71));
const stranger = signerFromSeed(new Uint8Array(32).fill(72));

function delegation(home: Home, by = home.keys.organisation, seconds = 3600): string {
  return mintAdminDelegation(by ?? assert.fail(), real.random, {
    audience: didFromKey(ada.publicKey),
    command: '/flow/admin',
    node: didFromKey(home.identity.peerKey),
    expires: asTimeMs(real.clock.now() + seconds * 1000),
  });
}

/** The headers of a call by ada. */
function bearer(home: Home, given: string, method: string, target: string): Record<string, string> {
  const text = mintBearer(ada, real.random, {
    powers: must(readPowers(must(parseContainer(given)))),
    node: didFromKey(home.identity.peerKey),
    command: commandOf(method, target),
    method,
    target,
    now: real.clock.now(),
    seconds: 60,
  });
  return { authorization: `Bearer ${text}` };
}

async function registry({ client }: TestNode): Promise<string> {
  const path = '/streams/acme/_registry/events?from=start';
  return (await client.get(path, 'application/x-ndjson')).text;
}

describe('taking back', function () {
  this.timeout(60_000);

  it('a delegation of the API: it opens nothing more, also after a restart', async () => {
    using folder = tempFolder();
    const given: { text?: string } = {};
    {
      await using node = await testNode({ folder: folder.path });
      const home = must(await openHome(folder.path));
      const text = delegation(home);
      given.text = text;
      const status = async (): Promise<number> =>
        (await node.client.call('GET', '/status', bearer(home, text, 'GET', '/status'))).status;
      assert.equal(await status(), 200);
      const body = { delegation: `${text}\n`, why: 'left the team' };
      const done = await node.client.json('POST', '/revocations', body);
      assert.equal(done.status, 201, done.text);
      assert.deepEqual(
        [done.at('command'), done.at('holder'), done.at('revoker'), done.at('recorded')],
        ['/flow/admin', didFromKey(ada.publicKey), home.identity.organisation, true],
      );
      assert.equal(await status(), 403);
      const said = await registry(node);
      assert.ok(said.includes(String(done.at('delegation'))) && said.includes('expires'), said);
      // Again is no fault, and nothing new.
      const again = await node.client.json('POST', '/revocations', { delegation: text });
      assert.equal(again.status, 201, again.text);
      assert.equal((await registry(node)).split('grant.revoked').length, 2);
    }
    await using node = await testNode({ folder: folder.path });
    const home = must(await openHome(folder.path));
    const headers = bearer(home, given.text ?? '', 'GET', '/status');
    problem(await node.client.call('GET', '/status', headers), 403, 'ucan-revoked');
  });

  it('is for who signed a link, and says what is wrong', async () => {
    await using node = await testNode();
    const home = must(await openHome(node.folder));
    const foreign = delegation(home, stranger);
    const refuse = async (body: unknown, status: number, code: string): Promise<void> => {
      problem(await node.client.json('POST', '/revocations', body), status, code);
    };
    await refuse({ delegation: foreign }, 403, 'key-not-issuer');
    await refuse({ delegation: 'Cnothing' }, 403, 'ucan-container');
    const own = delegation(home);
    const key = { delegation: own, keyFile: '/nowhere/organisation.key' };
    await refuse(key, 500, 'key-file-missing');
    await refuse({ delegation: own, keyFile: home.paths.token }, 500, 'key-file-invalid');
    assert.ok(!(await registry(node)).includes('revoked'));
  });

  it('is for the whole of the API only: a part of it cannot', async () => {
    await using node = await testNode();
    const home = must(await openHome(node.folder));
    const text = mintAdminDelegation(home.keys.organisation ?? assert.fail(), real.random, {
      audience: didFromKey(ada.publicKey),
      command: '/flow/admin/control',
      node: didFromKey(home.identity.peerKey),
      expires: asTimeMs(real.clock.now() + 60_000),
    });
    const headers = {
      ...bearer(home, text, 'POST', '/revocations'),
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ delegation: delegation(home) });
    const answer = await node.client.call('POST', '/revocations', headers, body);
    problem(answer, 403, 'ucan-command');
  });

  it('the right to write of a peer that wrote nothing here, of this one, of no peer', async () => {
    await using node = await testNode();
    await createStream(node.client, 'orders');
    const home = must(await openHome(node.folder));
    const revoke = (peer: string, body: unknown = {}): ReturnType<typeof node.client.json> =>
      node.client.json('POST', `/peers/${peer}/revoke`, body);
    const other = peerIdFromKey(stranger.publicKey);
    problem(await revoke(other), 404, 'writer-unknown');
    problem(await revoke(peerIdFromKey(home.identity.peerKey)), 400, 'usage');
    problem(await revoke('nobody'), 404, 'peer-unknown');
    problem(await revoke(other, { good: { nonsense: 1 } }), 400, 'usage');
    assert.ok(!(await registry(node)).includes('revoked'));
  });
});
