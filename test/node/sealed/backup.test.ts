/** A backup of a home with sealed streams: what it takes along, and what it leaves out. */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { hw, json, tempFolder } from '../cli/harness.ts';
import { dig, event, lines } from '../http/client.ts';
import { createStream, heldNode, testNode, type TestNode } from '../running.ts';

const path = '/streams/acme/sealed/events';

async function publishOne(node: TestNode, n: number): Promise<void> {
  const sent = await node.client.batch(path, [event(n, { data: { n } })]);
  assert.equal(sent.status, 202, sent.text);
}

async function read(node: TestNode): Promise<unknown> {
  return lines((await node.client.get(`${path}?from=start`)).text).map((one) =>
    dig(one, 'data', 'n'),
  );
}

describe('a backup of a home with sealed streams', function () {
  this.timeout(30_000);

  it('holds their keys: the restored home reads and writes them', async () => {
    using folder = tempFolder();
    const [home, backup, back] = ['home', 'b', 'back'].map((name) => join(folder.path, name));
    assert.ok(home !== undefined && backup !== undefined && back !== undefined);
    {
      await using node = await heldNode(home);
      await createStream(node.client, 'sealed', { visibility: 'sealed' });
      await publishOne(node, 1);
      const made = await hw(['backup', 'create', backup, '--home', home]);
      assert.equal(made.code, 0, made.stderr);
    }
    const verified = await hw(['backup', 'verify', backup, '--full', '--json']);
    assert.deepEqual([verified.code, json(verified)['verdict']], [0, 'intact'], verified.stdout);
    assert.equal((await hw(['backup', 'restore', backup, '--home', back])).code, 0);
    const [name = ''] = readdirSync(join(back, 'keys', 'epochs'));
    assert.equal(statSync(join(back, 'keys', 'epochs', name)).mode & 0o077, 0);
    await using again = await testNode({ folder: back });
    assert.deepEqual(await read(again), [1]);
    await publishOne(again, 2);
    assert.deepEqual(await read(again), [1, 2]);
  });

  it('made without keys holds none of them, and says what is missing', async () => {
    using folder = tempFolder();
    const [home, backup, back] = ['home', 'b', 'back'].map((name) => join(folder.path, name));
    assert.ok(home !== undefined && backup !== undefined && back !== undefined);
    {
      await using node = await heldNode(home);
      await createStream(node.client, 'sealed', { visibility: 'sealed' });
      await publishOne(node, 1);
    }
    const made = await hw(['backup', 'create', backup, '--without-keys', '--home', home]);
    assert.equal(made.code, 0, made.stderr);
    const files = readdirSync(backup, { recursive: true }).map(String);
    assert.deepEqual(
      files.filter((file) => /\.(?:key|epochs)$/.test(file)),
      [],
    );
  });
});
