/** `hw stream …`: the streams of this node. */
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { JsonView } from '../json-view.ts';
import { pastLines } from '../succession-view.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { actor, callNode, callStream } from './endpoints.ts';
import type { Options } from './options.ts';
import { epochLines, policyLines, sealingOf } from './rekey.ts';
import { keptText, retentionOf } from './retention.ts';
import { countText, shortId, table } from './table.ts';

export const create: Action = async (context, [name = ''], options) => {
  const partitions = options.count('partitions', 1);
  if (!partitions.ok) return partitions;
  const retention = retentionOf(options);
  if (!retention.ok) return retention;
  const quorum = options.count('quorum', 1);
  if (!quorum.ok) return quorum;
  const sealing = sealingOf(options);
  if (!sealing.ok) return sealing;
  const keys = options.list('witness');
  if (keys.length === 0 && quorum.value !== undefined) {
    return err(fault('usage', '--quorum counts the keys of --witness', { pointer: '--quorum' }));
  }
  const witnesses = keys.length === 0 ? undefined : { keys, quorum: quorum.value ?? keys.length };
  const body = {
    name,
    witnesses,
    retention: retention.value,
    partitions: partitions.value,
    ...sealing.value,
    contentType: options.text('contentType'),
    description: options.text('description'),
    ...actor(options),
  };
  const created = await callNode(context, { method: 'POST', path: '/streams', body });
  if (!created.ok) return created;
  await context.value(created.value.value);
  await context.say(
    `created ${displayName(created.value)}`,
    `log ${created.value.text('id') ?? ''}`,
  );
  return ok(0);
};

export const list: Action = async (context, _args, options) => {
  const query = { all: options.flag('all') };
  const answer = await callNode(context, { method: 'GET', path: '/streams', query });
  if (!answer.ok) return answer;
  const streams = answer.value.list('streams');
  await context.value(answer.value.value);
  await context.say(...streamTable(streams));
  return ok(0);
};

export const show: Action = async (context, [stream = '']) => {
  const view = await callStream(context, stream, (path) => ({ method: 'GET', path }));
  return view.ok ? showStream(context, view.value) : view;
};

export const pause: Action = (context, [stream = ''], options) =>
  setPaused(context, stream, true, options);

export const resume: Action = (context, [stream = ''], options) =>
  setPaused(context, stream, false, options);

async function setPaused(
  context: Context,
  stream: string,
  paused: boolean,
  options: Options,
): Promise<Result<number>> {
  const body = { paused, ...actor(options) };
  const view = await callStream(context, stream, (path) => ({ method: 'PATCH', path, body }));
  if (!view.ok) return view;
  await context.value(view.value.value);
  await context.say(`${displayName(view.value)} ${paused ? 'is paused' : 'takes events again'}`);
  return ok(0);
}

async function showStream(context: Context, view: JsonView): Promise<Result<number>> {
  await context.value(view.value);
  await context.say(
    displayName(view),
    `  owner       ${view.text('owner') ?? ''}`,
    ...pastLines(view, 12),
    `  visibility  ${view.text('visibility') ?? ''}, ${view.number('partitions') ?? 1} partition(s)`,
    `  state       ${streamState(view)}`,
    ...(view.at('retention').value === undefined
      ? []
      : [`  keeps       ${keptText(view.at('retention'))}`]),
    ...policyLines(view.at('epochs')),
  );
  for (const log of view.list('logs')) {
    await context.say(
      `  log         ${log.text('log') ?? ''}`,
      `    size      ${countText(log.number('size') ?? 0)} entries in ${countText(log.number('blocks') ?? 0)} blocks`,
      ...lowestLines(log),
      ...epochLines(log.at('epoch')),
      `    root      ${log.text('root') ?? ''}`,
      `    role      ${log.text('role') ?? ''}, ${log.text('state') ?? ''}`,
    );
    await context.say(...forkedLines(log.at('fork')));
    const closing = log.at('closing');
    const end = closing.number('size');
    if (end !== undefined) {
      const whole = closing.flag('whole') ? '' : ', not all of it is here yet';
      await context.say(`    closed    at ${countText(end)} entries${whole}`);
      await context.say(`    successor ${closing.text('successor') ?? ''}`);
    }
    const problem = log.at('problem');
    const message = problem.text('message');
    if (message !== undefined)
      await context.say(`    problem   ${message} [${problem.text('code')}]`);
  }
  return ok(0);
}

/** Both heads of a forked log. */
function forkedLines(fork: JsonView): readonly string[] {
  return (['a', 'b'] as const).flatMap((name) => {
    const { size, root } = { size: fork.at(name).number('size'), root: fork.at(name).text('root') };
    if (size === undefined || root === undefined) return [];
    return [`    history ${name.toUpperCase()} ${countText(size)} entries, root ${root}`];
  });
}

function lowestLines(log: JsonView): readonly string[] {
  const lowest = log.number('lowest') ?? 0;
  return lowest === 0 ? [] : [`    offers    entries from ${countText(lowest)} on`];
}

/** One line a stream: name, entries, what we are to it, how it is, how far behind, its id. */
export function streamTable(streams: readonly JsonView[]): readonly string[] {
  if (streams.length === 0) return ['no streams yet; make one with hw stream create NAME'];
  const rows = streams.map((view) => [
    displayName(view),
    countText(sum(view, 'size')),
    streamRole(view),
    streamState(view),
    lagText(view),
    shortId(view.text('id') ?? ''),
  ]);
  return table(['STREAM', 'ENTRIES', 'ROLE', 'STATE', 'BEHIND', 'ID'], rows);
}

export function displayName(view: JsonView): string {
  return view.text('display') ?? `${view.text('owner') ?? '?'}/${view.text('name') ?? '?'}`;
}

function streamRole(view: JsonView): string {
  if (view.flag('own')) return 'own';
  return view.flag('followed') ? 'followed' : 'known';
}

function streamState(view: JsonView): string {
  if (view.flag('paused')) return 'paused';
  // A closed log has a successor, whose state is the partition's.
  const states = view
    .list('logs')
    .filter((log) => log.at('closing').text('successor') === undefined)
    .map((log) => log.text('state') ?? 'open');
  return states.find((state) => state !== 'open') ?? (states.length === 0 ? '-' : 'open');
}

function lagText(view: JsonView): string {
  return view.list('logs').length === 0 ? '-' : countText(sum(view, 'lagEntries'));
}

function sum(view: JsonView, name: string): number {
  return view.list('logs').reduce((total, log) => total + (log.number(name) ?? 0), 0);
}
