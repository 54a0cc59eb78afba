/** The ledger of a home over its store and guard, with the judges of the other rooms handed in. */
import { join } from 'node:path';
import { nodeCrypto } from '../crypto-node.ts';
import type { Host } from '../host.ts';
import { GuardFile } from '../ledger/guard-file.ts';
import type { LedgerOptions } from '../ledger/ledger-types.ts';
import { Ledger } from '../ledger/ledger.ts';
import { LevelStore, type Store } from '../ledger/store.ts';
import { protocol } from '../limits.ts';
import { ok, type Result } from '../result.ts';
import { openOwners } from './core/successions.ts';
import { guardOfCommand } from './core/restore-guard.ts';
import type { Home } from './home.ts';
import { nodeJudges } from './judges.ts';
import { openKeys } from './sealed/open-keys.ts';
import { trustWitnesses } from './verify-trust.ts';

export interface OpenLedgerOptions extends Pick<
  LedgerOptions,
  'acceptClockStep' | 'clockCheck' | 'restoreGuard' | 'sealing'
> {
  /** Another store than LevelDB's in that folder. */
  readonly openStore?: (folder: string) => Promise<Result<Store>>;
}

/**
 * Opens store, guard and ledger; disposing the ledger closes all three. Codes: those of
 * `LevelStore.open`, `GuardFile.open` and `Ledger.open`.
 */
export async function openHomeLedger(
  home: Pick<Home, 'paths' | 'config'> & { readonly keys: Pick<Home['keys'], 'nodeSecret'> },
  host: Host,
  options: OpenLedgerOptions = {},
): Promise<Result<Ledger>> {
  const { openStore, ...rest } = options;
  const sealing = rest.sealing === undefined ? await openKeys(home, host.random) : ok(rest);
  if (!sealing.ok) return sealing;
  const waits = await guardOfCommand(home.paths, home.config);
  if (!waits.ok) return waits;
  const store = await (openStore?.(home.paths.store) ?? LevelStore.open(home.paths.store));
  if (!store.ok) return store;
  const guard = await GuardFile.open(join(home.paths.guard, 'marks'), nodeCrypto);
  if (!guard.ok) {
    await store.value[Symbol.asyncDispose]();
    return guard;
  }
  const opened = await Ledger.open({
    store: store.value,
    guard: guard.value,
    host,
    crypto: nodeCrypto,
    judges: nodeJudges,
    limits: { ...protocol, ...home.config.limits },
    nodeSecret: home.keys.nodeSecret,
    ...(waits.value === undefined ? {} : { restoreGuard: waits.value }),
    ...rest,
    ...sealing.value,
  });
  if (opened.ok) {
    trustWitnesses(opened.value, home.config.witness.urls);
    const owners = await openOwners(opened.value);
    if (owners.ok) return opened;
    await opened.value[Symbol.asyncDispose]();
    return owners;
  }
  await guard.value[Symbol.asyncDispose]();
  await store.value[Symbol.asyncDispose]();
  return opened;
}
