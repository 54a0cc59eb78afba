/** Asking for grants and cards, answering it, and telling all of a revocation (access-codec.ts). */
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, LogId, PeerId } from '../types.ts';
import {
  decodeAccess,
  encodeAccess,
  type AccessAnswer,
  type AccessMessage,
  type GrantRequest,
  type KeysAnswer,
  type RequestId,
} from './access-codec.ts';
import { encodeAlert } from './announcement-codec.ts';
import type { Exchange } from './exchange.ts';
import { unknownLog } from './admission.ts';
import { usablePeers, type Net } from './net.ts';
import { askPeer, isDenial, protocols, serve, shortLimit } from './serve.ts';
import type { Session } from './sessions.ts';
import { alertsTopic } from './topics.ts';

export class AccessExchange {
  readonly #net: Net;

  constructor(net: Net) {
    this.#net = net;
  }

  async serve(): Promise<void> {
    await serve(this.#net, {
      protocol: protocols.access,
      limit: shortLimit(this.#net),
      greeted: true,
      answer: async (exchange, session) => {
        const frame = await exchange.next();
        if (!frame.ok) return frame;
        const message = decodeAccess(frame.value);
        if (!message.ok) return message;
        const answer = await this.#answer(message.value, session);
        return answer.ok ? exchange.send(encodeAccess(answer.value)) : answer;
      },
    });
  }

  /** Sends a request to a connected peer of the owner, or asks what became of it. Codes: no-holder, those of the answer. */
  async request(
    owner: Did,
    message: GrantRequest | { readonly kind: 'state' | 'withdraw'; readonly id: RequestId },
  ): Promise<Result<AccessAnswer>> {
    return this.#first(owner, async (session) => {
      const answer = await this.#ask(session, message);
      if (!answer.ok) return answer;
      if (answer.value.kind === 'answer' && answer.value.id === message.id) return ok(answer.value);
      return err(fault('message-shape', 'not the answer to this request'));
    });
  }

  /** The logs of a stream, as JSON, from a connected peer of its owner; `show` makes what it is shown. */
  async card(owner: Did, show: (peer: PeerId) => Result<Uint8Array>): Promise<Result<string>> {
    return this.#first(owner, async (session) => {
      const grant = show(session.peer);
      if (!grant.ok) return grant;
      const answer = await this.#ask(session, { kind: 'askCard', grant: grant.value });
      if (!answer.ok) return answer;
      if (answer.value.kind === 'card') return ok(answer.value.text);
      return err(fault('message-shape', 'not a card'));
    });
  }

  /** Grants that sister peers have handed to us, as text; unproved. */
  async handed(organisation: Did): Promise<readonly string[]> {
    const found = new Set<string>();
    for (const session of usablePeers(this.#net)) {
      if (session.identity?.organisation !== organisation) continue;
      const answer = await this.#ask(session, { kind: 'mine' });
      if (!answer.ok || answer.value.kind !== 'grants') continue;
      for (const grant of answer.value.grants) found.add(grant);
    }
    return [...found];
  }

  /**
   * A page of epoch keys from a connected peer of the owner, and which peer that was; `show` makes what
   * it is shown.
   */
  async keys(
    owner: Did,
    log: LogId,
    from: number,
    show: (peer: PeerId) => Result<Uint8Array>,
  ): Promise<Result<{ readonly peer: PeerId; readonly answer: KeysAnswer }>> {
    return this.#first(owner, async (session) => {
      const grant = show(session.peer);
      if (!grant.ok) return grant;
      const ask = { kind: 'askKeys', log, from, grant: grant.value } as const;
      const answer = await this.#ask(session, ask);
      if (!answer.ok) return answer;
      if (answer.value.kind !== 'keys') return err(fault('message-shape', 'no keys'));
      return ok({ peer: session.peer, answer: answer.value });
    });
  }

  /** Tells all peers of a revocation. */
  async announce(token: Uint8Array): Promise<Result<void>> {
    const { transport, network } = this.#net;
    const topic = alertsTopic(network.text);
    return transport.publish(topic, encodeAlert({ kind: 'revocation', token }));
  }

  async #answer(message: AccessMessage, session: Session): Promise<Result<AccessMessage>> {
    const { access } = this.#net;
    const organisation = session.identity?.organisation;
    if (access === undefined || organisation === undefined) return err(unknownLog);
    const asker = { peer: session.peer, organisation };
    switch (message.kind) {
      case 'request':
        return access.request(message, asker);
      case 'state':
        return access.stateOf(message.id, asker);
      case 'withdraw':
        return access.withdraw(message.id, asker);
      case 'askCard': {
        const text = access.card(message.grant, asker);
        return text.ok ? ok({ kind: 'card', text: text.value }) : text;
      }
      case 'mine': {
        const kin = organisation === this.#net.self.organisation;
        return kin ? ok({ kind: 'grants', grants: access.handed(asker) }) : err(unknownLog);
      }
      case 'askKeys':
        return access.keys?.(message, asker) ?? err(unknownLog);
      case 'answer':
      case 'keys':
      case 'card':
      case 'grants':
        return err(fault('message-shape', 'not a request'));
    }
  }

  async #first<T>(owner: Did, run: (session: Session) => Promise<Result<T>>): Promise<Result<T>> {
    const now = this.#net.self.owners?.now(owner) ?? owner;
    const peers = usablePeers(this.#net).filter(({ identity }) => identity?.organisation === now);
    let last: Fault = fault('no-holder', `no peer of ${owner} is connected`);
    for (const session of peers) {
      const found = await run(session);
      // Another peer of the owner may have heard of its revocations.
      const stale = !found.ok && found.error.code === 'revocations-stale';
      if (found.ok || (isDenial(found.error) && !stale)) return found;
      last = found.error;
    }
    return err(last);
  }

  #ask(session: Session, message: AccessMessage): Promise<Result<AccessMessage>> {
    const { access } = protocols;
    const run = async (exchange: Exchange): Promise<Result<AccessMessage>> => {
      const sent = await exchange.send(encodeAccess(message));
      if (!sent.ok) return sent;
      const frame = await exchange.next();
      return frame.ok ? decodeAccess(frame.value) : frame;
    };
    return askPeer(this.#net, session, access, shortLimit(this.#net), run);
  }
}
