/** The proof of a fork that this witness was shown, of a log that it does not keep. */
import { fault } from '../../errors.ts';
import type { KeysPage } from '../../gossip/keys-codec.ts';
import { makeForkProof } from '../../ledger/fork-proof.ts';
import type { ForkOffer } from '../../ledger/forks.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { err, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { nodeEnv } from '../judges.ts';

/**
 * Two checkpoints of one size and the log's key chain, as a peer states it, give the proof: it is kept
 * and told to others. Codes: fork-none (the first is not here any more), those of the keys' answer, of
 * `makeForkProof` and of `Forks.offer`.
 */
export async function proveForeign(
  ledger: Pick<Ledger, 'forks'>,
  logId: LogId,
  first: string,
  second: string,
  keys: Result<readonly KeysPage[]>,
): Promise<Result<ForkOffer>> {
  if (first === '') return err(fault('fork-none', 'of the first checkpoint only the guard knows'));
  if (!keys.ok) return keys;
  const controls = keys.value.flatMap(({ entries }) => entries);
  const genesis = controls.find(({ index }) => index === 0);
  if (genesis === undefined) {
    return err(fault('genesis-missing', `the keys of ${logId} begin without its genesis`));
  }
  const [a, b] = [
    { controls, checkpoint: first },
    { controls, checkpoint: second },
  ];
  const made = await makeForkProof(nodeEnv, genesis.leaf, a, b);
  return made.ok ? ledger.forks.offer(made.value, 'own') : made;
}
