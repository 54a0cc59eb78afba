/** The book of deliveries of a running node. */
import type { Fault } from '../../errors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { ok, type Result } from '../../result.ts';
import type { LogId, ParsedEvent } from '../../types.ts';
import type { GrantBook } from '../access/grant-book.ts';
import type { Journal } from '../core/journal.ts';
import type { OwnLogs } from '../core/own-logs.ts';
import type { Registries } from '../core/registries.ts';
import type { Streams } from '../core/streams.ts';
import type { Home } from '../home.ts';
import type { Runtime } from '../runtime.ts';
import { readDelivery, subjectOf } from './delivery-entry.ts';
import { UsageRoom, type UsageParts } from './usage-room.ts';

export interface UsagePorts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly ownLogs: OwnLogs;
  readonly journal: Journal;
  readonly registries: Registries;
  readonly streams: Streams;
  /** The grants of this home, once they are read. */
  readonly grants: () => GrantBook | undefined;
  readonly warn: (subject: string, problem: Fault) => void;
}

/** Codes: those of the store. */
export function openUsage(ports: UsagePorts): Promise<Result<UsageRoom>> {
  const { home, runtime, ledger, ownLogs, journal, registries, streams, grants, warn } = ports;
  return UsageRoom.open({
    host: runtime,
    rows: ledger.rows,
    reader: ledger,
    limits: home.config.limits,
    journal: () => ownLogs.journal()?.logId,
    makeEntry: (entry) => journal.event(entry),
    append: (log, events) => append(ledger, log, events),
    countPublic: home.config.deliveries.public,
    isGiven: (grant) => grants()?.get(grant)?.side === 'given',
    madeOf: (grant) => madeOf(grants(), grant),
    journaled: (log) => journaled(ledger, ownLogs.journal()?.logId, log, home.config.limits),
    nameOf: (did) => registries.nameOf(did),
    streamName: (owner, name) => {
      const view = streams.view({ owner, name });
      return view.ok ? view.value.display : `${owner}/${name}`;
    },
    isSealed: (owner, name) => {
      const view = streams.view({ owner, name });
      return view.ok && view.value.visibility === 'sealed';
    },
    onFault: (problem) => warn('deliveries', problem),
  });
}

/** All or, as far as the caller knows, none: what is in already is found again by its id. */
async function append(
  ledger: Ledger,
  log: LogId,
  events: readonly ParsedEvent[],
): Promise<Result<number[]>> {
  const published = await ledger.publish(log, events);
  if (!published.ok) return published;
  const indexes: number[] = [];
  for (const receipt of published.value) {
    if (!receipt.ok) return receipt;
    indexes.push(receipt.value.index);
  }
  return ok(indexes);
}

function madeOf(grants: GrantBook | undefined, id: string): ReturnType<UsageParts['madeOf']> {
  const kept = grants?.get(id);
  if (grants === undefined || kept?.side !== 'through') return undefined;
  const opened = grants.open(kept);
  const cids = opened.ok ? opened.value.cids : [];
  const given = cids.findLast((cid) => grants.get(cid)?.side === 'given');
  return given === undefined ? undefined : { given, holder: kept.scope.holder };
}

/** Deliveries of a log in the journal, by the index of subjects, backwards. */
export async function* journaled(
  ledger: Ledger,
  journal: LogId | undefined,
  log: LogId,
  limits: { readonly maxTracedDeliveries: number },
): AsyncGenerator<NonNullable<ReturnType<typeof readDelivery>>> {
  if (journal === undefined) return;
  let left = limits.maxTracedDeliveries;
  const subject = subjectOf(log);
  for await (const index of ledger.subjectIndexes(journal, subject, { reverse: true })) {
    if (left === 0) return;
    left -= 1;
    const entry = await ledger.entry(journal, index);
    const event = entry.ok ? entry.value.event : undefined;
    const found = event === undefined ? undefined : readDelivery(event);
    if (found !== undefined) yield found;
  }
}
