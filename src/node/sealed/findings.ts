/** Own sealed logs that cannot be written because their keys are not here: for checks and `hw doctor`. */
import type { LogSummary } from '../../ledger/ledger-types.ts';
import type { Check } from '../node-api.ts';
import type { OwnKeys } from './own-keys.ts';

export function epochKeyFindings(
  logs: readonly LogSummary[],
  own: Pick<OwnKeys, 'damaged' | 'held'>,
): readonly Omit<Check, 'since'>[] {
  return logs.flatMap(({ logId, genesis, createdLocally, state, epoch }) => {
    if (!createdLocally || state === 'closed' || genesis?.visibility !== 'sealed') return [];
    const problem = own.damaged.get(logId)?.message;
    const here = own.held(logId).some(({ generation }) => generation === epoch?.generation);
    if (epoch === undefined || (here && problem === undefined)) return [];
    const reason = problem ?? `the keys of generation ${epoch.generation} are not in this home`;
    const hint =
      `Bring keys/epochs/${logId}.epochs back from a backup; or go on with new keys, which open ` +
      `nothing of before: hw stream rekey ${genesis.name}.`;
    const name = `epoch keys of ${genesis.name}`;
    return [{ name, ok: false, level: 'error' as const, reason, hint }];
  });
}
