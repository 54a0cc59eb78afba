/**
 * What was delivered of one log, as disjoint ranges in order. Ranges that touch or overlap become one,
 * so a reader that goes on where it was stays one piece; what is delivered twice counts twice. Beyond
 * `max` pieces the two that lie nearest are joined and say that there is a gap in them: totals are
 * never lost, only where exactly.
 */
import type { TimeMs } from '../../types.ts';

export interface Piece {
  /** Half-open; empty where only bytes without content were delivered. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly bytes: number;
  readonly first: TimeMs;
  readonly last: TimeMs;
  /** Not all between its ends was delivered. */
  readonly gaps: boolean;
}

export interface Totals {
  readonly count: number;
  readonly bytes: number;
  readonly first: TimeMs;
  readonly last: TimeMs;
}

export class Pieces {
  readonly #max: number;
  /** By `from`; none touches the next. */
  #pieces: Piece[] = [];
  /** Bytes that belong to no range; it stands where the last of them were. */
  #rest: Piece | undefined;

  constructor(max: number, pieces: Iterable<Piece> = []) {
    this.#max = max;
    for (const piece of pieces) this.add(piece);
  }

  get isEmpty(): boolean {
    return this.#rest === undefined && this.#pieces.length === 0;
  }

  add(piece: Piece): void {
    const { from } = piece;
    if (from >= piece.to) {
      const all = this.#rest === undefined ? piece : join(this.#rest, piece, false);
      this.#rest = { ...all, from, to: from };
      return;
    }
    const { length } = this.#pieces;
    const last = this.#pieces[length - 1];
    // Nearly always a reading goes on.
    if (last === undefined || from > last.to) this.#pieces.push(piece);
    else if (from >= last.from) this.#pieces[length - 1] = join(last, piece, false);
    else this.#insert(piece);
    if (this.#pieces.length > this.#max) this.#coarsen();
  }

  /** Ranges in order, then what has none. */
  list(): readonly Piece[] {
    return this.#rest === undefined ? this.#pieces : [...this.#pieces, this.#rest];
  }

  /** What is there, and begins anew. */
  take(): readonly Piece[] {
    const taken = this.list();
    this.#pieces = [];
    this.#rest = undefined;
    return taken;
  }

  #insert(piece: Piece): void {
    const start = this.#pieces.findIndex(({ to }) => to >= piece.from);
    let end = start;
    let joined = piece;
    for (let other = this.#pieces[end]; other !== undefined; other = this.#pieces[end]) {
      if (other.from > joined.to) break;
      joined = join(other, joined, false);
      end += 1;
    }
    this.#pieces.splice(start, end - start, joined);
  }

  #coarsen(): void {
    let nearest = 0;
    let least = Infinity;
    for (const [i, { to }] of this.#pieces.entries()) {
      const gap = (this.#pieces[i + 1]?.from ?? Infinity) - to;
      if (gap < least) [nearest, least] = [i, gap];
    }
    const [a, b] = this.#pieces.slice(nearest, nearest + 2);
    if (a !== undefined && b !== undefined) this.#pieces.splice(nearest, 2, join(a, b, true));
  }
}

/** Sums over pieces; undefined where there are none. */
export function totalsOf(pieces: readonly Piece[]): Totals | undefined {
  const [head, ...others] = pieces;
  return head === undefined
    ? undefined
    : others.reduce<Piece>((sum, piece) => join(sum, piece, false), head);
}

function join(a: Piece, b: Piece, gaps: boolean): Piece {
  return {
    from: Math.min(a.from, b.from),
    to: Math.max(a.to, b.to),
    count: a.count + b.count,
    bytes: a.bytes + b.bytes,
    first: a.first < b.first ? a.first : b.first,
    last: a.last > b.last ? a.last : b.last,
    gaps: gaps || a.gaps || b.gaps,
  };
}
