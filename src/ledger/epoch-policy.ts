/**
 * When a sealed log opens its next key epoch: a control entry, in force from its index on; it stands
 * behind the genesis of each sealed log.
 *
 *   epochs   [everyMs] · [everyEvents]     at least one of the two; whichever is reached first
 *
 *   everyMs       ms, from the recorded time of the entry that opened the epoch
 *   everyEvents   events sealed in the epoch
 *
 * Numbers are 1 to 2^53-1. An epoch is opened with the first event that finds it due, so a quiet log
 * opens none. Another map is a policy of a later version: it changes nothing here. Block rules do not
 * judge it (ADR 0022).
 */
import type { CborMap, CborValue } from '../cbor.ts';
import { fault } from '../errors.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';

export interface EpochPolicy {
  readonly everyMs?: number;
  readonly everyEvents?: number;
}

/** What a sealed log does whose policy says nothing. */
export const defaultEpochs: EpochPolicy = { everyMs: 3_600_000 };

/** Code: epoch-policy. */
export function checkEpochPolicy(policy: EpochPolicy): Result<EpochPolicy> {
  const { everyMs, everyEvents } = policy;
  if (everyMs === undefined && everyEvents === undefined) {
    return err(fault('epoch-policy', 'an epoch ends after a time, a number of events, or both'));
  }
  if (everyMs !== undefined && !(Number.isSafeInteger(everyMs) && everyMs >= limits.minEpochMs)) {
    return err(fault('epoch-policy', `an epoch lasts ${limits.minEpochMs} ms or longer`));
  }
  if (everyEvents !== undefined && !(Number.isSafeInteger(everyEvents) && everyEvents >= 1)) {
    return err(fault('epoch-policy', 'an epoch has 1 event or more'));
  }
  return ok(policy);
}

export function epochsControl({ everyMs, everyEvents }: EpochPolicy): CborMap {
  return {
    type: 'epochs',
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(everyEvents === undefined ? {} : { everyEvents }),
  };
}

/** Undefined for any other map, and for one that this version does not know. */
export function epochPolicyOf(map: CborMap): EpochPolicy | undefined {
  if (map['type'] !== 'epochs') return undefined;
  const { everyMs, everyEvents } = map;
  const known = Object.keys(map).every((name) => ['type', 'everyMs', 'everyEvents'].includes(name));
  if (!known || !isCount(everyMs) || !isCount(everyEvents)) return undefined;
  if (everyMs === undefined && everyEvents === undefined) return undefined;
  return {
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(everyEvents === undefined ? {} : { everyEvents }),
  };
}

function isCount(value: CborValue | undefined): value is number | undefined {
  return value === undefined || (typeof value === 'number' && value >= 1);
}
