/** The logs that this home writes, as chains: which one takes events, and what a card says of them. */
import { logIdFromHash } from '../../ids.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import { fault, type Fault } from '../../errors.ts';
import { limits } from '../../limits.ts';
import type { Did, LogId, PeerId, StreamName } from '../../types.ts';
import type { CardPartition } from './cards.ts';

/** Own logs of one stream: each partition's chain from its first log on, in order of the partitions. */
export function ownChains(
  logs: readonly LogSummary[],
  owner: Did,
  name: StreamName,
): readonly (readonly LogSummary[])[] {
  const named = logs.filter(({ genesis }) => genesis?.owner === owner && genesis.name === name);
  const all = new Map(named.map((log) => [log.logId, log]));
  // What another peer of ours wrote, and this one goes on with, is the begin of its chain.
  const leadsToOwn = (log: LogSummary): boolean => {
    let at: LogSummary | undefined = log;
    for (let steps = 0; at !== undefined && steps <= limits.maxSuccessors; steps++) {
      if (at.createdLocally) return true;
      at = at.closing === undefined ? undefined : all.get(at.closing.next);
    }
    return false;
  };
  const own = named.filter(leadsToOwn);
  const byId = new Map(own.map((log) => [log.logId, log]));
  const after = new Set(
    own.flatMap(({ closing }) => (closing === undefined ? [] : [closing.next])),
  );
  return own
    .filter(({ logId }) => !after.has(logId))
    .toSorted((a, b) => (a.genesis?.partition ?? 0) - (b.genesis?.partition ?? 0))
    .map((first) => {
      const chain: LogSummary[] = [];
      for (let log: LogSummary | undefined = first; log !== undefined && !chain.includes(log);) {
        chain.push(log);
        log = log.closing === undefined ? undefined : byId.get(log.closing.next);
      }
      return chain;
    });
}

/** The log of a partition that takes events. */
export function ownNewest(
  logs: readonly LogSummary[],
  owner: Did,
  name: StreamName,
  partition: number,
): LogSummary | undefined {
  return ownChains(logs, owner, name)
    .find((chain) => chain[0]?.genesis?.partition === partition)
    ?.at(-1);
}

/** The partitions of a card. */
export function cardPartitions(
  chains: readonly (readonly LogSummary[])[],
  writer: PeerId,
): readonly CardPartition[] {
  return chains.flatMap(([first, ...later]) => {
    if (first === undefined) return [];
    const successors = later.map(({ logId }) => logId).slice(-limits.maxSuccessors);
    const partition = { log: first.logId, writer };
    return [successors.length === 0 ? partition : { ...partition, successors }];
  });
}

/** The identity of a stream whose newest log this is: its first log. */
export function streamIdOf({ logId, genesis }: LogSummary): LogId {
  return genesis?.stream === undefined ? logId : logIdFromHash(genesis.stream);
}

/**
 * An own log whose genesis cannot be read may be any stream's, also the registry's: nothing is created beside
 * it, or two logs would claim one name.
 */
export function unreadable(logs: readonly LogSummary[]): Fault | undefined {
  const lost = logs.find(
    ({ createdLocally, genesis, state }) =>
      createdLocally && genesis === undefined && state === 'damaged',
  );
  if (lost === undefined) return undefined;
  return fault('log-damaged', `log ${lost.logId} of this home cannot be read`);
}
