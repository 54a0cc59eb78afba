/** A genesis as it is shown: its owner is called as the organisation is called now. */
import type { Identities } from '../identities.ts';
import type { Did } from '../types.ts';
import type { Genesis } from './genesis.ts';

/** Objects that were made for a genesis; nearly always none is needed. */
const made = new WeakMap<Genesis, Genesis>();

export function ownerNow(
  genesis: Genesis | undefined,
  owners: Identities,
): { readonly genesis: Genesis | undefined; readonly formerOwner?: Did } {
  const owner = genesis === undefined ? undefined : owners.now(genesis.owner);
  if (genesis === undefined || owner === undefined || owner === genesis.owner) return { genesis };
  const known = made.get(genesis);
  const shown = known?.owner === owner ? known : { ...genesis, owner };
  made.set(genesis, shown);
  return { genesis: shown, formerOwner: genesis.owner };
}
