/** Comparing heads with a peer, in both roles (heads-codec.ts has the messages). */
import { equal } from '../bytes.ts';
import { parseCheckpoint, verifyCheckpoint } from '../ledger/checkpoint.ts';
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asTreeSize, type LogId, type PeerId, type TimeMs } from '../types.ts';
import { answerCosigned, cosignatureLines, offerLines } from './cosigned-exchange.ts';
import { isWanted } from './closing.ts';
import type { Exchange } from './exchange.ts';
import { answerFresh, freshnessLine, offerFreshness } from './freshness-exchange.ts';
import {
  decodeHeads,
  encodeHeads,
  headsDigest,
  pagesOf,
  type HeadRow,
  type HeadsMessage,
  type SizeRow,
} from './heads-codec.ts';
import type { LagBook } from './lag.ts';
import type { PortLog } from './ledger-port.ts';
import { isShared, type Net } from './net.ts';
import { askPeer, longLimit, protocols, serve } from './serve.ts';
import type { Session } from './sessions.ts';

export interface HeadsEvents {
  /** A peer states that it has more of a log than we do. */
  behind(logId: LogId): void;
  /** A peer keeps this registry. */
  registry(row: HeadRow, peer: PeerId): void;
}

const noDigest = asHash(new Uint8Array(32));
const done = Promise.resolve();

export class Heads {
  readonly #net: Net;
  readonly #lag: LagBook;
  readonly #events: HeadsEvents;
  /** Where the next exchange begins, so that each log has its turn where there are very many. */
  #turn = 0;

  constructor(net: Net, lag: LagBook, events: HeadsEvents) {
    this.#net = net;
    this.#lag = lag;
    this.#events = events;
  }

  async serve(): Promise<void> {
    await serve(this.#net, {
      protocol: protocols.heads,
      limit: longLimit(this.#net),
      greeted: true,
      answer: (exchange, session) => this.#answer(exchange, session),
    });
  }

  /** Learns what a peer has more of, and tells it what we have. */
  async compare(session: Session): Promise<Result<void>> {
    this.#net.counters.add('headsExchanges');
    return askPeer(this.#net, session, protocols.heads, longLimit(this.#net), async (exchange) => {
      const sizes = this.#sizes();
      const sentMs = this.#net.host.clock.now();
      const digest = headsDigest(this.#net.crypto, sizes);
      const answer = await exchangeOne(exchange, { kind: 'compare', now: sentMs, digest });
      if (!answer.ok) return answer;
      if (answer.value.kind !== 'same' && answer.value.kind !== 'differs') {
        return unexpected(answer.value);
      }
      this.#noteClock(session, answer.value.now, sentMs);
      if (answer.value.kind === 'differs') return this.#tell(exchange, session, sizes);
      this.#allKept(sizes);
      return ok(undefined);
    });
  }

  /** Learns which registries a peer keeps, where that changed since we last asked. */
  async registries(session: Session): Promise<Result<void>> {
    return askPeer(this.#net, session, protocols.heads, longLimit(this.#net), async (exchange) => {
      const sentMs = this.#net.host.clock.now();
      const digest = session.registriesDigest ?? noDigest;
      let message: HeadsMessage = { kind: 'askRegistries', now: sentMs, digest };
      for (let total = 0; total <= protocol.maxHeadsRows;) {
        const answer = await exchangeOne(exchange, message);
        if (!answer.ok) return answer;
        if (answer.value.kind === 'same') return ok(undefined);
        if (answer.value.kind !== 'registries') return unexpected(answer.value);
        const { rows, more } = answer.value;
        for (const row of rows) {
          const noted = this.#noteRow(row, session.peer);
          if (!noted.ok) return noted;
          this.#events.registry(row, session.peer);
        }
        session.registriesDigest = answer.value.digest;
        if (!more) return ok(undefined);
        total += Math.max(1, rows.length);
        message = { kind: 'goOn' };
      }
      return err(fault('page-over-limit', 'more registries than one exchange may list'));
    });
  }

  async #tell(
    exchange: Exchange,
    session: Session,
    sizes: readonly SizeRow[],
  ): Promise<Result<void>> {
    for (let at = 0; at === 0 || at < sizes.length; at += protocol.maxHeadsPage) {
      const page = sizes.slice(at, at + protocol.maxHeadsPage);
      const more = at + protocol.maxHeadsPage < sizes.length;
      const told = await this.#tellPage(exchange, session, page, more);
      if (!told.ok) return told;
    }
    return ok(undefined);
  }

  async #tellPage(
    exchange: Exchange,
    session: Session,
    page: readonly SizeRow[],
    more: boolean,
  ): Promise<Result<void>> {
    const asked = new Set(page.map((row) => row.logId));
    let message: HeadsMessage = { kind: 'page', more, sizes: page };
    for (;;) {
      const answer = await exchangeOne(exchange, message);
      if (!answer.ok) return answer;
      if (answer.value.kind !== 'rows') return unexpected(answer.value);
      for (const row of answer.value.rows) {
        // Each log of the page is answered once at most, so the peer cannot keep us here.
        if (!asked.delete(row.logId)) {
          return err(fault('message-shape', 'a head that was not asked for'));
        }
        const noted = this.#noteRow(row, session.peer);
        if (!noted.ok) return noted;
        this.#events.behind(row.logId);
      }
      if (!answer.value.more) return ok(undefined);
      if (answer.value.rows.length === 0) return err(fault('message-shape', 'an empty page'));
      message = { kind: 'goOn' };
    }
  }

  async #answer(exchange: Exchange, session: Session): Promise<Result<void>> {
    const first = await expectMessage(exchange);
    if (!first.ok) return first;
    const now = this.#net.host.clock.now();
    if (first.value.kind === 'askRegistries') {
      return this.#answerRegistries(exchange, first.value.digest);
    }
    if (first.value.kind === 'askCosigned') {
      return answerCosigned(this.#net, exchange, first.value.sizes);
    }
    if (first.value.kind === 'askFresh') {
      return answerFresh(this.#net, exchange, first.value.registries);
    }
    if (first.value.kind !== 'compare') return unexpected(first.value);
    const organisation = session.identity?.organisation;
    if (organisation !== undefined) {
      const atMs = this.#net.host.clock.monotonic();
      this.#net.clock.note(organisation, first.value.now, now, now, atMs);
    }
    const sizes = this.#sizes();
    if (equal(headsDigest(this.#net.crypto, sizes), first.value.digest)) {
      this.#allKept(sizes);
      return exchange.send(encodeHeads({ kind: 'same', now }));
    }
    const sent = await exchange.send(encodeHeads({ kind: 'differs', now }));
    return sent.ok ? this.#answerPages(exchange, session) : sent;
  }

  async #answerPages(exchange: Exchange, session: Session): Promise<Result<void>> {
    for (let total = 0; total <= protocol.maxHeadsRows; total += protocol.maxHeadsPage) {
      const message = await expectMessage(exchange);
      if (!message.ok) return message;
      if (message.value.kind !== 'page') return unexpected(message.value);
      const rows: HeadRow[] = [];
      for (const { logId, size } of message.value.sizes) {
        const log = this.#net.ledger.log(logId);
        if (!isShared(log)) continue;
        if (size > 0) this.#kept(log);
        if (log.size > size) rows.push(rowOf(log, await cosignatureLines(this.#net, log)));
        if (log.size >= size) continue;
        if (isWanted(log, size, undefined)) this.#net.sources.note(logId, session.peer, size, true);
        this.#events.behind(logId);
      }
      const sent = await this.#sendRows(exchange, rows, (page, more) => ({
        kind: 'rows',
        more,
        rows: page,
      }));
      if (!sent.ok || !message.value.more) return sent;
    }
    return err(fault('page-over-limit', `more than ${protocol.maxHeadsRows} logs in one exchange`));
  }

  async #answerRegistries(exchange: Exchange, seen: Uint8Array): Promise<Result<void>> {
    const rows: HeadRow[] = [];
    for (const log of this.#net.ledger.logs()) {
      if (isShared(log) && log.size > 0 && log.genesis?.name === '_registry') rows.push(rowOf(log));
    }
    const now = this.#net.host.clock.now();
    const digest = headsDigest(this.#net.crypto, rows);
    if (equal(digest, seen)) return exchange.send(encodeHeads({ kind: 'same', now }));
    const told = await Promise.all(
      rows.slice(0, protocol.maxHeadsRows).map(async (row): Promise<HeadRow> => {
        const freshness = await freshnessLine(this.#net, row.logId, row.checkpoint);
        return freshness === undefined ? row : { ...row, freshness };
      }),
    );
    return this.#sendRows(exchange, told, (page, more) => ({
      kind: 'registries',
      now,
      digest,
      more,
      rows: page,
    }));
  }

  async #sendRows(
    exchange: Exchange,
    rows: readonly HeadRow[],
    frame: (page: readonly HeadRow[], more: boolean) => HeadsMessage,
  ): Promise<Result<void>> {
    const pages = pagesOf(rows);
    for (const [i, page] of pages.entries()) {
      const more = i + 1 < pages.length;
      const sent = await exchange.send(encodeHeads(frame(page, more)));
      if (!sent.ok || !more) return sent;
      const message = await expectMessage(exchange);
      if (!message.ok) return message;
      if (message.value.kind !== 'goOn') return unexpected(message.value);
    }
    return ok(undefined);
  }

  /** Our logs that others may know of, a turn of `maxHeadsRows` where there are more. */
  #sizes(): readonly SizeRow[] {
    const sizes: SizeRow[] = [];
    for (const log of this.#net.ledger.logs()) {
      if (!isShared(log) || this.#net.access?.ownerOf(log.logId) !== undefined) continue;
      const waits = this.#net.ledger.confirming?.isWaiting(log.logId) === true;
      sizes.push({ logId: log.logId, size: waits ? asTreeSize(0) : log.size });
    }
    if (sizes.length <= protocol.maxHeadsRows) return sizes;
    const from = this.#turn % sizes.length;
    this.#turn = from + protocol.maxHeadsRows;
    return [...sizes.slice(from), ...sizes.slice(0, from)].slice(0, protocol.maxHeadsRows);
  }

  /** Keeps a stated head: as a hint whom to ask, and as a proved one where its key is known. */
  #noteRow(row: HeadRow, peer: PeerId): Result<void> {
    const checkpoint = parseCheckpoint(row.checkpoint);
    if (!checkpoint.ok) return err(fault('message-shape', checkpoint.error.message));
    const { logId, size, root } = checkpoint.value;
    if (logId !== row.logId || size !== row.size || !equal(root, row.root)) {
      return err(fault('message-shape', 'a head that its own checkpoint does not say'));
    }
    const log = this.#net.ledger.log(logId);
    if (log === undefined) return ok(undefined);
    if (log.role === 'writer') {
      this.#net.track(this.#net.ledger.confirming?.reported(logId, row.checkpoint) ?? done);
    }
    offerLines(this.#net, logId, row.checkpoint, row.cosignatures);
    offerFreshness(this.#net, logId, row.checkpoint, row.freshness);
    if (isWanted(log, size, root)) this.#net.sources.note(logId, peer, size, true);
    if (log.writerKey === undefined || !this.#lag.wouldTell(logId, size)) return ok(undefined);
    if (verifyCheckpoint(this.#net.crypto, row.checkpoint, logId, log.writerKey).ok) {
      this.#lag.note(logId, size, log.size, this.#net.host.clock.monotonic());
    }
    return ok(undefined);
  }

  /** The peer keeps the same logs as we do, and has as much of each. */
  #allKept(sizes: readonly SizeRow[]): void {
    for (const { logId, size } of sizes) if (size > 0) this.#kept(this.#net.ledger.log(logId));
  }

  /** The peer has something of this log. */
  #kept(log: PortLog | undefined): void {
    if (log?.role === 'writer') this.#net.ledger.confirming?.acknowledged(log.logId);
  }

  #noteClock(session: Session, theirs: TimeMs, sentMs: TimeMs): void {
    const { clock } = this.#net.host;
    const organisation = session.identity?.organisation;
    if (organisation === undefined) return;
    this.#net.clock.note(organisation, theirs, sentMs, clock.now(), clock.monotonic());
  }
}

function rowOf(log: PortLog, cosignatures: readonly string[] = []): HeadRow {
  const { logId, size, root, checkpoint } = log;
  return { logId, size, root, checkpoint, cosignatures };
}

async function exchangeOne(
  exchange: Exchange,
  message: HeadsMessage,
): Promise<Result<HeadsMessage>> {
  const sent = await exchange.send(encodeHeads(message));
  return sent.ok ? expectMessage(exchange) : sent;
}

async function expectMessage(exchange: Exchange): Promise<Result<HeadsMessage>> {
  const frame = await exchange.next();
  return frame.ok ? decodeHeads(frame.value) : frame;
}

function unexpected(message: HeadsMessage): Result<never> {
  return err(fault('message-shape', `${message.kind} at the wrong place`));
}
