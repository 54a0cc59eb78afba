/**
 * Passing events on to the peer that writes their partition (publish-codec.ts has the messages).
 * Only peers of the same organisation do that for each other.
 */
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Attributes, EventBytes, LogId, ParsedEvent, PeerId } from '../types.ts';
import type { Exchange } from './exchange.ts';
import type { PortReceipt } from './ledger-port.ts';
import { usablePeers, type Net } from './net.ts';
import {
  decodePublish,
  encodePublish,
  framedLength,
  maxEventsPerFrame,
  type PublishEvents,
  type PublishMessage,
  type WireReceipt,
} from './publish-codec.ts';
import { askPeer, longLimit, protocols, serve } from './serve.ts';
import type { Session } from './sessions.ts';

/** The event room's check: the context attributes of a sound event. */
export type JudgeEvent = (event: EventBytes) => Result<Attributes>;

export class Publishing {
  readonly #net: Net;
  readonly #judgeEvent: JudgeEvent;
  /** Who took events of a log last. Only logs of our own organisation come here. */
  readonly #writers = new Map<LogId, PeerId>();

  constructor(net: Net, judgeEvent: JudgeEvent) {
    this.#net = net;
    this.#judgeEvent = judgeEvent;
  }

  async serve(): Promise<void> {
    await serve(this.#net, {
      protocol: protocols.publish,
      limit: longLimit(this.#net),
      greeted: true,
      answer: (exchange, session) => this.#answer(exchange, session),
    });
  }

  /**
   * Hands events to the peer of our organisation that writes the log; one result for each, in
   * order. Codes: `writer-unreachable` where nobody takes them, or the writer's own refusal. After a
   * fault some may have been appended: publishing the same events again tells which.
   */
  async passOn(
    logId: LogId,
    events: readonly EventBytes[],
    signal: AbortSignal = this.#net.signal,
  ): Promise<Result<readonly Result<PortReceipt>[]>> {
    const kin = usablePeers(this.#net).filter(
      (session) => session.identity?.organisation === this.#net.self.organisation,
    );
    const last = this.#writers.get(logId);
    kin.sort((a, b) => Number(b.peer === last) - Number(a.peer === last));
    for (const session of kin) {
      const passed = await this.#ask(session, logId, events, signal);
      if (passed.ok) {
        this.#writers.set(logId, session.peer);
        return passed;
      }
      const { code } = passed.error;
      if (code !== 'not-writer' && code !== 'log-unknown' && code !== 'peer-unreachable') {
        return passed;
      }
    }
    this.#writers.delete(logId);
    return err(fault('writer-unreachable', `no connected peer of ours writes ${logId}`));
  }

  async #ask(
    session: Session,
    logId: LogId,
    events: readonly EventBytes[],
    signal: AbortSignal,
  ): Promise<Result<readonly Result<PortReceipt>[]>> {
    return askPeer(
      this.#net,
      session,
      protocols.publish,
      longLimit(this.#net),
      async (exchange) => {
        const results: Result<PortReceipt>[] = [];
        const parts = framesOf(events);
        for (const [i, part] of parts.entries()) {
          const more = i + 1 < parts.length;
          const answered = await askFrame(exchange, { kind: 'events', logId, more, events: part });
          if (!answered.ok) return answered;
          for (const result of answered.value) {
            results.push(result.ok ? ok(receiptOf(logId, result.value)) : result);
          }
        }
        return ok(results);
      },
      signal,
    );
  }

  async #answer(exchange: Exchange, session: Session): Promise<Result<void>> {
    if (session.identity?.organisation !== this.#net.self.organisation) {
      return err(fault('not-writer', 'events are taken from peers of the owner only'));
    }
    for (;;) {
      const frame = await exchange.next();
      if (!frame.ok) return frame;
      const message = decodePublish(frame.value);
      if (!message.ok) return message;
      if (message.value.kind !== 'events') return err(fault('message-shape', 'not events'));
      const results = await this.#append(message.value);
      if (!results.ok) return results;
      const answer: PublishMessage = { kind: 'results', results: results.value };
      const sent = await exchange.send(encodePublish(answer));
      if (!sent.ok || !message.value.more) return sent;
    }
  }

  async #append(message: PublishEvents): Promise<Result<readonly Result<WireReceipt>[]>> {
    const { logId, events } = message;
    if (this.#net.ledger.log(logId)?.role !== 'writer') {
      return err(fault('not-writer', 'this peer does not write that log'));
    }
    const parsed: ParsedEvent[] = [];
    for (const event of events) {
      const context = this.#judgeEvent(event);
      if (!context.ok) return context;
      parsed.push({ ...event, context: context.value });
    }
    const results = await this.#net.ledger.publish(logId, parsed, { signal: this.#net.signal });
    if (!results.ok) return results;
    return ok(
      results.value.map((result) =>
        result.ok ? ok({ ...result.value, duplicate: result.value.duplicate === true }) : result,
      ),
    );
  }
}

async function askFrame(
  exchange: Exchange,
  message: PublishEvents,
): Promise<Result<readonly Result<WireReceipt>[]>> {
  const sent = await exchange.send(encodePublish(message));
  if (!sent.ok) return sent;
  const frame = await exchange.next();
  if (!frame.ok) return frame;
  const answer = decodePublish(frame.value);
  if (!answer.ok) return answer;
  if (answer.value.kind === 'results' && answer.value.results.length === message.events.length) {
    return ok(answer.value.results);
  }
  return err(fault('message-shape', 'not one result for each event'));
}

/** Cuts events into frames; an event fits any frame. */
function framesOf(events: readonly EventBytes[]): readonly (readonly EventBytes[])[] {
  const frames: EventBytes[][] = [];
  let bytes = Infinity;
  for (const event of events) {
    const length = framedLength(event);
    const frame = frames.at(-1);
    const full = bytes + length > protocol.maxMessageBytes;
    if (frame === undefined || full || frame.length >= maxEventsPerFrame) {
      frames.push([event]);
      bytes = length;
    } else {
      frame.push(event);
      bytes += length;
    }
  }
  return frames;
}

function receiptOf(log: LogId, wire: WireReceipt): PortReceipt {
  const { duplicate, ...receipt } = wire;
  return { log, ...receipt, ack: 'local', ...(duplicate ? { duplicate } : {}) };
}
