/** `hw status`: one screen that says whether all is well, and if not, why and what to do. */
import { ok } from '../../result.ts';
import type { JsonView } from '../json-view.ts';
import { pastLines } from '../succession-view.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { callNode } from './endpoints.ts';
import { withOwn } from './own-peers.ts';
import { peerTable } from './peer.ts';
import { streamTable } from './stream.ts';
import { bytesText, countText, durationText } from './table.ts';

export const status: Action = async (context) => {
  const answer = await callNode(context, { method: 'GET', path: '/status' });
  if (!answer.ok) return answer;
  await context.value(answer.value.value);
  const peers = await withOwn(context, answer.value.list('peers'));
  await context.say(...statusLines(context, answer.value, peers));
  return ok(0);
};

function statusLines(
  context: Context,
  view: JsonView,
  peers: readonly JsonView[],
): readonly string[] {
  const name = view.text('name');
  const network = view.at('network');
  const started = view.number('startedAt');
  const up =
    started === undefined ? '' : `, up ${durationText(context.runtime.clock.now() - started)}`;
  const store = view.at('store');
  const rates = view.at('rates');
  const rate = (member: string): string => countText(rates.number(member) ?? 0);
  return [
    `${name ?? 'node'} ${view.flag('ready') ? 'is ready' : 'is not ready'} (${view.text('version') ?? ''}${up})`,
    `  organisation  ${view.text('organisation') ?? ''}`,
    ...pastLines(view, 14),
    `  network       ${network.text('name') ?? network.text('id') ?? 'none'}`,
    `  api           ${view.text('api') ?? ''}`,
    ...view.list('addresses').map((address) => `  listening     ${String(address.value)}`),
    `  store         ${bytesText(store.number('bytes') ?? 0)}${store.at('accepting').value === false ? ', accepts nothing' : ''}`,
    `  scrub         ${scrubText(view.at('scrub'))}`,
    `  rates         ${rate('publishedPerSecond')}/s published, ${rate('appliedPerSecond')}/s received`,
    '',
    ...streamTable(view.list('streams')),
    '',
    ...peerTable(peers),
    ...problemLines(context, view.list('checks')),
  ];
}

/** What the background check has seen since the start. */
function scrubText(scrub: JsonView): string {
  const count = (member: string): string => countText(scrub.number(member) ?? 0);
  const seen = `${count('checkedEntries')} entries checked`;
  const found = scrub.number('found') ?? 0;
  if (found === 0) return `${seen}, nothing damaged`;
  return `${seen}, ${countText(found)} damaged places found, ${count('repaired')} repaired, ${count('open')} open`;
}

/** What is not OK, each with its reason, since when, and what to do; nothing where all is well. */
function problemLines(context: Context, checks: readonly JsonView[]): readonly string[] {
  const bad = checks.filter((check) => !check.flag('ok'));
  return bad.length === 0 ? [] : ['', ...bad.flatMap((check) => checkLines(context, check))];
}

/** One check as lines. */
export function checkLines(context: Context, check: JsonView): readonly string[] {
  const level = check.flag('ok') ? 'ok' : (check.text('level') ?? 'error');
  const since = check.number('since');
  const age =
    since === undefined ? '' : `, for ${durationText(context.runtime.clock.now() - since)}`;
  const reason = check.text('reason');
  const hint = check.text('hint');
  return [
    `${level.padEnd(8)}${check.text('name') ?? ''}${reason === undefined ? '' : `: ${reason}`}${check.flag('ok') ? '' : age}`,
    ...(hint === undefined ? [] : [`        ${hint}`]),
  ];
}
