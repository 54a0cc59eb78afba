/** A home whose organisation's key is elsewhere, and one that is succeeded because it is lost or stolen. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { readSigner } from '../../src/access/key-file-store.ts';
import { mintPeerDelegation, verifyPeerDelegation } from '../../src/access/peer-delegation.ts';
import { Registries } from '../../src/node/core/registries.ts';
import { RegistryFeed } from '../../src/node/core/registry-feed.ts';
import { openOwners } from '../../src/node/core/successions.ts';
import { ownersPort } from '../../src/node/owners-port.ts';
import { openHome } from '../../src/node/home.ts';
import { openHomeLedger } from '../../src/node/open-ledger.ts';
import { must } from '../support/result.ts';
import { faultOf, hw, json, real, tempFolder, type Ran } from './cli/harness.ts';
import { dig, event, lines } from './http/client.ts';
import { createStream, testNode, type TestNode } from './running.ts';

/** A new home, the keys that a running node does not need, and where they lie now. */
async function offline(folder: string): Promise<{ home: string; stick: (name: string) => string }> {
  const home = join(folder, 'home');
  const made = await hw(['init', '--org', 'acme', '--no-network', '--home', home]);
  assert.equal(made.code, 0, made.stderr);
  const stick = (name: string): string => join(folder, `${name}.key`);
  for (const name of ['organisation', 'recovery']) {
    renameSync(join(home, 'keys', `${name}.key`), stick(name));
  }
  return { home, stick };
}

async function publish({ client }: TestNode, n: number): Promise<void> {
  const made = await client.batch('/streams/acme/orders/events', [event(n)]);
  assert.equal(made.status, 202, made.text);
}

async function count({ client }: TestNode): Promise<number> {
  return lines((await client.get('/streams/acme/orders/events', 'application/x-ndjson')).text)
    .length;
}

const run = (home: string, ...args: readonly string[]): Promise<Ran> =>
  hw([...args, '--json', '--home', home]);

describe('an organisation’s key that is elsewhere', function () {
  this.timeout(60_000);

  it('is not needed by a node that has never run: hw init has made and named the registry', async () => {
    using folder = tempFolder();
    const { home } = await offline(folder.path);
    const opened = must(await openHome(home));
    assert.equal(opened.keys.organisation, undefined);
    const { peerKey } = opened.identity;
    const claim = { proof: opened.peerDelegation, peerKey, now: real.clock.now() };
    const named = must(verifyPeerDelegation(nodeCrypto, claim)).registry;
    await using ledger = must(await openHomeLedger(opened, real));
    const registry = ledger.logs().find(({ genesis }) => genesis?.name === '_registry');
    assert.ok(named !== undefined && registry?.logId === named);
  });

  it('is not needed to make streams, write, read, keep, pause, grant, recover, rotate, back up', async () => {
    using folder = tempFolder();
    const { home, stick } = await offline(folder.path);
    {
      await using node = await testNode({ folder: home });
      const { client } = node;
      await createStream(client, 'orders');
      await createStream(client, 'prices', { visibility: 'direct' });
      await createStream(client, 'secrets', { visibility: 'sealed' });
      await publish(node, 1);
      const to = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
      for (const name of ['prices', 'secrets']) {
        const grant = await client.json('POST', '/grants', { stream: name, to, seconds: 60 });
        assert.equal(grant.status, 201, grant.text);
        const id = String(grant.at('id'));
        const gone = await client.json('DELETE', `/grants/${id}`, {});
        assert.equal(gone.status, 200, gone.text);
      }
      const policy = { retention: { maxAgeMs: 86_400_000 } };
      const kept = await client.json('PATCH', '/streams/acme/orders', policy);
      assert.equal(kept.status, 200, kept.text);
      for (const paused of [true, false]) {
        const set = await client.json('PATCH', '/streams/acme/orders', { paused });
        assert.equal(set.status, 200, set.text);
      }
      const recover = { reason: 'key', keyFile: stick('recovery') };
      const done = await client.json('POST', '/streams/acme/orders/recover', recover);
      assert.equal(done.status, 200, done.text);
      await publish(node, 2);
      const checks = (await client.get('/status')).at('checks');
      assert.deepEqual(
        (checks as { ok: boolean }[]).filter(({ ok }) => !ok),
        [],
      );
    }
    const rotated = await run(home, 'key', 'rotate');
    assert.equal(rotated.code, 0, rotated.stdout);
    const saved = await run(home, 'backup', 'create', join(folder.path, 'backup'));
    assert.equal(saved.code, 0, saved.stdout);
    await using node = await testNode({ folder: home });
    await publish(node, 3);
    assert.equal(await count(node), 3);
    assert.ok(!existsSync(join(home, 'keys', 'organisation.key')));
  });

  it('is brought for one command, and a wrong one is told', async () => {
    using folder = tempFolder();
    const { home, stick } = await offline(folder.path);
    const admin = [
      'key',
      'token',
      '--admin',
      'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
    ];
    const without = await run(home, ...admin);
    assert.equal(faultOf(without)['code'], 'key-file-missing');
    assert.match(String(faultOf(without)['hint']), /--key FILE/);
    const wrong = await run(home, ...admin, '--key', stick('recovery'));
    assert.equal(faultOf(wrong)['code'], 'usage');
    const done = await run(home, ...admin, '--key', stick('organisation'));
    assert.equal(done.code, 0, done.stdout);
  });

  it('that lies in the home is named by hw doctor, which is well all the same', async () => {
    using folder = tempFolder();
    const home = join(folder.path, 'home');
    await hw(['init', '--org', 'acme', '--no-network', '--home', home]);
    const named = await hw(['doctor', '--home', home]);
    assert.equal(named.code, 0, named.stdout);
    assert.match(named.stdout, /ok {6}organisation key: lies in this home\n {8}.*offline/);
    assert.match(named.stdout, /ok {6}recovery key: lies in this home/);
    renameSync(join(home, 'keys', 'organisation.key'), join(folder.path, 'organisation.key'));
    const away = await hw(['doctor', '--home', home]);
    assert.doesNotMatch(away.stdout, /organisation key/);
  });
});

describe('hw key succeed', function () {
  this.timeout(60_000);

  it('gives a new DID: streams, cursors and names go on under it', async () => {
    using folder = tempFolder();
    const { home, stick } = await offline(folder.path);
    {
      await using node = await testNode({ folder: home });
      await createStream(node.client, 'orders');
      await publish(node, 1);
    }
    const done = await run(home, 'key', 'succeed', '--key', stick('recovery'), '--why', 'lost it');
    assert.equal(done.code, 0, done.stdout);
    const { from, to, reason } = json(done);
    assert.equal(reason, 'lost');
    await using node = await testNode({ folder: home });
    await publish(node, 2);
    assert.equal(await count(node), 2);
    for (const name of [from, to, 'acme']) {
      const view = (await node.client.get(`/streams/${encodeURIComponent(String(name))}/orders`))
        .body;
      assert.equal(dig(view, 'owner'), to, String(name));
      assert.equal(dig(view, 'own'), true);
    }
    const verified = await node.client.json('POST', '/streams/acme/orders/verify', {});
    assert.equal(verified.at('verdict'), 'intact');
    await createStream(node.client, 'later');
    const status = await node.client.get('/status');
    assert.equal(status.at('organisation'), to);
    assert.deepEqual(dig((status.at('succeeded') as unknown[])[0], 'from'), from);
    // A stream from before goes on in a successor log of the new DID.
    const recover = { reason: 'key', keyFile: stick('recovery') };
    const next = await node.client.json('POST', '/streams/acme/orders/recover', recover);
    assert.equal(next.status, 200, next.text);
    await publish(node, 3);
    assert.equal(await count(node), 3);
  });

  it('goes on where it was cut off, with the same new DID', async () => {
    using folder = tempFolder();
    const { home, stick } = await offline(folder.path);
    const keys = join(home, 'keys');
    const identity = readFileSync(join(keys, 'identity.json'));
    const args = ['key', 'succeed', '--key', stick('recovery')];
    const first = json(await run(home, ...args));
    // As after kill -9 between the registry and the files.
    renameSync(join(keys, 'organisation.key'), join(keys, 'organisation.next.key'));
    writeFileSync(join(keys, 'identity.json'), identity);
    const up = await run(home, 'up');
    assert.equal(faultOf(up)['code'], 'rotation-unfinished');
    assert.match(String(faultOf(up)['hint']), /hw key succeed/);
    const second = json(await run(home, ...args));
    assert.deepEqual([second['from'], second['to']], [first['from'], first['to']]);
    assert.equal(second['successor'], first['successor']);
    // And after the last file but one.
    copyFileSync(join(keys, 'organisation.key'), join(keys, 'organisation.next.key'));
    const third = json(await run(home, ...args));
    assert.deepEqual([third['from'], third['to']], [first['from'], first['to']]);
    await using node = await testNode({ folder: home });
    assert.equal((await node.client.get('/status')).at('organisation'), first['to']);
  });

  it('keeps the delegations of other peers of a stolen key, and refuses a file that is none', async () => {
    using folder = tempFolder();
    const { home, stick } = await offline(folder.path);
    const opened = must(await openHome(home));
    const { organisation } = opened.identity;
    const signer = must(await readSigner(stick('organisation')));
    const peer = signerFromSeed(new Uint8Array(32).fill(77));
    const token = mintPeerDelegation(signer, real.random, { peerKey: peer.publicKey });
    const file = join(folder.path, 'other.ucan');
    writeFileSync(file, 'Cnothing');
    const args = ['key', 'succeed', '--stolen', '--key', stick('recovery'), '--keep', file];
    const wrong = faultOf(await run(home, ...args));
    assert.equal(wrong['code'], 'ucan-container');
    writeFileSync(file, token);
    assert.equal((await run(home, ...args)).code, 0);
    const now = must(await openHome(home));
    await using ledger = must(await openHomeLedger(now, real));
    const owners = must(await openOwners(ledger));
    const registries = new Registries(organisation, new Map(), owners);
    const events = { stream: () => undefined, problem: () => undefined };
    await using feed = new RegistryFeed(ledger, registries, events);
    await feed.start();
    const port = ownersPort(owners.identities);
    assert.equal(port.void([token]), undefined);
    assert.equal(port.void(opened.peerDelegation), undefined);
    const forged = mintPeerDelegation(signer, real.random, { peerKey: peer.publicKey });
    assert.equal(port.void([forged])?.code, 'did-superseded');
  });

  it('without the recovery key changes nothing', async () => {
    using folder = tempFolder();
    const { home, stick } = await offline(folder.path);
    const before = readFileSync(join(home, 'keys', 'identity.json'), 'utf8');
    const none = await run(home, 'key', 'succeed');
    assert.equal(faultOf(none)['code'], 'key-file-missing');
    assert.match(String(faultOf(none)['hint']), /identity is lost/);
    const wrong = await run(home, 'key', 'succeed', '--key', stick('organisation'));
    assert.equal(faultOf(wrong)['code'], 'recovery-key');
    const since = await run(home, 'key', 'succeed', '--since', '2026-01-01T00:00:00Z');
    assert.equal(faultOf(since)['code'], 'usage');
    assert.equal(readFileSync(join(home, 'keys', 'identity.json'), 'utf8'), before);
    assert.ok(!existsSync(join(home, 'keys', 'organisation.next.key')));
  });
});
