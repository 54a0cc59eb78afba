import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { formatEncryptionKey, parseEncryptionKey } from '../../src/access/encryption-key.ts';
import { hpkeOpen, hpkeSeal } from '../../src/access/hpke.ts';
import { readSeed, writeKeyFile } from '../../src/access/key-file-store.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { rotateEncryption } from '../../src/node/encryption-rotation.ts';
import { createHome } from '../../src/node/home-create.ts';
import { homePaths, identityJson, openHome, readHome, type Home } from '../../src/node/home.ts';
import { ok } from '../../src/result.ts';
import { must } from '../support/result.ts';
import { faultOf, hw, json, real, tempFolder, type Ran } from './cli/harness.ts';

const ask = () => Promise.resolve(ok('secret'));

async function make(path: string): Promise<void> {
  must(await createHome(path, { organisation: 'acme', random: real.random, ask }));
}

async function open(path: string, write = false): Promise<Home> {
  return must(await openHome(path, { passphrase: ask, ...(write ? { random: real.random } : {}) }));
}

describe("a home's encryption key", () => {
  it('is there from the beginning, for its owner alone, with its public half beside it', async () => {
    using folder = tempFolder();
    await make(folder.path);
    const { keys, identity, paths } = await open(folder.path);
    assert.equal(statSync(join(paths.keys, 'encryption.key')).mode & 0o777, 0o600);
    const publicKey = keys.encryption?.current.publicKey ?? new Uint8Array(0);
    assert.deepEqual(parseEncryptionKey(identity.encryptionKey ?? ''), publicKey);
    assert.equal(keys.encryption?.older.length, 0);
    const other = await (async () => {
      using second = tempFolder();
      await make(second.path);
      return (await open(second.path)).identity.encryptionKey;
    })();
    assert.notEqual(identity.encryptionKey, other);
  });

  it('of an older home is made at its first start, behind the same passphrase, and not before', async () => {
    using folder = tempFolder();
    await make(folder.path);
    const paths = homePaths(folder.path);
    const node = join(paths.keys, 'node.key');
    const secret = must(await readSeed(node));
    rmSync(node);
    must(await writeKeyFile(node, secret, real.random, 'secret'));
    rmSync(join(paths.keys, 'encryption.key'));
    const { encryptionKey: _, ...older } = must(await readHome(folder.path)).identity;
    writeFileSync(paths.identity, identityJson(older), { mode: 0o600 });
    assert.equal((await open(folder.path)).keys.encryption, undefined);
    const started = await open(folder.path, true);
    assert.match(readFileSync(join(paths.keys, 'encryption.key'), 'utf8'), /scrypt/);
    const kept = must(await readHome(folder.path)).identity.encryptionKey;
    assert.equal(
      kept,
      formatEncryptionKey(started.keys.encryption?.current.publicKey ?? new Uint8Array(0)),
    );
  }).timeout(20_000);

  it('is rotated, and what was sealed to the old one still opens', async () => {
    using folder = tempFolder();
    await make(folder.path);
    const before = await open(folder.path);
    const context = { info: new Uint8Array(1), aad: new Uint8Array(2) };
    const recipient = before.keys.encryption?.current.publicKey ?? new Uint8Array(0);
    const ikm = real.random.bytes(32);
    const sealed = must(hpkeSeal(nodeCipher, ikm, recipient, context, Uint8Array.of(7)));
    const key = must(await rotateEncryption(before, real.random, ask));
    const after = await open(folder.path);
    assert.equal(after.identity.encryptionKey, key);
    assert.notEqual(key, before.identity.encryptionKey);
    const [old] = after.keys.encryption?.older ?? [];
    assert.ok(old !== undefined);
    assert.deepEqual(must(hpkeOpen(nodeCipher, old, context, sealed)), Uint8Array.of(7));
    const left = readdirSync(after.paths.keys).filter((name) => name.startsWith('encryption'));
    assert.equal(left.length, 2, left.join());
  });

  it('is shown and rotated by hw, which keeps the old one and knows no other key to rotate', async () => {
    using folder = tempFolder();
    const run = (...args: readonly string[]): Promise<Ran> =>
      hw([...args, '--json', '--home', folder.path]);
    await run('init', '--org', 'acme', '--no-network');
    const shown = async (): Promise<readonly string[]> => {
      const { keys } = json(await run('key', 'list'));
      assert.ok(Array.isArray(keys));
      return keys.flatMap((key: { name: string; did?: string }) =>
        key.name === 'encryption' ? [key.did ?? 'older'] : [],
      );
    };
    const [before] = await shown();
    const rotated = json(await run('key', 'rotate', 'encryption'))['encryption'];
    assert.deepEqual(await shown(), [rotated, 'older']);
    assert.notEqual(rotated, before);
    const wrong = await run('key', 'rotate', 'peer');
    assert.deepEqual([wrong.code, faultOf(wrong)['code']], [2, 'usage']);
  });

  it('of another algorithm, or malformed, is none', () => {
    for (const text of ['', 'x25519:', 'x25519:AAAA', 'mlkem768:AAAA', 'x25519:=']) {
      assert.equal(parseEncryptionKey(text), undefined, text);
    }
  });
});
