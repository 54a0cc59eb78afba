/**
 * A partition as a chain of logs (ledger.md "Identity"): usually one; a recovery adds a successor, which goes
 * on where its predecessor was closed.
 */
import { logIdFromHash } from '../../ids.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import type { LogId } from '../../types.ts';
import type { LogView, StreamView } from '../node-api.ts';

/**
 * By partition, each chain from its first log on. A log that names a predecessor which is here and does
 * not lead to it is no part of the stream: not sound, or the second of two.
 */
export function inOrder(logs: readonly LogView[]): readonly LogView[] {
  const byId = new Map(logs.map((log) => [log.log, log]));
  const placed = new Set<LogId>();
  const order: LogView[] = [];
  const starts = logs.filter(
    ({ predecessor }) => predecessor === undefined || !byId.has(predecessor),
  );
  // One that is listed and of which nothing is here yet stands behind those that are.
  const ranked = starts.toSorted((a, b) => a.partition - b.partition || emptyLast(a, b));
  for (const start of ranked) {
    for (let log: LogView | undefined = start; log !== undefined && !placed.has(log.log);) {
      placed.add(log.log);
      order.push(log);
      log = log.closing === undefined ? undefined : byId.get(log.closing.successor);
    }
  }
  const rank = new Map(order.map(({ log }, i) => [log, i]));
  return order.toSorted(
    (a, b) => a.partition - b.partition || (rank.get(a.log) ?? 0) - (rank.get(b.log) ?? 0),
  );
}

function emptyLast(a: LogView, b: LogView): number {
  return (
    Number(a.size === 0 && a.closing === undefined) -
    Number(b.size === 0 && b.closing === undefined)
  );
}

/** The chain of each partition that is here, in their order; each has at least one log. */
export function chainsOf({ logs }: Pick<StreamView, 'logs'>): readonly (readonly LogView[])[] {
  const byId = new Map(logs.map((log) => [log.log, log]));
  const chains = new Map<number, LogView[]>();
  for (const first of logs) {
    if (chains.has(first.partition)) continue;
    const chain: LogView[] = [];
    chains.set(first.partition, chain);
    for (let log: LogView | undefined = first; log !== undefined && !chain.includes(log);) {
      chain.push(log);
      log = log.closing === undefined ? undefined : byId.get(log.closing.successor);
    }
  }
  return [...chains.values()];
}

/** The log of a partition that takes events: the last of its chain. */
export function newestLog(
  stream: Pick<StreamView, 'logs'>,
  partition: number,
): LogView | undefined {
  return chainsOf(stream)
    .find((chain) => chain[0]?.partition === partition)
    ?.at(-1);
}

/** What a view says of the logs before and after. */
export function successionOf({
  genesis,
  closing,
}: LogSummary): Pick<LogView, 'predecessor' | 'closing'> {
  const before = genesis?.predecessor;
  return {
    ...(before === undefined ? {} : { predecessor: logIdFromHash(before.log) }),
    ...(closing === undefined
      ? {}
      : { closing: { size: closing.size, successor: closing.next, whole: closing.whole } }),
  };
}

/** Entries that are missing: of a closed log, those up to its end. */
export function lagOf(
  { logId, size, closing }: LogSummary,
  lag: (logId: LogId) => { readonly entries: number },
): number {
  return closing === undefined ? lag(logId).entries : Math.max(0, closing.size - size);
}

/** The stream that a log of partition 0 belongs to, by its first log. */
export function firstLog(log: LogSummary | undefined): LogId | undefined {
  const stream = log?.genesis?.stream;
  return stream === undefined ? log?.logId : logIdFromHash(stream);
}
