/** Folders and processes of a bench; whoever opens one disposes it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** A new folder in `$HW_BENCH_DIR`, else in the system's folder for such things. */
export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(join(process.env['HW_BENCH_DIR'] ?? tmpdir(), 'hw-bench-'));
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Bytes of all files below a folder. */
export async function folderBytes(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

/** A script of this folder as a process of its own; disposing kills it and waits for its end. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #lines: string[] = [];
  #waiting: (() => void) | undefined;
  #exit: number | undefined;

  constructor(script: string, args: readonly string[], options: readonly string[] = []) {
    const path = new URL(script, import.meta.url).pathname;
    const child = spawn(process.execPath, [...options, path, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#process = child;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    const end = (code: number | null): void => {
      this.#exit ??= code ?? 1;
      this.#waiting?.();
      resolve();
    };
    child.once('error', () => end(1));
    child.once('exit', end);
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#lines.push(line);
      this.#waiting?.();
    });
    child.stdin.on('error', () => undefined); // It ended: the next `line` says so.
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  send(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** The next line that it prints. Rejects when it ends first, or after `ms`. */
  async line(ms = 60_000): Promise<string> {
    const until = performance.now() + ms;
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#exit !== undefined) throw new Error(`a child process ended with ${this.#exit}`);
      const left = until - performance.now();
      if (left <= 0) throw new Error(`a child process said nothing for ${ms} ms`);
      await this.#news(left);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#exit === undefined) this.#process.kill('SIGKILL');
    await this.#ended;
  }

  async #news(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#waiting = resolve;
    await promise;
    clearTimeout(timer);
    this.#waiting = undefined;
  }
}
