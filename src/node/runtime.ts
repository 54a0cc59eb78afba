/**
 * The process, and the only file that touches it: clock, timers, randomness, environment, signals,
 * standard streams, other processes. Everything else is handed a `Runtime`, so tests and the
 * simulator can hand in another one.
 */
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import type { Host } from '../host.ts';
import { asTimeMs } from '../types.ts';

/** A standard stream. Once its reader has gone (`| head`), writing does nothing and `gone` is aborted. */
export interface Output {
  readonly terminal: boolean;
  /** Width of the terminal; 80 where there is none. */
  readonly columns: number;
  /** Aborted when the reader closed the pipe. */
  readonly gone: AbortSignal;
  /** Resolves when more may be written. Never rejects. */
  write(data: string | Uint8Array): Promise<void>;
}

export interface Input {
  readonly terminal: boolean;
  /** Chunks until the end of the stream or the abort; may be iterated once. */
  chunks(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Asks on the terminal without echo; undefined where there is no terminal, on Ctrl-C and abort. */
  secret(prompt: string, signal: AbortSignal): Promise<string | undefined>;
}

export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGUSR2';

/** A child that goes on when we end. */
export interface Detached {
  readonly pid: number;
  /** Exit code once it has ended; undefined while it runs. */
  exited(): number | undefined;
}

export interface Runtime extends Host {
  /** What follows the program's name on the command line. */
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Working directory, against which relative paths count. */
  readonly directory: string;
  readonly homeDirectory: string;
  readonly pid: number;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Calls `run` for each such signal until disposed; the default action is off meanwhile. */
  onSignal(names: readonly SignalName[], run: (name: SignalName) => void): Disposable;
  /** Keeps the process alive while held, because our timers do not. */
  hold(): Disposable;
  setExitCode(code: number): void;
  /** Ends the process at once. Only for a drain that has run out of time. */
  exit(code: number): never;
  /** Processor cores that this process may use. */
  cores(): number;
  /** Resident memory in bytes. */
  residentBytes(): number;
  /** True while a process of that id exists. */
  processAlive(pid: number): boolean;
  /** When that process started, in the kernel's own words; tells a process from a later one with its id. */
  processStart(pid: number): string | undefined;
  /** False where there is no such process or it is not ours. */
  signalProcess(pid: number, name: SignalName): boolean;
  /** Starts this program again with other arguments, detached; output goes to the end of `logFile`. */
  spawnDetached(args: readonly string[], logFile: string, input: string | undefined): Detached;
  /**
   * Faults that nothing caught. A rejected promise of a library hurts nobody else and the process may
   * go on; after an `exception` the state is unknown and the listener must end the process.
   */
  onCrash(run: (cause: unknown, kind: 'rejection' | 'exception') => void): Disposable;
}

/** Is this `hw up` in front? Looked at before there is a command line to parse. */
export function startsNode(): boolean {
  const args = process.argv.slice(2);
  return args.includes('up') && !args.includes('--detach');
}

/** Is this a command that goes through a whole store and may be at it for long? */
export function readsMuch(): boolean {
  return process.argv.slice(2).includes('export');
}

/**
 * Bounds the garbage of a process that runs for long, by starting it again in its place (same id,
 * same streams) where it was started without. V8 would let 128 MiB of young objects gather, and
 * malloc an arena for each thread (docs/benchmarks.md has the figures). To be called first of all:
 * what was opened is lost.
 */
export function boundMemory(): void {
  const young = '--max-semi-space-size=8';
  const has = process.execArgv.some((argument) => argument.startsWith('--max-semi-space-size'));
  if (!has && process.execve !== undefined) {
    const args = [process.execPath, ...process.execArgv, young, ...process.argv.slice(1)];
    process.execve(process.execPath, args, { MALLOC_ARENA_MAX: '2', ...process.env });
  }
}

/**
 * Lets no more garbage gather between collections than `percent` of what is in use; V8 would let 300
 * gather, and with it the buffers that the garbage holds on to. At 50 it costs a tenth more CPU, at
 * 150 nothing that was seen (docs/benchmarks.md).
 */
export function boundGarbage(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}

/** The real one. There is one process, so there should be one of these. */
export function processRuntime(): Runtime {
  return {
    clock: {
      now: () => asTimeMs(Math.max(0, Date.now())),
      monotonic: () => performance.now(),
    },
    timers: { after, every, sleep },
    random: { bytes: (length) => randomFillSync(new Uint8Array(length)) },
    arguments: process.argv.slice(2),
    environment: process.env,
    directory: process.cwd(),
    homeDirectory: process.env['HOME'] ?? process.cwd(),
    pid: process.pid,
    stdin: standardInput(),
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    onSignal,
    hold: () => {
      const timer = setInterval(() => undefined, 1 << 30);
      return { [Symbol.dispose]: () => clearInterval(timer) };
    },
    setExitCode: (code) => {
      process.exitCode = code;
    },
    exit: (code) => process.exit(code),
    cores: () => availableParallelism(),
    residentBytes: () => process.memoryUsage.rss(),
    processAlive,
    processStart,
    signalProcess: (pid, name) => attempt(() => process.kill(pid, name)) ?? false,
    spawnDetached,
    onCrash,
  };
}

function after(ms: number, run: () => void): Disposable {
  const timer = setTimeout(run, ms);
  timer.unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

function every(ms: number, run: () => void): Disposable {
  const timer = setInterval(run, ms);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted === true) {
    resolve();
    return promise;
  }
  const wake = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', wake);
    resolve();
  };
  const timer = setTimeout(wake, ms);
  timer.unref();
  signal?.addEventListener('abort', wake, { once: true });
  return promise;
}

function output(stream: NodeJS.WriteStream): Output {
  const gone = new AbortController();
  // EPIPE and friends: the reader has left, which is its good right and no error of ours.
  stream.on('error', () => gone.abort());
  return {
    terminal: stream.isTTY,
    get columns() {
      return stream.columns > 0 ? stream.columns : 80;
    },
    gone: gone.signal,
    async write(data) {
      if (gone.signal.aborted || stream.write(data)) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      stream.once('drain', wake);
      gone.signal.addEventListener('abort', wake);
      await promise;
      stream.off('drain', wake);
      gone.signal.removeEventListener('abort', wake);
    },
  };
}

function standardInput(): Input {
  return {
    terminal: process.stdin.isTTY,
    chunks: standardChunks,
    async secret(prompt, signal) {
      if (!process.stdin.isTTY || signal.aborted) return undefined;
      process.stdin.setRawMode(true); // Before the prompt: what is typed at once must not be shown.
      process.stderr.write(prompt);
      try {
        return await readHidden(signal);
      } finally {
        process.stdin.setRawMode(false);
        process.stdin.pause();
        process.stderr.write('\n');
      }
    },
  };
}

/** One line in raw mode: Enter ends it, Backspace takes back, Ctrl-C and Ctrl-D give up. */
function readHidden(signal: AbortSignal): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const typed: string[] = [];
  const onData = (chunk: Buffer): void => {
    for (const key of chunk.toString('utf8')) {
      if (key === '\r' || key === '\n') resolve(typed.join(''));
      else if (key === '\u0003' || key === '\u0004') resolve(undefined);
      else if (key === '\u007f' || key === '\b') typed.pop();
      else typed.push(key);
    }
  };
  process.stdin.on('data', onData).resume(); // An earlier prompt has paused it.
  const giveUp = (): void => resolve(undefined);
  signal.addEventListener('abort', giveUp, { once: true });
  return promise.finally(() => {
    process.stdin.off('data', onData);
    signal.removeEventListener('abort', giveUp);
  });
}

function closeInput(): void {
  process.stdin.destroy();
}

async function* standardChunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (signal.aborted) return;
  signal.addEventListener('abort', closeInput, { once: true });
  try {
    for await (const chunk of process.stdin) {
      if (chunk instanceof Uint8Array) yield chunk;
    }
  } catch (cause) {
    if (!signal.aborted) throw cause; // Cut short by us: the rest is not wanted.
  } finally {
    signal.removeEventListener('abort', closeInput);
  }
}

function onSignal(names: readonly SignalName[], run: (name: SignalName) => void): Disposable {
  const listeners = names.map((name) => [name, () => run(name)] as const);
  for (const [name, listener] of listeners) process.on(name, listener);
  return {
    [Symbol.dispose]: () => {
      for (const [name, listener] of listeners) process.off(name, listener);
    },
  };
}

function onCrash(run: (cause: unknown, kind: 'rejection' | 'exception') => void): Disposable {
  const exception = (cause: unknown): void => run(cause, 'exception');
  const rejection = (cause: unknown): void => run(cause, 'rejection');
  process.on('uncaughtException', exception);
  process.on('unhandledRejection', rejection);
  return {
    [Symbol.dispose]: () => {
      process.off('uncaughtException', exception);
      process.off('unhandledRejection', rejection);
    },
  };
}

function processAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    // EPERM: it exists but is another user's.
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
  }
}

/** Field 22 of /proc/<pid>/stat: clock ticks after boot. The name in field 2 may hold spaces and brackets. */
function processStart(pid: number): string | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

function spawnDetached(
  args: readonly string[],
  logFile: string,
  input: string | undefined,
): Detached {
  const log = openSync(logFile, 'a', 0o600);
  const script = process.argv[1] ?? '';
  const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', log, log],
  });
  closeSync(log);
  let ended: number | undefined;
  child.once('error', () => (ended = 1));
  child.once('exit', (code) => (ended = code ?? 1));
  child.stdin?.on('error', () => undefined); // It ended before it read: its exit code says so.
  child.stdin?.end(input);
  child.unref();
  return { pid: child.pid ?? 0, exited: () => ended };
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
