/**
 * What travels besides blocks and heads: grants, acknowledgements, requests to witnesses,
 * cosignatures, repairs.
 */
import { AccessExchange } from './access-exchange.ts';
import { Acks } from './acks.ts';
import { learnCosigned } from './cosigned-exchange.ts';
import { learnFresh } from './freshness-exchange.ts';
import { Lookups } from './lookups.ts';
import type { Net } from './net.ts';
import { Repairs } from './repairs.ts';
import type { Session } from './sessions.ts';
import { Witnessing } from './witnessing.ts';

export class Evidence {
  readonly access: AccessExchange;
  readonly acks: Acks;
  readonly witnessing: Witnessing;
  readonly repairs: Repairs;
  readonly lookups: Lookups;
  readonly #net: Net;

  constructor(net: Net) {
    this.#net = net;
    this.access = new AccessExchange(net);
    this.acks = new Acks(net);
    this.witnessing = new Witnessing(net);
    this.repairs = new Repairs(net);
    this.lookups = new Lookups(net, this.repairs);
  }

  async serve(): Promise<void> {
    await Promise.all([this.access.serve(), this.acks.serve(), this.witnessing.serve()]);
  }

  /** A peer's hello is done, or it is met again: it may have lines that we lack. */
  async meet(session: Session): Promise<void> {
    this.acks.look();
    await learnFresh(this.#net, session);
    await learnCosigned(this.#net, session);
  }
}
