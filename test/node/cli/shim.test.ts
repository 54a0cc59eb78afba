import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { packageVersion } from '../../../src/node/cli/version.ts';
import { tempFolder } from './harness.ts';
import { stubNode } from './stub-node.ts';

const shim = fileURLToPath(new URL('../../../bin/hw.js', import.meta.url));

/** A Node of the system that is older than ours, as a user may have it. */
function oldNode(): string | undefined {
  const path = '/usr/bin/node';
  if (!existsSync(path)) return undefined;
  const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout;
  return Number.parseInt(version.slice(1), 10) < 24 ? path : undefined;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function ended(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const nodes: readonly (readonly [string, string | undefined])[] = [
  ['under our own Node', process.execPath],
  ['under an older Node', oldNode()],
];

describe('bin/hw.js', function () {
  this.timeout(20_000);
  for (const [name, node] of nodes) {
    it(`prints the version ${name}`, async function () {
      if (node === undefined) return this.skip();
      const ran = await ended(spawn(node, [shim, '--version']));
      assert.deepEqual(ran, { code: 0, stdout: `${packageVersion()}\n`, stderr: '' });
    });

    it(`passes exit codes on ${name}`, async function () {
      if (node === undefined) return this.skip();
      const ran = await ended(spawn(node, [shim, 'bogus']));
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, /^error: unknown command 'bogus' \[usage\]\n {2}hint: .*\n$/);
    });

    it(`passes Ctrl-C on ${name}, and the command exits 130`, async function () {
      if (node === undefined) return this.skip();
      using folder = tempFolder();
      const line = '{"id":"1"}\n';
      await using stub = await stubNode(folder.path, () => ({ body: line, open: true }));
      const child = spawn(node, [shim, 'tail', 'orders', '--home', stub.home]);
      const end = ended(child);
      child.stdout.once('data', () => child.kill('SIGINT'));
      assert.deepEqual(await end, { code: 130, stdout: line, stderr: '' });
    });

    it(`ends on SIGTERM while it waits for input ${name}`, async function () {
      if (node === undefined) return this.skip();
      using folder = tempFolder();
      const body = { name: 'orders', logs: [] };
      await using stub = await stubNode(folder.path, (call) => {
        if (call.method === 'GET') child.kill('SIGTERM'); // Its input stays open.
        return { body };
      });
      const child = spawn(node, [shim, 'publish', 'orders', '-', '--home', stub.home]);
      const end = await ended(child);
      assert.deepEqual([end.code, end.stdout], [130, '']);
    });

    it(`is quiet where the reader of its output has gone ${name}`, async function () {
      if (node === undefined) return this.skip();
      using folder = tempFolder();
      const lines = '{"id":"1"}\n'.repeat(100_000);
      await using stub = await stubNode(folder.path, () => ({ body: lines, open: true }));
      const command = `"${node}" "${shim}" tail orders --home "${stub.home}" | head -n 1; echo "\${PIPESTATUS[0]}"`;
      const ran = await ended(spawn('bash', ['-c', command]));
      assert.deepEqual(ran, { code: 0, stdout: '{"id":"1"}\n0\n', stderr: '' });
    });
  }

  it('says what to do where there is no Node that it can use', async function () {
    const node = oldNode();
    if (node === undefined) return this.skip();
    using folder = tempFolder();
    mkdirSync(join(folder.path, 'bin'));
    writeFileSync(join(folder.path, 'package.json'), '{"type":"module"}');
    cpSync(shim, join(folder.path, 'bin', 'hw.js'));
    const ran = await ended(spawn(node, [join(folder.path, 'bin', 'hw.js'), '--version']));
    assert.equal(ran.code, 1);
    assert.match(
      ran.stderr,
      /^error: Headwater needs Node 24 or newer; .*\[node-too-old\]\n {2}hint: /,
    );
  });
});
