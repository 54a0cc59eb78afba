/**
 * Greeting: who says hello to whom, and who is let in. Of two connected peers the one with the
 * smaller peer id asks, so that each connection has one hello whoever dialled; the other waits and
 * asks itself where nothing comes. Who is not let in, or stays silent, is hung up.
 */
import { equal } from '../bytes.ts';
import { verifyPeerDelegation } from '../access/peer-delegation.ts';
import { codes } from '../codes.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, PeerId } from '../types.ts';
import { ask, type Exchange } from './exchange.ts';
import {
  decodeHello,
  encodeHello,
  helloLimits,
  type Hello,
  type HelloMessage,
  type KnownPeer,
} from './hello-codec.ts';
import { isMalformed } from './message.ts';
import { penalise, usablePeers, type Net, type OwnersPort } from './net.ts';
import { peerKey } from './peer-id.ts';
import { penalty } from './scores.ts';
import { protocols, serve } from './serve.ts';
import { StandingWatch } from './standing-watch.ts';
import type { PeerIdentity, Session } from './sessions.ts';

export interface HelloEvents {
  /** The hello is accepted on our side; `asked` where we began it. */
  ready(session: Session, asked: boolean): void;
  /** We refused a peer, or it us. */
  refused(peer: PeerId, organisation: Did | undefined, reason: Fault): void;
  /** A newer network document is in force. */
  document(document: Uint8Array, from: PeerId): void;
  /** Addresses at which peers say they, or others, can be dialled. */
  learned(known: KnownPeer): void;
}

export class Greeter {
  readonly #net: Net;
  readonly #events: HelloEvents;
  readonly #standings: StandingWatch;

  constructor(net: Net, events: HelloEvents) {
    this.#net = net;
    this.#events = events;
    this.#standings = new StandingWatch(net);
  }

  /** Answers hellos for as long as the transport lives. */
  async serve(): Promise<void> {
    this.#standings.start();
    await serve(this.#net, {
      protocol: protocols.hello,
      limit: { ms: this.#net.limits.helloTimeoutMs, counts: 'total' },
      greeted: false,
      answer: (exchange, session) => this.#answer(exchange, session),
    });
  }

  /** Begins a session: asks at once or waits to be asked, and ends what stays silent. */
  async begin(session: Session): Promise<void> {
    const { transport, host, signal } = this.#net;
    if (transport.self > session.peer) {
      const patience = new AbortController();
      const wait = host.timers.sleep(this.#net.limits.helloTimeoutMs / 2, patience.signal);
      const greeted = session.greeted();
      await Promise.race([wait, greeted]);
      patience.abort();
      if (session.identity !== undefined) return;
    }
    if (signal.aborted || this.#net.sessions.get(session.peer) !== session) return;
    const greeted = await this.#ask(session);
    if (greeted.ok || session.identity !== undefined) return;
    if (isMalformed(greeted.error)) {
      penalise(this.#net, session.peer, penalty.malformed, greeted.error.code);
    }
    this.#events.refused(session.peer, session.claimed, greeted.error);
    await this.#end(session);
  }

  /**
   * Says hello again to a peer that is greeted: clocks, addresses, network documents and standings
   * change while a connection lasts. Silence and `rate-limited` are forgiven here, a
   * refusal ends the session.
   */
  async refresh(session: Session): Promise<void> {
    const greeted = await this.#ask(session);
    if (greeted.ok) return;
    const [kind] = codes[greeted.error.code];
    if (kind === 'unreachable' || kind === 'busy') return;
    this.#events.refused(session.peer, session.claimed, greeted.error);
    await this.#end(session);
  }

  async #ask(session: Session): Promise<Result<void>> {
    const { transport, host, signal, clock, counters } = this.#net;
    const options = {
      host,
      signals: [signal],
      limit: { ms: this.#net.limits.helloTimeoutMs, counts: 'total' as const },
      count: (direction: 'in' | 'out', bytes: number) =>
        counters.bytes(protocols.hello, direction, bytes),
    };
    return ask(transport, session.peer, protocols.hello, options, async (exchange) => {
      const sentMs = host.clock.now();
      const theirs = await this.#exchangeHello(exchange);
      if (!theirs.ok) return theirs;
      const offered = this.#offer(theirs.value.document, session.peer);
      if (!offered.ok) return offered;
      const identity = this.#judge(theirs.value, session);
      if (!identity.ok) return identity;
      const { organisation } = identity.value;
      clock.note(organisation, theirs.value.now, sentMs, host.clock.now(), host.clock.monotonic());
      const updated = await this.#sendDocument(exchange, theirs.value);
      if (!updated.ok) return updated;
      this.#accept(session, theirs.value, identity.value, true);
      return ok(undefined);
    });
  }

  async #exchangeHello(exchange: Exchange): Promise<Result<Hello>> {
    const sent = await exchange.send(encodeHello(this.#own(undefined)));
    return sent.ok ? expectHello(exchange) : sent;
  }

  /** Hands our document to a peer whose version is lower, and waits for its word. */
  async #sendDocument(exchange: Exchange, theirs: Hello): Promise<Result<void>> {
    const { network } = this.#net;
    const document = network.document();
    if (theirs.documentVersion >= network.version() || document === undefined) return ok(undefined);
    const sent = await exchange.send(encodeHello({ kind: 'document', document }));
    if (!sent.ok) return sent;
    const answer = await expect(exchange, 'accepted');
    return answer.ok ? ok(undefined) : answer;
  }

  async #answer(exchange: Exchange, session: Session): Promise<Result<void>> {
    const first = await expectHello(exchange);
    if (!first.ok) return first;
    const theirs = first.value;
    const { network } = this.#net;
    if (!equal(theirs.network, network.id)) return err(wrongNetwork);
    // A newer document may be what admits the peer: it is read before the peer is judged.
    const newer = theirs.documentVersion > network.version();
    const early = newer ? undefined : this.#judge(theirs, session);
    if (early?.ok === false) return this.#refuse(session, early.error);
    if (early?.ok === true) this.#accept(session, theirs, early.value, false);
    const sent = await exchange.send(encodeHello(this.#own(theirs)));
    if (!sent.ok || !newer) return sent;
    const message = await expect(exchange, 'document');
    if (!message.ok) return message;
    const offered = this.#offer(message.value.document, session.peer);
    if (!offered.ok) return offered;
    const late = this.#judge(theirs, session);
    if (!late.ok) return this.#refuse(session, late.error);
    this.#accept(session, theirs, late.value, false);
    return exchange.send(encodeHello({ kind: 'accepted' }));
  }

  #refuse(session: Session, reason: Fault): Result<void> {
    this.#events.refused(session.peer, session.claimed, reason);
    return err(reason);
  }

  #own(theirs: Hello | undefined): Hello {
    const { network, self, transport, host } = this.#net;
    const document = network.document();
    const behind = theirs !== undefined && theirs.documentVersion < network.version();
    return {
      kind: 'hello',
      network: network.id,
      documentVersion: network.version(),
      now: host.clock.now(),
      delegations: self.delegations(),
      roles: self.roles,
      software: self.software,
      addresses: transport.addresses().slice(0, helloLimits.addresses),
      peers: peersToTell(this.#net),
      ...(behind && document !== undefined ? { document } : {}),
    };
  }

  #judge(hello: Hello, session: Session): Result<PeerIdentity> {
    const { network, control, self } = this.#net;
    if (!equal(hello.network, network.id)) return err(wrongNetwork);
    const standing = this.#standing(hello, session.peer);
    if (!standing.ok) return standing;
    const revoked = this.#standings.judge(session, hello.delegations);
    if (revoked !== undefined) return err(revoked);
    const stolen = self.owners?.void(hello.delegations);
    const organisation =
      self.owners?.now(standing.value.organisation) ?? standing.value.organisation;
    session.claimed = organisation;
    const banned = stolen ?? control.banned(session.peer, organisation);
    if (banned !== undefined) return err(banned);
    if (!network.admits(organisation)) {
      return err(fault('not-a-member', `${organisation} is not a member of this network`));
    }
    const { roles, software, addresses, documentVersion } = hello;
    return ok({ ...standing.value, organisation, roles, software, addresses, documentVersion });
  }

  /** Organisations have other DIDs now: their peers go by them, and are judged again by what they show. */
  renamed(owners: OwnersPort): void {
    for (const session of this.#net.sessions.all()) {
      const { identity } = session;
      if (identity === undefined) continue;
      const organisation = owners.now(identity.organisation);
      if (owners.all(organisation).length === 1) continue;
      session.identity = { ...identity, organisation };
      this.#net.track(this.refresh(session));
    }
  }

  #standing(hello: Hello, peer: PeerId): ReturnType<typeof verifyPeerDelegation> {
    const key = peerKey(peer);
    if (key === undefined) return err(fault('ucan-chain', 'the connection has no Ed25519 key'));
    return verifyPeerDelegation(this.#net.crypto, {
      proof: hello.delegations,
      peerKey: key,
      network: this.#net.network.id,
      now: this.#net.host.clock.now(),
    });
  }

  #offer(document: Uint8Array | undefined, from: PeerId): Result<void> {
    if (document === undefined) return ok(undefined);
    const taken = this.#net.network.offer(document);
    // Between the versions and the document a newer one may have come from elsewhere.
    if (!taken.ok && taken.error.code === 'network-document-old') return ok(undefined);
    if (!taken.ok) return taken;
    if (taken.value) this.#events.document(document, from);
    return ok(undefined);
  }

  #accept(session: Session, theirs: Hello, identity: PeerIdentity, asked: boolean): void {
    const again = session.identity !== undefined;
    session.answered();
    session.settle(identity);
    if (theirs.addresses.length > 0) {
      this.#events.learned({ peer: session.peer, addresses: theirs.addresses });
    }
    // Who says hello over and over may not fill our books with others.
    if (!again || asked) for (const known of theirs.peers) this.#events.learned(known);
    if (!again) this.#events.ready(session, asked);
  }

  /** Ends a session without identity; one that never had a connection is only forgotten. */
  async #end(session: Session): Promise<void> {
    session.settle(undefined);
    session.identity = undefined;
    await this.#net.transport.hangUp(session.peer);
    if (this.#net.sessions.get(session.peer) === session) this.#net.sessions.remove(session.peer);
  }
}

const wrongNetwork: Fault = fault('wrong-network', 'the network id of the hello is another one');

type OfKind<K extends HelloMessage['kind']> = Extract<HelloMessage, { readonly kind: K }>;

function expectHello(exchange: Exchange): Promise<Result<Hello>> {
  return expect(exchange, 'hello');
}

async function expect<K extends HelloMessage['kind']>(
  exchange: Exchange,
  kind: K,
): Promise<Result<OfKind<K>>> {
  const frame = await exchange.next();
  if (!frame.ok) return frame;
  const message = decodeHello(frame.value);
  if (!message.ok) return message;
  if (isKind(message.value, kind)) return ok(message.value);
  return err(fault('message-shape', `${message.value.kind} instead of ${kind}`));
}

function isKind<K extends HelloMessage['kind']>(
  message: HelloMessage,
  kind: K,
): message is OfKind<K> {
  return message.kind === kind;
}

/** Peers whose addresses are worth handing on, some at random. */
function peersToTell(net: Net): readonly KnownPeer[] {
  const known = usablePeers(net).map(({ peer, identity }) => ({
    peer,
    addresses: identity?.addresses ?? [],
  }));
  return known.filter(({ addresses }) => addresses.length > 0).slice(0, helloLimits.peers);
}
