/** Runs commands in this process with a runtime whose streams, environment and signals are the test's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../../src/node/cli/run.ts';
import { processRuntime, type Output, type Runtime } from '../../../src/node/runtime.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
}

function capture(): Output & { text(): string } {
  const parts: Buffer[] = [];
  return {
    terminal: false,
    columns: 80,
    gone: new AbortController().signal,
    write: (data) => {
      parts.push(Buffer.from(data));
      return Promise.resolve();
    },
    text: () => Buffer.concat(parts).toString('utf8'),
  };
}

/** The one of this process. */
export const real: Runtime = processRuntime();

/** The exit code and what was printed. */
export async function hw(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [stdout, stderr] = [capture(), capture()];
  const runtime: Runtime = {
    ...real,
    arguments: args,
    environment: options.environment ?? {},
    directory: options.directory ?? process.cwd(),
    stdin: {
      terminal: false,
      secret: () => Promise.resolve(undefined),
      chunks: async function* () {
        yield Buffer.from(options.stdin ?? '');
      },
    },
    stdout,
    stderr,
  };
  const code = await runCli(runtime);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** The one JSON value that a command printed; fails where there is more or less. */
export function json(ran: Ran): Record<string, unknown> {
  const lines = ran.stdout.trimEnd().split('\n');
  if (lines.length !== 1) throw new Error(`not one line: ${ran.stdout}`);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

/** The fault of a command with --json. */
export function faultOf(ran: Ran): Record<string, unknown> {
  return json(ran)['error'] as Record<string, unknown>;
}

/** A folder of its own that goes with the test. */
export function tempFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'hw-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
