/** The scrub of a running node: where its blocks come from, what is journaled, what doctor says. */
import { fault } from '../../errors.ts';
import type { GossipNode } from '../../gossip/gossip-node.ts';
import type { Finding } from '../../ledger/findings.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { RepairSource } from '../../ledger/repair.ts';
import type { ScrubReport } from '../../ledger/scrub.ts';
import { err } from '../../result.ts';
import type { Check, ScrubView } from '../node-api.ts';
import { journalTypes, type Journal } from './journal.ts';

export interface Scrubbing {
  readonly ledger: Ledger;
  readonly journal: Journal;
  /** `scrub.repair` of the configuration. */
  readonly repair: boolean;
  readonly gossip: () => GossipNode | undefined;
}

/** Begins the scrub; the ledger ends it when it closes. */
export function startScrub({ ledger, journal, repair, gossip }: Scrubbing): void {
  ledger.scrub.start({
    repair,
    source: peersOf(gossip),
    onFinding: (finding) => journalFinding(journal, finding),
  });
}

/** The connected peers as holders of blocks. */
export function peersOf(gossip: () => GossipNode | undefined): RepairSource {
  return {
    fetch(logId, from, take, signal) {
      const repairs = gossip()?.evidence.repairs;
      if (repairs !== undefined) return repairs.fetch(logId, from, take, signal);
      return Promise.resolve(err(fault('no-holder', 'this home has no network')));
    },
  };
}

/** Damage is journaled when it is found and when it is mended, not each time that it is met. */
function journalFinding(journal: Journal, finding: Finding): void {
  const { log, kind, index, fault: found, repairedFrom, reason, since, seen } = finding;
  const subject = `hw:${log}/${index}`;
  if (repairedFrom !== undefined) {
    const data = { what: kind, code: found.code, from: repairedFrom };
    journal.record({ type: journalTypes.repaired, subject, data });
  } else if (since === seen) {
    const why = reason?.message;
    const data = { code: found.code, message: found.message, what: kind, why };
    journal.record({ type: journalTypes.warning, subject, data });
  }
}

/** `scrub` for doctor and status: fine, or where the store is damaged and what to do. */
export function scrubFinding({ findings, stalled }: ScrubReport): Omit<Check, 'since'> {
  const name = 'scrub';
  if (stalled !== undefined) {
    const reason = `the store cannot be read: ${stalled.message} (${stalled.code})`;
    return { name, ok: false, level: 'error', reason, hint: stalled.hint };
  }
  const open = findings.filter(({ repairedFrom }) => repairedFrom === undefined);
  const [first] = open;
  if (first === undefined) return { name, ok: true, level: 'ok' };
  const places =
    open.length === 1 ? 'one damaged place' : `${open.length} damaged places, the first`;
  const why = first.reason === undefined ? '' : `; ${first.reason.message} (${first.reason.code})`;
  const reason = `${places} at hw:${first.log}/${first.index}: ${first.fault.message} (${first.fault.code})${why}`;
  return { name, ok: false, level: 'error', reason, hint: first.reason?.hint ?? repairHint };
}

const repairHint =
  'hw verify STREAM --repair mends it; if that fails, hw down and hw verify STREAM --offline --repair.';

export function scrubView(report: ScrubReport): ScrubView {
  const { running, rounds, checkedEntries, found, repaired, findings } = report;
  const open = findings.filter(({ repairedFrom }) => repairedFrom === undefined).length;
  return { running, rounds, checkedEntries, found, repaired, open };
}
