/** What was measured against the table of figures: ratios, targets, and what missed them. */
import {
  figureSpecs,
  isFigureName,
  type FigureName,
  type FigureSpec,
  type Measured,
  type Unit,
} from './figures.ts';

/** A line of `npm run bench -- --json`. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  /**
   * In the unit of the value: it must reach this where more is better (rates), and not exceed it
   * otherwise. A bound of the ratio is turned into one of the value. Null: measured for comparison.
   */
  readonly target: number | null;
  readonly pass: boolean | null;
  readonly ratioTo: string | null;
  /** Value over that of `ratioTo`, in the same run. */
  readonly ratio: number | null;
}

/** The figures of what was measured, in the order of the table; what was not is left out. */
export function makeFigures(measured: Iterable<Measured>): readonly Figure[] {
  const found = new Map<string, Measured>();
  for (const one of measured) found.set(one.name, one);
  return Object.entries(figureSpecs).flatMap(([name, spec]) => {
    const one = found.get(name);
    if (one === undefined) return [];
    const base = spec.ratioTo === undefined ? undefined : found.get(spec.ratioTo)?.value;
    return [makeFigure(name, spec, one, base)];
  });
}

function makeFigure(
  name: string,
  spec: FigureSpec,
  one: Measured,
  base: number | undefined,
): Figure {
  const { value } = one;
  const ratio = one.ratio ?? (base === undefined ? null : value / base);
  const { unit, ratioTo = null } = spec;
  const target = targetOf(spec, value, ratio);
  const more = spec.atMost === undefined;
  // A figure that is NaN compares false, so it is a miss.
  const pass = target === null ? null : more ? value >= target : value <= target;
  return { name, value, unit, target, pass, ratioTo, ratio };
}

/** A bound of the ratio that cannot be judged, because the raw limit was not measured, is a miss. */
function targetOf(spec: FigureSpec, value: number, ratio: number | null): number | null {
  const { atLeast, atMost, ratioAtLeast } = spec;
  if (atMost !== undefined) return atMost;
  if (ratioAtLeast === undefined) return atLeast ?? null;
  const byRatio = ratio === null ? Number.POSITIVE_INFINITY : (ratioAtLeast * value) / ratio;
  return Math.max(atLeast ?? 0, byRatio);
}

/** Names of the figures with a target that were not reached. */
export function misses(figures: readonly Figure[]): readonly string[] {
  return figures.filter((figure) => figure.pass === false).map((figure) => figure.name);
}

/** Names of the figures with a target that the run should have given and did not. */
export function missing(
  figures: readonly Figure[],
  wanted: readonly FigureName[],
): readonly string[] {
  const given = new Set(figures.map((figure) => figure.name));
  return wanted.filter((name) => !given.has(name));
}

/** Names of all figures that have a target. */
export function bound(): readonly FigureName[] {
  return Object.keys(figureSpecs).filter(isFigureName).filter(hasTarget);
}

function hasTarget(name: FigureName): boolean {
  const { atLeast, atMost, ratioAtLeast } = figureSpecs[name];
  return (atLeast ?? atMost ?? ratioAtLeast) !== undefined;
}
