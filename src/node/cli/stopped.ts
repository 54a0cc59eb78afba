/** A home whose node does not run, and its store, opened by a command itself and closed behind it. */
import type { Ledger } from '../../ledger/ledger.ts';
import { ok, type Result } from '../../result.ts';
import { SeedReader } from '../home-keys.ts';
import { lockHome } from '../home-lock.ts';
import type { HomeView } from '../home.ts';
import type { OfflineStreams } from '../offline-streams.ts';
import type { SealedRoom } from '../sealed/sealed-room.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';
import { existingPassphrase } from './passphrase.ts';

export interface TakenHome extends AsyncDisposable {
  readonly home: HomeView;
}

/** The home for this command alone, until it is disposed. Codes also: node-running. */
export async function takeHome(context: Context): Promise<Result<TakenHome>> {
  const home = await context.readHome();
  if (!home.ok) return home;
  const lock = await lockHome(context.paths, context.runtime);
  if (!lock.ok) return lock;
  return ok({ home: home.value, [Symbol.asyncDispose]: () => lock.value.release() });
}

/**
 * Runs over the ledger of the home and the epoch keys in it; a node that starts meanwhile is refused.
 * Nothing is written.
 * `before` runs once the home is ours and the store not yet open.
 */
export async function withStoppedHome<T>(
  context: Context,
  options: Options,
  run: (home: HomeView, ledger: Ledger, sealed: SealedRoom) => Promise<Result<T>>,
  before?: () => Promise<Result<void>>,
): Promise<Result<T>> {
  const taken = await takeHome(context);
  if (!taken.ok) return taken;
  const { home } = taken.value;
  await using scope = new AsyncDisposableStack();
  scope.use(taken.value);
  const seeds = new SeedReader(context.paths, existingPassphrase(context, options));
  const secret = await seeds.read('node');
  if (!secret.ok) return secret;
  const prepared = await before?.();
  if (prepared?.ok === false) return prepared;
  const { openHomeLedger } = await import('../open-ledger.ts');
  const parts = { ...home, keys: { nodeSecret: secret.value } };
  const { openKeys } = await import('../sealed/open-keys.ts');
  const keys = await openKeys(parts, context.runtime.random);
  if (!keys.ok) return keys;
  const { sealing } = keys.value;
  const opened = await openHomeLedger(parts, context.runtime, { sealing });
  if (!opened.ok) return opened;
  const { SealedRoom } = await import('../sealed/sealed-room.ts');
  const ledger = scope.use(opened.value);
  return await run(home, ledger, new SealedRoom(ledger, keys.value));
}

export interface StoppedStreams extends OfflineStreams {
  readonly home: HomeView;
  readonly ledger: Ledger;
  readonly sealed: SealedRoom;
}

/** The same with the streams that its registries name. */
export function withStoppedStreams<T>(
  context: Context,
  options: Options,
  run: (opened: StoppedStreams) => Promise<Result<T>>,
): Promise<Result<T>> {
  return withStoppedHome(context, options, async (home, ledger, sealed) => {
    const { openOfflineStreams } = await import('../offline-streams.ts');
    const named = await openOfflineStreams(home, ledger);
    return named.ok ? await run({ ...named.value, home, ledger, sealed }) : named;
  });
}
