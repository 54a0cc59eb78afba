/**
 * Attributes of events without their data: made of what is kept here, or asked of peers with the grant that
 * we hold. What comes is verified event by event; the log's id is all that is trusted.
 */
import type { Attributes } from '../../types.ts';
import { utf8 } from '../../bytes.ts';
import { fault, type Fault } from '../../errors.ts';
import type { AttributesPort } from '../../gossip/attribute-proofs.ts';
import type { Lookups } from '../../gossip/lookups.ts';
import { maxAttributeProofs, type AttributesAnswer } from '../../gossip/proof-codec.ts';
import { formatReference, parseReference } from '../../ids.ts';
import { verifyEventProof } from '../../ledger/event-proof.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId, type LogIndex, type TimeMs } from '../../types.ts';
import { nodeEnv } from '../judges.ts';
import type { StreamView } from '../node-api.ts';
import { logsOf } from './cards.ts';
import { proveEvent } from './prove.ts';
import type { Registries } from './registries.ts';

/** The attributes of one event, with the proof that they are its. */
export interface AttributesView {
  readonly log: LogId;
  readonly index: LogIndex;
  /** The producer's word. */
  readonly recorded: TimeMs;
  readonly attributes: Attributes;
  /** Text of an event proof; `hw verify FILE` checks it anywhere. */
  readonly proof: string;
}

export interface AttributesPage {
  readonly events: readonly AttributesView[];
  /** `hw:<log>/<index>` where the next page begins; absent at the end. */
  readonly next?: string;
}

export interface AttributesApi {
  /**
   * A page from a place `hw:<log>/<index>`, or an index of a stream of one log, on. Codes: usage,
   * stream-unknown, grant-none, no-holder, what a peer refused with, attributes-broken.
   */
  page(
    stream: StreamView,
    request: { readonly from?: string; readonly limit?: number },
    signal: AbortSignal,
  ): Promise<Result<AttributesPage>>;
}

/** Events of a page that does not say how many. */
const usualCount = 100;
/** Answers of peers that one page may take. */
const maxPages = 64;

/** What peers are given: never anything of a sealed event. */
export function attributesPort(ledger: Ledger): AttributesPort {
  return {
    indexAt: (logId, time) => ledger.indexAtTime(logId, time),
    prove: async (logId, index) => {
      const entry = await ledger.entry(logId, index);
      if (!entry.ok) return entry;
      const { kind, event, bodyMissing } = entry.value;
      if (kind !== 'event' || event === undefined || bodyMissing !== undefined) {
        return ok(undefined);
      }
      return proveEvent(ledger, logId, index, 'attributes');
    },
  };
}

export interface AttributesParts {
  readonly ledger: Ledger;
  /** Logs of a stream, as its card or the ledger knows them. */
  readonly logsOf: (stream: StreamView) => readonly LogId[];
  readonly lookups: () => Pick<Lookups, 'attributes'> | undefined;
}

export class AttributeReading implements AttributesApi {
  readonly #parts: AttributesParts;
  readonly #port: AttributesPort;

  constructor(parts: AttributesParts) {
    this.#parts = parts;
    this.#port = attributesPort(parts.ledger);
  }

  async page(
    stream: StreamView,
    { from, limit = usualCount }: Parameters<AttributesApi['page']>[1],
    signal: AbortSignal,
  ): Promise<Result<AttributesPage>> {
    const logs = this.#parts.logsOf(stream);
    const place = placeOf(logs, from);
    if (!place.ok) return place;
    const events: AttributesView[] = [];
    let { log, index }: Place = place.value;
    for (let pages = 0; !signal.aborted; pages++) {
      const count = Math.min(limit - events.length, maxAttributeProofs);
      const page = await this.#read(log, index, count, signal);
      if (!page.ok) return page;
      for (const proof of page.value.proofs) {
        const view = opened(log, index, proof);
        if (!view.ok) return view;
        index = asLogIndex(view.value.index + 1);
        events.push(view.value);
      }
      index = asLogIndex(Math.max(index, page.value.next));
      if (index >= page.value.size) {
        const next = logs[logs.indexOf(log) + 1];
        if (next === undefined) return ok({ events });
        [log, index] = [next, asLogIndex(0)];
      }
      // Pages without events come of seals, of what was dropped, or of a peer that leads us on.
      if (events.length >= limit || pages === maxPages) {
        const next = formatReference({ logId: log, from: index, to: asLogIndex(index + 1) });
        return ok({ events, next });
      }
    }
    return err(fault('interrupted', 'the reading was broken off'));
  }

  /** From the ledger where the log is kept with its data, else from a peer of its owner. */
  async #read(
    log: LogId,
    from: LogIndex,
    count: number,
    signal: AbortSignal,
  ): Promise<Result<AttributesAnswer>> {
    const kept = this.#parts.ledger.log(log);
    if (kept !== undefined && kept.size > 0) return this.#own(log, from, count, kept.size);
    const lookups = this.#parts.lookups();
    if (lookups === undefined) return err(fault('network-none', 'this home has no network'));
    return lookups.attributes(
      log,
      { from, count },
      (answer) => Promise.resolve(ok(answer)),
      signal,
    );
  }

  async #own(
    log: LogId,
    from: LogIndex,
    count: number,
    size: AttributesAnswer['size'],
  ): Promise<Result<AttributesAnswer>> {
    const proofs: string[] = [];
    let at: number = from;
    for (; at < size && proofs.length < count; at++) {
      const proved = await this.#port.prove(log, asLogIndex(at));
      if (!proved.ok) return proved;
      if (proved.value !== undefined) proofs.push(proved.value);
    }
    return ok({ kind: 'attributes', next: asLogIndex(at), size, proofs });
  }
}

/** Of a running node. */
export function attributesOf(parts: {
  readonly ledger: Ledger;
  readonly registries: Pick<Registries, 'card'>;
  readonly network: () =>
    { readonly gossip: { readonly evidence: { readonly lookups: Lookups } } } | undefined;
}): AttributesApi {
  const { ledger, registries, network } = parts;
  return new AttributeReading({
    ledger,
    logsOf: (stream) => {
      const card = registries.card(stream);
      return card === undefined ? stream.logs.map(({ log }) => log) : logsOf(card);
    },
    lookups: () => network()?.gossip.evidence.lookups,
  });
}

interface Place {
  readonly log: LogId;
  readonly index: LogIndex;
}

function placeOf(logs: readonly LogId[], from: string | undefined): Result<Place> {
  const [first, ...others] = logs;
  if (first === undefined) return err(fault('stream-unknown', 'no log of this stream is known'));
  if (from === undefined || from === 'start') return ok({ log: first, index: asLogIndex(0) });
  if (/^\d{1,15}$/.test(from) && others.length === 0) {
    return ok({ log: first, index: asLogIndex(Number(from)) });
  }
  const reference = parseReference(from);
  const known = reference.ok && logs.includes(reference.value.logId);
  if (known) return ok({ log: reference.value.logId, index: reference.value.from });
  return err(usage(`from is start, an index or hw:<log>/<index> of this stream, not ${from}`));
}

/** Verified: of this log, at or behind this index, and with attributes. Code: `attributes-broken`. */
function opened(log: LogId, least: LogIndex, proof: string): Result<AttributesView> {
  const verified = verifyEventProof(nodeEnv, utf8(proof));
  if (verified.verdict === 'broken') return err(unsound(verified.reason.message));
  const { proven } = verified;
  if (proven.logId !== log) return err(unsound('a proof of another log'));
  if (proven.index < least) return err(unsound('a proof that was given already'));
  if (proven.context === undefined) return err(unsound('a proof without attributes'));
  const { index, entry, context } = proven;
  return ok({ log, index, recorded: entry.time, attributes: context, proof });
}

function unsound(message: string): Fault {
  return fault('attributes-broken', `what came is not sound: ${message}`);
}

function usage(message: string): Fault {
  return fault('usage', message, { pointer: 'querystring/from' });
}
