/** What a step of a walk is made from: references, hashes, and the entry that was read. */
import { toHex } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { formatReference, logIdFromHash, type Reference } from '../ids.ts';
import type { Parent } from '../ledger/leaf.ts';
import type { TracedEntry } from '../ledger/lineage-reader.ts';
import { factsOf } from './facts.ts';
import type { LineageNode, Origin } from './graph.ts';

/** A step before it is known where it goes on. */
export type StepNode = Omit<LineageNode, 'next' | 'cut' | 'attestations'>;

export function plainRef({ logId, from, to }: Reference): string {
  return formatReference({ logId, from, to });
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

export function referenceOf({ log, from, to, rangeRoot }: Parent): Reference {
  return { logId: logIdFromHash(log), from, to, hash: rangeRoot };
}

export function citesHash(place: Reference, hash: string): boolean {
  return place.hash === undefined || toHex(place.hash) === hash;
}

export function mismatch(ref: string): Fault {
  return fault('parent-mismatch', `${ref} is not what was cited: it has another hash`);
}

/** Missing is not wrong, and a store that fails says nothing about the entry. */
export const absent: ReadonlySet<string> = new Set([
  'lineage-not-kept',
  'lineage-no-access',
  'lineage-unreachable',
  'no-holder',
  'peer-left',
  'peer-timeout',
  'peer-unreachable',
  'interrupted',
  'index-over-head',
  'log-unknown',
  'store-failed',
  'store-closed',
]);

export function entryNode(origin: Origin, place: Reference, traced: TracedEntry): StepNode {
  const { entry, leafHash, problem } = traced;
  const { logId, from, to } = place;
  const event = entry.event === undefined ? undefined : factsOf(entry.event);
  const closed = entry.kind === 'sealed' && entry.event === undefined;
  const gone = entry.bodyMissing ?? (closed ? 'sealed' : undefined);
  const events = entry.kind === 'event' || entry.kind === 'sealed';
  return {
    ...origin,
    ref: formatReference({ logId, from, to }),
    place: { logId, from, to },
    kind: events ? 'event' : 'entry',
    verdict: problem === undefined ? 'intact' : 'broken',
    hash: toHex(leafHash),
    recordedTime: entry.recordedTime,
    ...(problem === undefined ? {} : { problem }),
    ...(event === undefined ? {} : { event }),
    ...(gone === undefined ? {} : { bodyMissing: gone }),
    ...(traced.fetched === true ? { fetched: true } : {}),
  };
}
