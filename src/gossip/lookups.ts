/**
 * Reading a log that is not followed here, for a trace or a bundle: its keys, its blocks from an
 * index on, and proofs about it, asked of one connected peer after the other. Whoever asked checks
 * what comes; a peer whose answer did not hold is passed over. Nothing of it is kept.
 */
import { fault, type Fault } from '../errors.ts';
import type { ProofAnswer, ProofRequest } from '../proof-request.ts';
import { RecentMap } from '../recent-map.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogId, type LogIndex, type PeerId } from '../types.ts';
import { decodeBlocks, encodeBlocks } from './blocks-codec.ts';
import type { Exchange } from './exchange.ts';
import { grantFor } from './admission.ts';
import type { KnownPeer } from './hello-codec.ts';
import { fetchKeys } from './keys.ts';
import type { KeyEntry } from './keys-codec.ts';
import { usable, usablePeers, type Net } from './net.ts';
import { askAttributes } from './attribute-proofs.ts';
import { decodeProof, encodeProof, type AttributesAnswer } from './proof-codec.ts';
import type { Repairs, RepairStep } from './repairs.ts';
import { askPeer, longLimit, protocols, shortLimit } from './serve.ts';
import type { Session } from './sessions.ts';

/** Judges an answer; after a fault the next peer is asked. */
type Take<A, T> = (answer: A) => Promise<Result<T>>;

type Run<T> = (session: Session, until: AbortSignal) => Promise<Result<T>>;

/** Logs of which is remembered who gave an answer last. */
const maxRemembered = 1024;
/** Tries with a peer that is asked too often, and the rest between them. */
const maxTries = 8;
const restMs = 500;

export class Lookups {
  readonly #net: Net;
  readonly #repairs: Repairs;
  readonly #holders = new RecentMap<LogId, PeerId>(maxRemembered);

  constructor(net: Net, repairs: Repairs) {
    this.#net = net;
    this.#repairs = repairs;
  }

  /** Dials those of the peers that are not connected; resolves when they are, or after a while. */
  async meet(peers: readonly KnownPeer[], signal: AbortSignal): Promise<void> {
    const { transport, sessions, host, limits } = this.#net;
    const missing = peers.filter(({ peer, addresses }) => {
      const here = peer === transport.self || sessions.get(peer) !== undefined;
      const barred = this.#net.scores.barred(peer, host.clock.monotonic());
      return !here && !barred && addresses.length > 0;
    });
    if (missing.length === 0) return;
    const ending = new AbortController();
    const stop = (): void => ending.abort();
    signal.addEventListener('abort', stop);
    const dials = missing.slice(0, limits.maxLookupDials).map((one) => this.#dial(one, ending));
    const patience = host.timers.sleep(limits.lookupDialMs, ending.signal);
    await Promise.race([Promise.all(dials), patience]);
    stop();
    signal.removeEventListener('abort', stop);
    await patience;
  }

  async #dial({ peer, addresses }: KnownPeer, { signal }: AbortController): Promise<void> {
    const { transport, sessions } = this.#net;
    await transport.learn(peer, addresses);
    const dialled = await transport.dialPeer(peer, signal);
    if (dialled.ok) await sessions.get(peer)?.greeted();
  }

  /** All control entries of a log. Codes: no-holder, interrupted, what the last answer came to. */
  keys<T>(
    logId: LogId,
    take: Take<readonly KeyEntry[], T>,
    signal: AbortSignal,
  ): Promise<Result<T>> {
    return this.#first(logId, signal, async (session, until) => {
      const pages = await fetchKeys(this.#net, session, logId, until);
      return pages.ok ? take(pages.value.flatMap(({ entries }) => entries)) : pages;
    });
  }

  /** One proof. Codes: as above. */
  prove<T>(
    request: ProofRequest,
    take: Take<ProofAnswer, T>,
    signal: AbortSignal,
  ): Promise<Result<T>> {
    return this.#first(request.logId, signal, async (session, until) => {
      const answer = await this.#prove(session, request, until);
      return answer.ok ? take(answer.value) : answer;
    });
  }

  /** A page of attributes, at most `count` events of the log from an index on. Codes: as above. */
  attributes<T>(
    logId: LogId,
    page: { readonly from: LogIndex; readonly count: number },
    take: Take<AttributesAnswer, T>,
    signal: AbortSignal,
  ): Promise<Result<T>> {
    return this.#first(logId, signal, async (session, until) => {
      const ask = { kind: 'askAttributes' as const, logId, ...page };
      const answer = await askAttributes(this.#net, session, ask, until);
      return answer.ok ? take(answer.value) : answer;
    });
  }

  /** Cosigned checkpoints of a log up to the block that holds `last`. Codes: as above. */
  cosigned<T>(
    logId: LogId,
    last: LogIndex,
    take: Take<string, T>,
    signal: AbortSignal,
  ): Promise<Result<T>> {
    return this.#first(logId, signal, async (session, until) => {
      const note = await this.#cosigned(session, logId, last, until);
      return note.ok ? take(note.value) : note;
    });
  }

  /** Blocks from the one that holds `from` on, about `maxBytes` of them. Codes: as of `Repairs.fetch`. */
  blocks(
    logId: LogId,
    from: LogIndex,
    maxBytes: number,
    take: (wire: Uint8Array) => Promise<RepairStep>,
    signal: AbortSignal,
  ): Promise<Result<void>> {
    const first = this.#holders.get(logId);
    const wanted = { pageBytes: maxBytes, ...(first === undefined ? {} : { first }) };
    return this.#repairs.fetch(logId, from, take, signal, wanted);
  }

  /** Asks until `lookupMs` are over: what then is still silent counts as having nothing. */
  async #first<T>(logId: LogId, signal: AbortSignal, run: Run<T>): Promise<Result<T>> {
    const { host, limits } = this.#net;
    const ending = new AbortController();
    const stop = (): void => ending.abort();
    using _ = host.timers.after(limits.lookupMs, stop);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    const found = await this.#among(usablePeers(this.#net), logId, ending.signal, run);
    signal.removeEventListener('abort', stop);
    return signal.aborted && !found.ok
      ? err(fault('interrupted', 'the search was broken off'))
      : found;
  }

  async #among<T>(
    peers: readonly Session[],
    logId: LogId,
    signal: AbortSignal,
    run: Run<T>,
  ): Promise<Result<T>> {
    const best = this.#holders.get(logId);
    const named = new Set(this.#net.sources.of(logId));
    const rank = ({ peer }: Session): number => (peer === best ? 0 : named.has(peer) ? 1 : 2);
    let last: Fault = fault('no-holder', 'no peer is connected');
    for (const session of peers.toSorted((a, b) => rank(a) - rank(b))) {
      if (signal.aborted) break;
      if (!usable(this.#net, session)) continue;
      const found = await this.#patiently(session, signal, run);
      if (found.ok) {
        this.#holders.set(logId, session.peer);
        return found;
      }
      // What a peer had to say of the log counts more than that another one does not know it.
      if (last.code === 'no-holder' || found.error.code !== 'log-unknown') last = found.error;
    }
    this.#holders.delete(logId);
    if (last.code !== 'log-unknown') return err(last);
    return err(fault('no-holder', `none of ${peers.length} connected peers serves the log`));
  }

  async #patiently<T>(session: Session, signal: AbortSignal, run: Run<T>): Promise<Result<T>> {
    for (let tries = 1; ; tries++) {
      const found = await run(session, signal);
      const busy = !found.ok && found.error.code === 'rate-limited';
      if (!busy || tries === maxTries || signal.aborted) return found;
      await this.#net.host.timers.sleep(restMs, signal);
    }
  }

  /** It comes behind the blocks of a page; the page is one block. */
  #cosigned(
    session: Session,
    logId: LogId,
    from: LogIndex,
    signal: AbortSignal,
  ): Promise<Result<string>> {
    const granted = grantFor(this.#net, session, logId);
    if (!granted.ok) return Promise.resolve(granted);
    const page = { logId, from, live: false, maxBytes: 1 };
    const read = { kind: 'read' as const, ...page, ...granted.value };
    const run = async (exchange: Exchange): Promise<Result<string>> => {
      const sent = await exchange.send(encodeBlocks(read));
      if (!sent.ok) return sent;
      for (;;) {
        const frame = await exchange.next();
        const message = frame.ok ? decodeBlocks(frame.value) : frame;
        if (!message.ok) return message;
        if (message.value.kind === 'cosigned') return ok(message.value.note);
        if (message.value.kind === 'end') {
          return err(fault('log-unknown', 'no cosigned checkpoint of it is here'));
        }
        if (message.value.kind !== 'blocks') continue;
        const next = asLogIndex(message.value.next);
        const acked = await exchange.send(encodeBlocks({ kind: 'ack', next }));
        if (!acked.ok) return acked;
      }
    };
    return askPeer(this.#net, session, protocols.blocks, longLimit(this.#net), run, signal);
  }

  #prove(
    session: Session,
    request: ProofRequest,
    signal: AbortSignal,
  ): Promise<Result<ProofAnswer>> {
    const granted = grantFor(this.#net, session, request.logId);
    if (!granted.ok) return Promise.resolve(granted);
    const { grant } = granted.value;
    const plain = encodeProof(request);
    const frame =
      grant === undefined ? plain : encodeProof({ kind: 'granted', grant, request: plain });
    const limit = shortLimit(this.#net);
    const { proof } = protocols;
    return askPeer(
      this.#net,
      session,
      proof,
      limit,
      async (exchange): Promise<Result<ProofAnswer>> => {
        const sent = await exchange.send(frame);
        if (!sent.ok) return sent;
        const next = await exchange.next();
        if (!next.ok) return next;
        const answer = decodeProof(next.value);
        if (!answer.ok) return answer;
        if (answer.value.kind === 'proof') return ok(answer.value);
        return err(fault('message-shape', 'not a proof'));
      },
      signal,
    );
  }
}
