/**
 * `hw verify`: a stream by the running node or over the store of a stopped one, or a file without
 * either. Exits 0, 3 or 4 by verdict; 6 where a repair found nobody to ask.
 */
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { lockHolder, runningFault } from '../home-lock.ts';
import { JsonView } from '../json-view.ts';
import type { Action } from './command.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { callOn } from './endpoints.ts';
import { readablePath } from './follow.ts';
import type { Options } from './options.ts';
import { startProgress } from './progress.ts';
import { withStoppedHome } from './stopped.ts';
import { goneLines } from './retention.ts';
import { countText } from './table.ts';
import type { StatedTrust } from '../../ledger/trust-policy.ts';
import { statedTrust, withTrust } from '../verify-trust.ts';
import { withTableDamage } from '../verify-view.ts';
import { isFileArgument } from './verify-file.ts';

export const verify: Action = async (context, [stream = ''], options) => {
  if (await isFileArgument(context, stream)) {
    const { verifyFile } = await import('./verify-file.ts');
    return verifyFile(context, stream, options);
  }
  const stated = statedIn(options);
  if (!stated.ok) return stated;
  if (options.text('html') !== undefined) {
    return err(fault('usage', '--html is for audit bundles', { pointer: '--html' }));
  }
  const holder = await lockHolder(context.paths, context.runtime);
  if (options.flag('offline') && holder !== undefined) {
    return err(runningFault(context.paths, holder));
  }
  if (holder === undefined && options.flag('repair') && !options.flag('offline')) {
    const hint = 'hw up, or --offline to mend what the blocks of this home can mend.';
    return err(fault('node-not-running', '--repair asks other peers', undefined, hint));
  }
  const view =
    holder === undefined
      ? await verifyStopped(context, stream, options, stated.value)
      : await verifyOnline(context, stream, options, stated.value);
  return view.ok ? report(context, new JsonView(view.value)) : view;
};

/** Code usage. */
function statedIn(options: Options): Result<StatedTrust> {
  const quorum = options.count('quorum', 1);
  if (!quorum.ok) return quorum;
  const stated = { owners: options.list('trust'), witnesses: options.list('witness') };
  const whole = quorum.value === undefined ? stated : { ...stated, quorum: quorum.value };
  const policy = statedTrust(whole);
  return policy.ok ? ok(whole) : policy;
}

async function verifyOnline(
  context: Context,
  stream: string,
  options: Options,
  stated: StatedTrust,
): Promise<Result<unknown>> {
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const path = await readablePath(open, context, stream, options);
  if (!path.ok) return path;
  const workers = options.count('workers', 0);
  if (!workers.ok) return workers;
  const answer = await callOn(open, context, {
    method: 'POST',
    path: `${path.value}/verify`,
    query: {
      repair: options.flag('repair') || undefined,
      workers: workers.value,
      trust: stated.owners?.join(',') || undefined,
      witness: stated.witnesses?.join(',') || undefined,
      quorum: stated.quorum,
    },
  });
  return answer.ok ? ok(answer.value.value) : answer;
}

async function verifyStopped(
  context: Context,
  stream: string,
  options: Options,
  stated: StatedTrust,
): Promise<Result<unknown>> {
  if (options.flag('repair')) {
    const { repairStopped } = await import('./verify-repair.ts');
    return repairStopped(context, stream, options);
  }
  const wanted = options.count('workers', 0);
  if (!wanted.ok) return wanted;
  // Before the store is opened: LevelDB may write tables anew when it is.
  const { checkTables } = await import('../table-check.ts');
  const damage = await checkTables(context.paths.store);
  if (!damage.ok) return damage;
  const view = await withStoppedHome(context, options, async (home, ledger, sealed) => {
    using progress = await startProgress(context.runtime.stderr, `verify ${stream}`, 100);
    const { verifyOffline } = await import('../offline-verify.ts');
    const entries = ledger.logs().reduce((sum, { size }) => sum + size, 0);
    const { runtime } = context;
    const { usualWorkers, withWorkers } = await import('../audit-workers.ts');
    const onProgress = (checked: number, of: number): void =>
      progress.update((100 * checked) / Math.max(1, of), `${countText(checked)} entries`);
    const shown = { onProgress, signal: context.signal };
    const found = await withWorkers(
      wanted.value ?? usualWorkers(entries, runtime.cores()),
      (workers) =>
        verifyOffline(home, ledger, stream, runtime.clock, { ...shown, workers }, sealed),
    );
    if (!found.ok) return found;
    const policy = statedTrust(stated);
    if (!policy.ok) return policy;
    return await withTrust(ledger, found.value, policy.value, context.runtime.clock.now());
  });
  return withTableDamage(view, damage.value);
}

async function report(context: Context, view: JsonView): Promise<Result<number>> {
  const verdict = view.text('verdict') ?? 'incomplete';
  await context.value(view.value);
  const logs = view.list('logs');
  const signers = [...new Set(logs.map((log) => log.text('signer') ?? '?'))];
  await context.say(
    `signed by ${signers.join(', ')}; ${trustText(view)}`,
    `${view.text('stream') ?? ''}: ${verdict}, ${countText(view.number('checkedEvents') ?? 0)} events checked in ${view.number('seconds') ?? 0} s`,
  );
  for (const log of logs) {
    await context.say(
      `  log ${log.text('log') ?? ''}`,
      `    ${countText(log.number('size') ?? 0)} entries, ${countText(log.number('blocks') ?? 0)} blocks, root ${log.text('root') ?? ''}`,
      ...goneLines(log),
      ...sealedLines(log),
    );
  }
  await context.say(...witnessLines(logs), ...reasonLines(view));
  const forked = logs.filter((log) => log.flag('forked'));
  for (const log of forked) {
    await context.say(
      `  FORKED: the writer of ${log.text('log') ?? ''} signed two histories; what was checked is the one kept here`,
      '    hw stream fork STREAM shows both, and writes the proof',
    );
  }
  const problem = view.at('firstProblem');
  if (problem.value !== undefined) {
    await context.say(
      `  first problem at ${indexText(problem)}: ${problem.text('code') ?? ''}`,
      ...['expected', 'found'].flatMap((name) => {
        const text = problem.text(name);
        return text === undefined ? [] : [`    ${name.padEnd(8)} ${text}`];
      }),
    );
  }
  const repairs = view.list('repairs');
  if (repairs.length > 0) {
    const { repairLines } = await import('./verify-repair.ts');
    await context.say(...repairLines(repairs));
  }
  if (
    verdict !== 'intact' &&
    repairs.some((one) => one.at('reason').text('code') === 'no-holder')
  ) {
    return ok(6);
  }
  return ok(verdict === 'intact' ? 0 : verdict === 'broken' ? 3 : 4);
}

/** What of a sealed log was read as well as proved. */
function sealedLines(log: JsonView): readonly string[] {
  const sealed = log.at('sealed');
  if (sealed.value === undefined) return [];
  const [opened = 0, noKey = 0, shredded = 0] = ['opened', 'noKey', 'shredded'].map((name) =>
    sealed.number(name),
  );
  const parts = [
    opened === 0 ? 'none opened' : `${countText(opened)} opened, each as committed to`,
    ...(noKey === 0 ? [] : [`${countText(noKey)} ciphertext alone: no access`]),
    ...(shredded === 0 ? [] : [`${countText(shredded)} shredded`]),
  ];
  return [`    sealed: ${parts.join(', ')}`];
}

function trustText(view: JsonView): string {
  const trust = view.at('trust');
  if (!trust.flag('stated')) return 'no trust was stated';
  return `the stated trust is ${trust.flag('met') ? '' : 'not '}met`;
}

function witnessLines(logs: readonly JsonView[]): readonly string[] {
  return logs.flatMap((log) => {
    const witnessed = log.at('witnessed');
    if (witnessed.value === undefined) return [];
    const names = log.list('witnesses').map(({ value }) => String(value));
    const size = countText(witnessed.number('size') ?? 0);
    const by = witnessed.text('by') ?? '';
    return [
      `  witnessed: the first ${size} entries, by ${by}`,
      ...names.map((name) => `    ${name}`),
    ];
  });
}

function reasonLines(view: JsonView): readonly string[] {
  return view
    .list('reasons')
    .map((reason) => `  ${reason.text('code') ?? ''}: ${reason.text('message') ?? ''}`);
}

function indexText(problem: JsonView): string {
  const [index, to] = [problem.number('index') ?? 0, problem.number('to')];
  return to === undefined ? `index ${countText(index)}` : `index ${index} to ${to - 1}`;
}
