/**
 * The processes that a run starts. Each is remembered until it has ended, so that nothing that was
 * started here outlives the run, and nothing else is ever signalled.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface StartOptions {
  /** stderr goes to the end of this file; stdout is read by us. */
  readonly log: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  /** Give the child a channel for `process.send`. */
  readonly channel?: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #out: Buffer[] = [];
  #exit: Exit | undefined;
  #signalled = false;

  constructor(process: ChildProcess) {
    this.#process = process;
    this.pid = process.pid ?? 0;
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.exited = promise;
    process.stdout?.on('data', (chunk: Buffer) => this.#out.push(chunk));
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      this.#exit ??= { code, signal };
      resolve(this.#exit);
    };
    process.once('error', () => end(127, null));
    process.once('close', end);
  }

  /** Undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** Whether we have told it to end. */
  get signalled(): boolean {
    return this.#signalled;
  }

  /** What it wrote to stdout so far. */
  get stdout(): string {
    return Buffer.concat(this.#out).toString('utf8');
  }

  kill(signal: NodeJS.Signals): void {
    this.#signalled = true;
    if (this.#exit === undefined) this.#process.kill(signal);
  }

  /** Resident memory in bytes; 0 once it has ended. */
  residentBytes(): number {
    return memory(this.pid, 'VmRSS');
  }

  /** The most it ever held. */
  peakBytes(): number {
    return memory(this.pid, 'VmHWM');
  }
}

export class Children implements Disposable {
  readonly #running = new Set<Child>();

  /** Runs `node <args>` with the Node that runs us. */
  start(args: readonly string[], options: StartOptions): Child {
    const log = openSync(options.log, 'a', 0o600);
    const stdin = options.input === undefined ? 'ignore' : 'pipe';
    const child = spawn(process.execPath, [...args], {
      stdio: [stdin, 'pipe', log, ...(options.channel === true ? (['ipc'] as const) : [])],
      env: options.environment,
    });
    closeSync(log);
    child.stdin?.on('error', () => undefined); // It ended before it read: its exit code says so.
    child.stdin?.end(options.input);
    const started = new Child(child);
    this.#running.add(started);
    void started.exited.then(() => this.#running.delete(started));
    return started;
  }

  /** Ends them all at once, without asking. */
  [Symbol.dispose](): void {
    for (const child of this.#running) child.kill('SIGKILL');
  }

  /** Resolves when every process has ended. */
  async ended(): Promise<void> {
    await Promise.all([...this.#running].map(({ exited }) => exited));
  }
}

function memory(pid: number, field: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
