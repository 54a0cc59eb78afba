/** `hw` as a user runs it: its own process, its exit code, what it printed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JsonView } from '../../src/node/json-view.ts';
import type { Workspace } from './workspace.ts';

export const mainPath: string = fileURLToPath(
  new URL('../../src/node/cli/main.ts', import.meta.url),
);

export interface HwOptions {
  readonly home: string;
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export class Ran {
  readonly command: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: string, code: number, stdout: string, stderr: string) {
    this.command = command;
    this.code = code;
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /** The one JSON value of `--json`. */
  get json(): JsonView {
    return JsonView.parse(this.stdout);
  }

  /** The code of the fault that it printed with `--json`. */
  get fault(): string {
    return this.json.at('error').text('code') ?? '';
  }

  /** Throws where it ended otherwise. */
  expect(code: number, fault?: string): this {
    if (this.code !== code || (fault !== undefined && this.fault !== fault)) {
      const wanted = `${code}${fault === undefined ? '' : ` (${fault})`}`;
      throw new Error(`${this.command} exited ${this.code}, not ${wanted}: ${this.said()}`);
    }
    return this;
  }

  said(): string {
    return `${this.stdout.slice(-2000)}${this.stderr.slice(-2000)}`.trim();
  }
}

let runs = 0;

/** Runs `hw <args> --json` to its end. */
export async function hw(
  work: Workspace,
  args: readonly string[],
  { home, input, environment }: HwOptions,
): Promise<Ran> {
  work.signal.throwIfAborted();
  const log = join(work.directory('cli'), `${++runs}.err`);
  const child = work.children.start([mainPath, ...args, '--json', '--home', home], {
    log,
    environment: work.environment(environment),
    ...(input === undefined ? {} : { input }),
  });
  const { code, signal } = await child.exited;
  work.signal.throwIfAborted();
  const stderr = readFileSync(log, 'utf8');
  const ending = code ?? 128;
  const killed = signal === null ? stderr : `${stderr} (ended by ${signal})`;
  return new Ran(`hw ${args.join(' ').slice(0, 100)}`, ending, child.stdout, killed);
}

/** Fills the compile cache of the run; worth its while where several nodes are started. */
export async function warmCache(work: Workspace): Promise<void> {
  const warm = fileURLToPath(new URL('./warm.ts', import.meta.url));
  const log = join(work.directory('cli'), 'warm.err');
  const child = work.children.start([warm], { log, environment: work.environment() });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`loading the node failed: ${readFileSync(log, 'utf8')}`);
}
