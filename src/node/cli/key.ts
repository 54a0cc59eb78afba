/** `hw key …`: the keys of this home; no node is needed. */
import { resolve } from 'node:path';
import { readKeyFile } from '../../access/key-file-store.ts';
import { toBase64url } from '../../bytes.ts';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { olderEncryptionFiles } from '../encryption-keys.ts';
import { parseTime } from '../../time.ts';
import { readText, replaceFile } from '../files.ts';
import { keyInfo, keyNames, keyPath, type KeyInfo } from '../home-keys.ts';
import { lockHolder } from '../home-lock.ts';
import { nearest } from '../nearest.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';
import { actor } from './endpoints.ts';
import { existingPassphrase } from './passphrase.ts';
import { takeHome } from './stopped.ts';
import { table } from './table.ts';

const purposes = {
  organisation: 'the identity; may be kept elsewhere',
  peer: 'this peer on the network, and its journal',
  writer: 'signs the streams of this home',
  recovery: 'brings back a lost identity; keep it elsewhere',
  witness: 'cosigns the logs of others, as a witness',
  freshness: 'says that our registry is as it was a moment ago',
  encryption: 'opens the keys of sealed streams that are delivered to us',
  node: 'a secret of the store',
} as const;

interface Shown extends Omit<KeyInfo, 'did'> {
  readonly did?: string;
  readonly purpose: string;
}

export const list: Action = async (context) => {
  const home = await context.readHome();
  if (!home.ok) return home;
  const keys: Shown[] = [];
  for (const name of keyNames) {
    const info = await keyInfo(context.paths, name);
    if (!info.ok) return info;
    const { did, ...rest } = info.value;
    const key = name === 'encryption' ? home.value.identity.encryptionKey : did;
    keys.push({
      ...rest,
      // The node secret is no identity: its public half means nothing to anybody.
      ...(name !== 'node' && key !== undefined && { did: key }),
      purpose: purposes[name],
    });
    if (name !== 'encryption') continue;
    const older = await olderEncryptionFiles(context.paths);
    if (!older.ok) return older;
    const purpose = 'opens what was delivered before the last change';
    for (const file of older.value) {
      const read = await readKeyFile(file);
      if (!read.ok) return read;
      if (!read.value.locked) read.value.seed.fill(0);
      keys.push({ name, file, present: true, locked: read.value.locked, purpose });
    }
  }
  await context.value({ keys });
  const rows = keys.map((key) => [
    key.name,
    key.present ? (key.locked ? 'locked' : 'open') : 'not here',
    key.did ?? '',
    key.purpose,
  ]);
  await context.say(...table(['KEY', 'FILE', 'PUBLIC', 'FOR'], rows));
  return ok(0);
};

export const exportKey: Action = async (context, [name = '']) => {
  const found = keyNames.find((known) => known === name);
  if (found === undefined) {
    const suggestion = nearest(name, keyNames);
    const hint =
      suggestion === undefined ? `One of ${keyNames.join(', ')}.` : `Did you mean ${suggestion}?`;
    return err(fault('usage', `there is no key ${name}`, undefined, hint));
  }
  const info = await keyInfo(context.paths, found);
  if (!info.ok) return info;
  if (!info.value.present) {
    return err(
      fault('key-file-missing', `the ${found} key is not here`, { file: info.value.file }),
    );
  }
  const text = await readText(keyPath(context.paths, found));
  if (!text.ok) return text;
  // With or without --json: the key file is JSON.
  await context.runtime.stdout.write(text.value);
  if (!info.value.locked)
    await context.note('This file is the key itself, without a passphrase: keep it safe.');
  return ok(0);
};

export const rotate: Action = async (context, [name = 'writer'], options) => {
  if (name === 'encryption') return rotateEncryptionKey(context, options);
  if (name !== 'writer') {
    const hint = 'hw key rotate writer (or nothing), or hw key rotate encryption.';
    return err(fault('usage', `the ${name} key cannot be rotated`, undefined, hint));
  }
  const taken = await takeHome(context);
  if (!taken.ok) return taken;
  await using own = taken.value;
  const { rotateWriterKey } = await import('../key-rotation.ts');
  const ask = existingPassphrase(context, options);
  const lost = options.flag('lost');
  const rotated = await rotateWriterKey(own.home, context.runtime, ask, lost);
  if (!rotated.ok) return rotated;
  const { writer, logs, left } = rotated.value;
  await context.value({ writer, logs, left });
  await context.say(`the writer key is now ${writer}`, `${logs.length} log(s) passed on to it`);
  for (const log of left) {
    await context.say(
      `hw:${log} did not: hw stream recover hw:${log} --reason key goes on from it`,
    );
  }
  return ok(0);
};

async function rotateEncryptionKey(context: Context, options: Options): Promise<Result<number>> {
  const taken = await takeHome(context);
  if (!taken.ok) return taken;
  await using own = taken.value;
  const { rotateEncryption } = await import('../encryption-rotation.ts');
  const ask = existingPassphrase(context, options);
  const key = await rotateEncryption(own.home, context.runtime.random, ask);
  if (!key.ok) return key;
  await context.value({ encryption: key.value });
  await context.say(
    `the encryption key is now ${key.value}`,
    'the old one is kept beside it: it opens what was delivered before',
  );
  await context.note('others learn of it from our profile when the node starts');
  return ok(0);
}

export const recover: Action = async (context, _args, options) => {
  const taken = await takeHome(context);
  if (!taken.ok) return taken;
  await using own = taken.value;
  const { replaceRecoveryKey } = await import('../recovery-key.ts');
  const ask = existingPassphrase(context, options);
  const given = options.text('key');
  const file = given === undefined ? undefined : resolve(context.runtime.directory, given);
  const done = await replaceRecoveryKey(own.home, context.runtime, ask, file);
  if (!done.ok) return done;
  const { recovery, logs } = done.value;
  await context.value({ recovery, logs });
  await context.say(
    `the recovery key is now ${recovery}`,
    `${logs.length} log(s) name it`,
    `${keyPath(context.paths, 'recovery')} is the new key: keep it elsewhere`,
  );
  return ok(0);
};

/** A new DID for an organisation whose key is lost or stolen. */
export const succeed: Action = async (context, _args, options) => {
  const stolen = options.flag('stolen');
  const time = options.text('since');
  const since = time === undefined ? ok(undefined) : parseTime(time);
  if (!since.ok) return since;
  if (since.value !== undefined && !stolen) {
    const message = '--since says when the key was stolen: give --stolen too';
    return err(fault('usage', message, { pointer: '--since' }));
  }
  const { readTokens } = await import('./token-files.ts');
  const keep = await readTokens(context, options.list('keep'));
  if (!keep.ok) return keep;
  const taken = await takeHome(context);
  if (!taken.ok) return taken;
  await using own = taken.value;
  const { succeedOrganisation } = await import('../organisation-succession.ts');
  const given = options.text('key');
  const reason = stolen ? 'stolen' : 'lost';
  const ask = existingPassphrase(context, options);
  const done = await succeedOrganisation(own.home, context.runtime, ask, {
    reason,
    keep: keep.value,
    ...(since.value === undefined ? {} : { since: since.value }),
    ...actor(options),
    ...(given === undefined ? {} : { recoveryFile: resolve(context.runtime.directory, given) }),
  });
  if (!done.ok) return done;
  const { from, to, registry, successor, kept } = done.value;
  await context.value({ from, to, reason, registry, successor, kept });
  await context.say(
    from,
    `is succeeded by ${to}`,
    `  registry    ${registry} is closed, ${successor} goes on`,
    stolen
      ? `  old key     counts no more, but for ${kept} delegation(s) of this home`
      : '  old key     what it has signed goes on counting until its end',
    `  new key     ${keyPath(context.paths, 'organisation')}: move it to a place that is offline`,
  );
  await context.note('Next: hw up; whoever knows the old DID learns of it from the registry.');
  return ok(0);
};

export const token: Action = async (context, args, options) => {
  const other = ['scope', 'admin', 'request'].some((name) => options.text(name) !== undefined);
  if (other) return (await import('./admin-token.ts')).adminToken(context, args, options);
  const home = await context.readHome();
  if (!home.ok) return home;
  let { apiToken } = home.value;
  if (options.flag('new')) {
    apiToken = toBase64url(context.runtime.random.bytes(32));
    const written = await replaceFile(context.paths.token, `${apiToken}\n`);
    if (!written.ok) return written;
    const pid = await lockHolder(context.paths, context.runtime);
    if (pid !== undefined) await context.note(`Process ${pid} knows only the old one: restart it.`);
  }
  await context.value({ token: apiToken, file: context.paths.token });
  await context.say(apiToken);
  return ok(0);
};
