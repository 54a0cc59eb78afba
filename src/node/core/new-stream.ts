/** What can be a new stream, whatever streams there are. */
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import { checkEpochPolicy, defaultEpochs } from '../../ledger/epoch-policy.ts';
import { sealedCompact } from '../../ledger/retention.ts';
import { streamPolicy, witnessesMap } from '../../ledger/trust-policy.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asStreamName, isStreamName, type StreamName } from '../../types.ts';
import type { NewStream } from '../node-api.ts';

/** Its name. Codes: bad-name, partition-count, epoch-policy, retention-policy, usage (the witnesses). */
export function checkNewStream(input: NewStream): Result<StreamName> {
  const { name, partitions = 1 } = input;
  if (!isStreamName(name) || name.startsWith('_')) {
    return err(fault('bad-name', `${JSON.stringify(name)} cannot be a stream name`));
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > protocol.maxPartitions) {
    return err(fault('partition-count', `a stream has 1 to ${protocol.maxPartitions} partitions`));
  }
  const unfit = checkSealing(input);
  if (unfit !== undefined) return err(unfit);
  const { keys, quorum } = input.witnesses ?? { keys: [], quorum: 0 };
  const policy = input.witnesses === undefined ? undefined : witnessesMap(keys, quorum);
  const sound = streamPolicy(nodeCrypto, policy);
  if (!sound.ok) return err(fault('usage', sound.error.message, { pointer: 'witnesses' }));
  return ok(asStreamName(name));
}

/** What does not go together with being sealed, or needs it. */
function checkSealing({ visibility, epochs, retention }: NewStream): Fault | undefined {
  if (visibility !== 'sealed') {
    if (epochs === undefined) return undefined;
    return fault('epoch-policy', 'only a sealed stream has key epochs');
  }
  const policy = checkEpochPolicy(epochs ?? defaultEpochs);
  if (!policy.ok) return policy.error;
  return retention?.compact === true ? sealedCompact() : undefined;
}
