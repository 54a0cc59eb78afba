/**
 * Batches of events to the node, in the order of the input: one request under way while the next
 * is filled, a busy node waited for, a refused event told from those around it.
 */
import { classes, codes } from '../../codes.ts';
import { concat, utf8 } from '../../bytes.ts';
import { fault, type Fault } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { JsonView } from '../json-view.ts';
import type { Connection } from './connect.ts';
import type { Context } from './context.ts';
import { callOn } from './endpoints.ts';

/** One event: its text, and where it came from. */
export interface Outgoing {
  readonly bytes: Uint8Array;
  readonly file: string;
  readonly line: number;
}

export interface SenderEvents {
  receipt(receipt: JsonView): void;
  /** With `--skip-invalid`: the node refused this event and took the others. */
  refused(event: Outgoing, reason: Fault): Promise<Result<void>>;
}

const newline = utf8('\n');

export class Sender {
  readonly #context: Context;
  readonly #connection: Connection;
  readonly #path: string;
  readonly #partial: boolean;
  readonly #events: SenderEvents;
  #batch: Outgoing[] = [];
  #batchBytes = 0;
  #underWay: Promise<Result<void>> = Promise.resolve(ok(undefined));

  constructor(
    context: Context,
    connection: Connection,
    path: string,
    partial: boolean,
    events: SenderEvents,
  ) {
    this.#context = context;
    this.#connection = connection;
    this.#path = `${path}/events`;
    this.#partial = partial;
    this.#events = events;
  }

  /** Resolves when the next may come; a fault is that of an earlier event as a rule. */
  async push(event: Outgoing): Promise<Result<void>> {
    const full =
      this.#batch.length >= limits.maxPublishEvents ||
      this.#batchBytes + event.bytes.length > limits.maxPublishBytes;
    if (full && this.#batch.length > 0) {
      const sent = await this.#dispatch();
      if (!sent.ok) return sent;
    }
    this.#batch.push(event);
    this.#batchBytes += event.bytes.length + 1;
    return ok(undefined);
  }

  /** Sends what is left and waits for every answer. */
  async finish(): Promise<Result<void>> {
    const sent = await this.#dispatch();
    if (!sent.ok) return sent;
    return this.#underWay;
  }

  async #dispatch(): Promise<Result<void>> {
    const before = await this.#underWay;
    if (!before.ok) return before;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    if (batch.length > 0) this.#underWay = this.#send(batch);
    return ok(undefined);
  }

  async #send(batch: readonly Outgoing[]): Promise<Result<void>> {
    const answer = await this.#post(batch);
    if (answer.ok) return this.#take(batch, answer.value);
    const index = answer.error.place?.index ?? -1;
    const culprit = batch[index];
    if (culprit === undefined) return answer;
    // The node takes a batch whole or not at all: nothing before the refused event may be lost.
    const before = index === 0 ? ok(undefined) : await this.#send(batch.slice(0, index));
    return before.ok ? err(placed(answer.error, culprit)) : before;
  }

  async #take(batch: readonly Outgoing[], answer: JsonView): Promise<Result<void>> {
    for (const receipt of answer.list('receipts')) this.#events.receipt(receipt);
    const results = answer.list('results');
    for (const [i, result] of results.entries()) {
      const receipt = result.at('receipt');
      const event = batch[i];
      if (receipt.value !== undefined) this.#events.receipt(receipt);
      else if (event !== undefined) {
        const kept = await this.#events.refused(event, placed(faultOf(result.at('error')), event));
        if (!kept.ok) return kept;
      }
    }
    return ok(undefined);
  }

  /** Waits while the node says that it is busy; gives up after `publishRetryMs`. */
  async #post(batch: readonly Outgoing[]): Promise<Result<JsonView>> {
    const { runtime, signal } = this.#context;
    const body = concat(...batch.flatMap((event) => [event.bytes, newline]));
    const query = this.#partial ? { partial: true } : {};
    const request = {
      method: 'POST',
      path: this.#path,
      query,
      body,
      type: 'application/x-ndjson',
    } as const;
    const deadline = runtime.clock.monotonic() + limits.publishRetryMs;
    for (let waitMs = 50; ; waitMs = Math.min(2000, waitMs * 2)) {
      const answer = await callOn(this.#connection, this.#context, request);
      if (answer.ok || !isPassing(answer.error) || signal.aborted) return answer;
      if (runtime.clock.monotonic() + waitMs > deadline) return answer;
      await runtime.timers.sleep(waitMs, signal);
    }
  }
}

/** Faults that go away by themselves. */
function isPassing(found: Fault): boolean {
  const [kind] = codes[found.code];
  return classes[kind].status === 429 || kind === 'unavailable';
}

function placed(found: Fault, event: Outgoing): Fault {
  const { pointer, column } = found.place ?? {};
  const inner = {
    ...(pointer === undefined ? {} : { pointer }),
    ...(column === undefined ? {} : { column }),
  };
  return { ...found, place: { file: event.file, line: event.line, ...inner } };
}

function isCode(text: string): text is keyof typeof codes {
  return Object.hasOwn(codes, text);
}

function faultOf(view: JsonView): Fault {
  const code = view.text('code') ?? '';
  const known = isCode(code) ? code : 'event-invalid';
  const pointer = view.at('place').text('pointer');
  const place = pointer === undefined ? undefined : { pointer };
  return fault(known, view.text('message') ?? 'refused by the node', place, view.text('hint'));
}
