/** Redacted and dropped bytes are gone from the files of LevelDB, whatever way they got there. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { keyspace, numberKey } from '../../src/keyspace.ts';
import { fault } from '../../src/errors.ts';
import { GuardFile } from '../../src/ledger/guard-file.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { LevelStore } from '../../src/ledger/store.ts';
import { err } from '../../src/result.ts';
import { asLogIndex, type LogId, type LogIndex, type ParsedEvent } from '../../src/types.ts';
import { event, events, newLog, options, publish, signer, wires } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { tempDir } from '../support/temp-dir.ts';

interface Home {
  readonly ledger: Ledger;
  readonly store: LevelStore;
}

async function openHome(path: string): Promise<Home> {
  await mkdir(join(path, 'store'), { recursive: true });
  const store = must(await LevelStore.open(join(path, 'store')));
  const guard = must(await GuardFile.open(join(path, 'guard'), nodeCrypto));
  return { ledger: must(await Ledger.open(options({ store, guard }))), store };
}

async function createLog(ledger: Ledger): Promise<LogId> {
  return must(await ledger.create(newLog, signer));
}

/** Files under a folder that hold the bytes. */
async function filesWith(path: string, wanted: Uint8Array): Promise<string[]> {
  const found: string[] = [];
  const bytes = Buffer.from(wanted);
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    if ((await readFile(file)).includes(bytes)) found.push(entry.name);
  }
  return found;
}

async function sizeOf(path: string): Promise<number> {
  const files = await readdir(path);
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(path, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** 64 characters that no compressor makes shorter than their 48 random bytes. */
function randomText(): string {
  return randomBytes(48).toString('base64');
}

function withText(id: string, text: string): ParsedEvent {
  return event(id, { subject: 'who', data: JSON.stringify({ text }) });
}

async function secretLog(ledger: Ledger, text: string): Promise<{ log: LogId; index: LogIndex }> {
  const log = await createLog(ledger);
  await publish(ledger, log, events(3));
  const [receipt] = await publish(ledger, log, [withText('secret', text)]);
  await publish(ledger, log, events(3, 3));
  return { log, index: receipt?.index ?? asLogIndex(0) };
}

describe('a redaction on the disk', () => {
  it('leaves nothing in any file, and the same search finds it where nothing was redacted', async () => {
    await using dir = await tempDir();
    const text = randomText();
    for (const [name, redacts] of [
      ['control', false],
      ['redacted', true],
    ] as const) {
      const path = join(dir.path, name);
      const { ledger } = await openHome(path);
      const { log, index } = await secretLog(ledger, text);
      if (redacts) must(await ledger.retention.redact(log, index, 'asked'));
      const files = await filesWith(path, utf8(text));
      assert.equal(files.length > 0, !redacts, files.join(' '));
      await ledger.close();
      const closed = await filesWith(path, utf8(text));
      assert.equal(closed.length > 0, !redacts, closed.join(' '));
    }
  });

  it('reaches what lies in tables of several levels after restarts', async () => {
    await using dir = await tempDir();
    const text = randomText();
    let { ledger } = await openHome(dir.path);
    const { log, index } = await secretLog(ledger, text);
    for (let round = 0; round < 3; round++) {
      const noise = Array.from({ length: 300 }, (_, i) =>
        withText(`${round}/${i}`, randomBytes(3000).toString('base64')),
      );
      await publish(ledger, log, noise);
      await ledger.close();
      ({ ledger } = await openHome(dir.path));
      must(ledger.attachSigner(log, signer));
    }
    assert.ok((await filesWith(dir.path, utf8(text))).length > 0);
    must(await ledger.retention.redact(log, index, 'asked'));
    await ledger.close();
    assert.deepEqual(await filesWith(dir.path, utf8(text)), []);
  });

  it('takes a packed block too, and one that a reader had open at the next look', async () => {
    await using dir = await tempDir();
    const { ledger, store } = await openHome(dir.path);
    const log = await createLog(ledger);
    const texts = Array.from({ length: 100 }, randomText);
    const receipts = await publish(
      ledger,
      log,
      texts.map((text, i) => withText(`${i}`, text)),
    );
    const key = numberKey(keyspace.blocks, 1, receipts[50]?.block ?? 0);
    const record = must(await store.get(key));
    assert.ok(record !== undefined && record.length > 4096);
    const params = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 0 };
    const packed = zstdCompressSync(record, { params });
    const middle = packed.subarray(packed.length >> 1, (packed.length >> 1) + 64);
    assert.ok((await filesWith(dir.path, middle)).length > 0);
    const reader = store.scan({ gte: key, lt: Uint8Array.of(0xff) });
    must(await reader.next(1));
    must(await ledger.retention.redact(log, receipts[50]?.index ?? asLogIndex(0), 'asked'));
    assert.ok((await filesWith(dir.path, middle)).length > 0, 'the reader still sees it');
    await reader[Symbol.asyncDispose]();
    ledger.retention.start();
    await ledger.retention.settled();
    assert.deepEqual(await filesWith(dir.path, middle), []);
    await ledger.close();
  });

  it('does so at a follower, which takes the control entry as its order', async () => {
    await using dir = await tempDir();
    const text = randomText();
    const { ledger } = await openHome(join(dir.path, 'writer'));
    const { log, index } = await secretLog(ledger, text);
    const path = join(dir.path, 'follower');
    const { ledger: other } = await openHome(path);
    must(await other.follow(log));
    for (const wire of await wires(ledger, log, asLogIndex(0))) await other.apply(wire, 'sync');
    must(await other.flush());
    assert.ok((await filesWith(path, utf8(text))).length > 0);
    must(await ledger.retention.redact(log, index, 'asked'));
    other.retention.start();
    const rest = await wires(ledger, log, asLogIndex(other.log(log)?.size ?? 0));
    for (const wire of rest) await other.apply(wire, 'sync');
    await other.retention.settled();
    assert.deepEqual(await filesWith(path, utf8(text)), []);
    await Promise.all([ledger.close(), other.close()]);
    assert.deepEqual(await filesWith(dir.path, utf8(text)), []);
  });
});

describe('a redaction that is cut short', () => {
  it('is finished at the next start, from the file on', async () => {
    await using dir = await tempDir();
    const text = randomText();
    const { ledger, store } = await openHome(dir.path);
    const { log, index } = await secretLog(ledger, text);
    store.compact = () => Promise.resolve(err(fault('store-failed', 'killed')));
    refused(await ledger.retention.redact(log, index, 'asked'), 'store-failed');
    assert.equal(must(await ledger.entry(log, index)).bodyMissing, 'redacted');
    assert.ok((await filesWith(dir.path, utf8(text))).length > 0);
    await ledger.close();
    const again = await openHome(dir.path);
    again.ledger.retention.start();
    await again.ledger.retention.settled();
    assert.deepEqual(await filesWith(dir.path, utf8(text)), []);
    await again.ledger.close();
  });
});

describe('retention on the disk', () => {
  it('frees it too where the node was killed between dropping and freeing', async () => {
    await using dir = await tempDir();
    const text = randomText();
    const { ledger, store } = await openHome(dir.path);
    const { log } = await secretLog(ledger, text);
    must(await ledger.retention.setPolicy(log, { below: 100 }));
    store.compact = () => Promise.resolve(err(fault('store-failed', 'killed')));
    refused(await ledger.retention.run(), 'store-failed');
    assert.ok((await filesWith(dir.path, utf8(text))).length > 0);
    await ledger.close();
    const again = await openHome(dir.path);
    must(await again.ledger.retention.run());
    assert.deepEqual(await filesWith(dir.path, utf8(text)), []);
    await again.ledger.close();
  });

  it('frees the room of what it drops', async () => {
    await using dir = await tempDir();
    const { ledger } = await openHome(dir.path);
    const log = await createLog(ledger);
    const text = randomText();
    await publish(ledger, log, [withText('secret', text)]);
    for (let i = 0; i < 20; i++) {
      const noise = Array.from({ length: 50 }, (_, n) =>
        withText(`${i}/${n}`, randomBytes(2000).toString('base64')),
      );
      await publish(ledger, log, noise);
    }
    const before = await sizeOf(join(dir.path, 'store'));
    must(await ledger.retention.setPolicy(log, { maxBytes: 200_000 }));
    must(await ledger.retention.run());
    const after = await sizeOf(join(dir.path, 'store'));
    assert.ok(after < before / 3, `${before} bytes before, ${after} after`);
    assert.deepEqual(await filesWith(dir.path, utf8(text)), []);
    await ledger.close();
  });
});
