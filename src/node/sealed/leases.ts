/**
 * What was promised with epoch keys, in the table `leases`: how far ahead keys of a log are out for a
 * grant that ends, and whether a new generation is due. A row that a crash leaves is found at the next
 * start, so no revocation and no end of a grant is lost with the process.
 *
 *   value   dag-cbor [due, [[time ms, epoch], …]]   at that time nothing from that epoch on may be out
 */
import { decodeCbor, encodeCbor } from '../../cbor.ts';
import { logIdFromHash, logIdHash } from '../../ids.ts';
import { keyspace } from '../../keyspace.ts';
import type { TableRows } from '../../ledger/table-rows.ts';
import { ok, type Result } from '../../result.ts';
import { asHash, type LogId } from '../../types.ts';

export interface Lease {
  readonly endMs: number;
  /** One past the last epoch whose key is out. */
  readonly to: number;
}

export interface LeaseRow {
  /** Somebody who has keys may not have the next ones. */
  readonly due: boolean;
  /** By the time of their end; a later one reaches further. */
  readonly leases: readonly Lease[];
}

const none: LeaseRow = { due: false, leases: [] };

export class Leases {
  readonly #rows: TableRows;
  readonly #logs = new Map<LogId, LeaseRow>();

  constructor(rows: TableRows) {
    this.#rows = rows;
  }

  /** Codes: those of the store. */
  async load(): Promise<Result<void>> {
    const rows = await this.#rows.all(keyspace.leases);
    if (!rows.ok) return rows;
    for (const { name, value } of rows.value) {
      if (name.length === 32) this.#logs.set(logIdFromHash(asHash(name)), decode(value));
    }
    return ok(undefined);
  }

  /** As they are now. */
  logs(): readonly LogId[] {
    return [...this.#logs.keys()];
  }
  of(log: LogId): LeaseRow {
    return this.#logs.get(log) ?? none;
  }

  /** Durable when it resolves: before the keys leave. */
  lease(log: LogId, openEpoch: number, { endMs, to }: Lease): Promise<Result<void>> {
    const { due, leases: all } = this.of(log);
    const leases = all.filter((one) => one.to > openEpoch + 1);
    // What ends later and reaches less far is void together with what ends first.
    if (leases.some((one) => one.endMs <= endMs && one.to >= to)) return done;
    const kept = leases.filter((one) => one.endMs < endMs || one.to > to);
    const next = [...kept, { endMs, to }].toSorted((a, b) => a.endMs - b.endMs);
    return this.#put(log, { due, leases: next });
  }

  /** Durable when it resolves. */
  setDue(log: LogId): Promise<Result<void>> {
    const row = this.of(log);
    return row.due ? done : this.#put(log, { ...row, due: true });
  }

  /** A new generation has begun: what is out is worth nothing from now on. */
  async settled(log: LogId): Promise<Result<void>> {
    if (!this.#logs.delete(log)) return ok(undefined);
    return this.#rows.remove(keyspace.leases, logIdHash(log));
  }

  /** Has one ended that reaches beyond the open epoch? Those that do not are forgotten by and by. */
  overrun(log: LogId, openEpoch: number, nowMs: number): boolean {
    return this.of(log).leases.some(({ endMs, to }) => endMs <= nowMs && to > openEpoch + 1);
  }

  /** When the first lease ends that reaches beyond the open epoch. */
  firstEnd(log: LogId, openEpoch: number): number | undefined {
    const ends = this.of(log).leases.flatMap(({ endMs, to }) =>
      to > openEpoch + 1 ? [endMs] : [],
    );
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  /** Leases that have ended within what is open: nothing is left to do for them. */
  async forgetEnded(log: LogId, openEpoch: number, nowMs: number): Promise<Result<void>> {
    const { due, leases } = this.of(log);
    const kept = leases.filter(({ endMs, to }) => endMs > nowMs || to > openEpoch + 1);
    if (kept.length === leases.length) return ok(undefined);
    return kept.length === 0 && !due ? this.settled(log) : this.#put(log, { due, leases: kept });
  }

  async #put(log: LogId, row: LeaseRow): Promise<Result<void>> {
    this.#logs.set(log, row);
    const value = encodeCbor([row.due, row.leases.map(({ endMs, to }) => [endMs, to])]);
    return this.#rows.put(keyspace.leases, { name: logIdHash(log), value });
  }
}

const done: Promise<Result<void>> = Promise.resolve(ok(undefined));

/** A row that cannot be read counts as one whose generation is due: that is never wrong. */
function decode(value: Uint8Array): LeaseRow {
  const row = decodeCbor(value);
  if (!row.ok || !Array.isArray(row.value)) return { due: true, leases: [] };
  const [due, list] = row.value;
  if (typeof due !== 'boolean' || !Array.isArray(list)) return { due: true, leases: [] };
  const leases = list.flatMap((one): Lease[] => {
    if (!Array.isArray(one)) return [];
    const [endMs, to] = one;
    return typeof endMs === 'number' && typeof to === 'number' ? [{ endMs, to }] : [];
  });
  return { due: due || leases.length < list.length, leases };
}
