import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { lockHolder } from '../../../src/node/home-lock.ts';
import { homePaths } from '../../../src/node/home.ts';
import { until } from '../../support/until.ts';
import { faultOf, hw as hwHere, json, real, tempFolder, type Ran } from './harness.ts';

const main = fileURLToPath(new URL('../../../src/node/cli/main.ts', import.meta.url));

/** A command in a process of its own. */
function spawned(...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** Commands on one home: `up` in its own process, for it may end it; the others in this one. */
function hwAt(home: string): (...args: readonly string[]) => Promise<Ran> {
  return (...args) =>
    args[0] === 'up' ? spawned(...args, '--home', home) : hwHere([...args, '--home', home]);
}

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `{"n":${from + i}}\n`).join('');

describe('hw with a node of its own', function () {
  this.timeout(60_000);

  it('goes from init to a verified stream, through kill -9 and a rotated key', async () => {
    using folder = tempFolder();
    const home = join(folder.path, 'home');
    const hw = hwAt(home);
    assert.equal((await hw('init', '--org', 'acme', '--no-network')).code, 0);
    const up = await hw('up', '--detach', '--json');
    assert.equal(up.code, 0, up.stdout + up.stderr);
    const pid = Number(json(up)['pid']);
    try {
      const second = await hw('up', '--json');
      assert.deepEqual([second.code, faultOf(second)['code']], [1, 'node-running']);
      assert.ok(String(faultOf(second)['message']).includes(String(pid)));
      assert.equal((await hw('stream', 'create', 'orders')).code, 0);
      const file = join(folder.path, 'a.ndjson');
      writeFileSync(file, lines(0, 500));
      const plain = ['--type', 't', '--source', '/s', '--id-from', '/n', '--json'];
      const published = json(await hw('publish', 'orders', file, ...plain));
      assert.deepEqual([published['published'], published['duplicates']], [500, 0]);
      const again = json(await hw('publish', 'orders', file, ...plain));
      assert.deepEqual([again['published'], again['duplicates']], [0, 500]);
    } finally {
      process.kill(pid, 'SIGKILL');
    }
    const free = async (): Promise<boolean> =>
      (await lockHolder(homePaths(home), real)) === undefined;
    await until(free, 'the killed node is gone');
    const down = await hw('status');
    assert.equal(down.code, 69);
    // The kernel may close the files of the killed process a moment after its lock is void.
    let offline: Record<string, unknown> = {};
    const opens = async (): Promise<boolean> => {
      const ran = await hw('verify', 'orders', '--json');
      offline = json(ran);
      return !ran.stdout.includes('store-locked');
    };
    await until(opens, 'the store is free');
    const found = [offline['verdict'], offline['checkedEvents']];
    assert.deepEqual(found, ['intact', 500], JSON.stringify(offline));
    const rotated = await hw('key', 'rotate', '--json');
    assert.equal(rotated.code, 0, rotated.stdout);
    assert.equal((json(rotated)['logs'] as string[]).length, 2);
    const back = await hw('up', '--detach', '--json');
    assert.equal(back.code, 0, back.stdout);
    const replayed = await hw('replay', 'orders', '--from', 'start');
    const numbers = replayed.stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { data: { n: number } }).data.n);
    assert.deepEqual(
      numbers,
      Array.from({ length: 500 }, (_, i) => i),
    );
    const verified = json(await hw('verify', 'orders', '--json'));
    const [log] = verified['logs'] as { signer: string }[];
    assert.equal(verified['verdict'], 'intact');
    assert.equal(log?.signer, json(rotated)['writer']);
    const stopped = await hw('down', '--json');
    assert.deepEqual(json(stopped), { stopped: true, pid: Number(json(back)['pid']) });
  });

  it('says which port is in use, on behalf of a detached node', async () => {
    using folder = tempFolder();
    const hw = hwAt(folder.path);
    await hw('init', '--no-network');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await hw('config', 'set', 'http.listen', `127.0.0.1:${port}`);
    const ran = await hw('up', '--detach', '--json');
    server.close();
    assert.equal(ran.code, 1);
    assert.equal(faultOf(ran)['code'], 'port-in-use');
    assert.ok(String(faultOf(ran)['message']).includes(String(port)));
  });

  it('ends by SIGTERM with exit 0, and leaves no lock', async () => {
    using folder = tempFolder();
    const hw = hwAt(folder.path);
    await hw('init', '--no-network');
    const child = spawn(process.execPath, [main, 'up', '--json', '--home', folder.path]);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    child.stdout.once('data', () => child.kill('SIGTERM'));
    child.stderr.resume();
    assert.equal(await ended, 0);
    assert.throws(() => readFileSync(join(folder.path, 'run', 'lock')));
    assert.throws(() => readFileSync(join(folder.path, 'run', 'node.json')));
  });
});
