/** `hw witness …`: this peer as a witness, and the witnesses of its own streams. */
import { fault } from '../../errors.ts';
import { didKey } from '../../ids.ts';
import { selfNamedCosigner } from '../../ledger/cosignature.ts';
import { formatVkey } from '../../ledger/note.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { err, ok } from '../../result.ts';
import { formatTime } from '../../time.ts';
import { asTimeMs } from '../../types.ts';
import { keyInfo, keyPath } from '../home-keys.ts';
import type { JsonView } from '../json-view.ts';
import type { Action } from './command.ts';
import { callNode } from './endpoints.ts';
import { countText, table } from './table.ts';

export const key: Action = async (context) => {
  const home = await context.readHome();
  if (!home.ok) return home;
  const info = await keyInfo(context.paths, 'witness');
  if (!info.ok) return info;
  const { did } = info.value;
  if (did === undefined) {
    const file = keyPath(context.paths, 'witness');
    return err(fault('witness-key', 'this home has no witness key', { file }));
  }
  const vkey = formatVkey(selfNamedCosigner(nodeCrypto, didKey(did)));
  const serves = home.value.config.roles.includes('witness');
  await context.value({ did, vkey, role: serves });
  await context.say(did, vkey);
  if (!serves) await context.note('this peer does not witness yet: hw config set roles witness');
  return ok(0);
};

export const list: Action = async (context) => {
  const answer = await callNode(context, { method: 'GET', path: '/witness' });
  if (!answer.ok) return answer;
  const view = answer.value;
  await context.value(view.value);
  const own = view.list('witnesses');
  if (own.length > 0) {
    const rows = own.map((one) => [
      one.text('stream') ?? '',
      one.text('witness') ?? '',
      one.text('via') ?? '',
      `${countText(one.number('size') ?? 0)} of ${countText(one.number('head') ?? 0)}`,
      stateText(one),
    ]);
    await context.say(...table(['STREAM', 'WITNESS', 'VIA', 'COSIGNED', 'STATE'], rows));
  } else {
    await context.say('no stream of this home has a witness; hw stream create NAME --witness KEY');
  }
  const self = view.at('self');
  if (self.value === undefined) return ok(0);
  const witnessed = view.list('witnessed');
  await context.say('', `this peer witnesses as ${self.text('did') ?? ''}`);
  if (witnessed.length === 0) await context.say('  nothing has been cosigned yet');
  else {
    const rows = witnessed.map((row) => [
      row.text('origin') ?? '',
      countText(row.number('size') ?? 0),
      row.text('time') ?? '',
    ]);
    await context.say(...table(['ORIGIN', 'SIZE', 'COSIGNED AT'], rows));
  }
  return ok(0);
};

function stateText(one: JsonView): string {
  const since = one.number('behindSince');
  const reason = one.at('reason').text('message');
  if (since === undefined) return 'ok';
  const text = `behind since ${formatTime(asTimeMs(since))}`;
  return reason === undefined ? text : `${text}: ${reason}`;
}
