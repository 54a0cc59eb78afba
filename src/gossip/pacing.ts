/**
 * Own gossip waits while a neighbour has much waiting. Gossipsub itself never waits: it drops a
 * neighbour's whole stream when its buffer overflows, and the pair stays dead until somebody
 * notices (watchdog.ts). The wait is bounded and served once: a neighbour that did not drain in
 * `maxWaitMs` is not waited for again until it has drained.
 */
import { fault } from '../errors.ts';
import type { Timers } from '../host.ts';
import { err, ok, type Result } from '../result.ts';
import type { PeerId } from '../types.ts';

export interface Neighbour {
  readonly peer: PeerId;
  /** Bytes that wait to be sent to it now. */
  backlog(): number;
  /** Calls `run` whenever some of them may have gone, and when the stream ends. */
  changed(run: () => void): Disposable;
}

export interface PacingLimits {
  /** Above this the neighbour is waited for, until half of it is left. */
  readonly paceBytes: number;
  readonly maxWaitMs: number;
  /** Bytes waiting for their turn; above it `gossip-busy`. */
  readonly maxQueueBytes: number;
}

export class Pacer {
  readonly #timers: Timers;
  readonly #limits: PacingLimits;
  readonly #slow = new Set<PeerId>();
  #turn: Promise<unknown> = Promise.resolve();
  #queued = 0;
  #queuedBytes = 0;

  constructor(timers: Timers, limits: PacingLimits) {
    this.#timers = timers;
    this.#limits = limits;
  }

  /** Bytes that wait for their turn. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Neighbours that did not drain in time and have not since. */
  get slow(): ReadonlySet<PeerId> {
    return this.#slow;
  }

  /**
   * Calls `send` in order of arrival, when every neighbour has room or has had its time; neighbours
   * are asked for when the turn has come. `gossip-busy` where too much waits already.
   */
  async run<T>(
    bytes: number,
    neighbours: () => readonly Neighbour[],
    send: () => Promise<T>,
  ): Promise<Result<T>> {
    if (this.#queued > 0 && this.#queuedBytes + bytes > this.#limits.maxQueueBytes) {
      return err(fault('gossip-busy', `${this.#queuedBytes} bytes wait for slow neighbours`));
    }
    this.#queued++;
    this.#queuedBytes += bytes;
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    try {
      await before;
      await this.#room(neighbours());
      return ok(await send());
    } finally {
      this.#queued--;
      this.#queuedBytes -= bytes;
      resolve();
    }
  }

  async #room(neighbours: readonly Neighbour[]): Promise<void> {
    const waits: Promise<void>[] = [];
    for (const neighbour of neighbours) {
      const backlog = neighbour.backlog();
      if (this.#slow.has(neighbour.peer)) {
        if (backlog <= this.#limits.paceBytes / 2) this.#slow.delete(neighbour.peer);
      } else if (backlog > this.#limits.paceBytes) {
        waits.push(this.#drained(neighbour));
      }
    }
    if (waits.length > 0) await Promise.all(waits);
  }

  async #drained(neighbour: Neighbour): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    using timer = this.#timers.after(this.#limits.maxWaitMs, () => resolve(false));
    using change = neighbour.changed(() => {
      if (neighbour.backlog() <= this.#limits.paceBytes / 2) resolve(true);
    });
    if (!(await promise)) this.#slow.add(neighbour.peer);
    timer[Symbol.dispose]();
    change[Symbol.dispose]();
  }

  /** Forgets a neighbour that has left. */
  forget(peer: PeerId): void {
    this.#slow.delete(peer);
  }
}
