/**
 * Tickets for browsers (access.md "Node API"): WebSocket and EventSource cannot send a header, and a
 * token in an address ends up in logs and histories. `POST /tickets` gives a random text that opens
 * one path once, within `ticketLifeMs`, as `?ticket=`. Only its hash is kept.
 */
import { toBase64url, toHex, utf8 } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault } from '../../errors.ts';
import type { Clock, Random } from '../../host.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Caller } from './callers.ts';
import type { HttpLimits } from './parts.ts';

type TicketLimits = Pick<HttpLimits, 'ticketLifeMs' | 'maxTickets' | 'maxTicketsPerCaller'>;

interface Issued {
  readonly path: string;
  readonly caller: Caller;
  /** On the monotonic clock. */
  readonly until: number;
}

export class Tickets {
  readonly #limits: TicketLimits;
  readonly #clock: Clock;
  readonly #random: Random;
  /** By the hash of the ticket, oldest first: they all live equally long. */
  readonly #issued = new Map<string, Issued>();

  constructor(clock: Clock, random: Random, limits: TicketLimits) {
    this.#limits = limits;
    this.#clock = clock;
    this.#random = random;
  }

  get size(): number {
    return this.#issued.size;
  }

  /** A ticket for one path (no query). Code: `tickets-full`, of this caller or in all. */
  issue(path: string, caller: Caller): Result<string> {
    this.#forgetOld();
    const { ticketLifeMs, maxTickets, maxTicketsPerCaller } = this.#limits;
    const all = [...this.#issued.values()];
    const own = all.filter((one) => one.caller.key === caller.key).length;
    if (all.length >= maxTickets || own >= maxTicketsPerCaller) {
      return err(fault('tickets-full', `${own} tickets of this caller wait to be used`));
    }
    const ticket = toBase64url(this.#random.bytes(32));
    const until = this.#clock.monotonic() + ticketLifeMs;
    this.#issued.set(hashOf(ticket), { path, caller, until });
    return ok(ticket);
  }

  /**
   * Who asked for the ticket. It is spent by this, whatever the answer. One that was used, has
   * expired, was never given or is for another path gets the same answer: `ticket-refused`.
   */
  redeem(ticket: string, path: string): Result<Caller> {
    const key = hashOf(ticket);
    const found = this.#issued.get(key);
    this.#issued.delete(key);
    if (found === undefined || found.path !== path || found.until <= this.#clock.monotonic()) {
      return err(fault('ticket-refused', 'this ticket does not open this path now'));
    }
    return ok(found.caller);
  }

  #forgetOld(): void {
    const now = this.#clock.monotonic();
    for (const [key, { until }] of this.#issued) {
      if (until > now) return;
      this.#issued.delete(key);
    }
  }
}

/** Looking up a hash tells nothing of the ticket by the time it takes. */
function hashOf(ticket: string): string {
  return toHex(nodeCrypto.sha256(utf8(ticket)));
}
