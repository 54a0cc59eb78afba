/**
 * `hwparents` of an event (events.md): each reference becomes a parent in the leaf, with the range
 * root from our own copy of that log, or the publisher's word for it where we have none. Where both
 * are there they must agree. No cycle can come of it: a parent's hash is needed to make the child's,
 * so two events that cited each other would each need the other's hash first; and an entry of our
 * own log that does not exist yet is refused, hash or not.
 */
import { equal } from '../bytes.ts';
import { at, fault, type Fault } from '../errors.ts';
import { formatReference, logIdHash, parseReferences, type Reference } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Hash } from '../types.ts';
import { encodeParents, type Parent } from './leaf.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import type { PendingEvent } from './pending.ts';
import { rangeRootOf } from './prover.ts';

/**
 * Sets `parents` of each; returns those that failed. Codes: those of `parseReferences`,
 * parent-unknown (not here, and no hash given), parent-mismatch (the hash given is not ours),
 * parent-range (an entry that a log written here does not have yet), those of a failing store.
 */
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
    if (hash === undefined) return err(fault('parent-unknown', notHere(reference, handle)));
    // What we write ourselves ends at our head: nobody can know a later entry of it.
    if (handle?.row.role !== 'writer') return ok(hash);
    return err(fault('parent-range', `${shown(reference)} is not written yet`));
  }
  const root = await rangeRootOf(env, handle, from, to);
  if (!root.ok || hash === undefined || equal(root.value, hash)) return root;
  return err(fault('parent-mismatch', `${shown(reference)} does not have the hash that is given`));
}

function notHere(reference: Reference, handle: LogHandle | undefined): string {
  if (handle === undefined) return `${shown(reference)} is not in this home`;
  return `${shown(reference)} is not in this home, which has ${handle.size} entries of that log`;
}

function shown({ logId, from, to }: Reference): string {
  return formatReference({ logId, from, to });
}
