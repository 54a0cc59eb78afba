import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { readSeed, writeKeyFile } from '../../src/access/key-file-store.ts';
import { verifyPeerDelegation } from '../../src/access/peer-delegation.ts';
import { checkWriteProof } from '../../src/access/write-proof.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { makeFolders } from '../../src/node/files.ts';
import { createHome, type CreatedHome } from '../../src/node/home-create.ts';
import { genesisProof } from '../../src/node/home-keys.ts';
import { lockHolder, lockHome } from '../../src/node/home-lock.ts';
import { homePaths, openHome, readNetwork, saveNetwork, type Home } from '../../src/node/home.ts';
import { err, ok, type Result } from '../../src/result.ts';
import { fault } from '../../src/errors.ts';
import { asStreamName, asTimeMs } from '../../src/types.ts';
import { real as runtime, tempFolder } from './cli/harness.ts';

const noPassphrase = (): Promise<Result<string>> =>
  Promise.resolve(err(fault('key-passphrase-needed', 'asked')));

async function make(path: string, passphrase?: string): Promise<CreatedHome> {
  const made = await createHome(path, {
    organisation: 'acme',
    random: runtime.random,
    ask: noPassphrase,
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  assert.ok(made.ok, JSON.stringify(made));
  return made.value;
}

async function opened(path: string): Promise<Home> {
  const home = await openHome(path);
  assert.ok(home.ok, JSON.stringify(home));
  return home.value;
}

function contents(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((f) =>
    f.isFile(),
  );
  return Object.fromEntries(
    files.map((f) => [f.name, readFileSync(join(f.parentPath, f.name), 'hex')]),
  );
}

describe('a home', () => {
  it('is made whole, for its owner alone', async () => {
    using folder = tempFolder();
    const { created, paths } = await make(join(folder.path, 'h'));
    assert.ok(created.includes('keys/organisation.key') && created.includes('config.yaml'));
    for (const file of [paths.token, paths.config, paths.identity, join(paths.keys, 'peer.key')]) {
      assert.equal(statSync(file).mode & 0o777, 0o600, file);
    }
    for (const dir of [paths.root, paths.keys, paths.store, paths.guard, paths.run]) {
      assert.equal(statSync(dir).mode & 0o777, 0o700, dir);
    }
    const home = await opened(paths.root);
    assert.equal(home.config.organisation, 'acme');
    assert.match(home.apiToken, /^[A-Za-z0-9_-]{43}$/);
    assert.equal(home.keys.nodeSecret.length, 32);
  });

  it('is left alone by a second init, byte for byte', async () => {
    using folder = tempFolder();
    await make(folder.path);
    const before = contents(folder.path);
    const again = await make(folder.path);
    assert.deepEqual(again.created, []);
    assert.deepEqual(contents(folder.path), before);
  });

  it('is completed where init was cut off, with the keys that were there', async () => {
    using folder = tempFolder();
    const { paths } = await make(folder.path);
    const key = readFileSync(join(paths.keys, 'organisation.key'), 'utf8');
    for (const file of [paths.config, paths.identity, paths.token, join(paths.keys, 'node.key')]) {
      rmSync(file);
    }
    const again = await make(folder.path);
    assert.deepEqual(again.created, [
      'keys/node.key',
      'keys/identity.json',
      'api.token',
      'config.yaml',
    ]);
    assert.equal(readFileSync(join(paths.keys, 'organisation.key'), 'utf8'), key);
    await opened(folder.path);
  });

  it('draws no new key where one of a finished home is gone', async () => {
    using folder = tempFolder();
    const { paths } = await make(folder.path);
    rmSync(join(paths.keys, 'writer.key'));
    const again = await createHome(folder.path, {
      organisation: 'acme',
      random: runtime.random,
      ask: noPassphrase,
    });
    assert.ok(!again.ok && again.error.code === 'home-damaged');
    assert.ok(!existsSync(join(paths.keys, 'writer.key')));
  });

  it('opens without the keys of organisation and recovery, which may be elsewhere', async () => {
    using folder = tempFolder();
    const { paths, identity } = await make(folder.path);
    rmSync(join(paths.keys, 'organisation.key'));
    rmSync(join(paths.keys, 'recovery.key'));
    const again = await make(folder.path);
    assert.deepEqual(again.created, []);
    const home = await opened(folder.path);
    assert.equal(home.keys.organisation, undefined);
    assert.deepEqual(home.identity, identity);
  });

  it('carries delegations that others accept: for its peer, and for logs of its organisation', async () => {
    using folder = tempFolder();
    await make(folder.path);
    const home = await opened(folder.path);
    const standing = verifyPeerDelegation(nodeCrypto, {
      proof: home.peerDelegation,
      peerKey: home.keys.peer.publicKey,
      now: runtime.clock.now(),
    });
    assert.ok(standing.ok && standing.value.organisation === home.identity.organisation);
    const name = asStreamName('orders');
    const proof = genesisProof(home, runtime.random, name, 3);
    const claim = {
      owner: home.identity.organisation,
      name,
      partition: 3,
      writerKey: home.keys.writer.publicKey,
      timeMs: asTimeMs(1_800_000_000_000),
      proof,
    };
    assert.deepEqual(checkWriteProof(nodeCrypto, claim), ok(undefined));
    assert.ok(!checkWriteProof(nodeCrypto, { ...claim, partition: 2 }).ok);
  });

  it('opens a locked key with its passphrase only, and asks once', async () => {
    using folder = tempFolder();
    const { paths } = await make(folder.path);
    const file = join(paths.keys, 'node.key');
    const seed = await readSeed(file);
    assert.ok(seed.ok);
    rmSync(file);
    assert.ok((await writeKeyFile(file, seed.value, runtime.random, 'open sesame')).ok);
    const needed = await openHome(folder.path);
    assert.ok(!needed.ok && needed.error.code === 'key-passphrase-needed');
    const wrong = await openHome(folder.path, { passphrase: () => Promise.resolve(ok('shut')) });
    assert.ok(!wrong.ok && wrong.error.code === 'key-passphrase-wrong');
    assert.equal(wrong.error.place?.file, file);
    let asked = 0;
    const right = await openHome(folder.path, {
      passphrase: () => {
        asked += 1;
        return Promise.resolve(ok('open sesame'));
      },
    });
    assert.ok(right.ok);
    assert.equal(asked, 1);
    assert.deepEqual(right.value.keys.nodeSecret, seed.value);
  });

  it('of an older version gets its freshness key at the first start, locked like the others', async () => {
    using folder = tempFolder();
    const { paths } = await make(folder.path, 'secret');
    const file = join(paths.keys, 'freshness.key');
    rmSync(file);
    const started = await openHome(folder.path, {
      passphrase: () => Promise.resolve(ok('secret')),
      random: runtime.random,
    });
    assert.ok(started.ok && started.value.keys.freshness !== undefined);
    const seed = await readSeed(file, 'secret');
    assert.ok(seed.ok && !(await readSeed(file, undefined)).ok);
    assert.deepEqual(signerFromSeed(seed.value).publicKey, started.value.keys.freshness.publicKey);
  }).timeout(60_000);

  it('refuses a key file that others may read', async () => {
    using folder = tempFolder();
    const { paths } = await make(folder.path);
    chmodSync(join(paths.keys, 'peer.key'), 0o644);
    const home = await openHome(folder.path);
    assert.ok(!home.ok && home.error.code === 'key-file-mode');
  });

  it('refuses a key that is not the one it was made with', async () => {
    using folder = tempFolder();
    const { paths } = await make(folder.path);
    const other = readFileSync(join(paths.keys, 'peer.key'), 'utf8');
    writeFileSync(join(paths.keys, 'writer.key'), other);
    const home = await openHome(folder.path);
    assert.ok(!home.ok && home.error.code === 'home-damaged');
  });

  it('says that there is none, or what is damaged', async () => {
    using folder = tempFolder();
    const none = await openHome(join(folder.path, 'none'));
    assert.ok(!none.ok && none.error.code === 'home-missing');
    const { paths } = await make(folder.path);
    writeFileSync(paths.identity, '{"organisation":1}');
    const damaged = await openHome(folder.path);
    assert.ok(!damaged.ok && damaged.error.code === 'home-damaged');
    assert.equal(damaged.error.place?.file, paths.identity);
  });

  it('forgets the document of a network that it leaves', async () => {
    using folder = tempFolder();
    const { paths } = await make(folder.path);
    const [one, two] = ['1'.repeat(64), '2'.repeat(64)];
    await saveNetwork(paths, { id: one, document: Uint8Array.of(1) });
    assert.deepEqual(await readNetwork(paths), ok({ id: one, document: Uint8Array.of(1) }));
    await saveNetwork(paths, { id: two });
    assert.deepEqual(await readNetwork(paths), ok({ id: two }));
  });
});

describe('the lock of a home', () => {
  it('lets one process in, and the next once it is released', async () => {
    using folder = tempFolder();
    const paths = homePaths(folder.path);
    const first = await lockHome(paths, runtime);
    assert.ok(first.ok);
    const second = await lockHome(paths, runtime);
    assert.ok(!second.ok && second.error.code === 'node-running');
    assert.ok(second.error.message.includes(String(process.pid)));
    await first.value.release();
    const third = await lockHome(paths, runtime);
    assert.ok(third.ok);
    await third.value.release();
    assert.equal(existsSync(paths.lock), false);
  });

  const stale: readonly (readonly [string, string])[] = [
    ['a process that has ended', '4194300 12345'],
    ['a later process with the same id', `${process.pid} 1`],
    ['nothing', ''],
  ];
  for (const [name, text] of stale) {
    it(`is taken over where it names ${name}`, async () => {
      using folder = tempFolder();
      const paths = homePaths(folder.path);
      assert.ok((await makeFolders(folder.path, ['run'])).ok);
      writeFileSync(paths.lock, text);
      assert.equal(await lockHolder(paths, runtime), undefined);
      const second = await lockHome(paths, runtime);
      assert.ok(second.ok);
      assert.equal(await lockHolder(paths, runtime), process.pid);
      await second.value.release();
    });
  }
});
