/**
 * Forks between peers. Whoever meets a peer asks which forks it knows, and shows it the roots of its
 * own heads, so that two histories of one length are found too (of two lengths, sync finds them). A
 * fork that was found or fetched here is gossiped; one that came by gossip was passed on with it. Of
 * a followed log that is forked, blocks of the other history are fetched and kept as evidence.
 */
import { codes } from '../codes.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId, PeerId } from '../types.ts';
import { encodeAlert } from './announcement-codec.ts';
import type { Exchange } from './exchange.ts';
import { fetchBranch } from './fork-branch.ts';
import { fetchKeys } from './keys.ts';
import type { ForkPort, PortControls } from './ledger-port.ts';
import { isShared, penalise, usable, usablePeers, type Net } from './net.ts';
import {
  decodeProof,
  encodeProof,
  forksDigest,
  maxRootRows,
  type ProofMessage,
  type RootRow,
} from './proof-codec.ts';
import { forkedLogs } from './proof-server.ts';
import { penalty } from './scores.ts';
import { askPeer, protocols, shortLimit } from './serve.ts';
import type { Session } from './sessions.ts';
import { alertsTopic } from './topics.ts';

export class ForkWatch implements Disposable {
  readonly #net: Net;
  /** Logs whose keys are being asked for, because a block is signed by one that we do not know. */
  readonly #suspected = new Set<LogId>();
  readonly #fetching = new Set<LogId>();
  readonly #listening: Disposable | undefined;
  /** Where the next page of roots begins, where there are more logs than one holds. */
  #turn = 0;

  constructor(net: Net, gossip: boolean) {
    this.#net = net;
    this.#listening = net.ledger.forks?.onFound(({ fork, proof, via }) => {
      net.counters.add('forksTaken');
      if (via !== 'gossip' && gossip) net.track(this.#announce(fork.logId, proof));
      net.track(this.#fetchBranch(fork.logId, usablePeers(net)));
    });
  }

  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]();
  }

  /** Learns the forks that a peer knows, and whether its heads contradict ours. */
  async compare(session: Session): Promise<void> {
    const { forks } = this.#net.ledger;
    if (forks === undefined || !usable(this.#net, session)) return;
    await this.#learn(session, forks);
    await this.#compareRoots(session, forks);
    // Whoever was met when the fork was found may not have held the other history.
    for (const logId of forkedLogs(this.#net)) {
      const room = await forks.room(logId);
      if (room.ok && room.value.kept === 0) await this.#fetchBranch(logId, [session]);
    }
  }

  /** A log is followed from now on: others may know that it is forked. */
  followed(): void {
    const { forks } = this.#net.ledger;
    if (forks === undefined) return;
    for (const session of usablePeers(this.#net).slice(0, this.#net.limits.maxForkTold)) {
      this.#net.track(this.#learn(session, forks));
    }
  }

  /** A peer sent a block of a log that is signed by a key which our history does not know. */
  suspect(logId: LogId, from: PeerId, wire: Uint8Array): void {
    const session = this.#net.sessions.get(from);
    const { forks } = this.#net.ledger;
    if (forks === undefined || !usable(this.#net, session) || this.#suspected.has(logId)) return;
    this.#suspected.add(logId);
    const work = this.#examine(logId, session, wire, forks);
    this.#net.track(work.finally(() => this.#suspected.delete(logId)));
  }

  async #examine(logId: LogId, session: Session, wire: Uint8Array, forks: ForkPort): Promise<void> {
    const controls = await this.#controls(session, logId);
    if (!controls.ok) return;
    const examined = await forks.examine(wire, controls.value);
    if (!examined.ok) this.#blame(session, examined.error);
  }

  async #announce(logId: LogId, proof: Uint8Array): Promise<void> {
    if (this.#net.ledger.log(logId)?.genesis?.visibility === 'direct') return;
    const { transport, network, counters } = this.#net;
    const alert = encodeAlert({ kind: 'fork', proof });
    const sent = await transport.publish(alertsTopic(network.text), alert);
    if (!sent.ok) counters.add('publishFailed');
  }

  async #learn(session: Session, forks: ForkPort): Promise<void> {
    const digest = forksDigest(this.#net.crypto, forkedLogs(this.#net));
    const answer = await this.#ask(session, { kind: 'askForks', digest });
    if (!answer.ok || answer.value.kind !== 'forks') return;
    for (const logId of answer.value.logs) {
      const wanted = forks.known(logId) === undefined && this.#net.ledger.log(logId) !== undefined;
      if (!wanted || this.#net.signal.aborted) continue;
      const fork = await this.#ask(session, { kind: 'askFork', logId });
      if (!fork.ok || fork.value.kind !== 'fork') return;
      const about = forks.peek(fork.value.proof);
      const offered =
        about.ok && about.value !== logId
          ? err(fault('message-shape', 'a fork of another log than was asked for'))
          : await forks.offer(fork.value.proof, 'peer');
      if (!offered.ok) {
        this.#net.counters.add('forksRefused');
        this.#blame(session, offered.error);
        return;
      }
    }
  }

  async #compareRoots(session: Session, forks: ForkPort): Promise<void> {
    const rows = this.#roots();
    if (rows.length === 0) return;
    const answer = await this.#ask(session, { kind: 'askRoots', rows });
    if (!answer.ok || answer.value.kind !== 'roots') return;
    const asked = new Set(rows.map(({ logId }) => logId));
    for (const { logId, checkpoint } of answer.value.rows) {
      if (!asked.delete(logId)) return this.#blame(session, notAsked);
      let found = await forks.contradict(logId, { checkpoint });
      if (!found.ok && found.error.code === 'branch-key') {
        const controls = await this.#controls(session, logId);
        if (!controls.ok) return;
        found = await forks.contradict(logId, { checkpoint, controls: controls.value });
      }
      if (!found.ok) return this.#blame(session, found.error);
    }
  }

  #roots(): readonly RootRow[] {
    const rows: RootRow[] = [];
    for (const log of this.#net.ledger.logs()) {
      const done = log.state === 'frozen' || log.state === 'closed';
      if (!isShared(log) || log.size === 0 || done) continue;
      rows.push({ logId: log.logId, size: log.size, root: log.root });
    }
    if (rows.length <= maxRootRows) return rows;
    const from = this.#turn % rows.length;
    this.#turn = from + maxRootRows;
    return [...rows.slice(from), ...rows.slice(0, from)].slice(0, maxRootRows);
  }

  /** The other history, from the first of these peers that holds it. */
  async #fetchBranch(logId: LogId, sessions: readonly Session[]): Promise<void> {
    const log = this.#net.ledger.log(logId);
    if (!isShared(log) || log.size === 0 || this.#fetching.has(logId)) return;
    this.#fetching.add(logId);
    try {
      for (const session of sessions.slice(0, this.#net.limits.maxForkTold)) {
        if (this.#net.signal.aborted || !usable(this.#net, session)) continue;
        const done = await fetchBranch(this.#net, session, logId, (request) =>
          this.#ask(session, request),
        );
        if (done.ok && done.value) return;
      }
    } finally {
      this.#fetching.delete(logId);
    }
  }

  async #controls(session: Session, logId: LogId): Promise<Result<PortControls>> {
    const pages = await fetchKeys(this.#net, session, logId);
    return pages.ok ? ok(pages.value.flatMap(({ entries }) => entries)) : pages;
  }

  /** What can never be valid costs whoever said it; a fault of our own costs nobody. */
  #blame(session: Session, reason: Fault): void {
    const [kind] = codes[reason.code];
    if (
      kind !== 'invalid' &&
      kind !== 'large' &&
      kind !== 'denied' &&
      reason.code !== 'branch-key'
    ) {
      return;
    }
    penalise(this.#net, session.peer, penalty.reject, reason.code);
  }

  #ask(session: Session, request: ProofMessage): Promise<Result<ProofMessage>> {
    const limit = shortLimit(this.#net);
    return askPeer(this.#net, session, protocols.proof, limit, (exchange) =>
      askOne(exchange, request),
    );
  }
}

async function askOne(exchange: Exchange, request: ProofMessage): Promise<Result<ProofMessage>> {
  const sent = await exchange.send(encodeProof(request));
  if (!sent.ok) return sent;
  const frame = await exchange.next();
  return frame.ok ? decodeProof(frame.value) : frame;
}

const notAsked = fault('message-shape', 'a root that was not asked for');
