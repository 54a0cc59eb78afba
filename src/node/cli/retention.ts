/** `hw stream policy` and `hw redact`: what a stream keeps, and taking one event out of it. */
import { fault, type Fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { durationMs, durationUnits } from '../duration.ts';
import type { JsonView } from '../json-view.ts';
import type { RetentionView } from '../retention-api.ts';
import type { Action } from './command.ts';
import { connect } from './connect.ts';
import { actor, callOn, callStream, eventPath } from './endpoints.ts';
import type { Options } from './options.ts';
import { countText } from './table.ts';

export const policy: Action = async (context, [stream = ''], options) => {
  const wanted = retentionOf(options);
  if (!wanted.ok) return wanted;
  const body = { retention: wanted.value, ...actor(options) };
  const view = await callStream(context, stream, (path) =>
    wanted.value === undefined ? { method: 'GET', path } : { method: 'PATCH', path, body },
  );
  if (!view.ok) return view;
  const logs = view.value.list('logs').map((log) => ({
    log: log.text('log'),
    size: log.number('size'),
    lowest: log.number('lowest'),
  }));
  await context.value({ retention: view.value.at('retention').value, logs });
  await context.say(...policyLines(view.value));
  return ok(0);
};

export const redact: Action = async (context, [event = ''], options) => {
  const reason = options.text('reason');
  if (reason === undefined || reason.trim() === '') {
    const hint = 'The reason stays in the log, for everybody who keeps it: name no secret in it.';
    return err(fault('usage', '--reason says why', { pointer: '--reason' }, hint));
  }
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const path = await eventPath(open, context, event);
  if (!path.ok) return path;
  const done = await callOn(open, context, {
    method: 'POST',
    path: `${path.value}/redact`,
    body: { reason, ...actor(options) },
  });
  if (!done.ok) return done;
  await context.value(done.value.value);
  const entry = done.value.number('entry') ?? 0;
  await context.say(
    done.value.flag('already')
      ? `${event} was redacted before, by entry ${entry}`
      : `${event} is redacted: its content is gone from this node, entry ${entry} says why`,
    'followers do the same as they hear of it; what was copied elsewhere cannot be called back',
  );
  return ok(0);
};

/** What the flags ask for; undefined where there is none of them. */
export function retentionOf(options: Options): Result<RetentionView | undefined> {
  const [keep, age, size] = [
    options.text('keep'),
    options.text('maxAge'),
    options.text('maxBytes'),
  ];
  const below = options.count('below');
  if (!below.ok) return below;
  const maxAgeMs = age === undefined ? undefined : durationMs(age);
  if (age !== undefined && maxAgeMs === undefined) {
    return err(usage('--max-age', 'takes a duration such as 90s, 15m, 12h, 30d or 8w'));
  }
  const maxBytes = size === undefined ? undefined : byteCount(size);
  if (size !== undefined && maxBytes === undefined) {
    return err(usage('--max-bytes', 'takes a size such as 500000, 20MB or 10GiB'));
  }
  const limited: RetentionView = {
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(below.value === undefined ? {} : { below: below.value }),
    ...(options.flag('compact') ? { compact: true } : {}),
  };
  const none = Object.keys(limited).length === 0;
  if (keep === undefined) return ok(none ? undefined : limited);
  if (keep !== 'all') return err(usage('--keep', 'takes all'));
  return none ? ok({ keep }) : err(usage('--keep', 'all goes with no other flag of retention'));
}

function usage(pointer: string, what: string): Fault {
  return fault('usage', `${pointer} ${what}`, { pointer });
}

const sizes: Readonly<Record<string, number>> = {
  '': 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

function byteCount(text: string): number | undefined {
  return scaled(/^(\d{1,15})([kKMGT]?i?B?)$/.exec(text), sizes);
}

function scaled(
  match: RegExpExecArray | null,
  units: Readonly<Record<string, number>>,
): number | undefined {
  const unit = units[match?.[2] ?? '-'];
  const value = unit === undefined ? 0 : Number(match?.[1]) * unit;
  return value >= 1 && Number.isSafeInteger(value) ? value : undefined;
}

/** What a stream keeps, and how far that has come in each of its logs. */
function policyLines(view: JsonView): readonly string[] {
  const name = view.text('display') ?? view.text('name') ?? '';
  const lines = [`${name} keeps ${keptText(view.at('retention'))}`];
  for (const log of view.list('logs')) {
    const lowest = log.number('lowest') ?? 0;
    const size = countText(log.number('size') ?? 0);
    const offered = lowest === 0 ? 'all offered' : `offered from index ${countText(lowest)} on`;
    lines.push(`  log ${log.text('log') ?? ''}: ${size} entries, ${offered}`);
  }
  return lines;
}

/** A policy in words, from its JSON. */
export function keptText(policyView: JsonView): string {
  const [age, bytes] = [policyView.number('maxAgeMs'), policyView.number('maxBytes')];
  const below = policyView.number('below');
  const parts = [
    age === undefined ? [] : [`${unitText(age, durationUnits)} back`],
    bytes === undefined ? [] : [`the newest ${unitText(bytes, sizes)}`],
    below === undefined ? [] : [`what is at index ${below} or behind it`],
    policyView.flag('compact') ? ['the newest event of each subject'] : [],
  ].flat();
  return parts.length === 0 ? 'everything' : parts.join(', and of that ');
}

/** In the largest unit that gives a whole number. */
export function unitText(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, factor] = Object.entries(units)
    .filter(([, each]) => value % each === 0)
    .reduce((best, one) => (one[1] > best[1] ? one : best), ['', 1]);
  const text = unit === '' ? (units === durationUnits ? 'ms' : 'bytes') : unit;
  return `${value / factor} ${text}`;
}

/** What a verified log says of contents that are gone. */
export function goneLines(log: JsonView): readonly string[] {
  const counts = ['redacted', 'dropped'].flatMap((name) => {
    const count = log.number(name) ?? 0;
    return count === 0 ? [] : [`${countText(count)} ${name}`];
  });
  return counts.length === 0 ? [] : [`    of its events ${counts.join(', ')}: leaves checked`];
}

/** What a reader from the start does not get, for stderr; undefined where all is there. */
export function goneNote(view: JsonView, from: string): string | undefined {
  const logs = view.list('logs');
  const index = from === 'start' ? 0 : Number(from);
  const gone = logs.some((log) => (log.number('lowest') ?? 0) > index);
  const compact = view.at('retention').flag('compact');
  if (Number.isNaN(index) || (!gone && !compact)) return undefined;
  const lowest = Math.max(...logs.map((log) => log.number('lowest') ?? 0));
  const where = !gone ? '' : logs.length === 1 ? ` before index ${lowest}` : ' at the beginning';
  return `note: events${where} are no longer kept: the stream keeps ${keptText(view.at('retention'))}`;
}
