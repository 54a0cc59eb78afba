/**
 * What time others think it is (ledger.md "Leaves", `clock-untrusted`). Each `hello` and `heads`
 * carries the sender's `now`; halfway through the round trip it is compared with ours. One sample
 * counts for each organisation, the newest, so nobody votes twice.
 */
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { RecentMap } from '../recent-map.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, TimeMs } from '../types.ts';
import type { GossipLimits } from './gossip-limits.ts';

export interface ClockOpinion {
  /** Median of (their clock - ours), in ms; positive where we are behind. */
  readonly offsetMs: number;
  readonly organisations: number;
}

/** `clock-untrusted` where enough organisations agree that our clock is wrong; fewer only warn. */
export function checkClock(opinion: ClockOpinion | undefined): Result<void> {
  if (opinion === undefined || opinion.organisations < protocol.minClockOpinions)
    return ok(undefined);
  if (Math.abs(opinion.offsetMs) <= protocol.maxClockSkewMs) return ok(undefined);
  const seconds = Math.round(opinion.offsetMs / 1000);
  const message = `this clock is ${-seconds} s off the median of ${opinion.organisations} organisations`;
  return err(fault('clock-untrusted', message));
}

export class MedianClock {
  readonly #limits: GossipLimits;
  readonly #samples: RecentMap<Did, { readonly offsetMs: number; readonly atMs: number }>;

  constructor(limits: GossipLimits) {
    this.#limits = limits;
    this.#samples = new RecentMap(limits.maxClockSamples);
  }

  /** `sentMs` and `nowMs` are our clock before and after the request that brought `theirs`. */
  note(organisation: Did, theirs: TimeMs, sentMs: TimeMs, nowMs: TimeMs, atMs: number): void {
    this.#samples.set(organisation, { offsetMs: theirs - (sentMs + nowMs) / 2, atMs });
  }

  /**
   * The median over the organisations that `counts` names, of samples at most `clockSampleMs` old.
   * Of an even number the two middle ones are averaged. Undefined without any sample.
   */
  opinion(counts: (organisation: Did) => boolean, atMs: number): ClockOpinion | undefined {
    const offsets: number[] = [];
    for (const [organisation, sample] of this.#samples) {
      if (atMs - sample.atMs <= this.#limits.clockSampleMs && counts(organisation)) {
        offsets.push(sample.offsetMs);
      }
    }
    if (offsets.length === 0) return undefined;
    offsets.sort((a, b) => a - b);
    const middle = Math.floor(offsets.length / 2);
    const upper = offsets[middle] ?? 0;
    const lower = offsets.length % 2 === 1 ? upper : (offsets[middle - 1] ?? 0);
    return { offsetMs: (lower + upper) / 2, organisations: offsets.length };
  }
}
