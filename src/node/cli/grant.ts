/** `hw grant …` against the running node. */
import { resolve } from 'node:path';
import { fieldSets } from '../../access/grant.ts';
import { keyCommand } from '../../access/grant.ts';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { formatTime, parseTime } from '../../time.ts';
import { asTimeMs } from '../../types.ts';
import { durationMs } from '../duration.ts';
import { replaceFile } from '../files.ts';
import type { JsonView } from '../json-view.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { usageLines } from './grant-usage.ts';
import { actor, callNode } from './endpoints.ts';
import { fileText } from './file-input.ts';
import { handedToPeer } from './handed-to-peer.ts';
import type { Options } from './options.ts';
import { durationText, table } from './table.ts';

export const create: Action = async (context, [stream = ''], options) => {
  const to = options.text('to');
  if (to === undefined) return err(usage('--to', 'says who may read: a DID or a name'));
  const fields = options.text('fields');
  if (fields !== undefined && !fieldSets.some((one) => one === fields)) {
    const hint = 'Finer control is a stream of its own for each class of reader.';
    return err(fault('fields-unsupported', `--fields ${fields}`, { pointer: '--fields' }, hint));
  }
  const terms = termsOf(context, options);
  if (!terms.ok) return terms;
  const purpose = options.text('purpose');
  const body = { stream, to, ...terms.value, purpose, fields, ...actor(options) };
  const made = await callNode(context, { method: 'POST', path: '/grants', body });
  return made.ok ? tellGrant(context, made.value, options) : made;
};

export const show: Action = async (context, [id = ''], options) => {
  const path = `/grants/${encodeURIComponent(id)}`;
  const found = await callNode(context, { method: 'GET', path });
  return found.ok ? tellGrant(context, found.value, options) : found;
};

export const take: Action = async (context, [file = ''], options) => {
  const imported = await importGrant(context, file, options);
  if (!imported.ok) return imported;
  await context.value(imported.value.value);
  await context.say(...grantLines(context, imported.value));
  const stream = imported.value.text('stream') ?? '';
  const alone = imported.value.text('fields') !== undefined;
  await context.note(
    alone
      ? `hw replay ${stream} --fields attributes reads it now`
      : `hw follow ${stream} keeps a copy of it now`,
  );
  return ok(0);
};

/** Gives the grant in a file to the node. */
export async function importGrant(
  context: Context,
  file: string,
  options: Options,
): Promise<Result<JsonView>> {
  const text = await fileText(context, file);
  if (!text.ok) return text;
  const own = await handedToPeer(context, options, text.value);
  if (!own.ok) return own;
  const body = { grant: own.value.trim(), ...actor(options) };
  return callNode(context, { method: 'POST', path: '/grants/import', body });
}

export const revoke: Action = async (context, [id = ''], options) => {
  const path = `/grants/${encodeURIComponent(id)}`;
  const gone = await callNode(context, { method: 'DELETE', path, body: actor(options) });
  if (!gone.ok) return gone;
  await context.value(gone.value.value);
  await context.say(
    `revoked the grant of ${gone.value.text('stream') ?? ''} for ${holder(gone.value)}`,
  );
  await context.note('what was read cannot be unread');
  const until = gone.value.number('keysUntil');
  if (until !== undefined) {
    const when =
      until === 0 ? 'until the open epoch has its events' : `until ${timeText(until) ?? ''}`;
    await context.note(
      `keys change once in an epoch, and did: those that are out open what is published ${when}`,
    );
  }
  return ok(0);
};

export const list: Action = async (context, _args, options) => {
  const limit = options.count('limit', 1);
  if (!limit.ok) return limit;
  const texts = ['stream', 'state', 'side', 'after'].map((name) => [name, options.text(name)]);
  const usage = options.flag('usage');
  const filter = Object.fromEntries(texts);
  const query = { ...filter, limit: limit.value, ...(usage ? { usage } : {}) };
  const answer = await callNode(context, { method: 'GET', path: '/grants', query });
  if (!answer.ok) return answer;
  await context.value(answer.value.value);
  const grants = answer.value.list('grants');
  if (usage) await context.say(...usageLines(answer.value, context.runtime.clock.now()));
  else if (grants.length === 0) await context.say('no grants');
  else {
    const rows = grants.map((grant) => [
      (grant.text('id') ?? '').slice(-8),
      grant.text('side') ?? '',
      grant.text('stream') ?? '',
      holder(grant),
      stateText(grant),
      timeText(grant.number('expires')) ?? 'never',
      grant.text('purpose') ?? '',
    ]);
    const head = ['GRANT', 'SIDE', 'STREAM', 'HOLDER', 'STATE', 'EXPIRES', 'PURPOSE'];
    await context.say(...table(head, rows));
  }
  const requests = answer.value.list('requests');
  if (requests.length > 0 && !usage) await context.say('', ...requestTable(context, requests));
  const next = answer.value.text('next');
  if (next !== undefined) await context.note(`there are more: --after ${next}`);
  return ok(0);
};

export const request: Action = async (context, [stream = ''], options) => {
  const purpose = options.text('purpose');
  if (purpose === undefined) return err(usage('--purpose', 'says for what; the owner reads it'));
  const seconds = secondsOf(options);
  if (!seconds.ok) return seconds;
  const body = { stream, purpose, seconds: seconds.value, ...actor(options) };
  const made = await callNode(context, { method: 'POST', path: '/grants/requests', body });
  return made.ok ? tellRequest(context, made.value) : made;
};

export const accept: Action = async (context, [id = ''], options) => {
  const terms = termsOf(context, options);
  if (!terms.ok) return terms;
  return answer(context, id, { state: 'accepted', ...terms.value, ...actor(options) });
};

export const reject: Action = (context, [id = ''], options) =>
  answer(context, id, { state: 'rejected', reason: options.text('reason'), ...actor(options) });

export const withdraw: Action = (context, [id = ''], options) =>
  answer(context, id, { state: 'withdrawn', ...actor(options) });

async function answer(
  context: Context,
  id: string,
  body: Readonly<Record<string, unknown>>,
): Promise<Result<number>> {
  const path = `/grants/requests/${encodeURIComponent(id)}`;
  const answered = await callNode(context, { method: 'PATCH', path, body });
  return answered.ok ? tellRequest(context, answered.value) : answered;
}

export async function tellGrant(
  context: Context,
  grant: JsonView,
  options: Options,
): Promise<Result<number>> {
  const text = `${grant.text('grant') ?? ''}\n`;
  const out = options.text('out');
  await context.value(grant.value);
  if (out === undefined) {
    await context.note(...grantLines(context, grant));
    await context.say(text.trim());
    return ok(0);
  }
  const file = resolve(context.runtime.directory, out);
  const written = await replaceFile(file, text, 0o600);
  if (!written.ok) return written;
  await context.say(...grantLines(context, grant));
  await context.note(`written to ${out}: hw grant import takes it on the holder's side`);
  return ok(0);
}

export async function tellRequest(context: Context, request: JsonView): Promise<Result<number>> {
  await context.value(request.value);
  await context.say(...requestTable(context, [request]));
  return ok(0);
}

function grantLines(context: Context, grant: JsonView): readonly string[] {
  const [from, to] = [timeText(grant.number('from')), timeText(grant.number('to'))];
  const expires = grant.number('expires');
  const left = expires === undefined ? 0 : expires - context.runtime.clock.now();
  const [purpose, within] = [grant.text('purpose'), grant.text('within')];
  return [
    `grant ${grant.text('id') ?? ''}`,
    `  stream      ${grant.text('stream') ?? ''}`,
    ...(grant.text('command') === keyCommand ? ['  for         its epoch keys: it is sealed'] : []),
    `  holder      ${holder(grant)}`,
    `  recorded    ${from ?? 'from the beginning'} to ${to ?? 'without end'}`,
    `  expires     ${expires === undefined ? 'never' : `${timeText(expires) ?? ''} (${left > 0 ? `in ${durationText(left)}` : 'over'})`}`,
    ...(purpose === undefined ? [] : [`  purpose     ${purpose}`]),
    ...(grant.text('fields') === undefined ? [] : ['  fields      attributes, as proofs']),
    ...(within === undefined ? [] : [`  for peers   of ${within} alone`]),
    `  handed on   ${grant.number('handOns') ?? 'as often as a chain may have links'}${grant.number('handOns') === undefined ? '' : ' more time(s)'}`,
    `  state       ${stateText(grant)}`,
  ];
}

function requestTable(context: Context, requests: readonly JsonView[]): readonly string[] {
  const now = context.runtime.clock.now();
  const rows = requests.map((one) => [
    (one.text('id') ?? '').slice(0, 16),
    one.text('side') === 'in' ? 'to us' : 'ours',
    one.text('stream') ?? '',
    one.text('organisationName') ?? one.text('organisation') ?? '',
    one.flag('unknownStream') ? 'no such stream' : (one.text('state') ?? ''),
    durationText(now - (one.number('since') ?? now)),
    one.text('reason') ?? purposeText(one),
  ]);
  return table(['REQUEST', '', 'STREAM', 'ASKED BY', 'STATE', 'SINCE', 'PURPOSE OR REASON'], rows);
}

function purposeText(request: JsonView): string {
  const purpose = request.text('purpose') ?? '';
  const renews = request.text('renews');
  return renews === undefined ? purpose : `${purpose} (renews ${renews.slice(-8)})`;
}

function holder(grant: JsonView): string {
  const name = grant.text('holderName') ?? grant.text('holder') ?? '';
  const through = grant.list('through').map(({ value }) => String(value));
  return through.length === 0 ? name : `${name} through ${through.join(', ')}`;
}

function stateText(grant: JsonView): string {
  const problem = grant.at('problem').text('code');
  return `${grant.text('state') ?? ''}${problem === undefined ? '' : ` (${problem})`}`;
}

function timeText(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatTime(asTimeMs(ms));
}

interface Terms {
  readonly from?: string;
  readonly until?: string;
  readonly seconds?: number;
  readonly depth?: number;
}

function termsOf(context: Context, options: Options): Result<Terms> {
  const from = timeOption(context, options, 'from');
  if (!from.ok) return from;
  const until = timeOption(context, options, 'until');
  if (!until.ok) return until;
  const seconds = secondsOf(options);
  if (!seconds.ok) return seconds;
  const depth = options.text('depth') === undefined ? ok(undefined) : options.count('depth');
  if (!depth.ok) return depth;
  return ok({
    ...(from.value === undefined ? {} : { from: from.value }),
    ...(until.value === undefined ? {} : { until: until.value }),
    ...(seconds.value === undefined ? {} : { seconds: seconds.value }),
    ...(depth.value === undefined ? {} : { depth: depth.value }),
  });
}

function timeOption(context: Context, options: Options, name: string): Result<string | undefined> {
  const text = options.text(name);
  if (text === 'now') return ok(formatTime(context.runtime.clock.now()));
  if (text === undefined || parseTime(text).ok) return ok(text);
  return err(usage(`--${name}`, 'takes an RFC 3339 time such as 2026-11-01T00:00:00Z, or now'));
}

export function secondsOf(options: Options): Result<number | undefined> {
  const text = options.text('for');
  if (text === undefined) return ok(undefined);
  const ms = durationMs(text);
  if (ms !== undefined) return ok(Math.ceil(ms / 1000));
  return err(usage('--for', 'takes a duration such as 90s, 15m, 12h, 30d or 8w'));
}

function usage(flag: string, what: string): ReturnType<typeof fault> {
  return fault('usage', `${flag} ${what}`, { pointer: flag });
}
