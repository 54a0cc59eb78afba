/**
 * The rows of the id index (source and id of an event → its index) lie in slices, so that a Bloom
 * filter of fixed size stands for each and the oldest can leave the dedupe window. A slice ends
 * when it is full, then the next has four times the rows; or after an eighth of the window, then
 * the next is about as large as this one was. A quiet log has filters of 6 KB, a busy one few and
 * large ones.
 */
import type { TimeMs } from '../types.ts';

export interface Slice {
  /** Part of the rows' keys; grows by one, never used again. */
  readonly number: number;
  /** First index of the block with which it began. */
  readonly firstIndex: number;
  readonly rows: number;
  /** Rows for which its filter is made. */
  readonly capacity: number;
  /** Recorded time of the block with which it began. */
  readonly begun: TimeMs;
}

export interface SliceRules {
  readonly dedupeWindowMs: number;
  readonly minDedupeSliceRows: number;
  readonly maxDedupeSliceRows: number;
}

/**
 * The slices after a block with so many rows; its rows go to the last one. Slices that have left
 * the window are dropped from the list (their rows stay, for look-ups by id).
 */
export function nextSlices(
  rules: SliceRules,
  slices: readonly Slice[],
  block: { readonly firstIndex: number; readonly time: TimeMs; readonly rows: number },
): readonly Slice[] {
  const last = slices.at(-1);
  const full = last !== undefined && last.rows + block.rows > last.capacity;
  const old = last !== undefined && block.time - last.begun >= rules.dedupeWindowMs / 8;
  if (last !== undefined && !full && !old) {
    return [...slices.slice(0, -1), { ...last, rows: last.rows + block.rows }];
  }
  const wanted = full ? 4 * last.capacity : Math.max(last?.rows ?? 0, block.rows);
  const next = {
    number: last === undefined ? 0 : last.number + 1,
    firstIndex: block.firstIndex,
    rows: block.rows,
    capacity: capacityFor(rules, wanted),
    begun: block.time,
  };
  // A slice ended where the next began.
  const kept = slices.filter((_, i) => {
    const end = slices[i + 1]?.begun ?? block.time;
    return end + rules.dedupeWindowMs >= block.time;
  });
  return [...kept, next];
}

/** The least of min, 4·min, 16·min … that holds `rows`, at most max. */
function capacityFor(rules: SliceRules, rows: number): number {
  let capacity = rules.minDedupeSliceRows;
  while (capacity < rows && capacity < rules.maxDedupeSliceRows) capacity *= 4;
  return Math.min(capacity, rules.maxDedupeSliceRows);
}
