/** `hw peer revoke` and `hw key revoke`: taking back what lets somebody act for the organisation. */
import { fault } from '../../errors.ts';
import { parseLogId } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Action } from './command.ts';
import { actor, callNode } from './endpoints.ts';
import { fileText } from './file-input.ts';
import { keySource } from './key-option.ts';
import { countText, table } from './table.ts';

export const writer: Action = async (context, [peer = ''], options) => {
  const good = goodOf(options.list('good'));
  if (!good.ok) return good;
  const key = await keySource(context, options);
  if (!key.ok) return key;
  const path = `/peers/${encodeURIComponent(peer)}/revoke`;
  const body = { good: good.value, ...key.value, ...actor(options) };
  const answer = await callNode(context, { method: 'POST', path, body });
  if (!answer.ok) return answer;
  await context.value(answer.value.value);
  const logs = answer.value.list('logs');
  const rows = logs.map((log) => [
    log.text('stream') ?? '',
    String(log.number('partition') ?? 0),
    `hw:${log.text('log') ?? ''}`,
    String(log.number('last') ?? ''),
    countText(log.number('beyond') ?? 0),
  ]);
  await context.say(
    `${peer} writes no logs of this organisation any more`,
    ...table(['STREAM', 'PARTITION', 'LOG', 'LAST GOOD', 'BEYOND'], rows),
  );
  if (!answer.value.flag('standing')) {
    await context.note(`It was not connected since the start: hw peer ban ${peer} keeps it out.`);
  }
  const names = new Set(logs.map((log) => log.text('stream') ?? ''));
  for (const name of names) {
    await context.note(`Next: hw stream recover ${name} --reason fork goes on from there.`);
  }
  return ok(0);
};

export const delegation: Action = async (context, [file = ''], options) => {
  const text = await fileText(context, file);
  if (!text.ok) return text;
  const key = await keySource(context, options);
  if (!key.ok) return key;
  const body = { delegation: text.value.trim(), ...key.value, ...actor(options) };
  const answer = await callNode(context, { method: 'POST', path: '/revocations', body });
  if (!answer.ok) return answer;
  const { value } = answer;
  await context.value(value.value);
  await context.say(
    `${value.text('command') ?? ''} of ${value.text('holder') ?? ''} is void`,
    `  delegation  ${value.text('delegation') ?? ''}`,
  );
  if (!value.flag('recorded')) {
    await context.note('It is not in the registry yet: that is done as soon as it can be written.');
  }
  return ok(0);
};

function goodOf(given: readonly string[]): Result<Readonly<Record<string, number>>> {
  const good: Record<string, number> = {};
  for (const text of given) {
    const [, log = '', index = ''] = /^(?:hw:)?([^=]+)=([0-9]{1,15})$/.exec(text) ?? [];
    const logId = parseLogId(log);
    if (!logId.ok || index === '') {
      const hint = 'For example --good hw:bafk…=4711; hw stream show names the logs.';
      return err(
        fault(
          'usage',
          '--good takes LOG=INDEX of the last good entry',
          { pointer: '--good' },
          hint,
        ),
      );
    }
    good[logId.value] = Number(index);
  }
  return ok(good);
}
