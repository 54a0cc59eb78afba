/** Retention policies and redactions of this node's own streams, and the bounds of its journal. */
import { fault } from '../../errors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { RetentionPolicy } from '../../ledger/retention-policy.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId } from '../../types.ts';
import type { Actor, Check, StreamView } from '../node-api.ts';
import type { RedactionView, RetentionApi } from '../retention-api.ts';
import type { Journal } from './journal.ts';
import { journalName, type OwnLogs } from './own-logs.ts';
import { journalPolicy, policyText, viewOf, type JournalLimits } from './retention-view.ts';
import type { Streams } from './streams.ts';

export interface RetentionParts {
  readonly ledger: Pick<Ledger, 'log' | 'retention'>;
  readonly streams: Streams;
  readonly journal: Pick<Journal, 'did'>;
}

export class StreamRetention implements RetentionApi {
  readonly #parts: RetentionParts;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  async setPolicy(
    stream: StreamView,
    policy: RetentionPolicy,
    actor: Actor,
  ): Promise<Result<StreamView>> {
    if (!stream.own) return err(fault('stream-not-own', `${stream.display} is of another owner`));
    if (stream.name === journalName) {
      const hint = 'Set limits.journalMaxAgeMs and limits.journalMaxBytes in config.yaml.';
      return err(fault('retention-policy', 'the journal is bounded by limits', undefined, hint));
    }
    const logs = stream.logs.filter(({ role, state }) => role === 'writer' && state !== 'closed');
    if (policy.below !== undefined && logs.length > 1) {
      const message = `${stream.display} has ${logs.length} logs: an index is of one log`;
      return err(fault('position-ambiguous', message, undefined, 'Use an age or a size.'));
    }
    const size = Math.max(0, ...logs.map((log) => log.size));
    if (policy.below !== undefined && policy.below > size) {
      // A digit too many would drop what is published from now on, and that cannot be undone.
      const message = `${stream.display} has ${size} entries, nothing is at index ${policy.below} yet`;
      const hint = 'Name an index up to the head: what comes later is kept.';
      return err(fault('index-over-head', message, { index: policy.below }, hint));
    }
    const { ledger, streams, journal } = this.#parts;
    for (const { log } of logs) {
      const set = await ledger.retention.setPolicy(log, policy);
      if (!set.ok) return set;
    }
    journal.did('stream.policy', `${stream.display}: ${policyText(viewOf(policy))}`, actor);
    return streams.view(stream);
  }

  async redact(
    log: LogId,
    index: number,
    reason: string,
    actor: Actor,
  ): Promise<Result<RedactionView>> {
    const { ledger, journal } = this.#parts;
    const done = await ledger.retention.redact(log, asLogIndex(index), reason);
    if (!done.ok || done.value.already) return done;
    journal.did('redact', `hw:${log}/${index}`, { ...actor, why: actor.why ?? reason });
    return done;
  }
}

/** What cannot be dropped although it is due, for `hw doctor`. */
export function retentionFinding({ problem }: Ledger['retention']): Omit<Check, 'since'> {
  const name = 'retention';
  if (problem === undefined) return { name, ok: true, level: 'ok' };
  const { code, message, hint } = problem;
  return { name, ok: false, level: 'warning', reason: `${message} (${code})`, hint };
}

/** Keeps the journal within its limits, also one that an earlier version has begun. */
export async function boundJournal(
  ledger: Pick<Ledger, 'retention'>,
  ownLogs: Pick<OwnLogs, 'journal'>,
  limits: JournalLimits,
): Promise<Result<void>> {
  const journal = ownLogs.journal();
  if (journal === undefined) return ok(undefined);
  const set = await ledger.retention.setPolicy(journal.logId, journalPolicy(limits));
  return set.ok ? ok(undefined) : set;
}
