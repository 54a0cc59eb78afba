/**
 * A witness has cosigned more of an own log than this home holds: an old copy was brought back. Its
 * checkpoint is signed by our own key, so the log waits until what is missing has come back, also
 * where nobody but the witness ever saw it.
 */
import { fromUtf8, utf8 } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import type { WitnessReply } from '../../gossip/evidence-port.ts';
import { checkpointOrigin, parseCheckpoint } from '../../ledger/checkpoint.ts';
import { keepLines } from '../../ledger/cosignature.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Result } from '../../result.ts';
import type { Hash, LogId } from '../../types.ts';

/** False where the witness did not show a checkpoint of this log; nothing of it is believed unsigned. */
export async function learnAhead(
  ledger: Pick<Ledger, 'confirming'>,
  logId: LogId,
  ask: (origin: Hash) => Promise<Result<WitnessReply>>,
): Promise<boolean> {
  const origin = checkpointOrigin(logId);
  const answer = await ask(nodeCrypto.sha256(utf8(origin)));
  if (!answer.ok || answer.value.status !== 200) return false;
  const text = fromUtf8(answer.value.body);
  const stated = text.ok ? parseCheckpoint(text.value) : text;
  if (!stated.ok || stated.value.logId !== logId) return false;
  // The form of blocks: the writer's line alone.
  if (!stated.value.signatures.some(({ name }) => name === origin)) return false;
  const checkpoint = keepLines(stated.value, ({ name }) => name === origin);
  await ledger.confirming.reported(logId, checkpoint);
  return true;
}
