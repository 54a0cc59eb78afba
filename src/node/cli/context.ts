/** What each command is given: where its home is, how it prints, when it must stop. */
import { join, resolve } from 'node:path';
import type { Result } from '../../result.ts';
import { homePaths, readHome, type HomePaths, type HomeView } from '../home.ts';
import type { Runtime } from '../runtime.ts';
import type { Options } from './options.ts';

export interface Context {
  readonly runtime: Runtime;
  readonly json: boolean;
  readonly paths: HomePaths;
  /** Aborted by Ctrl-C, SIGTERM, and when the reader of stdout has gone. */
  readonly signal: AbortSignal;
  /** Lines for people on stdout; nothing with `--json`. */
  say(...lines: readonly string[]): Promise<void>;
  /** The one value of `--json`; nothing without. */
  value(value: unknown): Promise<void>;
  /** A remark on stderr. */
  note(...lines: readonly string[]): Promise<void>;
  /** The home without its secret keys. */
  readHome(): Promise<Result<HomeView>>;
}

/** `--home`, else `$HW_HOME`, else `~/.headwater`. */
export function homeDirectory(runtime: Runtime, options: Options): string {
  const chosen = options.text('home') ?? runtime.environment['HW_HOME'];
  if (chosen === undefined || chosen === '') return join(runtime.homeDirectory, '.headwater');
  return resolve(runtime.directory, chosen);
}

export function makeContext(runtime: Runtime, options: Options, signal: AbortSignal): Context {
  const json = options.flag('json');
  const paths = homePaths(homeDirectory(runtime, options));
  return {
    runtime,
    json,
    paths,
    signal,
    say: async (...lines) => {
      if (!json) await runtime.stdout.write(lines.map((line) => `${line}\n`).join(''));
    },
    value: async (value) => {
      if (json) await runtime.stdout.write(`${JSON.stringify(value)}\n`);
    },
    note: (...lines) => runtime.stderr.write(lines.map((line) => `${line}\n`).join('')),
    readHome: () => readHome(paths.root, runtime.environment),
  };
}
