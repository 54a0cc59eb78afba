/**
 * Bytes of wire blocks by index, for a policy that limits them: segments of about a hundredth of the
 * limit, so that the list stays short however long the log is. Blocks are counted as they are
 * appended; what came while nobody counted is read from the store.
 */
import type { ByteSegment } from './retention-row.ts';

const segmentsPerLimit = 128;

export class ByteTally {
  readonly #step: number;
  #segments: ByteSegment[];
  #counted: number;

  constructor(maxBytes: number, counted: number, segments: readonly ByteSegment[]) {
    this.#step = Math.max(1, Math.floor(maxBytes / segmentsPerLimit));
    this.#counted = counted;
    this.#segments = [...segments];
  }

  /** Blocks below this index are counted: the next one to add begins here. */
  get counted(): number {
    return this.#counted;
  }
  get segments(): readonly ByteSegment[] {
    return this.#segments;
  }
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** One block; passed over where it is not the next. */
  add(firstIndex: number, size: number, bytes: number): void {
    if (firstIndex !== this.#counted || size <= firstIndex) return;
    this.#counted = size;
    const last = this.#segments.at(-1);
    if (last === undefined || last.bytes >= this.#step) this.#segments.push({ firstIndex, bytes });
    else this.#segments[this.#segments.length - 1] = { ...last, bytes: last.bytes + bytes };
  }

  /** Blocks before an index are dropped: a segment that begins before it and ends behind it stays. */
  forget(below: number): void {
    const ends = this.#segments.map((_, i) => this.#segments[i + 1]?.firstIndex ?? this.#counted);
    this.#segments = this.#segments.filter((_, i) => (ends[i] ?? 0) > below);
    if (this.#counted < below) this.#counted = below;
  }

  /** The least index from which on no more than `maxBytes` are kept. */
  lowest(maxBytes: number): number {
    let left = this.bytes;
    for (const segment of this.#segments) {
      if (left <= maxBytes) return segment.firstIndex;
      left -= segment.bytes;
    }
    return this.#counted;
  }
}
