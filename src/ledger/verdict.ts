/**
 * What a refused block says about its sender (FACTS.md; CONVENTIONS habit 3): most faults can never
 * become valid and cost him; a duplicate, a gap, an unknown log or a newer version cost nobody; a
 * fork is evidence against the writer, not against whoever passed it on.
 */
import { codes } from '../codes.ts';
import type { Code, Fault } from '../errors.ts';
import type { Verdict } from '../result.ts';

const cannotJudge: ReadonlySet<Code> = new Set<Code>([
  'block-index',
  'block-version',
  'log-unknown',
  'clock-ahead',
  'fork',
  'branch-key',
]);

/** Only faults of the bytes themselves are held against a sender, never those of our own. */
export function blockVerdict(reason: Fault): Verdict {
  const [kind] = codes[reason.code];
  const provable = kind === 'invalid' || kind === 'usage' || kind === 'denied' || kind === 'large';
  return { kind: provable && !cannotJudge.has(reason.code) ? 'reject' : 'ignore', reason };
}

/** Signed evidence of two histories: to be kept, and to freeze the log. */
export function isForkEvidence(reason: Fault): boolean {
  return reason.code === 'fork';
}
