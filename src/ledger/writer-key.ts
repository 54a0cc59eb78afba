/** Why an own log cannot be signed here, where it is for want of its key. */
import { fault, type Fault } from '../errors.ts';
import type { LogHandle } from './log-handle.ts';

/** Of a backup from before a rotation, or after a thief's rotation. Code: writer-key. */
export function keyElsewhere(): Fault {
  const hint =
    'Bring the key file that signs it to keys/writer.key, or go on: hw stream recover STREAM --reason key.';
  return fault('writer-key', 'the key that signs this log is not in this home', undefined, hint);
}

/** Of a log that no signer was attached to: its own reason, log-closed, writer-key. */
export function unsigned({ row }: LogHandle): Fault {
  if (row.standing !== 'closed') return row.reason ?? keyElsewhere();
  const hint = 'Nothing can be added to it; its successor takes new entries.';
  return fault('log-closed', 'the log is closed, a successor goes on', undefined, hint);
}
