/** `hw up` and `hw down`: the node's process, in front or detached. */
import { rename, rm, stat } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { codes } from '../../codes.ts';
import { fault, type Code, type Fault } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { makeFolders, readBytes, readText, replaceFile, systemCode } from '../files.ts';
import { lockHolder, lockHome, runningFault } from '../home-lock.ts';
import { openHome, type Home, type HomePaths } from '../home.ts';
import { JsonView } from '../json-view.ts';
import type { ListenerUrls } from '../listeners.ts';
import type { RunningNode } from '../running-node.ts';
import type { Detached } from '../runtime.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { actor, callNode } from './endpoints.ts';
import type { Options } from './options.ts';
import { existingPassphrase } from './passphrase.ts';

export const up: Action = async (context, _args, options) => {
  const holder = await lockHolder(context.paths, context.runtime);
  if (holder !== undefined) return err(runningFault(context.paths, holder));
  // Keys are opened before anything is started, so that a wrong passphrase is said here.
  const asked = rememberAnswer(existingPassphrase(context, options));
  const home = await openHome(context.paths.root, {
    environment: context.runtime.environment,
    passphrase: asked.ask,
    random: context.runtime.random,
  });
  if (!home.ok) return home;
  if (options.flag('detach')) return detach(context, options, asked.answer());
  const ended = await runNode(context, home.value, options);
  // Timers of libp2p would hold the process for another second or so.
  if (ended.ok) context.runtime.exit(ended.value);
  return ended;
};

async function runNode(context: Context, home: Home, options: Options): Promise<Result<number>> {
  const { runtime, paths } = context;
  const locked = await lockHome(paths, runtime);
  if (!locked.ok) return locked;
  await using scope = new AsyncDisposableStack();
  scope.use(locked.value);
  let node: RunningNode | undefined;
  const reload = async (): Promise<void> => {
    const again = await context.readHome();
    await node?.reload(again.ok ? ok(again.value.config) : again);
  };
  const stop = scope.use(stopRequest(context, () => void reload()));
  await rm(paths.nodeInfo, { force: true });
  const { startNode } = await import('../node.ts');
  const started = await startNode(home, runtime, {
    acceptClock: options.flag('acceptClock'),
    acceptForkRisk: options.flag('acceptForkRisk'),
  });
  if (!started.ok) return started;
  node = started.value;
  const info = { pid: runtime.pid, ...node.urls, addresses: node.addresses };
  const written = await replaceFile(paths.nodeInfo, `${JSON.stringify(info)}\n`);
  if (written.ok) {
    await context.value(info);
    await context.say(...upLines(info));
    // Compiled code is written now and not at the end, which has a time limit.
    flushCompileCache();
    await Promise.race([stop.asked, node.stopped]);
  }
  await drain(context, node);
  await rm(paths.nodeInfo, { force: true });
  return written.ok ? ok(0) : written;
}

/** Ends the process by itself when the drain takes too long: SIGTERM must end in 10 s. */
async function drain(context: Context, node: RunningNode): Promise<void> {
  const { runtime } = context;
  using scope = new DisposableStack();
  scope.use(runtime.timers.after(limits.drainMs, () => runtime.exit(0)));
  await node.stop();
}

function upLines(info: ListenerUrls & { readonly addresses: readonly string[] }): string[] {
  const others = (['public', 'metrics'] as const).flatMap((name) =>
    info[name] === undefined ? [] : [`${name.padEnd(9)} ${info[name]}`],
  );
  return [
    `API       ${info.api}`,
    ...others,
    ...info.addresses.map((address) => `listening ${address}`),
  ];
}

/** Resolves at the first signal to stop. */
function stopRequest(
  context: Context,
  onHangUp: () => void,
): Disposable & { readonly asked: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const signals = context.runtime.onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], (name) => {
    // A terminal that closes must not take a node with it: it reads its configuration again.
    if (name !== 'SIGHUP') resolve();
    else onHangUp();
  });
  return { asked: promise, [Symbol.dispose]: () => signals[Symbol.dispose]() };
}

async function detach(
  context: Context,
  options: Options,
  passphrase: string | undefined,
): Promise<Result<number>> {
  const { runtime, paths } = context;
  const folder = await makeFolders(paths.root, ['run']);
  if (!folder.ok) return folder;
  const logStart = await startLog(paths.log);
  const args = ['up', '--json', '--home', paths.root];
  if (options.flag('acceptClock')) args.push('--accept-clock');
  if (options.flag('acceptForkRisk')) args.push('--accept-fork-risk');
  if (passphrase !== undefined) args.push('--passphrase-file', '-');
  const input = passphrase === undefined ? undefined : `${passphrase}\n`;
  const child = runtime.spawnDetached(args, paths.log, input);
  const info = await waitForInfo(context, child);
  if (info !== undefined) {
    const addresses = info.list('addresses').map((address) => String(address.value));
    const api = info.text('api') ?? '';
    const others = Object.fromEntries(
      ['public', 'metrics'].flatMap((name) => {
        const url = info.text(name);
        return url === undefined ? [] : [[name, url]];
      }),
    );
    await context.value({ pid: child.pid, api, ...others, addresses });
    await context.say(
      ...upLines({ api, ...others, addresses }),
      `process   ${child.pid}, log ${paths.log}`,
    );
    return ok(0);
  }
  if (context.signal.aborted) return err(fault('interrupted', 'interrupted'));
  return err(await childFault(paths, logStart));
}

/** Length of the log before this run; one that has grown too long is set aside first. */
async function startLog(file: string): Promise<number> {
  try {
    const { size } = await stat(file);
    if (size <= limits.maxLogBytes) return size;
    await rename(file, `${file}.1`);
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
  }
  return 0;
}

/** What the child wrote when it was ready; undefined where it ended before. */
async function waitForInfo(context: Context, child: Detached): Promise<JsonView | undefined> {
  const { runtime, paths, signal } = context;
  while (child.exited() === undefined && !signal.aborted) {
    const text = await readText(paths.nodeInfo);
    const info = text.ok ? JsonView.parse(text.value) : undefined;
    if (info?.number('pid') === child.pid) return info;
    await runtime.timers.sleep(limits.pollMs, signal);
  }
  return undefined;
}

/** The fault that a child printed as its last word. */
async function childFault(paths: HomePaths, from: number): Promise<Fault> {
  const log = await readBytes(paths.log);
  const lines = log.ok
    ? Buffer.from(log.value).subarray(from).toString().trimEnd().split('\n')
    : [];
  const last = lines.findLast((line) => line.startsWith('{"error":'));
  const error = JsonView.parse(last ?? '').at('error');
  const code = error.text('code');
  if (code === undefined || !isCode(code)) {
    return fault('node-failed', 'the node ended before it was ready', { file: paths.log });
  }
  return fault(code, error.text('message') ?? '', undefined, error.text('hint'));
}

function isCode(text: string): text is Code {
  return Object.hasOwn(codes, text);
}

/** Keeps what was typed, to hand it on to the detached child. */
function rememberAnswer(ask: () => Promise<Result<string>>): {
  readonly ask: () => Promise<Result<string>>;
  readonly answer: () => string | undefined;
} {
  let answer: string | undefined;
  return {
    ask: async () => {
      const result = await ask();
      if (result.ok) answer = result.value;
      return result;
    },
    answer: () => answer,
  };
}

export const down: Action = async (context, _args, options) => {
  const { runtime, paths } = context;
  const home = await context.readHome();
  if (!home.ok) return home;
  const pid = await lockHolder(paths, runtime);
  if (pid === undefined) return err(fault('node-not-running', `no node runs on ${paths.root}`));
  const body = actor(options);
  const asked = await callNode(context, { method: 'POST', path: '/shutdown', body });
  if (!asked.ok) runtime.signalProcess(pid, 'SIGTERM');
  const deadline = runtime.clock.monotonic() + limits.drainMs + 5000;
  while ((await lockHolder(paths, runtime)) === pid) {
    if (context.signal.aborted) return err(fault('interrupted', 'interrupted'));
    if (runtime.clock.monotonic() > deadline) {
      return err(fault('node-failed', `process ${pid} does not end`, { file: paths.log }));
    }
    await runtime.timers.sleep(limits.pollMs, context.signal);
  }
  await context.value({ stopped: true, pid });
  await context.say(`stopped (process ${pid})`);
  return ok(0);
};
