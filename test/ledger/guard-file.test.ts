import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { GuardFile } from '../../src/ledger/guard-file.ts';
import { MemoryGuard, type GuardMark } from '../../src/ledger/guard.ts';
import { limits } from '../../src/limits.ts';
import { asHash } from '../../src/types.ts';
import { must, refused } from '../support/result.ts';
import { tempDir } from '../support/temp-dir.ts';

const frame = 128;
const id = (n: number): GuardMark['id'] => asHash(new Uint8Array(32).fill(n));
const mark = (n: number, size: number): GuardMark => ({ kind: 0, id: id(n), size, root: id(size) });

async function openGuard(path: string): Promise<GuardFile> {
  return must(await GuardFile.open(path, nodeCrypto));
}

/** A closed guard file with the sizes 1 … 5 of one log: an empty frame, then five. */
async function written(path: string): Promise<Uint8Array> {
  await using guard = await openGuard(path);
  for (let size = 1; size <= 5; size++) must(await guard.advance([mark(1, size)]));
  await guard.close();
  return new Uint8Array(await readFile(path));
}

describe('GuardFile', () => {
  it('is fresh only where there was none, and keeps the newest mark of each log', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'guard');
    const first = await openGuard(path);
    assert.equal(first.fresh, true);
    must(await first.advance([mark(1, 5), mark(2, 9)]));
    must(await first.advance([mark(1, 6)]));
    must(await first.advance([{ kind: 1, id: id(1), size: 3, root: id(7) }]));
    await first.close();
    await using again = await openGuard(path);
    assert.equal(again.fresh, false);
    assert.equal(again.recovered, undefined);
    assert.deepEqual(again.mark(0, id(1)), mark(1, 6));
    assert.deepEqual(again.mark(0, id(2)), mark(2, 9));
    assert.equal(again.mark(1, id(1))?.size, 3);
    assert.equal(again.mark(1, id(2)), undefined);
  });

  it('never goes back', async () => {
    await using dir = await tempDir();
    await using guard = await openGuard(join(dir.path, 'guard'));
    must(await guard.advance([mark(1, 5)]));
    await assert.rejects(guard.advance([mark(1, 4)]), RangeError);
    assert.equal(guard.mark(0, id(1))?.size, 5);
    await assert.rejects(
      async () => new MemoryGuard([mark(1, 5)]).advance([mark(1, 4)]),
      RangeError,
    );
  });

  it('takes marks of many logs at once in few writes, and all are there', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'guard');
    const guard = await openGuard(path);
    const all = Array.from({ length: 200 }, (_, n) => guard.advance([mark(n, n + 1)]));
    for (const done of await Promise.all(all)) must(done);
    await guard.close();
    await using again = await openGuard(path);
    for (let n = 0; n < 200; n++) assert.equal(again.mark(0, id(n))?.size, n + 1);
  });

  it('writes itself anew when its journal is full', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'guard');
    const guard = await openGuard(path);
    const frames = limits.guardFileBytes / frame;
    for (let size = 1; size <= frames + 10; size++) must(await guard.advance([mark(1, size)]));
    await guard.close();
    assert.equal((await stat(path)).size, limits.guardFileBytes);
    await using again = await openGuard(path);
    assert.equal(again.mark(0, id(1))?.size, frames + 10);
  }).timeout(20_000);

  it('drops a last write that was cut at any byte, says so, and goes on', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'guard');
    const bytes = await written(path);
    const last = 5 * frame;
    for (const cut of [1, 4, 7, 8, 40, 81, 96]) {
      const torn = bytes.slice();
      torn.fill(0, last + cut);
      await writeFile(path, torn);
      await using guard = await openGuard(path);
      assert.equal(guard.recovered?.code, 'guard-torn', `cut at ${cut}`);
      assert.equal(guard.mark(0, id(1))?.size, 4);
      must(await guard.advance([mark(1, 7)]));
      await guard.close();
      await using again = await openGuard(path);
      assert.equal(again.recovered, undefined);
      assert.equal(again.mark(0, id(1))?.size, 7);
    }
  });

  it('opens a file that was cut short behind its frames', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'guard');
    const bytes = await written(path);
    await writeFile(path, bytes.slice(0, 5 * frame + 50));
    await using guard = await openGuard(path);
    assert.equal(guard.recovered?.code, 'guard-torn');
    assert.equal(guard.mark(0, id(1))?.size, 4);
  });

  it('refuses damage that no crash makes: at the beginning, or with a sound frame behind', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'guard');
    const bytes = await written(path);
    for (const at of [0, 5, 20, frame, frame + 3, frame + 50, 4 * frame + 90]) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      await writeFile(path, damaged);
      refused(await GuardFile.open(path, nodeCrypto), 'guard-corrupt', `byte ${at}`);
    }
    for (const other of [new Uint8Array(0), new Uint8Array(1000), bytes.slice(0, 20)]) {
      await writeFile(path, other);
      const opened = await GuardFile.open(path, nodeCrypto);
      refused(opened, 'guard-corrupt');
      assert.equal(opened.ok ? undefined : opened.error.place?.file, path);
    }
  });

  it('says guard-failed where it cannot be written, and recovers', async () => {
    await using dir = await tempDir();
    refused(await GuardFile.open(join(dir.path, 'none', 'guard'), nodeCrypto), 'guard-failed');
    const folder = join(dir.path, 'guard.d');
    await mkdir(folder);
    const path = join(folder, 'guard');
    const guard = await openGuard(path);
    // The journal is full, and the folder for the new file is gone.
    for (let i = 1; i < limits.guardFileBytes / frame; i++) must(await guard.advance([mark(1, i)]));
    await rm(folder, { recursive: true });
    refused(await guard.advance([mark(1, 5000)]), 'guard-failed');
    assert.notEqual(guard.mark(0, id(1))?.size, 5000);
    await mkdir(folder);
    must(await guard.advance([mark(1, 5001)]));
    await guard.close();
    refused(await guard.advance([mark(1, 5002)]), 'guard-failed');
    await using again = await openGuard(path);
    assert.equal(again.mark(0, id(1))?.size, 5001);
  }).timeout(20_000);

  it('is readable by its owner only', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'guard');
    await using _guard = await openGuard(path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await chmod(path, 0o600);
  });
});
