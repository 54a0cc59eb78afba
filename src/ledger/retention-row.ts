/**
 * How far forgetting has come in a log, one row a log: dag-cbor
 *
 *   [1, dropped, freed, controls, compacted, policy map or null, counted, [first index, bytes …]]
 *
 * dropped    bodies below this index are gone, as the seals say
 * freed      files with blocks below this index were rewritten since
 * controls   control entries below this index were looked at: what they redact is gone
 * compacted  events below this index have pushed out older ones of their subject
 * policy     of the last control entry that changed it; null: that of the genesis
 * counted    blocks below this index are in the list of bytes, a first index and the bytes of the
 *            wire blocks from it to the next, in turn (only where a policy limits them)
 *
 * A crash leaves it behind the blocks, never ahead: dropping is done again, and finds it done.
 */
import { decodeCbor, encodeCbor, isCborMap, type CborValue } from '../cbor.ts';
import { policyMap, readPolicy, type RetentionPolicy } from './retention-policy.ts';

/** Blocks from `firstIndex` to the next segment, together. */
export interface ByteSegment {
  readonly firstIndex: number;
  readonly bytes: number;
}

export interface RetentionRow {
  readonly dropped: number;
  readonly freed: number;
  readonly controls: number;
  readonly compacted: number;
  readonly policy: RetentionPolicy | undefined;
  readonly counted: number;
  readonly segments: readonly ByteSegment[];
}

/** Of a log of which nothing was looked at yet: its genesis is entry 0. */
export const freshRow: RetentionRow = {
  dropped: 0,
  freed: 0,
  controls: 1,
  compacted: 0,
  policy: undefined,
  counted: 0,
  segments: [],
};

const version = 1;

export function encodeRetentionRow(row: RetentionRow): Uint8Array {
  const { dropped, freed, controls, compacted, policy, counted, segments } = row;
  const map = policy === undefined ? null : policyMap(policy);
  const list = segments.flatMap(({ firstIndex, bytes }) => [firstIndex, bytes]);
  return encodeCbor([version, dropped, freed, controls, compacted, map, counted, list]);
}

/** Undefined where it is damaged: then everything is looked at again. */
export function decodeRetentionRow(bytes: Uint8Array): RetentionRow | undefined {
  const decoded = decodeCbor(bytes);
  if (!decoded.ok || !isList(decoded.value) || decoded.value.length !== 8) return undefined;
  const [v, dropped, freed, controls, compacted, map, counted, list] = decoded.value;
  const policy = isCborMap(map) ? readPolicy(map) : undefined;
  const sound =
    v === version &&
    isCount(dropped) &&
    isCount(freed) &&
    isCount(controls) &&
    isCount(compacted) &&
    isCount(counted) &&
    isList(list) &&
    list.every(isCount);
  if (!sound || (map !== null && policy === undefined)) return undefined;
  const segments: ByteSegment[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) {
    segments.push({ firstIndex: list[i] ?? 0, bytes: list[i + 1] ?? 0 });
  }
  return { dropped, freed, controls, compacted, policy, counted, segments };
}

function isCount(value: CborValue | undefined): value is number {
  return typeof value === 'number' && value >= 0;
}

function isList(value: CborValue | undefined): value is readonly CborValue[] {
  return Array.isArray(value);
}
