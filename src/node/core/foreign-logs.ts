/**
 * Logs that one trace or one bundle reads from peers because they are not kept here: opened when
 * they are first needed, within a budget of logs, bytes and time, and forgotten at its end. Peers
 * that the card of a log's stream names are dialled where no connected one serves it.
 */
import { fault, type Fault } from '../../errors.ts';
import type { GossipNode } from '../../gossip/gossip-node.ts';
import type { KnownPeer } from '../../gossip/hello-codec.ts';
import type { Clock } from '../../host.ts';
import type { Reference } from '../../ids.ts';
import { ForeignLog } from '../../ledger/foreign-log.ts';
import type { ForeignBudget, ForeignSource } from '../../ledger/foreign-port.ts';
import { limits } from '../../limits.ts';
import type { LogId } from '../../types.ts';
import { nodeEnv } from '../judges.ts';
import type { Registries } from './registries.ts';

export interface ForeignParts {
  readonly source: ForeignSource;
  /** Connects to peers that are said to have the log. */
  readonly meet: (logId: LogId, signal: AbortSignal) => Promise<void>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

export type ForeignLimits = Pick<
  typeof limits,
  'maxForeignLogs' | 'maxForeignBytes' | 'maxForeignMs' | 'maxForeignCacheBytes'
>;

export class ForeignLogs {
  readonly #parts: ForeignParts;
  readonly #limits: Readonly<Record<keyof ForeignLimits, number>>;
  readonly #signal: AbortSignal;
  readonly #logs = new Map<LogId, ForeignLog>();
  /** Why a log cannot be read: asked once a trace. */
  readonly #away = new Map<LogId, Fault>();
  readonly #budget: ForeignBudget;

  constructor(
    parts: ForeignParts,
    signal: AbortSignal,
    bounds: Readonly<Record<keyof ForeignLimits, number>> = limits,
  ) {
    this.#parts = parts;
    this.#limits = bounds;
    this.#signal = signal;
    this.#budget = budgetOf(parts.clock, bounds);
  }

  /** A log of which something was reached. */
  get(logId: LogId): ForeignLog | undefined {
    const log = this.#logs.get(logId);
    return log?.head === undefined ? undefined : log;
  }

  /**
   * Makes entries up to `to` readable. Why not: lineage-unreachable (with what the peers said),
   * index-over-head (of a log that they have less of), lineage-limit.
   */
  async reach({
    logId,
    from,
    to,
  }: Pick<Reference, 'logId' | 'from' | 'to'>): Promise<Fault | undefined> {
    const away = this.#away.get(logId);
    if (away !== undefined) return away;
    const log = this.#logs.get(logId) ?? this.#open(logId);
    if (log === undefined) return this.#budget.spent() ?? tooMany(this.#limits.maxForeignLogs);
    let head = await log.reach(to);
    if (!head.ok && log.head === undefined && head.error.code !== 'lineage-limit') {
      await this.#parts.meet(logId, this.#signal);
      head = await log.reach(to);
    }
    if (head.ok) {
      log.announce(from, to);
      return undefined;
    }
    const { code } = head.error;
    if (code === 'lineage-limit' || code === 'interrupted') return head.error;
    const problem = unreachable(logId, head.error);
    // Of a log that was reached other places may be readable.
    if (log.head === undefined) this.#away.set(logId, problem);
    return problem;
  }

  #open(logId: LogId): ForeignLog | undefined {
    if (this.#logs.size >= this.#limits.maxForeignLogs) return undefined;
    const log = new ForeignLog(nodeEnv, logId, this.#parts.source, this.#budget, this.#signal);
    this.#logs.set(logId, log);
    return log;
  }
}

/** Of a place whose log no peer could show. */
export function unreachable(logId: LogId, { code, message }: Fault): Fault {
  const said = code === 'no-holder' ? message : `${code}, ${message}`;
  return fault('lineage-unreachable', `hw:${logId} is not kept here, and ${said}`);
}

function tooMany(most: number): Fault {
  return fault('lineage-limit', `it needs more than ${most} logs that are not kept here`);
}

function budgetOf(
  clock: ForeignParts['clock'],
  {
    maxForeignBytes,
    maxForeignMs,
    maxForeignCacheBytes,
  }: Readonly<Record<keyof ForeignLimits, number>>,
): ForeignBudget {
  const startedMs = clock.monotonic();
  let taken = 0;
  let cached = 0;
  const kept: { readonly bytes: number; readonly drop: () => void }[] = [];
  return {
    spent: () => {
      if (taken >= maxForeignBytes) {
        return fault('lineage-limit', `${taken} bytes were fetched from peers`);
      }
      const ms = clock.monotonic() - startedMs;
      if (ms < maxForeignMs) return undefined;
      return fault('lineage-limit', `fetching from peers took ${Math.round(ms / 1000)} s`);
    },
    took: (bytes) => {
      taken += bytes;
    },
    keep: (bytes, drop) => {
      kept.push({ bytes, drop });
      cached += bytes;
      while (cached > maxForeignCacheBytes && kept.length > 1) {
        const oldest = kept.shift();
        oldest?.drop();
        cached -= oldest?.bytes ?? 0;
      }
    },
  };
}

/** The network of a running node as a source; undefined where it has none. */
export function foreignParts(
  gossip: GossipNode | undefined,
  registries: Pick<Registries, 'ofLog' | 'card' | 'profile'>,
  clock: ForeignParts['clock'],
): ForeignParts | undefined {
  if (gossip === undefined) return undefined;
  const { lookups } = gossip.evidence;
  return {
    source: lookups,
    meet: (logId, signal) => lookups.meet(serversOf(registries, logId), signal),
    clock,
  };
}

/** Peers of the organisation whose registry lists the log. */
function serversOf(
  registries: Pick<Registries, 'ofLog' | 'card' | 'profile'>,
  logId: LogId,
): readonly KnownPeer[] {
  const key = registries.ofLog(logId);
  const profile = key === undefined ? undefined : registries.profile(key.owner);
  return (profile?.peers ?? []).map(({ id, addresses }) => ({ peer: id, addresses }));
}
