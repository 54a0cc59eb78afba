/** `hw stream fork STREAM`: both histories of a forked stream, and the proof as a file. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { fileFault } from '../files.ts';
import type { JsonView } from '../json-view.ts';
import type { Action } from './command.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { callOn, streamView } from './endpoints.ts';

export const fork: Action = async (context, [stream = ''], options) => {
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const view = await streamView(open, context, stream);
  if (!view.ok) return view;
  const forks: JsonView[] = [];
  for (const log of view.value.list('logs')) {
    if (log.at('fork').value === undefined) continue;
    const path = `/logs/${log.text('log') ?? ''}/fork`;
    const found = await callOn(open, context, { method: 'GET', path });
    if (!found.ok) return found;
    forks.push(found.value);
  }
  const [first, another] = forks;
  if (first === undefined) return err(fault('fork-unknown', `no fork of ${stream} is known here`));
  await context.value(another === undefined ? first.value : forks.map(({ value }) => value));
  for (const one of forks) await context.say(...forkLines(one));
  const out = options.text('out');
  if (out === undefined) return ok(0);
  if (another !== undefined) {
    const hint = 'GET /api/v1/logs/{logId}/fork gives each of them.';
    return err(fault('position-ambiguous', 'several logs are forked', undefined, hint));
  }
  return save(context, out, first);
};

async function save(context: Context, out: string, view: JsonView): Promise<Result<number>> {
  const file = resolve(context.runtime.directory, out);
  try {
    await writeFile(file, Buffer.from(view.text('proof') ?? '', 'base64'));
  } catch (cause) {
    return err(fileFault('file-unwritable', out, cause));
  }
  await context.say(`the proof is in ${out}; hw verify ${out} checks it anywhere`);
  return ok(0);
}

function forkLines(view: JsonView): readonly string[] {
  const ours = view.text('ours');
  const line = (name: 'a' | 'b'): readonly string[] => {
    const head = view.at(name);
    const mark = ours === name ? ', kept here as the log' : '';
    return [
      `  ${name.toUpperCase()}  ${head.number('size') ?? 0} entries${mark}`,
      `     root ${head.text('root') ?? ''}`,
    ];
  };
  return [
    `log ${view.text('log') ?? ''} is forked: its writer signed two histories`,
    ...line('a'),
    ...line('b'),
    `  ${view.number('kept') ?? 0} block(s) of another history are kept beside it`,
  ];
}
