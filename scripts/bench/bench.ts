/** What every bench is given and gives. */
import type { FigureName, Measured } from './figures.ts';

export interface BenchOptions {
  /** Smaller and shorter: a look, not a measurement. */
  readonly quick: boolean;
  /** How long `residentMiB` publishes. */
  readonly memoryMinutes: number;
  /** How long `threeProcesses` is sustained. */
  readonly sustainedSeconds: number;
  /** Is this figure asked for? What is cheap beside it is measured all the same. */
  wants(name: FigureName): boolean;
  /** Tells the person who waits what is going on. */
  note(text: string): void;
}

export interface Bench {
  readonly names: readonly FigureName[];
  run(options: BenchOptions): Promise<readonly Measured[]>;
}

/** Runs `round` once to warm up, then `count` times; what the later rounds gave. */
export async function rounds<T>(
  count: number,
  round: (number: number) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  for (let i = 0; i <= count; i++) {
    const result = await round(i);
    if (i > 0) results.push(result);
  }
  return results;
}

/** Calls a second of `run`, median of `rounds` rounds of `calls` calls each. */
export function callsPerSecond(count: number, calls: number, run: () => void): readonly number[] {
  const rates: number[] = [];
  for (let round = 0; round <= count; round++) {
    const begun = performance.now();
    for (let i = 0; i < calls; i++) run();
    if (round > 0) rates.push((1000 * calls) / (performance.now() - begun));
  }
  return rates;
}

/** Of `count` things done since `begun`, a second. */
export function perSecond(count: number, begun: number): number {
  return (1000 * count) / (performance.now() - begun);
}
