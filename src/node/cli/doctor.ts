/** `hw doctor`: what is not OK, why, since when and what to do; of a running node and of a stopped home. */
import { stat, statfs } from 'node:fs/promises';
import { placeText, type Fault } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { ok, type Result } from '../../result.ts';
import { exists, fileFault, systemCode } from '../files.ts';
import type { HomeView } from '../home.ts';
import { lockHolder, lockHome } from '../home-lock.ts';
import { keyInfo, keyNames, keyPath, SeedReader } from '../home-keys.ts';
import { JsonView } from '../json-view.ts';
import { loadTls, tlsFinding, tlsKeyMode } from '../tls.ts';
import type { Check } from '../node-api.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { callNode } from './endpoints.ts';
import { checkLines } from './status.ts';
import { bytesText } from './table.ts';

export const doctor: Action = async (context) => {
  const checks: Check[] = [...(await homeChecks(context))];
  const pid = await lockHolder(context.paths, context.runtime);
  let running: readonly JsonView[] = [];
  if (pid === undefined) {
    checks.push(fine('node', 'not running; the home was checked'), ...(await storeChecks(context)));
  } else {
    const answer = await callNode(context, { method: 'GET', path: '/status' });
    if (answer.ok) running = answer.value.list('checks');
    else checks.push(failed('node', answer.error));
  }
  const all = [...checks.map((check) => new JsonView(check)), ...running];
  const healthy = all.every((check) => check.flag('ok'));
  await context.value({
    ok: healthy,
    running: pid !== undefined,
    checks: all.map((check) => check.value),
  });
  await context.say(...all.flatMap((check) => checkLines(context, check)));
  return ok(healthy ? 0 : 1);
};

async function homeChecks(context: Context): Promise<readonly Check[]> {
  const home = await context.readHome();
  if (!home.ok) return [failed('home', home.error)];
  const checks: Check[] = [fine('configuration', context.paths.config)];
  const keys: Check[] = [];
  for (const name of keyNames) {
    const info = await keyInfo(context.paths, name);
    if (!info.ok) keys.push(failed(`key ${name}`, info.error));
  }
  checks.push(...(keys.length === 0 ? [fine('keys', context.paths.keys)] : keys));
  checks.push(...(await offlineKeys(context)));
  checks.push(...(await tokenChecks(context)), ...(await tlsChecks(context, home.value)));
  checks.push(await diskCheck(context));
  return checks;
}

/** Keys that no running node needs: whoever takes this machine should not find them here. */
async function offlineKeys({ paths }: Context): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const name of ['organisation', 'recovery'] as const) {
    const file = keyPath(paths, name);
    if (!(await exists(file))) continue;
    const hint = `No running node needs it: move ${file} to a place that is offline.`;
    checks.push({ ...fine(`${name} key`, 'lies in this home'), hint });
  }
  return checks;
}

/** That of the API, and that for metrics where there is one. */
async function tokenChecks({ paths }: Context): Promise<readonly Check[]> {
  const checks = [await tokenCheck('api token', paths.token, 'hw key token --new')];
  if (!(await exists(paths.metricsToken))) return checks;
  const anew = 'hw key token --scope metrics --new';
  return [...checks, await tokenCheck('metrics token', paths.metricsToken, anew)];
}

async function tlsChecks(context: Context, home: HomeView): Promise<readonly Check[]> {
  const tls = await loadTls(home.config, home.paths.root);
  if (!tls.ok) return [failed('certificate', tls.error)];
  if (tls.value === undefined) return [];
  const mode = await tlsKeyMode(tls.value);
  if (!mode.ok) return [failed('certificate', mode.error)];
  return [{ ...tlsFinding(tls.value, context.runtime.clock.now()), name: 'certificate' }];
}

async function tokenCheck(name: string, file: string, anew: string): Promise<Check> {
  const mode = await attempt(file, async () => (await stat(file)).mode & 0o077);
  if (!mode.ok) return failed(name, mode.error);
  if (mode.value === 0) return fine(name, file);
  const hint = `chmod 600 ${file}, then ${anew}.`;
  return { name, ok: false, level: 'error', reason: 'others may read it', hint };
}

async function diskCheck(context: Context): Promise<Check> {
  const folder = context.paths.root;
  const free = await attempt(folder, async () => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  });
  if (!free.ok) return failed('disk', free.error);
  const reason = `${bytesText(free.value)} free`;
  if (free.value >= limits.minFreeDiskBytes) return fine('disk', reason);
  const hint = 'Make room: a node with a full disk takes no events.';
  return { name: 'disk', ok: false, level: 'error', reason, hint };
}

/** Every log of a stopped node's store; left out where a passphrase would be needed. */
async function storeChecks(context: Context): Promise<readonly Check[]> {
  const home = await context.readHome();
  if (!home.ok) return [];
  const key = await keyInfo(context.paths, 'node');
  if (!key.ok || key.value.locked) return [fine('store', 'not opened: its key is locked')];
  const secret = await new SeedReader(context.paths, undefined).read('node');
  if (!secret.ok) return [failed('store', secret.error)];
  const locked = await lockHome(context.paths, context.runtime);
  if (!locked.ok) return [failed('store', locked.error)];
  await using scope = new AsyncDisposableStack();
  scope.use(locked.value);
  const { openHomeLedger } = await import('../open-ledger.ts');
  const parts = { ...home.value, keys: { nodeSecret: secret.value } };
  const { openKeys } = await import('../sealed/open-keys.ts');
  const { epochKeyFindings } = await import('../sealed/findings.ts');
  const keys = await openKeys(parts, context.runtime.random);
  if (!keys.ok) return [failed('epoch keys', keys.error)];
  const { sealing, own } = keys.value;
  const opened = await openHomeLedger(parts, context.runtime, { sealing });
  if (!opened.ok) return [failed('store', opened.error)];
  const logs = scope.use(opened.value).logs();
  const bad = logs.flatMap(({ genesis, logId, reason }) =>
    reason === undefined ? [] : [failed(`log ${genesis?.name ?? logId}`, reason)],
  );
  const store =
    bad.length > 0 ? bad : [fine('store', `${logs.length} logs, the newest block of each sound`)];
  return [...store, ...epochKeyFindings(logs, own)];
}

async function attempt<T>(file: string, run: () => Promise<T>): Promise<Result<T>> {
  try {
    return ok(await run());
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    return { ok: false, error: fileFault('file-unreadable', file, cause) };
  }
}

function fine(name: string, reason: string): Check {
  return { name, ok: true, level: 'ok', reason };
}

function failed(name: string, found: Fault): Check {
  const place = placeText(found.place);
  const reason = `${found.message} [${found.code}]${place === '' ? '' : ` at ${place}`}`;
  return { name, ok: false, level: 'error', reason, hint: found.hint };
}
