/**
 * Runs the commands of a page as somebody would type them: in a folder of their own, with homes of
 * their own, `npx hw` being the clone's. Directory and variables last from one command to the next.
 * Everything that was started carries a mark in its environment, by which it is found and stopped.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { compareOutput, linesOf } from './shape.ts';

const clone = fileURLToPath(new URL('../..', import.meta.url));
/** Read by examples; copied, so that no command can change the clone. */
const examples = ['testnet/data', 'docs/guides'];
const stopMs = 12_000;
const drainMs = 300;

export interface Outcome {
  /** Both streams, in the order of writing. */
  readonly output: string;
  /** Undefined where it goes on in the background. */
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
}

export interface RunOptions {
  readonly timeoutMs: number;
  /** `end`: wait for it; else until the shown lines were printed, then interrupt it or leave it. */
  readonly mode: 'end' | 'interrupt' | 'background';
  readonly shown: readonly string[];
}

/** The folder of one page. Its disposal stops what was started in it and removes it. */
export class Workspace implements AsyncDisposable {
  readonly root: string;
  readonly #mark: string;
  readonly #stop: AbortSignal | undefined;
  readonly #running = new Set<ChildProcess>();

  /** `stop` ends the present command at once. */
  constructor(stop?: AbortSignal) {
    this.#stop = stop;
    this.root = mkdtempSync(join(tmpdir(), 'hw-docs-'));
    this.#mark = this.root;
    for (const folder of ['bin', 'home', 'work', 'state']) mkdirSync(join(this.root, folder));
    for (const path of examples) {
      const from = join(clone, path);
      if (existsSync(from)) cpSync(from, join(this.root, 'work', path), { recursive: true });
    }
    for (const name of ['hw', 'npx']) this.#writeShim(name);
  }

  writeFile(name: string, text: string): void {
    writeFileSync(join(this.root, 'work', name), text);
  }

  /** Runs one command in the terminal of that home. */
  async run(command: string, home: string | undefined, options: RunOptions): Promise<Outcome> {
    const terminal = join(this.root, 'state', home ?? 'default');
    const child = spawn('bash', ['--noprofile', '--norc', '-c', script(terminal, command)], {
      cwd: join(this.root, 'work'),
      env: this.#environment(home),
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    this.#running.add(child);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const ended = endOf(child);
    const drained = closed(child);
    const seen = (): boolean =>
      options.mode !== 'end' &&
      compareOutput([...options.shown, '…'], linesOf(output)).difference === undefined;
    const timedOut = await this.#wait(ended, seen, options.timeoutMs);
    if (options.mode === 'background' && !timedOut && child.exitCode === null) {
      return { output, exitCode: undefined, timedOut };
    }
    if (child.exitCode === null && child.signalCode === null) {
      signalGroup(child, options.mode === 'interrupt' && !timedOut ? 'SIGINT' : 'SIGTERM');
      await Promise.race([ended, sleep(stopMs, undefined, { ref: false })]);
      signalGroup(child, 'SIGKILL');
    }
    const exitCode = await ended;
    // What it left in the background may hold the pipe open, so the end of it is not waited for.
    await Promise.race([drained, sleep(drainMs)]);
    child.stdout.destroy();
    this.#running.delete(child);
    return { output, exitCode, timedOut };
  }

  /** Stops everything that carries our mark, gently first. */
  async stop(): Promise<void> {
    for (const child of this.#running) signalGroup(child, 'SIGTERM');
    for (const pid of this.#marked()) signal(pid, 'SIGTERM');
    const deadline = Date.now() + stopMs;
    while (this.#marked().length > 0 && Date.now() < deadline) await sleep(50);
    for (const child of this.#running) {
      signalGroup(child, 'SIGKILL');
      child.stdout?.destroy();
    }
    for (const pid of this.#marked()) signal(pid, 'SIGKILL');
    this.#running.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Until it has ended or was seen; resolves true when the time is over before, or all is to stop. */
  async #wait(ended: Promise<number>, seen: () => boolean, timeoutMs: number): Promise<boolean> {
    const ending = new AbortController();
    void ended.then(() => ending.abort());
    const deadline = Date.now() + timeoutMs;
    while (!ending.signal.aborted && !seen()) {
      if (Date.now() > deadline || this.#stop?.aborted === true) return true;
      await Promise.race([ended, sleep(20)]);
    }
    return false;
  }

  #environment(home: string | undefined): NodeJS.ProcessEnv {
    const own = Object.entries(process.env).filter(([name]) => !/^(?:HW_|npm_|NODE_)/.test(name));
    return {
      ...Object.fromEntries(own),
      PATH: `${join(this.root, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`,
      HOME: join(this.root, 'home'),
      USER: 'reader',
      LC_ALL: 'C.UTF-8',
      HW_DOCS_CHECK: this.#mark,
      ...(home === undefined ? {} : { HW_HOME: join(this.root, home) }),
    };
  }

  /** `hw`, and an `npx` that knows only it. A new home is narrowed to the loopback address. */
  #writeShim(name: string): void {
    const path = join(this.root, 'bin', name);
    const first =
      name === 'npx'
        ? `if [ "$1" != hw ]; then echo "docs-check: npx runs only hw here" >&2; exit 2; fi\nshift\n`
        : '';
    const hw = `"${process.execPath}" "${join(clone, 'bin', 'hw.js')}"`;
    const change = `sed 's#/ip4/0.0.0.0/#/ip4/127.0.0.1/#' "$1" > "$1.new" && cat "$1.new" > "$1" && rm "$1.new"`;
    const narrow = `find "${this.root}" -maxdepth 4 -name config.yaml -exec sh -c '${change.replaceAll("'", `'\\''`)}' sh {} \\;`;
    writeFileSync(
      path,
      `#!/bin/sh\n${first}case "$*" in\n*init*|*join*) ${hw} "$@"; status=$?; ${narrow}; exit $status ;;\nesac\nexec ${hw} "$@"\n`,
    );
    chmodSync(path, 0o755);
  }

  /** Processes with our mark: from /proc, else from what running nodes wrote into their homes. */
  #marked(): readonly number[] {
    if (!existsSync('/proc/self/environ')) return this.#nodes();
    const mark = `HW_DOCS_CHECK=${this.#mark}\0`;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((name) => readOrEmpty(`/proc/${name}/environ`).includes(mark))
      .map(Number);
  }

  #nodes(): readonly number[] {
    return globSync('{*,home/.*}/run/node.json', { cwd: this.root })
      .map((path) => /"pid":(\d+)/.exec(readOrEmpty(join(this.root, path)))?.[1])
      .flatMap((pid) => (pid !== undefined && signal(Number(pid), 0) ? [Number(pid)] : []));
  }
}

/** The command between what restores the terminal and what keeps it. */
function script(terminal: string, command: string): string {
  return [
    'exec 2>&1',
    `if [ -f '${terminal}.env' ]; then cd "$(cat '${terminal}.cwd')" && . '${terminal}.env'; fi`,
    `trap 'status=$?; export -p > "${terminal}.env"; pwd > "${terminal}.cwd"; exit $status' EXIT`,
    'set -a',
    command,
  ].join('\n');
}

function endOf(child: ChildProcess): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  child.once('error', () => resolve(127));
  child.once('exit', (code) => resolve(code ?? 130));
  return promise;
}

function closed(child: ChildProcess): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('close', () => resolve());
  return promise;
}

function signalGroup(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid !== undefined) signal(-child.pid, name);
}

/** False where there is no such process. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process or file went away while we looked
  }
}
