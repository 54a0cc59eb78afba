/** Half-open ranges of numbers, kept merged and sorted, whatever the order in which they are added. */

export interface Interval {
  readonly from: number;
  readonly to: number;
}

export class IntervalSet {
  #parts: Interval[] = [];

  get parts(): readonly Interval[] {
    return this.#parts;
  }

  has(index: number): boolean {
    const part = this.#parts[this.#after(index) - 1];
    return part !== undefined && index < part.to;
  }

  /** Adds a range; gives the parts of it that were not there yet. */
  add(from: number, to: number): readonly Interval[] {
    const fresh: Interval[] = [];
    // The first part that touches [from, to), and one past the last.
    let first = this.#after(from);
    const before = this.#parts[first - 1];
    if (before !== undefined && before.to >= from) first -= 1;
    let [end, place] = [first, from];
    let [low, high] = [from, to];
    for (let part = this.#parts[end]; part !== undefined && part.from <= to;) {
      if (part.from > place) fresh.push({ from: place, to: part.from });
      place = Math.max(place, part.to);
      [low, high] = [Math.min(low, part.from), Math.max(high, part.to)];
      end += 1;
      part = this.#parts[end];
    }
    if (place < to) fresh.push({ from: place, to });
    this.#parts.splice(first, end - first, { from: low, to: high });
    return fresh;
  }

  /** How many parts begin at or before this. */
  #after(index: number): number {
    let [low, high] = [0, this.#parts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#parts[middle]?.from ?? Infinity) <= index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The parts of `whole` that are in none of `others`, which are sorted and do not overlap. */
export function without(whole: Interval, others: readonly Interval[]): readonly Interval[] {
  const left: Interval[] = [];
  let place = whole.from;
  for (const { from, to } of others) {
    if (to <= place || from >= whole.to) continue;
    if (from > place) left.push({ from: place, to: from });
    place = Math.max(place, to);
  }
  if (place < whole.to) left.push({ from: place, to: whole.to });
  return left;
}
