/**
 * Logs that say that they are the registry of an organisation which has another one: made with a stolen
 * key of the organisation, or with that of one of its peers. Nothing of them is believed; they are told
 * once and no longer fetched. What came of them stays as evidence.
 */
import type { Fault } from '../../errors.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import { limits } from '../../limits.ts';
import type { Result } from '../../result.ts';
import type { Did, LogId } from '../../types.ts';
import { registryKnown } from './registry-pins.ts';
import type { Successions } from './successions.ts';

export interface OtherLedger {
  log(logId: LogId): LogSummary | undefined;
  unfollow(logId: LogId, options: { readonly purge: boolean }): Promise<Result<void>>;
}

export interface OtherEvents {
  unfollowed(logId: LogId): void;
  problem(subject: string, problem: Fault): void;
  track(work: Promise<unknown>): void;
}

export class OtherRegistries {
  readonly #ledger: OtherLedger;
  readonly #owners: Pick<Successions, 'identities' | 'pins'>;
  readonly #events: OtherEvents;
  /** Bounded by `maxRegistries`; the oldest goes, and is told again if it comes back. */
  readonly #met = new Set<LogId>();

  constructor(
    ledger: OtherLedger,
    owners: Pick<Successions, 'identities' | 'pins'>,
    events: OtherEvents,
  ) {
    this.#ledger = ledger;
    this.#owners = owners;
    this.#events = events;
  }

  has(logId: LogId): boolean {
    return this.#met.has(logId);
  }

  /** Called by the feed of the registries, which reads nothing of it. */
  met(owner: Did, logId: LogId): void {
    const { identities, pins } = this.#owners;
    const pin = pins.of(identities.all(owner).at(-1) ?? owner);
    // Without a pin there was no room for more registries.
    if (pin === undefined || pin.logId === logId || this.#met.has(logId)) return;
    this.#met.add(logId);
    const [oldest] = this.#met;
    if (this.#met.size > limits.maxRegistries && oldest !== undefined) this.#met.delete(oldest);
    this.#events.problem(`hw:${logId}`, registryKnown(owner, pin.logId, logId));
    if (this.#ledger.log(logId)?.createdLocally === true) return;
    this.#events.unfollowed(logId);
    this.#events.track(this.#ledger.unfollow(logId, { purge: false }));
  }
}
