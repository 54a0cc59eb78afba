import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import { fromUtf8, utf8 } from '../../src/bytes.ts';
import { signerFromSeed } from '../../src/crypto-node.ts';
import { didFromKey } from '../../src/ids.ts';
import {
  decodeKeyFile,
  encodeKeyFile,
  unlockKeyFile,
  type KeyFile,
} from '../../src/access/key-file.ts';
import {
  readKeyFile,
  readSeed,
  readSigner,
  writeKeyFile,
} from '../../src/access/key-file-store.ts';
import { owner, random, refused, value } from './tokens.ts';

const seed = new Uint8Array(32).fill(1);

type Json = Record<string, unknown>;
function parsed(bytes: Uint8Array): Json {
  return JSON.parse(value(fromUtf8(bytes))) as Json;
}

/** A key file with changed members, decoded. */
function changed(
  bytes: Uint8Array,
  change: (file: Json) => void,
): ReturnType<typeof decodeKeyFile> {
  const file = parsed(bytes);
  change(file);
  return decodeKeyFile(utf8(JSON.stringify(file)));
}

/** Sets a member of the object at `name`. */
function within(name: string, member: string, to: unknown): (file: Json) => void {
  return (file) => ((file[name] as Json)[member] = to);
}

describe('key files', () => {
  let open: Uint8Array;
  let locked: Uint8Array;
  before(async () => {
    open = value(await encodeKeyFile(seed, random));
    locked = value(await encodeKeyFile(seed, random, 'correct horse'));
  });

  it('hold the seed and its public half in one fixed form', () => {
    assert.deepEqual(parsed(open), {
      format: 'headwater-key',
      version: 1,
      did: owner.did,
      seed: 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE',
    });
    assert.deepEqual(value(decodeKeyFile(open)), { did: owner.did, locked: false, seed });
  });

  it('are locked by scrypt and AES-256-GCM where a passphrase is given', async () => {
    const file = parsed(locked);
    assert.deepEqual(Object.keys(file), ['format', 'version', 'did', 'scrypt', 'aes-256-gcm']);
    const salt = 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA';
    assert.deepEqual(file['scrypt'], { N: 131_072, r: 8, p: 1, salt });
    // Frozen, and recomputed by another implementation: it must open for as long as version 1 is read.
    assert.deepEqual(file['aes-256-gcm'], {
      nonce: 'AQIDBAUGBwgJCgsM',
      sealed: 'Er-qmXMEt7rFH9snq-AfyF1he4Aza8U-CpsGAmfau1eba2VYTuE9rdRMJDLjNDD0',
    });
    assert.ok(!value(fromUtf8(locked)).includes('AQEBAQEB'));
    const read = value(decodeKeyFile(locked));
    assert.equal(read.did, owner.did);
    assert.deepEqual(value(await unlockKeyFile(read, 'correct horse')), seed);
  });

  it('wrong passphrase: refused, as is none and an empty one', async () => {
    const read = value(decodeKeyFile(locked));
    refused(await unlockKeyFile(read, 'Correct horse'), 'key-passphrase-wrong');
    refused(await unlockKeyFile(read), 'key-passphrase-needed');
    refused(await unlockKeyFile(read, ''), 'key-passphrase-needed');
    refused(await encodeKeyFile(seed, random, ''), 'key-passphrase-needed');
  });

  it('bind their lock to the public key and the cost', async () => {
    const thief = didFromKey(signerFromSeed(new Uint8Array(32).fill(4)).publicKey);
    const other = value(changed(locked, (file) => (file['did'] = thief)));
    refused(await unlockKeyFile(other, 'correct horse'), 'key-passphrase-wrong');
    const cost = value(changed(locked, within('scrypt', 'p', 2)));
    refused(await unlockKeyFile(cost, 'correct horse'), 'key-passphrase-wrong');
  });

  it('take one passphrase in each of its Unicode forms', async () => {
    const bytes = value(await encodeKeyFile(seed, random, 'Zu\u0308rich'));
    assert.deepEqual(value(await unlockKeyFile(value(decodeKeyFile(bytes)), 'Zürich')), seed);
  });

  it('whose seed is not that of their public key are refused', async () => {
    const other = changed(open, (file) => (file['seed'] = 'A'.repeat(43)));
    refused(await unlockKeyFile(value(other)), 'key-file-invalid');
  });

  it('hostile cost: nothing is derived under parameters out of bounds', () => {
    const costs: readonly (readonly [string, unknown])[] = [
      ['N', 2 ** 16],
      ['N', 2 ** 19],
      ['N', 2 ** 30],
      ['N', 131_073],
      ['N', 131_072.5],
      ['N', 0],
      ['N', -131_072],
      ['N', '131072'],
      ['N', null],
      ['N', 1e308],
      ['r', 1],
      ['r', 16],
      ['r', 1_000_000],
      ['p', 0],
      ['p', 5],
      ['p', 1.5],
      ['p', 2 ** 32 + 1],
      ['salt', ''],
      ['salt', 'A'.repeat(42)],
    ];
    for (const [name, to] of costs) {
      refused(changed(locked, within('scrypt', name, to)), 'key-file-invalid');
    }
    assert.ok(changed(locked, within('scrypt', 'N', 2 ** 18)).ok);
    assert.ok(changed(locked, within('scrypt', 'p', 4)).ok);
  });

  it('of another shape are refused', () => {
    const changes: readonly ((file: Json) => void)[] = [
      (file) => (file['format'] = 'other'),
      (file) => (file['version'] = 2),
      (file) => (file['version'] = '1'),
      (file) => (file['did'] = 'did:web:example.com'),
      (file) => delete file['did'],
      (file) => (file['note'] = ''),
      (file) => (file['seed'] = seed),
      (file) => delete file['scrypt'],
      (file) => (file['scrypt'] = []),
      within('scrypt', 'hash', 'md5'),
      within('aes-256-gcm', 'nonce', 'AAAA'),
      within('aes-256-gcm', 'sealed', 'A'.repeat(63)),
      within('aes-256-gcm', 'sealed', null),
    ];
    for (const change of changes) refused(changed(locked, change), 'key-file-invalid');
    refused(
      changed(open, (file) => (file['seed'] = 'A'.repeat(42))),
      'key-file-invalid',
    );
    for (const text of ['', '[]', 'null', '1', '{', '{}', '\ufeff{}', 'x'.repeat(5000)]) {
      refused(decodeKeyFile(utf8(text)), 'key-file-invalid');
    }
    refused(decodeKeyFile(Uint8Array.of(0xff)), 'key-file-invalid');
  });

  it('never throw when read, and no truncation is one', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(utf8)), (bytes) => {
        refused(decodeKeyFile(bytes), 'key-file-invalid');
      }),
    );
    for (const bytes of [open, locked]) {
      for (let n = 0; n < bytes.length - 2; n++) {
        refused(decodeKeyFile(bytes.subarray(0, n)), 'key-file-invalid');
      }
    }
  });

  it('of any seed give it back', async () => {
    const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
    await fc.assert(
      fc.asyncProperty(seeds, async (any) => {
        const file: KeyFile = value(decodeKeyFile(value(await encodeKeyFile(any, random))));
        assert.deepEqual(value(await unlockKeyFile(file)), any);
      }),
      { numRuns: 30 },
    );
  });

  it('are not made from seeds or costs that could not be read again', async () => {
    await assert.rejects(encodeKeyFile(new Uint8Array(31), random), RangeError);
    await assert.rejects(encodeKeyFile(seed, random, 'x', { N: 16, r: 8, p: 1 }), RangeError);
  });
});

describe('key files on disk', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'headwater-keys-'))));
  after(() => rm(folder, { recursive: true }));

  it('are written whole with mode 0600 and read back as a signer', async () => {
    const path = join(folder, 'organisation');
    value(await writeKeyFile(path, seed, random));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(
      new Uint8Array(await readFile(path)),
      value(await encodeKeyFile(seed, random)),
    );
    assert.deepEqual(await readdir(folder), ['organisation']);
    assert.deepEqual(value(await readSeed(path)), seed);
    const signer = value(await readSigner(path));
    assert.deepEqual(signer.sign(seed), owner.signer.sign(seed));
  });

  it('are never overwritten', async () => {
    const path = join(folder, 'once');
    await writeFile(path, 'something else');
    const result = await writeKeyFile(path, seed, random);
    refused(result, 'key-file-exists');
    assert.equal(!result.ok && result.error.place?.file, path);
    assert.equal(await readFile(path, 'utf8'), 'something else');
    assert.equal((await readdir(folder)).filter((name) => name.startsWith('once')).length, 1);
  });

  it('in a folder that is not there leave nothing behind', async () => {
    refused(await writeKeyFile(join(folder, 'none', 'key'), seed, random), 'key-file-io');
  });

  it('that others may read or write are refused with the command that helps', async () => {
    const path = join(folder, 'open to all');
    value(await writeKeyFile(path, seed, random));
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o644]) {
      await chmod(path, mode);
      const result = await readSigner(path);
      refused(result, 'key-file-mode');
      assert.ok(!result.ok && result.error.hint.startsWith(`Run chmod 600 ${path};`));
    }
    for (const mode of [0o600, 0o400]) {
      await chmod(path, mode);
      assert.ok((await readSigner(path)).ok);
    }
  });

  it('may stand behind a symbolic link, as mounted secrets do', async () => {
    const path = join(folder, 'linked');
    await symlink(join(folder, 'organisation'), path);
    assert.ok((await readSigner(path)).ok);
    await link(join(folder, 'organisation'), join(folder, 'hard'));
    assert.ok((await readSigner(join(folder, 'hard'))).ok);
  });

  it('that are missing, folders, pipes or huge are refused at once', async () => {
    refused(await readKeyFile(join(folder, 'nothing')), 'key-file-missing');
    const sub = join(folder, 'folder');
    await mkdir(sub, { mode: 0o700 });
    refused(await readKeyFile(sub), 'key-file-invalid');
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    refused(await readKeyFile(pipe), 'key-file-invalid');
    const huge = join(folder, 'huge');
    await writeFile(huge, '{"format":'.padEnd(1_000_000), { mode: 0o600 });
    const result = await readKeyFile(huge);
    refused(result, 'key-file-invalid');
    assert.equal(!result.ok && result.error.place?.file, huge);
  });

  it('locked ones tell whose key it is and open with their passphrase only', async () => {
    const path = join(folder, 'locked');
    value(await writeKeyFile(path, seed, random, 'correct horse'));
    const file = value(await readKeyFile(path));
    assert.deepEqual([file.did, file.locked], [owner.did, true]);
    refused(await readSeed(path), 'key-passphrase-needed');
    const wrong = await readSeed(path, 'wrong');
    refused(wrong, 'key-passphrase-wrong');
    assert.equal(!wrong.ok && wrong.error.place?.file, path);
    assert.deepEqual(value(await readSeed(path, 'correct horse')), seed);
  });
});
