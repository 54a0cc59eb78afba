import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { nodeCipher } from '../../../src/cipher-node.ts';
import { epochKey, epochRoot } from '../../../src/access/epoch-keys.ts';
import { toBase64url } from '../../../src/bytes.ts';
import { logIdFromHash } from '../../../src/ids.ts';
import type { EpochKey, OpenedEpoch } from '../../../src/ledger/sealing.ts';
import { OwnKeys } from '../../../src/node/sealed/own-keys.ts';
import { asHash, asLogIndex, asTimeMs } from '../../../src/types.ts';
import { must, refused } from '../../support/result.ts';

const log = logIdFromHash(asHash(new Uint8Array(32).fill(7)));
const other = logIdFromHash(asHash(new Uint8Array(32).fill(8)));
const secret = new Uint8Array(32).fill(1);

function opening(epoch: number, generation: number, check: Uint8Array): OpenedEpoch {
  const place = { index: asLogIndex(2), time: asTimeMs(1) };
  return { epoch, generation, check: asHash(check), ...place };
}

describe('node/sealed/own-keys', () => {
  let folder = '';
  let drawn = 0;
  const random = {
    bytes: (length: number): Uint8Array => new Uint8Array(length).fill(++drawn),
  };
  const open = async (nodeSecret = secret): Promise<OwnKeys> =>
    must(await OwnKeys.open(join(folder, 'epochs'), nodeSecret, random));

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hw-own-keys-'));
    drawn = 0;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('has a root on the disk, mode 0600, before its first key is given out', async () => {
    const keys = await open();
    const first = must(await keys.next(log, { epoch: 0, generation: 0, begins: true }));
    const file = join(folder, 'epochs', `${log}.epochs`);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const again = await open();
    assert.deepEqual(again.held(log), keys.held(log));
    assert.deepEqual(
      must(await again.next(log, { epoch: 0, generation: 0, begins: false })),
      first,
    );
    assert.deepEqual(again.keyFor(log, opening(0, 0, first.check)), first.key);
  });

  it('derives the keys of a generation from one root, and begins the next with a fresh one', async () => {
    const keys = await open();
    const first = must(await keys.next(log, { epoch: 0, generation: 0, begins: true }));
    const second = must(await keys.next(log, { epoch: 1, generation: 0, begins: false }));
    const third = must(await keys.next(log, { epoch: 2, generation: 1, begins: true }));
    const [old, fresh] = keys.held(log);
    assert.ok(old !== undefined && fresh !== undefined);
    assert.notDeepEqual(old.nodes[0]?.key, fresh.nodes[0]?.key);
    const key = (root: typeof old, epoch: number): Uint8Array =>
      must(epochKey(nodeCipher, root.nodes[0] ?? epochRoot(secret), epoch));
    assert.deepEqual(first.key, key(old, 0));
    assert.deepEqual(second.key, key(old, 1));
    assert.deepEqual(third.key, key(fresh, 2));
  });

  it('never makes a new root for a generation that the log has begun', async () => {
    const keys = await open();
    refused(await keys.next(log, { epoch: 1, generation: 0, begins: false }), 'epoch-keys-missing');
    assert.deepEqual(keys.held(log), []);
  });

  it('uses the root that a crash left unused', async () => {
    const unused = must(await (await open()).next(log, { epoch: 3, generation: 1, begins: true }));
    const again = await open();
    assert.deepEqual(
      must(await again.next(log, { epoch: 3, generation: 1, begins: true })),
      unused,
    );
    assert.equal(again.held(log).length, 1);
  });

  it('gives no key that does not fit the check value of the log', async () => {
    const keys = await open();
    const { check } = must(await keys.next(log, { epoch: 0, generation: 0, begins: true }));
    assert.notEqual(keys.keyFor(log, opening(0, 0, check)), undefined);
    assert.equal(keys.keyFor(log, opening(0, 0, secret)), undefined);
    assert.equal(keys.keyFor(log, opening(1, 0, check)), undefined);
    assert.equal(keys.keyFor(log, opening(0, 1, check)), undefined);
    assert.equal(keys.keyFor(other, opening(0, 0, check)), undefined);
  });

  it('forgets a shredded epoch for good and keeps the others', async () => {
    const keys = await open();
    const made: EpochKey[] = [];
    for (const epoch of [0, 1, 2]) {
      made.push(must(await keys.next(log, { epoch, generation: 0, begins: epoch === 0 })));
    }
    const at = (epoch: number): ReturnType<typeof opening> =>
      opening(epoch, 0, made[epoch]?.check ?? secret);
    assert.deepEqual(keys.keyFor(log, at(1)), made[1]?.key);
    must(await keys.shred(log, at(1)));
    for (const now of [keys, await open()]) {
      assert.equal(now.keyFor(log, at(1)), undefined);
      assert.equal(now.isShredded(log, at(1)), true);
      assert.deepEqual(now.keyFor(log, at(0)), made[0]?.key);
      assert.deepEqual(now.keyFor(log, at(2)), made[2]?.key);
      assert.equal(now.isShredded(log, at(2)), false);
      assert.equal(now.held(log)[0]?.nodes.length, 32);
      refused(await now.next(log, { epoch: 1, generation: 0, begins: false }), 'epoch-not-covered');
    }
  });

  it('has nothing readable in the file, and takes it from no other home', async () => {
    const keys = await open();
    const { key } = must(await keys.next(log, { epoch: 0, generation: 0, begins: true }));
    const root = keys.held(log)[0]?.nodes[0]?.key ?? secret;
    const text = await readFile(join(folder, 'epochs', `${log}.epochs`), 'utf8');
    for (const bytes of [key, root]) {
      assert.equal(text.includes(toBase64url(bytes)), false);
    }
    const stranger = await open(new Uint8Array(32).fill(9));
    assert.equal(stranger.damaged.get(log)?.code, 'epoch-keys-damaged');
    assert.deepEqual(stranger.held(log), []);
  });

  it('a damaged file costs its own log only and is set aside, never written over', async () => {
    const keys = await open();
    must(await keys.next(log, { epoch: 0, generation: 0, begins: true }));
    must(await keys.next(other, { epoch: 0, generation: 0, begins: true }));
    const file = join(folder, 'epochs', `${log}.epochs`);
    const sound = await readFile(file, 'utf8');
    const damaged = sound.replace(
      /"sealed": "(.)/,
      (_, one) => `"sealed": "${one === 'A' ? 'B' : 'A'}`,
    );
    await writeFile(file, damaged);
    const again = await open();
    assert.equal(again.held(other).length, 1);
    refused(
      await again.next(log, { epoch: 1, generation: 0, begins: false }),
      'epoch-keys-missing',
    );
    must(await again.next(log, { epoch: 1, generation: 1, begins: true }));
    const names = (await readdir(join(folder, 'epochs'))).filter((name) =>
      name.endsWith('.damaged'),
    );
    assert.equal(names.length, 1);
    assert.equal(await readFile(join(folder, 'epochs', names[0] ?? ''), 'utf8'), damaged);
    assert.deepEqual(
      (await open()).held(log).map(({ generation }) => generation),
      [1],
    );
  });

  it('a file under the name of another log is not its keys', async () => {
    const keys = await open();
    must(await keys.next(log, { epoch: 0, generation: 0, begins: true }));
    const from = await readFile(join(folder, 'epochs', `${log}.epochs`));
    await writeFile(join(folder, 'epochs', `${other}.epochs`), from);
    assert.equal((await open()).damaged.get(other)?.code, 'epoch-keys-damaged');
  });
});
