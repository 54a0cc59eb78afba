/**
 * `hw verify FILE` of a fork proof. A sound one exits with 3: what it proves is that its log is
 * broken. One that does not hold is refused with its code and proves nothing.
 */
import { verifyForkProof } from '../../ledger/fork-proof.ts';
import { ok, type Result } from '../../result.ts';
import { forkProofView, forkReport } from '../fork-view.ts';
import { nodeEnv } from '../judges.ts';
import type { Context } from './context.ts';

/** dag-cbor: a list of eight, version 1; no text, gzip or note begins so. */
export function isForkProof(bytes: Uint8Array): boolean {
  return bytes[0] === 0x88 && bytes[1] === 0x01;
}

export async function verifyFork(
  context: Context,
  file: string,
  bytes: Uint8Array,
): Promise<Result<number>> {
  const proven = verifyForkProof(nodeEnv, bytes);
  if (!proven.ok) return proven;
  const view = forkProofView(proven.value);
  await context.value({ file, ...view });
  await context.say(...forkReport(file, view));
  return ok(3);
}
