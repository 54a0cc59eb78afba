/** Two ends of a stream in memory. Frames arrive in order, each after a delay of the network. */
import { fault } from '../../src/errors.ts';
import type { FrameStream } from '../../src/gossip/transport.ts';
import { protocol } from '../../src/limits.ts';
import { err, ok, type Result } from '../../src/result.ts';

/** Bytes that may be under way or unread; then the sender waits. */
const windowBytes = 1_048_576;

/** Carries something to the other end, or loses it; `bytes` is for the trace. */
export type Carry = (bytes: number, arrive: () => void) => void;

const closed = fault('stream-closed', 'this side has ended');
const reset = fault('stream-reset', 'the stream was reset');

export class SimStream implements FrameStream {
  /** Told when the stream is reset, from whichever side. */
  onReset: (() => void) | undefined;
  /** Told when both sides have ended. */
  onEnd: (() => void) | undefined;
  readonly #carry: Carry;
  #other: SimStream | undefined;
  readonly #inbox: Uint8Array[] = [];
  #reader: (() => void) | undefined;
  readonly #senders: (() => void)[] = [];
  #underWay = 0;
  #ended = false;
  #otherEnded = false;
  #reset = false;

  private constructor(carry: Carry) {
    this.#carry = carry;
  }

  /** Two ends; `there` carries from the first to the second. */
  static pair(there: Carry, back: Carry): readonly [SimStream, SimStream] {
    const [near, far] = [new SimStream(there), new SimStream(back)];
    near.#other = far;
    far.#other = near;
    return [near, far];
  }

  async send(frame: Uint8Array): Promise<Result<void>> {
    if (this.#reset) return err(reset);
    if (this.#ended) return err(closed);
    if (frame.length > protocol.maxFrameBytes) {
      return err(fault('frame-too-large', `a frame of ${frame.length} bytes`));
    }
    this.#underWay += frame.length;
    this.#carry(frame.length, () => this.#other?.arrived(frame));
    while (this.#underWay > windowBytes && !this.#reset) {
      await new Promise<void>((resolve) => {
        this.#senders.push(resolve);
      });
    }
    return this.#reset ? err(reset) : ok(undefined);
  }

  async receive(): Promise<Result<Uint8Array | undefined>> {
    for (;;) {
      if (this.#reset) return err(reset);
      const frame = this.#inbox.shift();
      if (frame !== undefined) {
        this.#other?.wasRead(frame.length);
        return ok(frame);
      }
      if (this.#otherEnded) return ok(undefined);
      await new Promise<void>((resolve) => {
        this.#reader = resolve;
      });
    }
  }

  close(): Promise<void> {
    if (!this.#ended && !this.#reset) {
      this.#ended = true;
      this.#carry(0, () => this.#other?.otherHasEnded());
      if (this.#otherEnded) this.onEnd?.();
    }
    return Promise.resolve();
  }

  abort(): void {
    // Both sides have ended: nothing is left to reset.
    if (this.#reset || (this.#ended && this.#otherEnded && this.#inbox.length === 0)) return;
    this.fail();
    this.#carry(0, () => this.#other?.fail());
  }

  /** The stream is gone on this side. */
  fail(): void {
    if (this.#reset) return;
    this.#reset = true;
    this.#inbox.length = 0;
    this.#wake();
    this.onReset?.();
  }

  /** From the other end: a frame. */
  arrived(frame: Uint8Array): void {
    if (this.#reset) return;
    this.#inbox.push(frame);
    this.#reader?.();
  }

  /** From the other end: nothing more will come. */
  otherHasEnded(): void {
    this.#otherEnded = true;
    this.#reader?.();
    if (this.#ended) this.onEnd?.();
  }

  /** From the other end: so much was taken. */
  wasRead(bytes: number): void {
    this.#underWay -= bytes;
    if (this.#underWay <= windowBytes) this.#wake();
  }

  #wake(): void {
    this.#reader?.();
    for (const sender of this.#senders.splice(0)) sender();
  }
}
