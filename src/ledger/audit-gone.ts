/**
 * Bodies that an audit did not find, and why (ledger.md "Tree, seal, checkpoint"): named by a
 * redaction, below the newest seal's lowest index or superseded under a `compact` policy, else
 * withheld by whoever sent the block. Nothing of this is damage: their leaves were checked.
 */
import type { CborMap } from '../cbor.ts';
import type { Code } from '../errors.ts';
import { policyOf } from './retention-policy.ts';

export interface GoneReport {
  readonly redacted: number;
  /** By retention or withheld. */
  readonly dropped: number;
  /** The first of each reason; what was withheld comes first, the others by index. */
  readonly problems: readonly GoneProblem[];
}

export interface GoneProblem {
  readonly index: number;
  readonly code: Extract<Code, 'body-withheld' | 'event-dropped' | 'event-redacted'>;
  readonly message: string;
}

export class GoneBodies {
  /** Runs of indexes without a body, in order: from, to (exclusive), from, to … */
  readonly #runs: number[] = [];
  readonly #redactions = new Set<number>();
  #compact = false;

  /** A control entry of the log. */
  control(map: CborMap): void {
    if (map['type'] === 'redact') this.#redactions.add(Number(map['index']));
    this.#compact ||= policyOf(map)?.compact === true;
  }

  /** An event without a body; indexes grow. */
  body(index: number): void {
    if (this.#runs.at(-1) === index) this.#runs[this.#runs.length - 1] = index + 1;
    else this.#runs.push(index, index + 1);
  }

  /** `lowest` is that of the newest seal. */
  report(lowest: number): GoneReport {
    const counts = { 'body-withheld': 0, 'event-dropped': 0, 'event-redacted': 0 };
    const firsts = new Map<GoneProblem['code'], number>();
    for (let run = 0; run < this.#runs.length; run += 2) {
      for (let index = this.#runs[run] ?? 0; index < (this.#runs[run + 1] ?? 0); index++) {
        const code = this.#why(index, lowest);
        counts[code] += 1;
        if (!firsts.has(code)) firsts.set(code, index);
      }
    }
    const problems = [...firsts]
      .map(([code, index]) => ({ code, index, message: text(code, counts[code]) }))
      .toSorted((a, b) => rank(a) - rank(b) || a.index - b.index);
    const redacted = counts['event-redacted'];
    return { redacted, dropped: counts['body-withheld'] + counts['event-dropped'], problems };
  }

  #why(index: number, lowest: number): GoneProblem['code'] {
    if (this.#redactions.has(index)) return 'event-redacted';
    return index < lowest || this.#compact ? 'event-dropped' : 'body-withheld';
  }
}

function rank({ code }: GoneProblem): number {
  return code === 'body-withheld' ? 0 : 1;
}

function text(code: GoneProblem['code'], count: number): string {
  const bodies = count === 1 ? '1 body is' : `${count} bodies are`;
  switch (code) {
    case 'event-redacted':
      return `${bodies} gone by redaction`;
    case 'event-dropped':
      return `${bodies} gone by retention`;
    case 'body-withheld':
      return `${bodies} left out by the sender`;
  }
}
