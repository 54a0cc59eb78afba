/**
 * NDJSON as a stream (events.md): the answer is NDJSON too, one line for each run of lines that went
 * into one block of one log, `{"lines":[from,to],"log","index","block","ack"}`, and one error line for
 * each bad line, all in order of the lines. It stops at the first bad line unless `partial`. When
 * more than `maxUnreadReceiptBytes` of answers lie unread it ends with `receipts-unread`.
 */
import { PassThrough, type Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { at, fault, type Fault } from '../../errors.ts';
import { NdjsonParser, type NdjsonLine } from '../../event/ndjson.ts';
import { limits } from '../../limits.ts';
import { err, type Result } from '../../result.ts';
import type { ParsedEvent } from '../../types.ts';
import type { NodeApi, ReceiptView, StreamView } from '../node-api.ts';
import { problemOf } from './problem.ts';

interface Numbered {
  readonly line: number;
  readonly event: ParsedEvent;
}

export function ingestLines(
  api: NodeApi,
  stream: StreamView,
  body: Readable,
  partial: boolean,
  reply: FastifyReply,
): FastifyReply {
  const answers = new PassThrough({ highWaterMark: limits.maxUnreadReceiptBytes });
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const work = new LineIngest(api, stream, partial, answers, gone.signal);
  work
    .run(body)
    .catch((cause: unknown) => work.say(fault('internal', String(cause))))
    .finally(() => answers.end());
  return reply.code(200).type('application/x-ndjson').send(answers);
}

class LineIngest {
  readonly #api: NodeApi;
  readonly #stream: StreamView;
  readonly #partial: boolean;
  readonly #answers: PassThrough;
  readonly #signal: AbortSignal;

  constructor(
    api: NodeApi,
    stream: StreamView,
    partial: boolean,
    answers: PassThrough,
    signal: AbortSignal,
  ) {
    this.#api = api;
    this.#stream = stream;
    this.#partial = partial;
    this.#answers = answers;
    this.#signal = signal;
  }

  async run(body: Readable): Promise<void> {
    const parser = new NdjsonParser();
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array) || this.#signal.aborted) return;
      if (!(await this.#lines(parser.push(chunk)))) return;
    }
    await this.#lines(parser.end());
  }

  /** One error line. */
  say(problem: Fault): void {
    this.#write({ error: problemOf(problem) });
  }

  /** Publishes the lines in lots; false once nothing more is to be read. */
  async #lines(lines: readonly NdjsonLine[]): Promise<boolean> {
    let lot: Numbered[] = [];
    for (const { line, result } of lines) {
      if (result.ok) lot.push({ line, event: result.value });
      if (!result.ok || lot.length >= limits.maxPublishEvents) {
        if (!(await this.#publish(lot))) return false;
        lot = [];
      }
      if (result.ok) continue;
      this.say(result.error);
      if (!this.#partial) return false;
    }
    return this.#publish(lot);
  }

  async #publish(lot: readonly Numbered[]): Promise<boolean> {
    if (lot.length === 0) return true;
    const events = lot.map(({ event }) => event);
    const published = await this.#patiently(() => this.#api.publish(this.#stream, events));
    if (!published.ok) {
      this.say(at(published.error, { line: lot[0]?.line ?? 0 }));
      return false;
    }
    if (!this.#receipts(lot, published.value)) return false;
    if (
      this.#answers.readableLength + this.#answers.writableLength <=
      limits.maxUnreadReceiptBytes
    ) {
      return true;
    }
    this.say(fault('receipts-unread', 'the answers are not being read'));
    return false;
  }

  /** A full queue is no reason to end a stream: reading stops until there is room again. */
  async #patiently<T>(attempt: () => Promise<Result<T>>): Promise<Result<T>> {
    for (;;) {
      const result = await attempt();
      if (result.ok || result.error.code !== 'busy') return result;
      if (this.#signal.aborted) return err(fault('interrupted', 'the client has gone'));
      await this.#api.room(this.#signal);
    }
  }

  /** Says what became of the lines; false at a fault unless `partial`. */
  #receipts(lot: readonly Numbered[], results: readonly Result<ReceiptView>[]): boolean {
    let run: { from: number; to: number; receipt: ReceiptView; next: number } | undefined;
    const flush = (): void => {
      if (run === undefined) return;
      const { log, index, block, ack } = run.receipt;
      this.#write({ lines: [run.from, run.to], log, index, block, ack });
      run = undefined;
    };
    for (const [i, { line }] of lot.entries()) {
      const result = results[i];
      if (result?.ok === true) {
        const { value } = result;
        const joins = run?.receipt.log === value.log && run.receipt.block === value.block;
        if (run !== undefined && joins && run.next === value.index && run.to + 1 === line) {
          run.to = line;
          run.next += 1;
          continue;
        }
        flush();
        run = { from: line, to: line, receipt: value, next: value.index + 1 };
        continue;
      }
      flush();
      this.say(at(result?.error ?? fault('internal', 'a line without a result'), { line }));
      if (!this.#partial) return false;
    }
    flush();
    return true;
  }

  #write(answer: unknown): void {
    if (!this.#answers.writableEnded) this.#answers.write(`${JSON.stringify(answer)}\n`);
  }
}
