/** Key epochs of sealed streams on the command line: `--epoch`, what `hw stream show` says, `rekey`. */
import { fault } from '../../errors.ts';
import type { EpochPolicy } from '../../ledger/epoch-policy.ts';
import { err, ok, type Result } from '../../result.ts';
import { formatTime } from '../../time.ts';
import { asTimeMs } from '../../types.ts';
import { durationMs, durationUnits } from '../duration.ts';
import type { JsonView } from '../json-view.ts';
import type { Action } from './command.ts';
import { actor, callStream } from './endpoints.ts';
import type { Options } from './options.ts';
import { unitText } from './retention.ts';
import { countText } from './table.ts';

/** What a new stream is created with. */
interface Sealing {
  readonly visibility: string | undefined;
  readonly epochs?: EpochPolicy;
}

/** `--sealed`, `--visibility` and `--epoch`. Code: usage. */
export function sealingOf(options: Options): Result<Sealing> {
  const named = options.text('visibility');
  if (options.flag('sealed') && named !== undefined && named !== 'sealed') {
    return err(
      fault('usage', `--sealed contradicts --visibility ${named}`, { pointer: '--sealed' }),
    );
  }
  const visibility = options.flag('sealed') ? 'sealed' : named;
  const lengths = options.list('epoch');
  if (lengths.length === 0) return ok({ visibility });
  let epochs: EpochPolicy = {};
  for (const text of lengths) {
    const events = /^(\d{1,12})events?$/.exec(text)?.[1];
    const everyMs = durationMs(text);
    if (events !== undefined) epochs = { ...epochs, everyEvents: Number(events) };
    else if (everyMs !== undefined) epochs = { ...epochs, everyMs };
    else {
      const message = `--epoch ${text}: a time such as 15m, 1h or 7d, or a number such as 1000events`;
      return err(fault('usage', message, { pointer: '--epoch' }));
    }
  }
  return ok({ visibility, epochs });
}

export function policyLines(epochs: JsonView): readonly string[] {
  const [ms, events] = [epochs.number('everyMs'), epochs.number('everyEvents')];
  const parts = [
    ...(ms === undefined ? [] : [unitText(ms, durationUnits)]),
    ...(events === undefined ? [] : [`${countText(events)} events`]),
  ];
  return parts.length === 0 ? [] : [`  new keys    after ${parts.join(' or ')}`];
}

export function epochLines(epoch: JsonView): readonly string[] {
  const number = epoch.number('epoch');
  if (number === undefined) return [];
  const since = epoch.number('since');
  const when = since === undefined ? '' : `, since ${formatTime(asTimeMs(since))}`;
  return [`    epoch     ${number}, generation ${epoch.number('generation') ?? 0}${when}`];
}

export const rekey: Action = async (context, [stream = ''], options) => {
  const done = await callStream(context, stream, (path) => ({
    method: 'POST',
    path: `${path}/epochs`,
    body: actor(options),
  }));
  if (!done.ok) return done;
  await context.value(done.value.value);
  for (const opened of done.value.list('opened')) {
    await context.say(
      `hw:${opened.text('log') ?? ''} goes on in epoch ${opened.number('epoch') ?? 0}, generation ${opened.number('generation') ?? 0}`,
    );
  }
  await context.say('readers with a grant ask for the new keys by themselves');
  return ok(0);
};
