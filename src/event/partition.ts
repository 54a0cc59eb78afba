/**
 * Which partition an event belongs to (ledger.md "Identity"): big-endian uint32 of the first 4 bytes
 * of SHA-256(UTF-8 of the key), modulo the number of partitions.
 */
import { readUint32, utf8 } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Attributes } from '../types.ts';

/** `partitionkey`, else `subject`, else `source` of a sound event. */
export function partitionKey(attributes: Attributes): string {
  return String(attributes['partitionkey'] ?? attributes['subject'] ?? attributes['source']);
}

/** From 0; `partition-count` unless there are 1 to 256 partitions. */
export function partitionOf(hasher: Hasher, key: string, count: number): Result<number> {
  if (!Number.isInteger(count) || count < 1 || count > protocol.maxPartitions) {
    return err(fault('partition-count', `a stream has 1 to ${protocol.maxPartitions} partitions`));
  }
  if (count === 1) return ok(0);
  return ok(readUint32(hasher.sha256(utf8(key)), 0) % count);
}
