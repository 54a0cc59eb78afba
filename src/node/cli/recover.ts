/** `hw stream recover`: a stream goes on in a successor log. */
import { resolve } from 'node:path';
import { readKeyFile } from '../../access/key-file-store.ts';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { keyPath } from '../home-keys.ts';
import type { JsonView } from '../json-view.ts';
import { nearest } from '../nearest.ts';
import { recoverReasons } from '../recovery-api.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { actor, callStream } from './endpoints.ts';
import type { Options } from './options.ts';
import { existingPassphrase } from './passphrase.ts';
import { displayName } from './stream.ts';
import { countText } from './table.ts';

export const recover: Action = async (context, [stream = ''], options) => {
  const reason = reasonOf(options);
  if (!reason.ok) return reason;
  const at = options.text('at') === undefined ? ok(undefined) : options.count('at', 1);
  if (!at.ok) return at;
  const partition =
    options.text('partition') === undefined ? ok(undefined) : options.count('partition', 0);
  if (!partition.ok) return partition;
  const key = await keyOf(context, options);
  if (!key.ok) return key;
  const body = {
    reason: reason.value,
    at: at.value,
    partition: partition.value,
    ...key.value,
    ...actor(options),
  };
  const view = await callStream(context, stream, (path) => ({
    method: 'POST',
    path: `${path}/recover`,
    body,
  }));
  if (!view.ok) return view;
  await context.value(view.value.value);
  await tell(context, view.value);
  return ok(0);
};

function reasonOf(options: Options): Result<string> {
  const text = options.text('reason') ?? '';
  if (recoverReasons.some((one) => one === text)) return ok(text);
  const suggestion = nearest(text, recoverReasons);
  const hint =
    suggestion === undefined
      ? '--reason key (lost or stolen), fork (two histories), or clock (a last time in the future).'
      : `Did you mean --reason ${suggestion}?`;
  return err(fault('usage', '--reason says why the stream is recovered', undefined, hint));
}

/** Where the key is, and its passphrase if it needs one: the node reads it, on this machine. */
async function keyOf(
  context: Context,
  options: Options,
): Promise<Result<{ readonly keyFile?: string; readonly passphrase?: string }>> {
  const given = options.text('key');
  const named = given === undefined ? {} : { keyFile: resolve(context.runtime.directory, given) };
  const file = await readKeyFile(named.keyFile ?? keyPath(context.paths, 'recovery'));
  if (!file.ok || !file.value.locked) {
    // What is wrong with it the node says, with the rest.
    if (file.ok && !file.value.locked) file.value.seed.fill(0);
    return ok(named);
  }
  const passphrase = await existingPassphrase(context, options)();
  return passphrase.ok ? ok({ ...named, passphrase: passphrase.value }) : passphrase;
}

async function tell(context: Context, view: JsonView): Promise<void> {
  await context.say(`${displayName(view)} goes on`);
  for (const log of view.list('logs')) {
    const closing = log.at('closing');
    const size = closing.number('size');
    if (size === undefined) continue;
    await context.say(
      `  ${log.text('log') ?? ''} is closed at ${countText(size)} entries`,
      `  ${closing.text('successor') ?? ''} takes events now`,
    );
  }
}
