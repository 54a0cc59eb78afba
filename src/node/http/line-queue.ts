/**
 * Lines of an upload between the one who reads them and the one who publishes them, in order. While
 * some are on their way to the disk the next ones gather here, so that they share its next turn.
 */
import type { Fault } from '../../errors.ts';
import type { ParsedEvent } from '../../types.ts';

export interface Numbered {
  readonly line: number;
  readonly event: ParsedEvent;
}
/** What a line is, or why it is none. */
export type Line = Numbered | { readonly line: number; readonly problem: Fault };

export interface QueueBounds {
  readonly maxPublishEvents: number;
  readonly maxPublishBytes: number;
}

export class LineQueue {
  readonly #bounds: QueueBounds;
  #lines: Line[] = [];
  #bytes = 0;
  #ended = false;
  #changed: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  /** Resolves once less than the bounds waits; false when nobody wants more. */
  async room(): Promise<boolean> {
    while (this.#isFull() && !this.#ended) await this.#changed.promise;
    return !this.#ended;
  }

  #isFull(): boolean {
    const { maxPublishEvents, maxPublishBytes } = this.#bounds;
    return this.#lines.length >= maxPublishEvents || this.#bytes >= maxPublishBytes;
  }

  /** What one chunk held: the bound is on when to read on, so a chunk may go over it. */
  push(lines: readonly Line[]): void {
    if (lines.length === 0) return;
    for (const line of lines) {
      this.#lines.push(line);
      this.#bytes += bytesOf(line);
    }
    this.#change();
  }

  /** No more comes, or no more is wanted. */
  end(): void {
    this.#ended = true;
    this.#change();
  }

  /** The first lines of one kind, good or bad; empty at the end. Waits for what comes. */
  async next(): Promise<readonly Line[]> {
    while (this.#lines.length === 0 && !this.#ended) await this.#changed.promise;
    const bad = isBad(this.#lines[0]);
    const other = this.#lines.findIndex((line) => isBad(line) !== bad);
    const run = other < 0 ? this.#lines.length : other;
    const taken = this.#lines.splice(0, Math.min(run, this.#bounds.maxPublishEvents));
    for (const line of taken) this.#bytes -= bytesOf(line);
    this.#change();
    return taken;
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

function isBad(line: Line | undefined): boolean {
  return line !== undefined && 'problem' in line;
}

function bytesOf(line: Line): number {
  return 'problem' in line ? 0 : line.event.attributes.length + line.event.data.length;
}
