/**
 * The frames sent but not acknowledged, oldest first: the sender waits while they would hold more
 * than `maxUnackedBytes`.
 */
import { protocol } from '../limits.ts';

export class UnackedWindow {
  readonly #frames: { readonly next: number; readonly bytes: number }[] = [];
  #bytes = 0;
  #highest = 0;
  #wake: (() => void) | undefined;
  #closed = false;

  /** True once there is room for so many bytes, false where the window was closed instead. */
  async room(bytes: number): Promise<boolean> {
    // One frame always fits, or a window smaller than a frame would wait forever.
    while (
      !this.#closed &&
      this.#frames.length > 0 &&
      this.#bytes + bytes > protocol.maxUnackedBytes
    ) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !this.#closed;
  }

  sent(next: number, bytes: number): void {
    this.#frames.push({ next, bytes });
    this.#highest = next;
    this.#bytes += bytes;
  }

  /** Everything up to this index has been applied; false where so much was never sent. */
  acknowledged(next: number): boolean {
    if (next > this.#highest) return false;
    while (this.#frames[0] !== undefined && this.#frames[0].next <= next) {
      this.#bytes -= this.#frames.shift()?.bytes ?? 0;
    }
    this.#wake?.();
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }
}
