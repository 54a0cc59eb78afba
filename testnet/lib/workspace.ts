/**
 * What a run owns: one temporary folder, the processes it started, the ports it drew. It is taken
 * away at the end, at a failure, at Ctrl-C, and as a last resort when this process ends.
 */
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/node/free-ports.ts';
import { Children } from './children.ts';

export class Workspace implements AsyncDisposable {
  readonly folder: string;
  readonly children: Children = new Children();
  readonly #started = performance.now();
  readonly #abort = new AbortController();
  readonly #ports: number[] = [];
  readonly #mounts = new Set<string>();
  readonly #onSignal = (name: NodeJS.Signals): void => {
    this.note(`${name}: cleaning up`);
    this.#abort.abort(new Interrupted(name));
    // What still waits for a process ends with the process.
    this.children[Symbol.dispose]();
  };
  readonly #onExit = (): void => this.#clear();
  /** npm that is told to end leaves us behind without a word: then our parent is another one. */
  readonly #parentWatch: NodeJS.Timeout;

  readonly #cache: string;

  /** With `parent` it shares the compile cache of that one. */
  constructor(parent?: Workspace) {
    this.folder = mkdtempSync(join(tmpdir(), 'hw-testnet-'));
    this.#cache = parent === undefined ? join(this.folder, 'compile-cache') : parent.#cache;
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, this.#onSignal);
    process.on('exit', this.#onExit);
    const parentId = process.ppid;
    this.#parentWatch = setInterval(() => {
      if (process.ppid !== parentId && !this.signal.aborted) this.#onSignal('SIGHUP');
    }, 500).unref();
  }

  /** Aborted by Ctrl-C and its kin. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  /** A line of progress for people, on stderr. */
  note(text: string): void {
    process.stderr.write(`${this.seconds.toFixed(1).padStart(6)} s  ${text}\n`);
  }

  /** A new folder of that name. */
  directory(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Ports that were free when they were drawn, none of them twice in one run. */
  async ports(count: number): Promise<readonly number[]> {
    const drawn: number[] = [];
    while (drawn.length < count) {
      const random = { bytes: (length: number) => randomFillSync(new Uint8Array(length)) };
      const found = await freePorts(random, count);
      if (!found.ok) throw new Error(found.error.message);
      const fresh = found.value.filter((port) => !this.#ports.includes(port));
      this.#ports.push(...fresh);
      drawn.push(...fresh);
    }
    return drawn.slice(0, count);
  }

  /** The environment of every process: ours without settings of Headwater, and one compile cache. */
  environment(
    more: Readonly<Record<string, string | undefined>> = {},
  ): Record<string, string | undefined> {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('HW_'));
    return { ...Object.fromEntries(own), NODE_COMPILE_CACHE: this.#cache, ...more };
  }

  /** A file system in memory of that many bytes, or undefined where we may not mount one. */
  mount(name: string, bytes: number): string | undefined {
    const path = this.directory(name);
    const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]);
    if (made.status !== 0) return undefined;
    this.#mounts.add(path);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.children[Symbol.dispose]();
    await this.children.ended();
    this.#clear();
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, this.#onSignal);
    process.off('exit', this.#onExit);
    clearInterval(this.#parentWatch);
  }

  #clear(): void {
    this.children[Symbol.dispose]();
    for (const path of this.#mounts) spawnSync('umount', ['-l', path]);
    this.#mounts.clear();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
}

/** The run was ended by a signal: no failure of what it tests. */
export class Interrupted extends Error {
  constructor(signal: string) {
    super(`interrupted by ${signal}`);
    this.name = 'Interrupted';
  }
}
