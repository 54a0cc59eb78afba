/** An own log whose key in force is not here: a backup from before a rotation, or a thief's rotation. */
import { fault, type Fault } from '../errors.ts';

/** Code: writer-key. */
export function keyElsewhere(): Fault {
  const hint =
    'Bring the key file that signs it to keys/writer.key, or go on: hw stream recover STREAM --reason key.';
  return fault('writer-key', 'the key that signs this log is not in this home', undefined, hint);
}
