/** Homes for tests of retention: a follower, and what is missing and why. */
import assert from 'node:assert/strict';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { openLedger, wires } from './ledger-home.ts';
import { must } from './result.ts';

/** A follower that takes all blocks of the other one by sync. */
export async function follower(from: Ledger, log: LogId): Promise<Ledger> {
  const ledger = await openLedger();
  must(await ledger.follow(log));
  await sync(from, ledger, log);
  return ledger;
}

export async function sync(from: Ledger, to: Ledger, log: LogId): Promise<void> {
  for (const wire of await wires(from, log, asLogIndex(to.log(log)?.size ?? 0))) {
    const { verdict } = await to.apply(wire, 'sync');
    assert.equal(verdict.kind, 'accept', JSON.stringify(verdict));
  }
}

export async function missing(ledger: Ledger, log: LogId): Promise<Record<number, string>> {
  const found: Record<number, string> = {};
  for await (const { index, bodyMissing } of ledger.entries(log, asLogIndex(0))) {
    if (bodyMissing !== undefined) found[index] = bodyMissing;
  }
  return found;
}
