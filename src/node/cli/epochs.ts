/** `hw stream epochs` and `hw stream shred`: key epochs of a sealed stream, and the end of one. */
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { formatTime } from '../../time.ts';
import { asTimeMs } from '../../types.ts';
import type { JsonView } from '../json-view.ts';
import type { Action } from './command.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { actor, callOn, callStream, streamPath } from './endpoints.ts';
import { table } from './table.ts';

export const epochs: Action = async (context, [stream = '']) => {
  const answer = await callStream(context, stream, (path) => ({
    method: 'GET',
    path: `${path}/epochs`,
  }));
  if (!answer.ok) return answer;
  await context.value(answer.value.value);
  const views = answer.value.list('epochs');
  const several = new Set(views.map((view) => view.text('log'))).size > 1;
  const header = ['epoch', 'generation', 'entries', 'opened', 'keys', ...(several ? ['log'] : [])];
  const rows = views.map((view) => [
    String(view.number('epoch') ?? 0),
    String(view.number('generation') ?? 0),
    rangeText(view),
    timeText(view.number('opened')),
    keysText(view.text('keys')),
    ...(several ? [view.text('log') ?? ''] : []),
  ]);
  await context.say(...table(header, rows));
  return ok(0);
};

export const shred: Action = async (context, [stream = ''], options) => {
  const epoch = options.count('epoch');
  if (!epoch.ok) return epoch;
  if (epoch.value === undefined) {
    const hint = 'hw stream epochs STREAM lists them.';
    return err(fault('usage', '--epoch says which', { pointer: '--epoch' }, hint));
  }
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const path = await streamPath(open, context, stream);
  if (!path.ok) return path;
  const log = options.text('log')?.replace(/^hw:/, '');
  if (!options.flag('yes')) {
    const listed = await callOn(open, context, { method: 'GET', path: `${path.value}/epochs` });
    return listed.ok ? unconfirmed(context, stream, epoch.value, log, listed.value) : listed;
  }
  const done = await callOn(open, context, {
    method: 'POST',
    path: `${path.value}/epochs/${epoch.value}/shred`,
    body: { log, ...actor(options) },
  });
  return done.ok ? told(context, stream, done.value) : done;
};

/** What would go, and that it was not done. */
async function unconfirmed(
  context: Context,
  stream: string,
  epoch: number,
  log: string | undefined,
  listed: JsonView,
): Promise<Result<number>> {
  const found = listed
    .list('epochs')
    .filter(
      (view) => view.number('epoch') === epoch && (log ?? view.text('log')) === view.text('log'),
    );
  const [only, second] = found;
  if (only === undefined) {
    return err(fault('epoch-unknown', `${stream} has opened no epoch ${epoch}`));
  }
  if (second !== undefined) {
    const hint = `Name one: --log ${only.text('log') ?? ''}`;
    const message = `${stream} has ${found.length} logs with an epoch ${epoch}`;
    return err(fault('position-ambiguous', message, undefined, hint));
  }
  await context.note(
    `epoch ${epoch} of ${stream}: ${rangeText(only)}, opened ${timeText(only.number('opened'))}`,
    'its keys would be destroyed: nobody could read it here again, nor who heeds the log',
  );
  const hint = 'Add --yes: it cannot be undone.';
  return err(fault('usage', 'nothing was done', { pointer: '--yes' }, hint));
}

async function told(context: Context, stream: string, done: JsonView): Promise<Result<number>> {
  await context.value(done.value);
  const epoch = done.number('epoch') ?? 0;
  const entry = done.number('entry');
  if (done.flag('already')) {
    await context.say(`epoch ${epoch} of ${stream} was shredded before`);
    return ok(0);
  }
  const says = entry === undefined ? 'the log was closed before' : `entry ${entry} says so`;
  await context.say(
    `epoch ${epoch} of ${stream} is shredded: ${rangeText(done)} cannot be opened here any more; ${says}`,
    'readers who heed the log destroy their keys as they hear of it; what was read, copied or disclosed stays',
    'a backup of this home made before still holds the key: destroy such backups, or restore none of them',
  );
  return ok(0);
}

function rangeText(view: JsonView): string {
  const [from, to] = [view.number('from') ?? 0, view.number('to') ?? 0];
  if (to <= from) return 'no entries';
  return to === from + 1 ? `entry ${from}` : `entries ${from} to ${to - 1}`;
}

function timeText(ms: number | undefined): string {
  return ms === undefined ? '' : formatTime(asTimeMs(ms));
}

function keysText(keys: string | undefined): string {
  return keys === 'no-key' ? 'none: no access' : (keys ?? '');
}
