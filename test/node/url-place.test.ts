import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { limits } from '../../src/limits.ts';
import { UrlPlace } from '../../src/node/core/url-place.ts';
import { openSource, parseSourceUrl } from '../../src/node/static-source.ts';
import type { Result } from '../../src/result.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { env } from '../support/judges.ts';
import {
  events,
  openLedger,
  otherSigner,
  publish,
  signer,
  testHost,
  wires,
  withLog,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { tempDir } from '../support/temp-dir.ts';
import { exportLog, serveFolder } from './static-support.ts';

const pace = (): Promise<void> => Promise.resolve();

/** One look at a place, into a ledger. */
async function look(ledger: Ledger, text: string, stream: LogId): Promise<Result<void>> {
  const url = must(parseSourceUrl(text));
  using source = openSource(url, testHost().timers);
  const { crypto, judges } = env;
  const keep = (logId: LogId): Promise<Result<void>> => ledger.follow(logId);
  const { signal } = new AbortController();
  const parts = { source, url, ledger, crypto, judges, keep, pace, signal };
  return await new UrlPlace(parts).sync(stream);
}

interface Published extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly log: LogId;
  readonly folder: string;
  readonly url: string;
  file(path: string): string;
}

/** A log of some blocks and its tree in a folder. */
async function published(count = 600): Promise<Published> {
  await using stack = new AsyncDisposableStack();
  const { ledger, log } = await withLog();
  stack.use(ledger);
  const dir = stack.use(await tempDir());
  await publish(ledger, log, events(count));
  must(await exportLog(ledger, log, dir.path));
  const kept = stack.move();
  return {
    ledger,
    log,
    folder: dir.path,
    url: pathToFileURL(dir.path).href,
    file: (path) => join(dir.path, log, path),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Flips one bit of a file. */
async function alter(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  // Of text another letter, so that base64 stays base64.
  bytes[at] = file.endsWith('checkpoint') ? (bytes[at] === 65 ? 66 : 65) : (bytes[at] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

describe('a place to follow', () => {
  it('is an http, https or file URL without user, query and fragment', () => {
    assert.equal(
      must(parseSourceUrl('https://example.org/trees/orders')).href,
      'https://example.org/trees/orders/',
    );
    assert.equal(must(parseSourceUrl('file:///srv/tree/')).href, 'file:///srv/tree/');
    const bad =
      'ftp://example.org/ gopher://x/ javascript:1 data:,x ./tree /srv/tree orders https://u:p@example.org/ ' +
      'https://u@example.org/ https://example.org/?q https://example.org/#f file://host/srv http://';
    for (const text of [...bad.split(' '), '', `https://example.org/${'a'.repeat(2100)}`]) {
      refused(parseSourceUrl(text), 'bad-url', text);
    }
  });

  it('is read from a web server that knows nothing, up to the same root', async () => {
    await using from = await published();
    await using server = await serveFolder(from.folder);
    await using ledger = await openLedger();
    must(await look(ledger, server.url, from.log));
    const [ours, theirs] = [from.ledger.log(from.log), ledger.log(from.log)];
    assert.deepEqual(theirs?.root, ours?.root);
    assert.equal(theirs?.checkpoint, ours?.checkpoint);
    const report = must(await ledger.verify(from.log));
    assert.equal(report.verdict, 'intact');
    assert.equal(report.checkedEvents, 600);
    assert.deepEqual(
      await wires(ledger, from.log, asLogIndex(0)),
      await wires(from.ledger, from.log, asLogIndex(0)),
    );
    // Nothing new: only the index and the checkpoint are asked for.
    server.asked.length = 0;
    must(await look(ledger, server.url, from.log));
    assert.deepEqual(server.asked, ['/headwater.json', `/${from.log}/checkpoint`]);
    // More: what is here already is not fetched again.
    await publish(from.ledger, from.log, events(300, 600));
    must(await exportLog(from.ledger, from.log, from.folder));
    server.asked.length = 0;
    must(await look(ledger, server.url, from.log));
    assert.deepEqual(ledger.log(from.log)?.root, from.ledger.log(from.log)?.root);
    assert.ok(!server.asked.includes(`/${from.log}/block/1`));
  });

  it('may be the folder of one log alone, as a node serves it', async () => {
    await using from = await published(30);
    await using ledger = await openLedger();
    must(await look(ledger, `${from.url}/${from.log}`, from.log));
    assert.deepEqual(ledger.log(from.log)?.root, from.ledger.log(from.log)?.root);
  });

  it('goes on across a rotation of the key', async () => {
    await using from = await published(30);
    await using ledger = await openLedger();
    must(await from.ledger.rotate(from.log, otherSigner));
    await publish(from.ledger, from.log, events(30, 30));
    must(await exportLog(from.ledger, from.log, from.folder));
    must(await look(ledger, from.url, from.log));
    assert.deepEqual(ledger.log(from.log)?.writerKey, otherSigner.publicKey);
    must(await look(ledger, from.url, from.log));
  });

  const tampered: readonly [string, string, number, string][] = [
    ['a full tile', 'tile/0/001', 77, 'tile-mismatch'],
    ['a tile of the right edge', 'tile/1/000.p/2', 5, 'tile-mismatch'],
    ['the root of the checkpoint', 'checkpoint', 75, 'bad-signature'],
    ['the signature of the checkpoint', 'checkpoint', 230, 'bad-signature'],
    ['the first block', 'block/0', 300, 'checkpoint-key-id'],
  ];
  for (const [what, path, at, code] of tampered) {
    it(`is refused, and nothing of it stored, where ${what} was altered`, async () => {
      await using from = await published();
      await using ledger = await openLedger();
      await alter(from.file(path), at);
      const done = await look(ledger, from.url, from.log);
      assert.equal(done.ok, false);
      if (path === 'tile/0/001') {
        // The blocks below the tiles that are right are right themselves, and stay.
        assert.ok((ledger.log(from.log)?.size ?? 0) < 600);
      } else assert.deepEqual(ledger.log(from.log)?.size ?? 0, 0);
      if (path !== 'block/0') refused(done, code);
    });
  }

  it('is taken up to an altered block and not beyond, and goes on once that is mended', async () => {
    await using from = await published();
    await using ledger = await openLedger();
    const size = (await from.ledger.entry(from.log, asLogIndex(300))).ok && 300;
    assert.equal(size, 300);
    const bytes = await readFile(from.file('block/2'));
    for (const place of [20, 60, 1000, bytes.length - 40]) {
      await writeFile(from.file('block/2'), bytes);
      await alter(from.file('block/2'), place);
      const done = await look(ledger, from.url, from.log);
      assert.equal(done.ok, false, `byte ${place}`);
      const have = ledger.log(from.log)?.size ?? 0;
      assert.ok(have > 0 && have < 600);
      assert.equal(must(await ledger.verify(from.log)).verdict, 'intact');
    }
    await writeFile(from.file('block/2'), bytes);
    must(await look(ledger, from.url, from.log));
    assert.deepEqual(ledger.log(from.log)?.root, from.ledger.log(from.log)?.root);
  });

  it('says what is missing, too large, compressed, redirected or not answered', async () => {
    await using from = await published(30);
    await using server = await serveFolder(from.folder);
    await using ledger = await openLedger();
    const answers: [string, (response: ServerResponse) => unknown, string][] = [
      ['/headwater.json', (r) => r.writeHead(404).end(), 'url-missing'],
      ['/headwater.json', (r) => r.end('{"format":"headwater-static-1"}'), 'url-content'],
      ['/headwater.json', (r) => r.end('x'.repeat(limits.maxUrlIndexBytes + 1)), 'url-content'],
      ['/checkpoint', (r) => r.writeHead(302, { location: '/elsewhere' }).end(), 'url-content'],
      [
        '/checkpoint',
        (r) => r.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
        'url-content',
      ],
      ['/checkpoint', (r) => r.writeHead(503).end(), 'url-unreachable'],
      ['/checkpoint', (r) => r.end('nonsense'), 'note-malformed'],
      ['/checkpoint', (r) => r.destroy(), 'url-unreachable'],
      ['/block/0', (r) => r.writeHead(404).end(), 'url-missing'],
      ['/block/0', (r) => r.end(Buffer.alloc(400_000)), 'url-content'],
      ['/block/1', (r) => r.writeHead(410).end(), 'url-missing'],
      ['/tile/0/000', (r) => r.writeHead(404).end(), 'url-missing'],
    ];
    for (const [path, answer, code] of answers) {
      server.answer = (asked, response) => {
        if (!asked.includes(path)) return false;
        answer(response);
        return true;
      };
      refused(await look(ledger, server.url, from.log), code, `${path} ${code}`);
    }
    assert.ok(!server.asked.includes('/elsewhere'));
    server.answer = undefined;
    must(await look(ledger, server.url, from.log));
    const gone = 'http://127.0.0.1:1/';
    refused(await look(ledger, gone, from.log), 'url-unreachable');
    refused(await look(ledger, `${from.url}/nowhere`, from.log), 'url-missing');
  });

  it('cannot put a folder, another log or another stream in the place of what is followed', async () => {
    await using from = await published(30);
    await using other = await published(20);
    await using ledger = await openLedger();
    refused(await look(ledger, other.url, from.log), 'url-content');
    await writeFile(from.file('checkpoint'), await readFile(other.file('checkpoint')));
    refused(await look(ledger, from.url, from.log), 'checkpoint-origin');
    await rm(from.file('checkpoint'));
    await mkdir(from.file('checkpoint'));
    refused(await look(ledger, from.url, from.log), 'url-content');
    assert.equal(ledger.log(from.log), undefined);
    const index = JSON.parse(await readFile(join(from.folder, 'headwater.json'), 'utf8'));
    index.logs = [
      { log: from.log, partition: 0 },
      { log: other.log, partition: 0 },
    ];
    await writeFile(join(from.folder, 'headwater.json'), JSON.stringify(index));
    refused(await look(ledger, from.url, from.log), 'url-content');
  });

  it('has the reduced form of a block after a redaction, and is followed all the same', async () => {
    await using from = await published(300);
    const index = asLogIndex(40);
    must(await from.ledger.retention.redact(from.log, index, 'asked'));
    await from.ledger.retention.settled();
    const before = await readFile(from.file('block/1'));
    must(await exportLog(from.ledger, from.log, from.folder));
    const after = await readFile(from.file('block/1'));
    assert.notDeepEqual(after, before, 'the block was written again');
    assert.deepEqual(new Uint8Array(after), must(await from.ledger.tree.block(from.log, 1)));
    await using ledger = await openLedger();
    must(await look(ledger, from.url, from.log));
    assert.deepEqual(ledger.log(from.log)?.root, from.ledger.log(from.log)?.root);
    const entry = must(await ledger.entry(from.log, index));
    assert.equal(entry.bodyMissing, 'redacted');
    assert.equal(must(await ledger.verify(from.log)).verdict, 'incomplete');
  });

  it('that shows another history of the writer freezes the log, with the evidence kept', async () => {
    for (const [ours, theirs] of [
      [10, 30],
      [20, 20],
      [30, 10],
    ] as const) {
      const store = new MemoryStore();
      const made = await withLog({ store });
      await using one = made.ledger;
      // A copy of the writer after the genesis: both go on, each in its own way.
      const copy = await copied(store);
      await using two = await openLedger({ store: copy });
      must(two.attachSigner(made.log, signer));
      await publish(one, made.log, events(ours));
      await publish(two, made.log, events(theirs, 1000));
      await using ledger = await openLedger();
      must(await ledger.follow(made.log));
      for (const wire of await wires(one, made.log, asLogIndex(0)))
        await ledger.apply(wire, 'sync');
      const held = ledger.log(made.log)?.root;
      await using dir = await tempDir();
      must(await exportLog(two, made.log, dir.path));
      refused(await look(ledger, pathToFileURL(dir.path).href, made.log), 'fork');
      const log = ledger.log(made.log);
      assert.equal(log?.state, 'frozen');
      assert.deepEqual(log?.root, held, 'what was accepted stays');
    }
  });

  it('that shows a checkpoint which nobody signed changes nothing', async () => {
    await using from = await published(10);
    await using ledger = await openLedger();
    must(await look(ledger, from.url, from.log));
    const text = await readFile(from.file('checkpoint'), 'utf8');
    const root = text.split('\n')[2] ?? '';
    const changed = Buffer.from(nodeCrypto.sha256(new Uint8Array(1))).toString('base64');
    await writeFile(from.file('checkpoint'), text.replace(root, changed));
    refused(await look(ledger, from.url, from.log), 'bad-signature');
    // By an unknown key: the tiles, or what is here, say the rest.
    const stranger = text
      .replace(root, changed)
      .replace(/ [A-Za-z0-9+/=]{92}\n$/, ` AAAAAAAA${'A'.repeat(84)}\n`);
    await writeFile(from.file('checkpoint'), stranger);
    refused(await look(ledger, from.url, from.log), 'url-content');
    assert.equal(ledger.log(from.log)?.state, 'open');
  });
});

async function copied(store: MemoryStore): Promise<MemoryStore> {
  const copy = new MemoryStore();
  await using scan = store.scan({ gte: new Uint8Array(0), lt: new Uint8Array(64).fill(0xff) });
  must(await copy.batch(must(await scan.next(100_000)), { sync: true }));
  return copy;
}
