import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { fault, type Code } from '../../src/errors.ts';
import { parseCheckpoint } from '../../src/ledger/checkpoint.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { blockPath, fullTiles, partialTiles } from '../../src/ledger/static-tree.ts';
import { formatTilePath } from '../../src/ledger/tile.ts';
import { VerifiedTiles } from '../../src/ledger/verified-tiles.ts';
import type { TreeFolder } from '../../src/node/tree-folder.ts';
import { DiskFolder } from '../../src/node/tree-folder.ts';
import { err, ok } from '../../src/result.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { events, publish, wires, withLog } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { tempDir } from '../support/temp-dir.ts';
import { exportLog, owner } from './static-support.ts';

/** All files below a folder with their bytes. */
async function content(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile())
      files.set(path.slice(folder.length + 1), (await readFile(path)).toString('hex'));
  }
  return files;
}

/** What a reader of the checkpoint needs is there and verifies; undefined where there is none yet. */
async function soundSize(folder: string, log: LogId, ledger: Ledger): Promise<number | undefined> {
  const note = await readFile(join(folder, log, 'checkpoint'), 'utf8').catch(() => undefined);
  if (note === undefined) return undefined;
  const checkpoint = must(parseCheckpoint(note));
  const tiles = must(
    await VerifiedTiles.open(nodeCrypto, checkpoint, async (path) =>
      ok(await readFile(join(folder, log, formatTilePath(path)))),
    ),
  );
  for (const { level, index } of fullTiles(0, checkpoint.size)) {
    if (level !== 'entries') must(await tiles.full(level, index));
  }
  for (const path of [...fullTiles(0, checkpoint.size), ...partialTiles(checkpoint.size)]) {
    if (path.level !== 'entries') continue;
    const stored = await readFile(join(folder, log, formatTilePath(path)));
    assert.deepEqual(new Uint8Array(stored), must(await ledger.tree.tile(log, path)));
  }
  const blocks = await wires(ledger, log, asLogIndex(0));
  let size = 0;
  for (let number = 0; size < checkpoint.size; number++) {
    const stored = await readFile(join(folder, log, blockPath(number)));
    const block = blocks[number] ?? assert.fail('more blocks than the log has');
    assert.deepEqual(new Uint8Array(stored), block);
    for await (const one of ledger.blocks(log, asLogIndex(size))) {
      size = one.size;
      break;
    }
  }
  assert.equal(size, checkpoint.size);
  return size;
}

/** Fails the write with this number and every one after it, as a killed process would. */
function dyingAfter(writes: number, code: Code): (folder: TreeFolder) => TreeFolder {
  let left = writes;
  return (folder) => ({
    read: (path) => folder.read(path),
    has: (path) => folder.has(path),
    settle: () => folder.settle(),
    drop: (path) => (left > 0 ? folder.drop(path) : Promise.resolve(err(fault(code, 'dead')))),
    write: async (path, bytes) => {
      if (left <= 0) return err(fault(code, 'dead'));
      left -= 1;
      return folder.write(path, bytes);
    },
  });
}

describe('the export of a static tree', function () {
  this.timeout(20_000);

  it('writes what C2SP tlog-tiles asks for, blocks, checkpoint and index', async () => {
    const { ledger, log } = await withLog();
    await using _ledger = ledger;
    await using dir = await tempDir();
    await publish(ledger, log, events(600));
    const size = ledger.log(log)?.size ?? 0;
    const report = must(await exportLog(ledger, log, dir.path));
    assert.deepEqual(report.logs, [{ log, from: 0, size }]);
    assert.equal(await soundSize(dir.path, log, ledger), size);
    const files = [...(await content(dir.path)).keys()];
    assert.equal(files.length, report.files);
    const paths = [...fullTiles(0, size), ...partialTiles(size)].map(formatTilePath);
    const blocks = (await wires(ledger, log, asLogIndex(0))).map((_, i) => blockPath(i));
    const wanted = [...paths, ...blocks, 'checkpoint'].map((path) => `${log}/${path}`);
    assert.deepEqual(files.toSorted(), [...wanted, 'headwater.json'].toSorted());
    const index = JSON.parse(await readFile(join(dir.path, 'headwater.json'), 'utf8'));
    assert.equal(index.format, 'headwater-static-1');
    assert.deepEqual(index.logs, [{ log, partition: 0 }]);
  });

  it('is completed by the next one, which writes no full tile again and ends as one export would', async () => {
    const { ledger, log } = await withLog();
    await using _ledger = ledger;
    await using dir = await tempDir();
    await using whole = await tempDir();
    await publish(ledger, log, events(300));
    must(await exportLog(ledger, log, dir.path));
    const tile = join(dir.path, log, 'tile/0/000');
    const first = await stat(tile);
    const kept = await content(dir.path);
    assert.equal(must(await exportLog(ledger, log, dir.path)).files, 0);
    await publish(ledger, log, events(400, 300));
    const report = must(await exportLog(ledger, log, dir.path));
    assert.ok(report.logs[0]?.from !== 0);
    assert.equal(await soundSize(dir.path, log, ledger), ledger.log(log)?.size);
    assert.equal((await stat(tile)).ino, first.ino, 'the same file');
    const now = await content(dir.path);
    must(await exportLog(ledger, log, whole.path));
    // Partial tiles stay until the full one is there, as tlog-tiles demands.
    const stale = [...now.keys()].filter((name) => /\/(?:000|001)\.p\//.test(name));
    assert.ok(kept.has(`${log}/tile/0/001.p/${(report.logs[0]?.from ?? 0) % 256}`));
    assert.deepEqual(
      stale.filter((name) => !name.includes('/tile/1/')),
      [],
    );
    const fresh = await content(whole.path);
    for (const [name, bytes] of fresh) assert.equal(now.get(name), bytes, name);
  });

  it('leaves a sound tree wherever it is cut off, and goes on from there', async () => {
    const { ledger, log } = await withLog();
    await using _ledger = ledger;
    await using whole = await tempDir();
    await publish(ledger, log, events(250));
    const old = ledger.log(log)?.size;
    await using base = await tempDir();
    must(await exportLog(ledger, log, base.path));
    await publish(ledger, log, events(330, 250));
    const size = ledger.log(log)?.size;
    const { files } = must(await exportLog(ledger, log, whole.path));
    for (let writes = 0; writes <= files; writes++) {
      await using dir = await tempDir();
      // Every second one goes on from an older tree.
      if (writes % 2 === 1) {
        for (const [name, hex] of await content(base.path)) {
          await mkdir(join(dir.path, name, '..'), { recursive: true });
          await writeFile(join(dir.path, name), Buffer.from(hex, 'hex'));
        }
      }
      const cut = await exportLog(ledger, log, dir.path, dyingAfter(writes, 'disk-full'));
      if (!cut.ok) refused(cut, 'disk-full');
      const found = await soundSize(dir.path, log, ledger);
      assert.ok(found === undefined || found === old || found === size, String(found));
      must(await exportLog(ledger, log, dir.path));
      assert.equal(await soundSize(dir.path, log, ledger), size);
      const names = await readdir(dir.path);
      assert.deepEqual(names.toSorted(), [log, 'headwater.json'].toSorted());
    }
  });

  it('writes a block again that has lost a body meanwhile', async () => {
    const { ledger, log } = await withLog();
    await using _ledger = ledger;
    await using dir = await tempDir();
    await publish(ledger, log, events(20));
    must(await exportLog(ledger, log, dir.path));
    const block = join(dir.path, log, blockPath(1));
    const bytes = await readFile(block);
    await writeFile(block, Buffer.concat([bytes, bytes]));
    assert.equal(must(await exportLog(ledger, log, dir.path)).files, 0, 'nothing can have changed');
    // A record that is no rotation: from here on blocks are compared.
    must(await ledger.appendControl(log, { type: 'org.test.note' }));
    must(await exportLog(ledger, log, dir.path));
    assert.deepEqual(await readFile(block), bytes);
  });

  it('refuses a folder with another stream, another history or more than is here', async () => {
    const { ledger, log } = await withLog();
    await using _ledger = ledger;
    const other = await withLog();
    await using _other = other.ledger;
    await using dir = await tempDir();
    await publish(ledger, log, events(10));
    must(await exportLog(ledger, log, dir.path));
    const before = await content(dir.path);
    refused(await exportLog(other.ledger, other.log, dir.path), 'export-conflict');
    const note = join(dir.path, log, 'checkpoint');
    const text = await readFile(note, 'utf8');
    const [origin = '', size = '', root = ''] = text.split('\n');
    await writeFile(note, text.replace(size, String(Number(size) + 100)));
    refused(await exportLog(ledger, log, dir.path), 'export-conflict', 'more');
    await writeFile(note, text.replace(root, `${'A'.repeat(43)}=`));
    refused(await exportLog(ledger, log, dir.path), 'export-conflict', 'another history');
    await writeFile(note, 'nonsense');
    refused(await exportLog(ledger, log, dir.path), 'export-conflict', 'no checkpoint');
    await writeFile(note, text.replace(origin, `headwater/${other.log}`));
    refused(await exportLog(ledger, log, dir.path), 'export-conflict', 'another log');
    await writeFile(note, text);
    assert.deepEqual(await content(dir.path), before);
    await writeFile(join(dir.path, 'headwater.json'), '{}');
    refused(await exportLog(ledger, log, dir.path), 'export-conflict', 'another index');
  });

  it('removes what a killed export left behind, and leaves that of a living one', async () => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, '.export-99999999'), { recursive: true });
    await mkdir(join(dir.path, '.export-1'));
    const alive = { ...owner, processAlive: (pid: number) => pid === 1 };
    {
      await using folder = must(await DiskFolder.open(dir.path, alive));
      must(await folder.write('a/b', Uint8Array.of(1)));
      assert.equal(await folder.has('a/b'), true);
      assert.deepEqual(must(await folder.read('a/b')), Uint8Array.of(1));
      assert.equal(must(await folder.read('a/c')), undefined);
      must(await folder.settle());
      refused(await folder.write('a/b/c', Uint8Array.of(1)), 'file-unwritable');
    }
    assert.deepEqual((await readdir(dir.path)).toSorted(), ['.export-1', 'a']);
    await rm(join(dir.path, '.export-1'), { recursive: true });
    await writeFile(join(dir.path, 'file'), '');
    refused(await DiskFolder.open(join(dir.path, 'file'), owner), 'file-unwritable');
  });
});
