/**
 * The guard: what must never go back, kept outside the store. A store that was restored from a
 * backup is behind its guard, and signs nothing until it has caught up: two blocks of one size
 * would be a fork under the owner's own key.
 *
 * `guard-file.ts` keeps it on the disk; `MemoryGuard` here is for tests, simulator and browsers.
 */
import { toHex } from '../bytes.ts';
import type { Fault } from '../errors.ts';
import { ok, type Result } from '../result.ts';
import type { Hash } from '../types.ts';

/** What a mark is about: 0 the highest size that was signed for a log, 1 that a witness cosigned. */
export type GuardKind = 0 | 1;

export interface GuardMark {
  readonly kind: GuardKind;
  /** The log's id as bytes. */
  readonly id: Hash;
  readonly size: number;
  readonly root: Hash;
}

export interface Guard extends AsyncDisposable {
  /** There was no guard before: with own logs in the store that is `guard-missing`. */
  readonly fresh: boolean;
  /** `guard-torn` where opening dropped a last write that a crash had cut. */
  readonly recovered: Fault | undefined;
  mark(kind: GuardKind, id: Hash): GuardMark | undefined;
  marks(): readonly GuardMark[];
  /**
   * Resolves when the marks are on the disk. A mark replaces that of the same kind and id; throws a
   * RangeError if its size is smaller. Code: guard-failed; then the old marks stand.
   */
  advance(marks: readonly GuardMark[]): Promise<Result<void>>;
  close(): Promise<void>;
}

/** Marks by kind and id; refuses to go back. */
export class GuardMarks {
  readonly #marks = new Map<string, GuardMark>();

  get(kind: GuardKind, id: Hash): GuardMark | undefined {
    return this.#marks.get(`${kind}${toHex(id)}`);
  }

  all(): readonly GuardMark[] {
    return [...this.#marks.values()];
  }

  /** Throws a RangeError for a mark that is below the one that stands. */
  check(marks: readonly GuardMark[]): void {
    for (const mark of marks) {
      const old = this.get(mark.kind, mark.id);
      if (old !== undefined && old.size > mark.size) {
        throw new RangeError(`a guard mark of ${mark.size} below ${old.size}`);
      }
    }
  }

  /** A smaller one that was under way when a larger one was set changes nothing. */
  set(mark: GuardMark): void {
    if ((this.get(mark.kind, mark.id)?.size ?? 0) > mark.size) return;
    this.#marks.set(`${mark.kind}${toHex(mark.id)}`, mark);
  }
}

export class MemoryGuard implements Guard {
  readonly fresh: boolean;
  readonly recovered: undefined = undefined;
  readonly #marks: GuardMarks = new GuardMarks();

  constructor(marks?: readonly GuardMark[]) {
    this.fresh = marks === undefined;
    for (const mark of marks ?? []) this.#marks.set(mark);
  }

  /** For a later process: `new MemoryGuard(guard.marks())`. */
  marks(): readonly GuardMark[] {
    return this.#marks.all();
  }

  mark(kind: GuardKind, id: Hash): GuardMark | undefined {
    return this.#marks.get(kind, id);
  }

  advance(marks: readonly GuardMark[]): Promise<Result<void>> {
    this.#marks.check(marks);
    for (const mark of marks) this.#marks.set(mark);
    return Promise.resolve(ok(undefined));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
