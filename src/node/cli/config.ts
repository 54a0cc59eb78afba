/** `hw config …`: no node is needed. */
import { ok } from '../../result.ts';
import { stringify } from 'yaml';
import { configSources, parseSetting, setInConfig } from '../config.ts';
import { configJsonSchema, type Config } from '../config-schema.ts';
import { readText, replaceFile } from '../files.ts';
import { lockHolder } from '../home-lock.ts';
import { loadTls } from '../tls.ts';
import type { Action } from './command.ts';

export const check: Action = async (context) => {
  const home = await context.readHome();
  if (!home.ok) return home;
  const tls = await loadTls(home.value.config, home.value.paths.root);
  if (!tls.ok) return tls;
  await context.value({ ok: true, file: home.value.paths.config });
  await context.say(`${home.value.paths.config} is valid`);
  return ok(0);
};

export const show: Action = async (context, _args, options) => {
  if (options.flag('schema')) {
    await context.runtime.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
    return ok(0);
  }
  const home = await context.readHome();
  if (!home.ok) return home;
  const { config, paths } = home.value;
  const text = await readText(paths.config);
  if (!text.ok) return text;
  const sources = configSources(text.value, context.runtime.environment);
  await context.value({ ...config, sources: Object.fromEntries(sources) });
  const limits = Object.fromEntries([...sources.keys()].filter(isLimit).map(limitOf(config)));
  await context.say(stringify({ ...config, limits }).trimEnd());
  if (Object.keys(limits).length === 0)
    await context.note('Every limit is at its default (--json lists them).');
  const variables = [...sources].filter(([, source]) => source !== 'config.yaml');
  for (const [path, source] of variables) await context.note(`${path} comes from ${source}`);
  return ok(0);
};

export const set: Action = async (context, [key = '', value = '']) => {
  // What is there must be sound first, or a fault elsewhere would look like one of this key.
  const home = await context.readHome();
  if (!home.ok) return home;
  const { config: file } = context.paths;
  const text = await readText(file);
  if (!text.ok) return text;
  const setting = parseSetting(key, value);
  if (!setting.ok) return setting;
  const changed = setInConfig(text.value, file, key, setting.value);
  if (!changed.ok) return changed;
  const written = await replaceFile(file, changed.value);
  if (!written.ok) return written;
  await context.value({ ok: true, key, value: setting.value });
  await context.say(`${key} set in ${file}`);
  const pid = await lockHolder(context.paths, context.runtime);
  if (pid === undefined) return ok(0);
  const live = liveKeys.some((name) => key === name || key.startsWith(`${name}.`));
  const when = live ? `on SIGHUP (kill -HUP ${pid})` : 'when it restarts';
  await context.note(`The node (process ${pid}) takes it ${when}.`);
  return ok(0);
};

/** What a running node takes when it reads its configuration again (reload.ts). */
const liveKeys = ['aliases', 'follow', 'http.tls'];

function isLimit(path: string): boolean {
  return path.startsWith('limits.');
}

/** A limit's own name and the value in force. */
function limitOf({ limits }: Config): (path: string) => readonly [string, unknown] {
  const values = new Map<string, unknown>(Object.entries(limits));
  return (path) => {
    const name = path.slice('limits.'.length);
    return [name, values.get(name)];
  };
}
