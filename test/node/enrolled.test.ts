/** What other peers were given, and that all of it can be taken back. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { tokenCid } from '../../src/access/ucan-envelope.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { enrolledPeers, enrolledTokens, keepEnrolled } from '../../src/node/enrolled.ts';
import { homePaths } from '../../src/node/home.ts';
import { asPeerId } from '../../src/types.ts';
import { must } from '../support/result.ts';
import { hw, json, tempFolder } from './cli/harness.ts';
import { dig, type Answer } from './http/client.ts';
import { testNode, type TestNode } from './running.ts';
import { journal, peerDid } from './views.ts';

const id = asPeerId('12D3KooWGYFQvWdDMkNZpCvUAXwQbbmRhqCvC6DYhFS5XYUSLn8H');

const at = (where: string): readonly string[] => ['--json', '--home', where];
const post = ({ client }: TestNode, path: string, body: object): Promise<Answer> =>
  client.json('POST', path, body);

async function registry({ client }: TestNode): Promise<string> {
  const path = '/streams/acme/_registry/events?from=start';
  return (await client.get(path, 'application/x-ndjson')).text;
}

describe('what other peers were given', function () {
  this.timeout(60_000);

  it('is kept for each of them, also what came later', async () => {
    using folder = tempFolder();
    const paths = homePaths(folder.path);
    await hw(['init', '--no-network', '--home', folder.path]);
    assert.deepEqual(must(await enrolledPeers(paths)), []);
    assert.deepEqual(must(await enrolledTokens(paths, id)), []);
    const [a, b, c] = [1, 2, 3].map((byte) => new Uint8Array(4).fill(byte));
    must(await keepEnrolled(paths, id, [a ?? assert.fail(), b ?? assert.fail()]));
    must(await keepEnrolled(paths, id, [c ?? assert.fail()]));
    assert.deepEqual(must(await enrolledTokens(paths, id)), [a, b, c]);
    assert.deepEqual(must(await enrolledPeers(paths)), [id]);
    writeFileSync(join(paths.enrolled, `${id}.ucan`), 'Cnonsense\n');
    const damaged = await enrolledTokens(paths, id);
    assert.equal(damaged.ok ? 'ok' : damaged.error.code, 'ucan-container');
  });

  it('is taken back from a peer that never came: all of it, in the registry', async () => {
    using folder = tempFolder();
    const home = join(folder.path, 'home');
    await hw(['init', '--org', 'acme', '--no-network', '--home', home]);
    await using node = await testNode({ folder: home });
    const depot = join(folder.path, 'depot');
    const asked = json(await hw(['init', '--peer-of', node.organisation, ...at(depot)]));
    const request = join(folder.path, 'request');
    writeFileSync(request, String(asked['request']));
    // This node holds no lock, so the command does not find it.
    const paths = homePaths(node.folder);
    const made = await hw(['peer', 'enrol', request, '--write-all', ...at(node.folder)]);
    const tokens = must(await enrolledTokens(paths, asPeerId(String(asked['peer']))));
    assert.equal(tokens.length, 4, made.stdout);
    const path = `/peers/${String(asked['peer'])}`;
    const told = await post(node, `${path}/enrolled`, { why: 'second site' });
    assert.equal(told.status, 200, told.text);
    const back = await post(node, `${path}/revoke`, { why: 'lost' });
    assert.equal(back.status, 200, back.text);
    assert.equal(dig(JSON.parse(back.text), 'standing'), true);
    const said = await registry(node);
    for (const token of tokens) assert.ok(said.includes(tokenCid(nodeCrypto, token)));
    assert.deepEqual(must(await enrolledPeers(paths)), []);
    const again = await post(node, `${path}/revoke`, {});
    assert.equal(dig(JSON.parse(again.text), 'code'), 'writer-unknown');
    const actions = (await journal(node, await peerDid(node.folder))).map((one) => one[2]);
    const did = actions.map((data) => dig(data, 'action')).filter((action) => action !== undefined);
    assert.deepEqual(did, ['peer.enrol', 'peer.revoke']);
    const bad = await post(node, '/peers/somebody/enrolled', {});
    assert.equal(dig(JSON.parse(bad.text), 'code'), 'peer-unknown');
  });
});
