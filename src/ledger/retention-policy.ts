/**
 * What a log keeps (ledger.md "Retention and forgetting"): the map `retention` of its genesis, or of
 * the last control entry that changed it.
 *
 *   genesis    … · retention map
 *   retention  policy map                        a control entry; in force from its index on
 *
 *   map        {keep: "all"}, or any of these, which then all count
 *   maxAge     ms        bodies recorded longer ago are dropped
 *   maxBytes   bytes     of wire blocks with bodies; the oldest are dropped
 *   below      index     bodies before it are dropped
 *   compact    true      a body goes once a later event has its subject
 *
 * Numbers are 1 to 2^53-1, `below` from 0. Another map is a policy of a later version: it drops
 * nothing here. The rules of blocks do not judge either map, so a policy can never split a network.
 * Age, bytes and index act through the lowest index in the writer's seals, never by themselves.
 */
import { isCborMap, type CborMap, type CborValue } from '../cbor.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';

export interface RetentionPolicy {
  readonly maxAgeMs?: number;
  readonly maxBytes?: number;
  readonly below?: number;
  readonly compact?: boolean;
}

export const keepAll: RetentionPolicy = {};

/** Undefined for a map that this version does not know. */
export function readPolicy(map: CborMap): RetentionPolicy | undefined {
  const names = Object.keys(map);
  if (names.length === 1 && map['keep'] === 'all') return keepAll;
  const known = names.every(
    (name) =>
      (name === 'maxAge' && isCount(map[name], 1)) ||
      (name === 'maxBytes' && isCount(map[name], 1)) ||
      (name === 'below' && isCount(map[name], 0)) ||
      (name === 'compact' && map[name] === true),
  );
  if (!known || names.length === 0) return undefined;
  return {
    ...number('maxAgeMs', map['maxAge']),
    ...number('maxBytes', map['maxBytes']),
    ...number('below', map['below']),
    ...(map['compact'] === true ? { compact: true } : {}),
  };
}

/** The inverse of `readPolicy`. */
export function policyMap(policy: RetentionPolicy): CborMap {
  const { maxAgeMs, maxBytes, below, compact } = policy;
  const map: Record<string, CborValue> = {
    ...number('maxAge', maxAgeMs),
    ...number('maxBytes', maxBytes),
    ...number('below', below),
    ...(compact === true ? { compact: true } : {}),
  };
  return Object.keys(map).length === 0 ? { keep: 'all' } : map;
}

/** The control entry that puts a policy in force. */
export function retentionControl(policy: RetentionPolicy): CborMap {
  return { type: 'retention', policy: policyMap(policy) };
}

/** The policy that a genesis or a control entry puts in force, if it is one that is understood. */
export function policyOf(control: CborMap): RetentionPolicy | undefined {
  const { type, policy, retention } = control;
  if (type === 'genesis') return isCborMap(retention) ? readPolicy(retention) : undefined;
  if (type !== 'retention' || Object.keys(control).length !== 2) return undefined;
  return isCborMap(policy) ? readPolicy(policy) : undefined;
}

/** Code: retention-policy. */
export function checkPolicy(policy: RetentionPolicy): Result<RetentionPolicy> {
  if (readPolicy(policyMap(policy)) !== undefined) return ok(policy);
  return err(fault('retention-policy', 'ages and sizes are whole numbers from 1, indexes from 0'));
}

export function samePolicy(a: RetentionPolicy, b: RetentionPolicy): boolean {
  return JSON.stringify(policyMap(a)) === JSON.stringify(policyMap(b));
}

/** True where something may be dropped. */
export function drops(policy: RetentionPolicy): boolean {
  return !samePolicy(policy, keepAll);
}

function isCount(value: CborValue | undefined, least: number): boolean {
  return typeof value === 'number' && value >= least && Number.isSafeInteger(value);
}

function number(name: string, value: CborValue | undefined): Record<string, number> {
  return typeof value === 'number' ? { [name]: value } : {};
}
