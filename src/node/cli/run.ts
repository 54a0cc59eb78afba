/**
 * One command from its arguments to its exit code: parses, runs, prints a fault in its one form.
 * Nothing here or below ends the process or throws for a mistake of the user.
 */
import { exitCode, fault, HeadwaterError, type Fault } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { err, type Result } from '../../result.ts';
import type { Runtime } from '../runtime.ts';
import type { CommandSpec } from './command.ts';
import { makeContext, type Context } from './context.ts';
import type { Options } from './options.ts';
import { parseArguments } from './program.ts';
import { faultJson, faultText } from './render-fault.ts';

/** A second Ctrl-C that comes sooner is the same one, seen by the shim and by us. */
const sameKeypressMs = 1000;

/** Runs the command line of `runtime`; never rejects. */
export async function runCli(runtime: Runtime): Promise<number> {
  const parsed = await parseArguments(runtime.arguments);
  if (parsed.kind === 'text') {
    await (parsed.exitCode === 0 ? runtime.stdout : runtime.stderr).write(parsed.text);
    return parsed.exitCode;
  }
  const json = runtime.arguments.includes('--json');
  if (parsed.kind === 'fault') return report(runtime, parsed.fault, json, false);
  const { spec, args, options } = parsed;
  const abort = new AbortController();
  const context = makeContext(runtime, options, abort.signal);
  using scope = new DisposableStack();
  let interrupted: number | undefined;
  const onInterrupt = (): void => {
    const now = runtime.clock.monotonic();
    if (interrupted !== undefined && now - interrupted > sameKeypressMs) runtime.exit(130);
    interrupted ??= now;
    abort.abort();
    // What cannot be interrupted (a proof being checked, a disk that hangs) must not hold us for long.
    scope.use(runtime.timers.after(limits.drainMs, () => runtime.exit(130)));
  };
  const onGone = (): void => abort.abort();
  // `up` has its own way to end; for all others Ctrl-C, SIGTERM and a reader that left mean stop.
  if (!spec.ownSignals) {
    scope.use(runtime.onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], onInterrupt));
  }
  runtime.stdout.gone.addEventListener('abort', onGone);
  try {
    const result = await runAction(spec, context, args, options);
    if (interrupted !== undefined) return 130;
    if (runtime.stdout.gone.aborted && !spec.ownSignals) return 0;
    return result.ok ? result.value : await report(runtime, result.error, json, spec.streams);
  } finally {
    runtime.stdout.gone.removeEventListener('abort', onGone);
  }
}

async function runAction(
  spec: CommandSpec,
  context: Context,
  args: readonly string[],
  options: Options,
): Promise<Result<number>> {
  try {
    const action = await spec.load();
    return await action(context, args, options);
  } catch (cause) {
    if (cause instanceof HeadwaterError) return err(cause.fault);
    // A defect of ours: the one time a stack is of use, and only when asked for.
    const message = cause instanceof Error ? cause.message : String(cause);
    const stack = cause instanceof Error ? cause.stack : undefined;
    const debug = context.runtime.environment['HW_DEBUG'] !== undefined;
    if (debug && stack !== undefined) await context.note(stack);
    return err(fault('internal', message));
  }
}

/** With `--json` a command of one value prints the fault as that value; a stream has it on stderr. */
async function report(
  runtime: Runtime,
  found: Fault,
  json: boolean,
  streams: boolean,
): Promise<number> {
  const output = json && !streams ? runtime.stdout : runtime.stderr;
  await output.write(json ? faultJson(found) : faultText(found, runtime.stderr.terminal));
  return exitCode(found.code);
}
