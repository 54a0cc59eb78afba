/** `hw backup`: what it saves, what it finds, what it refuses, and what a fault leaves behind. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { createBackup } from '../../../src/node/backup/create.ts';
import { encodeStart } from '../../../src/node/backup/rows-codec.ts';
import { Backups } from '../../../src/node/core/backup.ts';
import { readHome } from '../../../src/node/home.ts';
import { withLog } from '../../support/ledger-home.ts';
import { must, refused } from '../../support/result.ts';
import { faultOf, hw as hwHere, json, real, tempFolder, type Ran } from '../cli/harness.ts';
import { createStream, testNode } from '../running.ts';

const event = (n: number): string =>
  JSON.stringify({ specversion: '1.0', id: `e${n}`, source: '/s', type: 't', data: { n } });

async function publish(node: Awaited<ReturnType<typeof testNode>>, from: number, to: number) {
  const body = Array.from({ length: to - from }, (_, i) => event(from + i)).join('\n');
  const headers = { 'content-type': 'application/x-ndjson' };
  const path = '/streams/acme/orders/events';
  const sent = await node.client.call('POST', path, headers, body);
  assert.ok(sent.status < 300, sent.text);
}

function logsOf(ran: Ran): readonly { stream: string; size: number; root: string }[] {
  assert.equal(ran.code, 0, ran.stdout);
  return json(ran)['logs'] as { stream: string; size: number; root: string }[];
}

describe('hw backup', function () {
  this.timeout(30_000);

  it('saves a running node that goes on, verifies with no home, and restores it', async () => {
    using folder = tempFolder();
    const [home, backup, back] = ['home', 'b1', 'back'].map((name) => join(folder.path, name));
    assert.ok(home !== undefined && backup !== undefined && back !== undefined);
    const node = await testNode({ folder: home });
    await createStream(node.client, 'orders');
    await publish(node, 0, 900);
    const [made] = await Promise.all([
      run(node, () => hwJson('backup', 'create', backup, '--home', home)),
      publish(node, 900, 1800),
    ]);
    const logs = logsOf(made);
    const verified = await hwJson('backup', 'verify', backup);
    assert.deepEqual([verified.code, json(verified)['verdict']], [0, 'intact']);
    const audited = await hwJson('backup', 'verify', backup, '--full');
    assert.deepEqual([audited.code, json(audited)['verdict']], [0, 'intact'], audited.stdout);
    const events = logs.find(({ stream }) => stream === 'orders')?.size ?? 0;
    assert.ok(events >= 900);
    assert.equal((await hwJson('backup', 'restore', backup, '--home', back)).code, 0);
    await node[Symbol.asyncDispose]();
    for (const name of ['keys/writer.key', 'api.token', 'config.yaml', 'guard/marks']) {
      assert.equal(statSync(join(back, name)).mode & 0o077, 0, `${name} can be read by others`);
    }
    assert.notEqual(token(back), token(home));
    assert.ok(existsSync(join(back, 'guard', 'restored')));
    const offline = await hwJson('verify', 'orders', '--home', back);
    assert.deepEqual([offline.code, json(offline)['verdict']], [0, 'intact']);
    // A home without a network has nobody to wait for.
    const again = await testNode({ folder: back });
    await publish(again, 0, 1);
    await again[Symbol.asyncDispose]();
  });

  it('saves, verifies and restores a home whose streams were recovered', async () => {
    using folder = tempFolder();
    const [home, backup, back] = ['home', 'b1', 'back'].map((name) => join(folder.path, name));
    assert.ok(home !== undefined && backup !== undefined && back !== undefined);
    {
      await using node = await testNode({ folder: home });
      await createStream(node.client, 'orders');
      await publish(node, 0, 10);
      const path = '/streams/acme/orders/recover';
      const done = await node.client.json('POST', path, { reason: 'key' });
      assert.equal(done.status, 200, done.text);
      await publish(node, 10, 20);
      await run(node, () => hwJson('backup', 'create', backup, '--home', home));
    }
    for (const full of [[], ['--full']]) {
      const verified = await hwJson('backup', 'verify', backup, ...full);
      assert.deepEqual([verified.code, json(verified)['verdict']], [0, 'intact'], verified.stdout);
    }
    assert.equal((await hwJson('backup', 'restore', backup, '--home', back)).code, 0);
    await using again = await testNode({ folder: back });
    await publish(again, 20, 30);
    const logs = (await again.client.get('/streams/acme/orders')).at('logs') as unknown[];
    assert.equal(logs.length, 2);
  });

  it('saves a stopped home too, with or without its keys, and says which', async () => {
    using folder = tempFolder();
    const { path } = folder;
    const home = join(path, 'home');
    assert.equal((await hwHere(['init', '--org', 'acme', '--home', home])).code, 0);
    const made = await hwHere(['backup', 'create', join(path, 'all'), '--home', home]);
    assert.match(made.stdout, /holds the secret keys/);
    const bare = ['backup', 'create', join(path, 'bare'), '--without-keys', '--home', home];
    assert.match((await hwHere(bare)).stdout, /Without the secret keys/);
    const keys = readdirSync(join(path, 'bare', 'home', 'keys'));
    assert.ok(keys.length > 0 && keys.every((name) => !name.endsWith('.key')), keys.join());
    const back = join(path, 'back');
    const restored = await hwHere(['backup', 'restore', join(path, 'bare'), '--home', back]);
    assert.match(restored.stdout, /Put the secret keys into keys/);
  });

  it('finds every file that was changed, cut or taken away, with exit 3', async () => {
    using folder = tempFolder();
    const { path } = folder;
    const [home, backup, copy] = [join(path, 'home'), join(path, 'b'), join(path, 'copy')];
    await hwHere(['init', '--org', 'acme', '--no-network', '--home', home]);
    assert.equal((await hwHere(['backup', 'create', backup, '--home', home])).code, 0);
    const files = readdirSync(backup, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(backup.length + 1));
    assert.ok(files.includes('store.rows') && files.includes('manifest.json'));
    const faults: readonly ((file: string) => void)[] = [
      (file) => truncateSync(file, statSync(file).size - 1),
      (file) => {
        const bytes = readFileSync(file);
        bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 4;
        writeFileSync(file, bytes);
      },
      (file) => rmSync(file),
    ];
    for (const file of files) {
      for (const damage of faults) {
        cpSync(backup, copy, { recursive: true });
        damage(join(copy, file));
        const ran = await hwHere(['backup', 'verify', copy, '--json']);
        const { code } = faultOf(ran);
        assert.equal(ran.code, 3, `${file}: ${ran.stdout}`);
        assert.match(String(code), /^backup-(damaged|missing)$/);
        rmSync(copy, { recursive: true });
      }
    }
    const back = join(path, 'back');
    cpSync(backup, copy, { recursive: true });
    truncateSync(join(copy, 'store.rows'), 40);
    const ran = await hwHere(['backup', 'restore', copy, '--home', back, '--json']);
    assert.deepEqual([ran.code, faultOf(ran)['code']], [3, 'backup-damaged']);
    assert.ok(!existsSync(back) && !existsSync(`${back}.incomplete`));
  });

  it('refuses a target that is not empty or in the home, and a home that is there', async () => {
    using folder = tempFolder();
    const { path } = folder;
    const [home, backup] = [join(path, 'home'), join(path, 'b')];
    await hwHere(['init', '--org', 'acme', '--home', home]);
    const create = async (target: string): Promise<unknown> =>
      faultOf(await hwHere(['backup', 'create', target, '--home', home, '--json']))['code'];
    assert.equal(await create(join(home, 'backups', 'monday')), 'backup-target');
    mkdirSync(backup);
    writeFileSync(join(backup, 'mine'), '');
    assert.equal(await create(backup), 'backup-target');
    assert.equal(readdirSync(backup).join(), 'mine');
    mkdirSync(join(path, 'c.incomplete'));
    writeFileSync(join(path, 'c.incomplete', 'mine'), '');
    assert.equal(await create(join(path, 'c')), 'backup-target');
    const made = await hwHere(['backup', 'create', join(path, 'd'), '--home', home]);
    assert.equal(made.code, 0, made.stderr);
    const over = await hwHere(['backup', 'restore', join(path, 'd'), '--home', home, '--json']);
    assert.deepEqual([over.code, faultOf(over)['code']], [1, 'restore-target']);
    const none = await hwHere(['backup', 'verify', home, '--json']);
    assert.deepEqual([none.code, faultOf(none)['code']], [3, 'backup-missing']);
  });

  it('refuses a backup of a newer version, and one of a newer store', async () => {
    using folder = tempFolder();
    const { path } = folder;
    const [home, backup] = [join(path, 'home'), join(path, 'b')];
    await hwHere(['init', '--org', 'acme', '--home', home]);
    await hwHere(['backup', 'create', backup, '--home', home]);
    const file = join(backup, 'manifest.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"version": 1', '"version": 2'));
    const newer = await hwHere(['backup', 'verify', backup, '--json']);
    assert.deepEqual([newer.code, faultOf(newer)['code']], [1, 'backup-newer']);
  });

  it('removes what it has begun when the rows break off, and what kill -9 left behind', async () => {
    using folder = tempFolder();
    const { path } = folder;
    const [home, target] = [join(path, 'home'), join(path, 'b')];
    await hwHere(['init', '--org', 'acme', '--home', home]);
    const options = {
      home: must(await readHome(home)),
      target,
      keys: true,
      software: 'test',
      clock: real.clock,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    };
    refused(await createBackup(options, cut()), 'backup-damaged');
    assert.deepEqual(readdirSync(path), ['home']);
    refused(await createBackup(options, full()), 'file-unwritable');
    assert.deepEqual(readdirSync(path), ['home']);
    // As a process that was killed leaves it.
    mkdirSync(join(`${target}.incomplete`, 'home'), { recursive: true });
    writeFileSync(join(`${target}.incomplete`, 'INCOMPLETE'), '');
    const left = await hwHere(['backup', 'verify', `${target}.incomplete`, '--json']);
    assert.deepEqual([left.code, faultOf(left)['code']], [3, 'backup-missing']);
    assert.equal((await hwHere(['backup', 'create', target, '--home', home])).code, 0);
    assert.deepEqual(readdirSync(path), ['b', 'home']);
  });

  it('signs nothing in a restored home by a command that opens it itself', async () => {
    using folder = tempFolder();
    const { path } = folder;
    const [home, backup, back] = [join(path, 'home'), join(path, 'b'), join(path, 'back')];
    const node = await testNode({ folder: home });
    await createStream(node.client, 'orders');
    await node[Symbol.asyncDispose]();
    writeFileSync(join(home, 'keys', 'network.json'), `{"id":"${'ab'.repeat(32)}"}`);
    assert.equal((await hwHere(['backup', 'create', backup, '--home', home])).code, 0);
    assert.equal((await hwHere(['backup', 'restore', backup, '--home', back])).code, 0);
    const rotated = await hwHere(['key', 'rotate', '--home', back, '--json']);
    assert.deepEqual([rotated.code, faultOf(rotated)['code']], [1, 'head-unconfirmed']);
    const before = await hwHere(['key', 'rotate', '--home', home, '--json']);
    assert.equal(before.code, 0, before.stdout);
  });

  it('makes one backup of a node at a time', async () => {
    const { ledger } = await withLog();
    let begun = 0;
    const backups = new Backups(ledger, () => (begun += 1));
    const first = must(backups.rows())[Symbol.asyncIterator]();
    assert.equal((await first.next()).done, false);
    refused(backups.rows(), 'backup-running');
    await first.return?.();
    let chunks = 0;
    for await (const chunk of must(backups.rows())) chunks += Math.sign(chunk.length);
    assert.ok(chunks >= 3);
    assert.equal(begun, 2);
    await ledger.close();
  });
});

/** Runs a command against a node of this process: the lock and the address say that it runs. */
async function run(
  { folder, node }: Awaited<ReturnType<typeof testNode>>,
  command: () => Promise<Ran>,
): Promise<Ran> {
  mkdirSync(join(folder, 'run'), { recursive: true });
  const start = real.processStart(real.pid) ?? '-';
  writeFileSync(join(folder, 'run', 'lock'), `${real.pid} ${start}\n`);
  writeFileSync(join(folder, 'run', 'node.json'), JSON.stringify({ api: node.api }));
  try {
    return await command();
  } finally {
    rmSync(join(folder, 'run', 'lock'));
  }
}

async function* cut(): AsyncGenerator<Uint8Array> {
  yield encodeStart();
  await Promise.resolve();
}

async function* full(): AsyncGenerator<Uint8Array> {
  yield encodeStart();
  throw Object.assign(await Promise.resolve(new Error('full')), { code: 'ENOSPC' });
}

function hwJson(...args: readonly string[]): Promise<Ran> {
  return hwHere([...args, '--json']);
}

function token(home: string): string {
  return readFileSync(join(home, 'api.token'), 'utf8');
}
