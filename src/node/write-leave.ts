/** Whether this peer may open a stream in the name of its organisation. */
import { checkWriteProof } from '../access/write-proof.ts';
import { nodeCrypto } from '../crypto-node.ts';
import { fault } from '../errors.ts';
import type { Host } from '../host.ts';
import { err, ok, type Result } from '../result.ts';
import type { StreamName } from '../types.ts';
import { genesisProof } from './home-keys.ts';
import type { Home } from './home.ts';

/** `stream-not-delegated` unless its delegation of `/flow/write` lets it, now. */
export function writeLeave(
  home: Home,
  { clock, random }: Pick<Host, 'clock' | 'random'>,
  name: StreamName,
): Result<void> {
  const { organisation: owner, writerKey } = home.identity;
  const proof = genesisProof(home, random, name, 0);
  const claim = { owner, name, partition: 0, writerKey, timeMs: clock.now(), proof };
  const judged = checkWriteProof(nodeCrypto, claim);
  if (judged.ok) return ok(undefined);
  const message = `this peer may not write the stream ${name}: ${judged.error.message}`;
  return err(fault('stream-not-delegated', message));
}
