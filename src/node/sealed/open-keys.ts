/** The epoch keys of a home, before its ledger is opened: the ledger writes and reads with them. */
import type { Random } from '../../host.ts';
import type { Sealing } from '../../ledger/sealing.ts';
import { ok, type Result } from '../../result.ts';
import type { Home } from '../home.ts';
import { GotKeys } from './got-keys.ts';
import { OwnKeys, sealingOf } from './own-keys.ts';

export interface SealedKeys {
  readonly own: OwnKeys;
  readonly got: GotKeys;
  readonly sealing: Sealing;
}

/** Code: file-unreadable. */
export async function openKeys(
  home: Pick<Home, 'paths'> & { readonly keys: Pick<Home['keys'], 'nodeSecret'> },
  random: Random,
): Promise<Result<SealedKeys>> {
  const own = await OwnKeys.open(home.paths.epochKeys, home.keys.nodeSecret, random);
  if (!own.ok) return own;
  const got = await GotKeys.open(home.paths.gotKeys, home.keys.nodeSecret, random);
  if (!got.ok) return got;
  return ok({ own: own.value, got: got.value, sealing: sealingOf(own.value, got.value) });
}
