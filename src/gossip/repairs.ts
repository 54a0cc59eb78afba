/**
 * Blocks for the places where our own store is damaged: asked of one peer after the other by
 * `/headwater/1/blocks`, whether or not it claims to have more than we. What comes is handed over
 * unjudged; whoever asked verifies it against what it holds, and says what it was worth.
 */
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogId, type LogIndex, type PeerId } from '../types.ts';
import { decodeBlocks, encodeBlocks } from './blocks-codec.ts';
import { grantFor } from './admission.ts';
import type { Exchange } from './exchange.ts';
import { penalise, usable, usablePeers, type Net } from './net.ts';
import { penalty } from './scores.ts';
import { askPeer, longLimit, protocols } from './serve.ts';
import type { Session } from './sessions.ts';

/** Go on; enough; another peer may do better; or why the block can never be valid. */
export type RepairStep = 'more' | 'done' | 'next' | Fault;
type Take = (wire: Uint8Array, sender: string) => Promise<RepairStep>;

/** Bytes asked for at once: damage is mostly a block or two. */
const usualPageBytes = 1_048_576;

export interface FetchOptions {
  /** Asked before all others. */
  readonly first?: PeerId;
  /** Bytes asked for at once; a block comes even where it is larger. */
  readonly pageBytes?: number;
}

interface Page {
  readonly logId: LogId;
  readonly from: LogIndex;
  readonly pageBytes: number;
}

/** How one peer's answer ended. */
interface Asked {
  readonly done: boolean;
  /** Where the next page begins; undefined where the peer has no more. */
  readonly next?: LogIndex;
}

export class Repairs {
  readonly #net: Net;

  constructor(net: Net) {
    this.#net = net;
  }

  /**
   * Asks the peers that are said to have the log first, then all others, for its blocks from an
   * index on. A peer whose block comes back with a fault pays for it. Code: no-holder, once nobody
   * is left; interrupted.
   */
  async fetch(
    logId: LogId,
    from: LogIndex,
    take: Take,
    signal: AbortSignal,
    { first, pageBytes = usualPageBytes }: FetchOptions = {},
  ): Promise<Result<void>> {
    const peers = usablePeers(this.#net);
    const named = new Set(this.#net.sources.of(logId));
    const rank = (peer: PeerId): number => (peer === first ? 0 : named.has(peer) ? 1 : 2);
    for (const session of peers.toSorted((a, b) => rank(a.peer) - rank(b.peer))) {
      if (signal.aborted) return err(fault('interrupted', 'the repair was stopped'));
      if (!usable(this.#net, session)) continue;
      this.#net.counters.add('repairRequests');
      if (await this.#askAll(session, { logId, from, pageBytes }, take, signal))
        return ok(undefined);
    }
    const message =
      peers.length === 0
        ? 'no peer is connected'
        : `none of ${peers.length} connected peers could give the blocks`;
    return err(fault('no-holder', message));
  }

  /** Page after page of one peer; true where no other one need be asked. */
  async #askAll(session: Session, page: Page, take: Take, signal: AbortSignal): Promise<boolean> {
    for (let next: LogIndex | undefined = page.from; next !== undefined;) {
      const from: LogIndex = next;
      const asked: Result<Asked> = await this.#ask(session, { ...page, from }, take, signal);
      if (!asked.ok) return false;
      if (asked.value.done) return true;
      next = asked.value.next;
    }
    return false;
  }

  #ask(
    session: Session,
    { logId, from, pageBytes }: Page,
    take: Take,
    signal: AbortSignal,
  ): Promise<Result<Asked>> {
    const grant = grantFor(this.#net, session, logId);
    if (!grant.ok) return Promise.resolve(grant);
    const page = { logId, from, live: false, maxBytes: pageBytes };
    const read = { kind: 'read' as const, ...page, ...grant.value };
    const run = async (exchange: Exchange): Promise<Result<Asked>> => {
      const sent = await exchange.send(encodeBlocks(read));
      return sent.ok ? this.#receive(exchange, session, from, take) : sent;
    };
    return askPeer(this.#net, session, protocols.blocks, longLimit(this.#net), run, signal);
  }

  async #receive(
    exchange: Exchange,
    session: Session,
    from: LogIndex,
    take: Take,
  ): Promise<Result<Asked>> {
    let position: number = from;
    for (;;) {
      const frame = await exchange.next();
      const message = frame.ok ? decodeBlocks(frame.value) : frame;
      if (!message.ok) return message;
      switch (message.value.kind) {
        case 'end': {
          const goesOn = position > from && position < message.value.size;
          return ok({ done: false, ...(goesOn ? { next: asLogIndex(position) } : {}) });
        }
        case 'blocks': {
          const { next, wires } = message.value;
          if (next <= position || wires.length === 0) {
            return err(fault('block-order', 'a page that does not go on'));
          }
          position = next;
          const ended = await this.#hand(session, wires, take);
          if (ended !== undefined) return ok(ended);
          const acked = await exchange.send(encodeBlocks({ kind: 'ack', next: asLogIndex(next) }));
          if (!acked.ok) return acked;
          break;
        }
        case 'pulse':
        case 'cosigned':
          break;
        case 'read':
        case 'ack':
          return err(fault('message-shape', `${message.value.kind} from the side that serves`));
      }
    }
  }

  /** A value where this peer need not be asked on. */
  async #hand(
    session: Session,
    wires: readonly Uint8Array[],
    take: Take,
  ): Promise<Asked | undefined> {
    for (const wire of wires) {
      const step = await take(wire, session.peer);
      if (step === 'more') continue;
      if (step === 'done') return { done: true };
      if (step !== 'next') penalise(this.#net, session.peer, penalty.reject, step.code);
      return { done: false };
    }
    return undefined;
  }
}
