/**
 * Requests that are being answered. Closing refuses new ones, tells the streams among the others to
 * end, and waits a bounded time for all to be answered before connections are cut.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fault } from '../../errors.ts';
import type { Timers } from '../../host.ts';
import { sendProblem } from './problem.ts';

export class InFlight {
  readonly #closing = new AbortController();
  #count = 0;
  #idle: (() => void) | undefined;

  /** Aborted when the server begins to close. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Must come before whatever else acts when the server closes. */
  endFirst(server: FastifyInstance, timers: Timers, patienceMs: number): void {
    server.addHook('preClose', async () => {
      this.#closing.abort();
      await this.#settled(timers, patienceMs);
    });
  }

  /** Must come before the hooks that answer requests, and after the one that marks upgrades. */
  count(server: FastifyInstance): void {
    server.addHook('onRequest', (request, reply, done) => {
      this.#begin(request, reply, done);
    });
  }

  #begin(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    this.#count += 1;
    reply.raw.once('close', () => {
      this.#count -= 1;
      if (this.#count === 0) this.#idle?.();
    });
    if (!this.closing.aborted || request.url.startsWith('/health/')) return done();
    void sendProblem(reply, fault('draining', 'the node is stopping'));
  }

  async #settled(timers: Timers, patienceMs: number): Promise<void> {
    if (this.#count === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    using _limit = timers.after(patienceMs, resolve);
    await promise;
  }
}
