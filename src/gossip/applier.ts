/**
 * The one way from a received block into the ledger. It judges, counts, keeps what lies ahead of our
 * head until the gap is filled, and says what follows for the sender.
 */
import { CborReader } from '../cbor.ts';
import { fault, type Code, type Fault } from '../errors.ts';
import { logIdFromHash } from '../ids.ts';
import type { Verdict } from '../result.ts';
import { asHash, asLogIndex, type LogId, type LogIndex, type PeerId } from '../types.ts';
import type { PortOutcome } from './ledger-port.ts';
import { penalise, type Net } from './net.ts';
import { Orphans } from './orphans.ts';
import { penalty } from './scores.ts';

export interface BlockHeader {
  readonly logId: LogId;
  readonly firstIndex: LogIndex;
}

/** Which block the bytes claim to be: the head of `[version, logId, first index, …]`. */
export function peekBlock(wire: Uint8Array): BlockHeader | undefined {
  const reader = new CborReader(wire);
  reader.list();
  reader.uint();
  const logId = reader.bytes();
  const firstIndex = reader.uint();
  if (reader.failed !== undefined || logId.length !== 32) return undefined;
  return { logId: logIdFromHash(asHash(logId)), firstIndex: asLogIndex(firstIndex) };
}

/** What became of a block that was asked for. */
export type SyncStep =
  | { readonly kind: 'applied' | 'known' | 'ahead' }
  /** It can never be valid. */
  | { readonly kind: 'rejected'; readonly reason: Fault }
  /** The ledger does not take it now, which is not the sender's fault. */
  | { readonly kind: 'stopped'; readonly reason: Fault };

export interface ApplierEvents {
  /** A sound block begins at `firstIndex`, ahead of our head. */
  gap(logId: LogId, from: PeerId, firstIndex: LogIndex): void;
  /** A block signed by a key that our history does not know: another history may. */
  suspect(logId: LogId, from: PeerId, wire: Uint8Array): void;
}

export class Applier {
  readonly orphans: Orphans;
  readonly #net: Net;
  readonly #events: ApplierEvents;
  readonly #draining = new Set<LogId>();

  constructor(net: Net, events: ApplierEvents) {
    this.#net = net;
    this.orphans = new Orphans(net.limits);
    this.#events = events;
  }

  /** A block that came by gossip; the verdict is for the topic. */
  async gossip(wire: Uint8Array, from: PeerId): Promise<Verdict> {
    const outcome = await this.#net.ledger.apply(wire, 'gossip');
    const { verdict, logId, gapFrom } = outcome;
    const { counters } = this.#net;
    if (verdict.kind === 'accept') counters.add('gossipAccepted');
    else if (verdict.kind === 'ignore') counters.add('gossipIgnored');
    else {
      counters.add('gossipRejected');
      penalise(this.#net, from, penalty.reject, verdict.reason.code);
    }
    this.#suspect(verdict, logId, from, wire);
    if (logId !== undefined && gapFrom !== undefined && verdict.kind !== 'reject') {
      this.#keep(wire, logId, from, verdict);
    } else if (isApplied(outcome) && logId !== undefined) {
      await this.drain(logId);
    }
    return verdict;
  }

  /** A block that was asked for, as the next one; its sender's fault is for the caller to punish. */
  async sync(wire: Uint8Array, from: PeerId): Promise<SyncStep> {
    const outcome = await this.#net.ledger.apply(wire, 'sync');
    const { verdict, logId } = outcome;
    if (verdict.kind === 'reject') return { kind: 'rejected', reason: verdict.reason };
    if (outcome.gapFrom !== undefined) return { kind: 'ahead' };
    if (isApplied(outcome)) {
      this.#net.counters.add('syncBlocks');
      return { kind: 'applied' };
    }
    this.#suspect(verdict, logId, from, wire);
    // The peer is right to send its history, and asking on would bring more of it.
    if (verdict.kind === 'ignore' && apart.has(verdict.reason.code)) {
      return { kind: 'stopped', reason: verdict.reason };
    }
    const header = peekBlock(wire);
    const size = logId === undefined ? 0 : (this.#net.ledger.log(logId)?.size ?? 0);
    // Gossip was faster: the block lies behind our head by now.
    const isKnown = verdict.kind === 'ignore' && verdict.reason.code === 'block-known';
    if (isKnown || (header !== undefined && header.firstIndex < size)) return { kind: 'known' };
    this.#net.counters.add('applyFailures');
    const reason =
      verdict.kind === 'ignore'
        ? verdict.reason
        : fault('internal', 'the ledger took the block without applying it');
    return { kind: 'stopped', reason };
  }

  /** Applies the kept blocks that follow our head now. */
  async drain(logId: LogId): Promise<void> {
    if (this.orphans.count(logId) === 0 || this.#draining.has(logId)) return;
    this.#draining.add(logId);
    try {
      for (;;) {
        const size = this.#net.ledger.log(logId)?.size ?? 0;
        const wire = this.orphans.take(logId, size);
        if (wire === undefined) return;
        // It was judged when it came, so a refusal now is the writer's fork or a fault of ours.
        if (!isApplied(await this.#net.ledger.apply(wire, 'gossip'))) return;
        this.#net.counters.add('orphansApplied');
      }
    } finally {
      this.#draining.delete(logId);
    }
  }

  #suspect(verdict: Verdict, logId: LogId | undefined, from: PeerId, wire: Uint8Array): void {
    if (verdict.kind !== 'ignore' || verdict.reason.code !== 'branch-key') return;
    if (logId !== undefined) this.#events.suspect(logId, from, wire.slice());
  }

  #keep(wire: Uint8Array, logId: LogId, from: PeerId, verdict: Verdict): void {
    const header = peekBlock(wire);
    if (header === undefined) return;
    // Only what was judged sound is worth its memory; the rest comes again by sync.
    if (verdict.kind === 'accept' && this.orphans.add(logId, header.firstIndex, wire)) {
      this.#net.counters.add('orphansKept');
    }
    this.#events.gap(logId, from, header.firstIndex);
  }
}

/** Why a block of another history is not taken. */
const apart: ReadonlySet<Code> = new Set<Code>(['fork', 'branch-key', 'log-frozen']);

function isApplied(outcome: PortOutcome): boolean {
  return outcome.applied ?? (outcome.verdict.kind === 'accept' && outcome.gapFrom === undefined);
}
