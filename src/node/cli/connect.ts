/** The running node of a home, for the commands that need one. */
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { ApiClient } from '../api-client.ts';
import { readText } from '../files.ts';
import { lockHolder } from '../home-lock.ts';
import type { HomePaths, HomeView } from '../home.ts';
import { JsonView } from '../json-view.ts';
import { loadTls } from '../tls.ts';
import type { Context } from './context.ts';

export interface Connection extends Disposable {
  readonly client: ApiClient;
  readonly home: HomeView;
}

/** `node-not-running` where no process holds the home. */
export async function connect(context: Context): Promise<Result<Connection>> {
  const home = await context.readHome();
  if (!home.ok) return home;
  const { paths, config, apiToken } = home.value;
  const pid = await lockHolder(paths, context.runtime);
  if (pid === undefined) return err(fault('node-not-running', `no node runs on ${paths.root}`));
  // The node may have been started with other settings than those in force here: ask its own word.
  const running = await runningAddress(paths);
  const ca = running?.encrypted === true ? await loadTls(config, paths.root) : ok(undefined);
  if (!ca.ok) return ca;
  const client = new ApiClient(running?.address ?? config.http.listen, apiToken, ca.value?.cert);
  return ok({ client, home: home.value, [Symbol.dispose]: () => client[Symbol.dispose]() });
}

/** `host:port` that the running node wrote down, and whether it speaks TLS; undefined while it is starting. */
async function runningAddress(
  paths: HomePaths,
): Promise<{ readonly address: string; readonly encrypted: boolean } | undefined> {
  const text = await readText(paths.nodeInfo);
  const url = text.ok ? JsonView.parse(text.value).text('api') : undefined;
  if (url === undefined) return undefined;
  const address = url.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  return { address, encrypted: url.startsWith('https:') };
}
