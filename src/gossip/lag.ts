/**
 * How far each log is behind the best head that is known to be true: one whose checkpoint is signed
 * by the key that we know to be the log's. Unproved claims only say whom to ask.
 */
import type { LogId } from '../types.ts';

export interface Lag {
  readonly entries: number;
  /** Seconds since we first knew of an entry that we do not have. */
  readonly seconds: number;
}

export class LagBook {
  readonly #known = new Map<LogId, { size: number; behindSinceMs: number | undefined }>();

  /** True where the proof of this size would tell us something new. */
  wouldTell(logId: LogId, size: number): boolean {
    return size > (this.#known.get(logId)?.size ?? 0);
  }

  /** A proved head. */
  note(logId: LogId, size: number, oursSize: number, nowMs: number): void {
    const known = this.#known.get(logId);
    if (known !== undefined && known.size >= size) return;
    const behindSinceMs = size > oursSize ? (known?.behindSinceMs ?? nowMs) : undefined;
    this.#known.set(logId, { size, behindSinceMs });
  }

  /** Our own tree has grown. */
  grown(logId: LogId, oursSize: number): void {
    const known = this.#known.get(logId);
    if (known === undefined) this.#known.set(logId, { size: oursSize, behindSinceMs: undefined });
    else if (oursSize >= known.size) {
      known.size = oursSize;
      known.behindSinceMs = undefined;
    }
  }

  of(logId: LogId, oursSize: number, nowMs: number): Lag {
    const known = this.#known.get(logId);
    if (known?.behindSinceMs === undefined || known.size <= oursSize) {
      return { entries: 0, seconds: 0 };
    }
    return { entries: known.size - oursSize, seconds: (nowMs - known.behindSinceMs) / 1000 };
  }

  forget(logId: LogId): void {
    this.#known.delete(logId);
  }
}
