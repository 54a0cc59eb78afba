import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { inParallel, until } from '../../testnet/lib/until.ts';
import { Workspace } from '../../testnet/lib/workspace.ts';
import { numbered, numberOf, seeded } from '../../testnet/scenario.ts';

describe('the tools of the testnet', () => {
  it('wait until a condition holds, and say what they waited for', async () => {
    let looks = 0;
    assert.equal(await until('three', () => (++looks === 3 ? 'there' : undefined)), 'there');
    const never = until(
      'rain',
      () => {
        throw new Error('dry');
      },
      { timeoutMs: 20, everyMs: 5 },
    );
    await assert.rejects(never, /in vain for rain \(dry\)/);
    const aborted = AbortSignal.abort(new Error('stopped'));
    await assert.rejects(
      until('anything', () => undefined, { signal: aborted }),
      /stopped/,
    );
  });

  it('work on so many at once, keep their order, and stop at the first failure', async () => {
    let running = 0;
    let most = 0;
    const doubled = await inParallel([1, 2, 3, 4, 5], 2, async (n) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running -= 1;
      return 2 * n;
    });
    assert.deepEqual(doubled, [2, 4, 6, 8, 10]);
    assert.equal(most, 2);
    const begun: number[] = [];
    const failing = inParallel([1, 2, 3, 4], 1, async (n) => {
      begun.push(n);
      await Promise.resolve();
      if (n === 2) throw new Error('two');
    });
    await assert.rejects(failing, /two/);
    assert.deepEqual(begun, [1, 2]);
  });

  it('draw the same numbers from the same seed', () => {
    const [a, b, c] = [seeded(7), seeded(7), seeded(8)];
    const draws = Array.from({ length: 5 }, () => a());
    assert.deepEqual(
      Array.from({ length: 5 }, () => b()),
      draws,
    );
    assert.notEqual(c(), draws[0]);
    assert.ok(draws.every((draw) => draw >= 0 && draw < 1));
  });

  it('know a numbered event again', () => {
    assert.equal(numberOf(numbered(42, 10)), 42);
    assert.equal(numberOf('{"error":{}}'), -1);
    const event: { data: { n: number; padding: string } } = JSON.parse(numbered(3, 5));
    assert.deepEqual(event.data, { n: 3, padding: 'xxxxx' });
  });

  it('take away the folder and the processes of a run', async () => {
    const work = new Workspace();
    const log = join(work.directory('logs'), 'child.log');
    const child = work.children.start(
      ['-e', 'console.log("up"); console.error("said"); setInterval(() => {}, 1000)'],
      { log, environment: work.environment() },
    );
    await until('the child to speak', () => (child.stdout === 'up\n' ? true : undefined));
    assert.equal(readFileSync(log, 'utf8'), 'said\n');
    assert.ok(child.residentBytes() > 0);
    await work[Symbol.asyncDispose]();
    assert.deepEqual(child.exit, { code: null, signal: 'SIGKILL' });
    assert.equal(existsSync(work.folder), false);
  });

  it('never draw a port twice in a run', async () => {
    await using work = new Workspace();
    const ports = [...(await work.ports(5)), ...(await work.ports(5))];
    assert.equal(new Set(ports).size, 10);
  });
});
