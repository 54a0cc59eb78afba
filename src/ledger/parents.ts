/**
 * `hwparents` of an event (events.md): each reference becomes a parent in the leaf, with the range
 * root from our own copy of that log, or the publisher's word for it where we have none. Where both
 * are there they must agree.
 */
import { equal } from '../bytes.ts';
import { at, fault, type Fault } from '../errors.ts';
import { logIdHash, parseReferences, type Reference } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Hash } from '../types.ts';
import { encodeParents, type Parent } from './leaf.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { PendingEvent } from './pending.ts';
import { rangeRootOf } from './prover.ts';

/** Sets `parents` of each; returns those that failed. Codes: bad-reference …, parent-unknown. */
export async function resolveParents(
  env: LedgerEnv,
  items: readonly PendingEvent[],
): Promise<ReadonlyMap<PendingEvent, Fault>> {
  const failed = new Map<PendingEvent, Fault>();
  for (const item of items) {
    const parents = await parentsOf(env, String(item.event.context['hwparents']));
    if (parents.ok) item.parents = encodeParents(parents.value);
    else failed.set(item, at(parents.error, { pointer: 'hwparents' }));
  }
  return failed;
}

async function parentsOf(env: LedgerEnv, text: string): Promise<Result<readonly Parent[]>> {
  const references = parseReferences(text);
  if (!references.ok) return references;
  const parents: Parent[] = [];
  for (const reference of references.value) {
    const rangeRoot = await rootOfReference(env, reference);
    if (!rangeRoot.ok) return rangeRoot;
    const { logId, from, to } = reference;
    parents.push({ log: logIdHash(logId), from, to, rangeRoot: rangeRoot.value });
  }
  return ok(parents);
}

async function rootOfReference(env: LedgerEnv, reference: Reference): Promise<Result<Hash>> {
  const { logId, from, to, hash } = reference;
  const handle = env.logs.get(logId);
  if (handle === undefined || to > handle.size) {
    if (hash !== undefined) return ok(hash);
    return err(fault('parent-unknown', `hw:${logId}/${from} is not in this home`));
  }
  const root = await rangeRootOf(env, handle, from, to);
  if (!root.ok || hash === undefined || equal(root.value, hash)) return root;
  return err(fault('parent-unknown', `hw:${logId}/${from} does not have the hash that is given`));
}
