import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { describe, it } from 'mocha';

const runtime = new URL('../../src/node/runtime.ts', import.meta.url).href;
const script = `
  const { boundMemory } = await import('${runtime}');
  boundMemory();
  const { text } = await import('node:stream/consumers');
  const { pid, argv, env } = process;
  const flags = process.execArgv.filter((one) => one.startsWith('--max-semi'));
  const input = await text(process.stdin);
  console.log(JSON.stringify({ pid, rest: argv.slice(1), arenas: env.MALLOC_ARENA_MAX, flags, input }));
`;

async function run(
  nodeArguments: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly pid: number | undefined; readonly said: unknown }> {
  const child = spawn(
    process.execPath,
    [...nodeArguments, '--input-type=module', '-e', script, 'one', '--two'],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env['PATH'], ...environment } },
  );
  child.stdin.end('typed');
  return { pid: child.pid, said: JSON.parse(await text(child.stdout)) };
}

describe('boundMemory', () => {
  it('starts the process again in its place, with its arguments and its input', async () => {
    const { pid, said } = await run([], {});
    const flags = ['--max-semi-space-size=8'];
    assert.deepEqual(said, { pid, rest: ['one', '--two'], arenas: '2', flags, input: 'typed' });
  });

  it('leaves what the operator has set', async () => {
    const flags = ['--max-semi-space-size=32'];
    const { pid, said } = await run(flags, { MALLOC_ARENA_MAX: '4' });
    assert.deepEqual(said, { pid, rest: ['one', '--two'], arenas: '4', flags, input: 'typed' });
  });
});
