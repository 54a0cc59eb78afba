/**
 * NDJSON as a stream (events.md): the answer is NDJSON too, one line for each run of lines that went
 * into one block of one log, `{"lines":[from,to],"log","index","block","ack"}`, and one error line for
 * each bad line, all in order of the lines. It stops at the first bad line unless `partial`. Answers
 * that nobody reads are kept up to `maxUnreadReceiptBytes`: reading waits a moment for them to be
 * taken and then ends with `receipts-unread`.
 */
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { at, fault, type Fault } from '../../errors.ts';
import { NdjsonParser, type NdjsonLine } from '../../event/ndjson.ts';
import { contentTypes } from '../../event/render.ts';
import { checkSupported } from '../../event/supported.ts';
import { err, type Result } from '../../result.ts';
import type { ReceiptView, StreamView } from '../node-api.ts';
import type { AckWanted } from '../witness-api.ts';
import { acknowledged } from './ack.ts';
import { readerSignal, takeOver, written } from './live-response.ts';
import { LineQueue, type Line, type Numbered } from './line-queue.ts';
import { nextChunk } from './next-chunk.ts';
import type { HttpParts } from './parts.ts';
import { problemOf } from './problem.ts';

export interface IngestMode {
  /** Bad lines are answered one by one and the rest goes on. */
  readonly partial: boolean;
  readonly wanted: AckWanted;
}

/** Takes the reply over; resolves when the last answer is written. */
export async function ingestLines(
  parts: HttpParts,
  stream: StreamView,
  body: Readable,
  mode: IngestMode,
  reply: FastifyReply,
): Promise<void> {
  const { raw } = reply;
  takeOver(reply, { 'content-type': contentTypes.ndjson });
  const signal = readerSignal(raw, parts.closing);
  try {
    await new LineIngest(parts, stream, mode, raw, signal).run(body);
  } finally {
    finish(parts, body, raw);
  }
}

/**
 * A client that is still sending would lose the answer if its connection were reset: what it sends
 * is read and dropped until it has ended, for as long as a reader may take.
 */
function finish({ timers, limits, closing }: HttpParts, body: Readable, raw: ServerResponse): void {
  const patienceMs = closing.aborted ? limits.readerHangUpMs : limits.maxReaderStallMs;
  const timer = timers.after(patienceMs, () => raw.destroy());
  let open = 2;
  const ended = (): void => {
    open -= 1;
    if (open === 0) timer[Symbol.dispose]();
  };
  raw.once('close', ended);
  body.once('close', ended).on('error', () => undefined);
  if (body.destroyed) ended();
  raw.end();
  body.resume();
}

class LineIngest {
  readonly #parts: HttpParts;
  readonly #stream: StreamView;
  readonly #mode: IngestMode;
  readonly #raw: ServerResponse;
  readonly #signal: AbortSignal;
  readonly #queue: LineQueue;
  /** Answers that wait for an acknowledgement, in their order; false once no more is to be said. */
  #told: Promise<boolean> = Promise.resolve(true);
  #unacked = 0;

  constructor(
    parts: HttpParts,
    stream: StreamView,
    mode: IngestMode,
    raw: ServerResponse,
    signal: AbortSignal,
  ) {
    this.#parts = parts;
    this.#stream = stream;
    this.#mode = mode;
    this.#raw = raw;
    this.#signal = signal;
    this.#queue = new LineQueue(parts.limits);
  }

  async run(body: Readable): Promise<void> {
    const enough = new AbortController();
    const reading = this.#read(body, AbortSignal.any([this.#signal, enough.signal]));
    try {
      while (await this.#next());
      await this.#told;
    } finally {
      enough.abort();
      this.#queue.end();
      await reading;
    }
    const { closing, api } = this.#parts;
    if (!closing.aborted && api.ready()) return;
    this.#raw.write(answerLine({ error: problemOf(fault('draining', 'the node is stopping')) }));
  }

  /** Reads and judges lines, as fast as they are published; an unfinished last one does not count. */
  async #read(body: Readable, signal: AbortSignal): Promise<void> {
    const parser = new NdjsonParser(this.#parts.limits);
    for (let more = true; more && (await this.#queue.room());) {
      const chunk = await nextChunk(body, signal);
      more = chunk instanceof Uint8Array;
      if (chunk === 'gone') break;
      this.#queue.push((chunk === 'end' ? parser.end() : parser.push(chunk)).map(judged));
    }
    this.#queue.end();
  }

  /** Publishes the next lines, or tells of bad ones; false once nothing more is to be done. */
  async #next(): Promise<boolean> {
    const lines = await this.#queue.next();
    const lot: Numbered[] = [];
    for (const line of lines) {
      if (!('problem' in line)) lot.push(line);
      else if (!(await this.#told)) return false;
      else if (!(await this.#say(line.problem)) || !this.#mode.partial) return false;
    }
    return lot.length > 0 ? this.#publish(lot) : lines.length > 0;
  }

  async #publish(lot: readonly Numbered[]): Promise<boolean> {
    const { api } = this.#parts;
    if (this.#signal.aborted || !api.ready()) return false;
    const events = lot.map(({ event }) => event);
    const published = await this.#patiently(() => api.publish(this.#stream, events));
    if (!published.ok) {
      if (!(await this.#told)) return false;
      await this.#say(at(published.error, { line: lot[0]?.line ?? 0 }));
      return false;
    }
    if (this.#mode.wanted.kind === 'local') return this.#receipts(lot, published.value);
    return this.#later(lot, published.value);
  }

  /** Answers once it is acknowledged, and goes on with the next lines meanwhile, within a bound. */
  async #later(
    lot: readonly Numbered[],
    results: readonly Result<ReceiptView>[],
  ): Promise<boolean> {
    const { api, limits } = this.#parts;
    const acked = acknowledged(api, this.#mode.wanted, results, this.#signal);
    const before = this.#told;
    this.#unacked += 1;
    this.#told = (async () => {
      const [isOpen, final] = [await before, await acked];
      this.#unacked -= 1;
      return isOpen && this.#receipts(lot, final);
    })();
    return this.#unacked < limits.maxUnackedRuns || this.#told;
  }

  /** A full queue is no reason to end a stream: reading stops until there is room again. */
  async #patiently<T>(attempt: () => Promise<Result<T>>): Promise<Result<T>> {
    for (;;) {
      const result = await attempt();
      if (result.ok || result.error.code !== 'busy') return result;
      await this.#parts.api.room(this.#signal);
      if (this.#signal.aborted) return err(fault('draining', 'the node takes no events now'));
    }
  }

  /** Says what became of the lines; false at a fault unless `partial`. */
  async #receipts(
    lot: readonly Numbered[],
    results: readonly Result<ReceiptView>[],
  ): Promise<boolean> {
    let run: Run | undefined;
    for (const [i, { line }] of lot.entries()) {
      const result = results[i] ?? err(fault('internal', 'a line without a result'));
      if (result.ok && run !== undefined && joins(run, line, result.value)) {
        run = { ...run, to: line };
        continue;
      }
      if (run !== undefined && !(await this.#answer(runAnswer(run)))) return false;
      run = result.ok ? { from: line, to: line, receipt: result.value } : undefined;
      if (result.ok) continue;
      if (!(await this.#say(at(result.error, { line }))) || !this.#mode.partial) return false;
    }
    return run === undefined || this.#answer(runAnswer(run));
  }

  #say(problem: Fault): Promise<boolean> {
    return this.#answer({ error: problemOf(problem) });
  }

  /** Writes an answer; false where too much lies unread, or the client has gone. */
  async #answer(answer: unknown): Promise<boolean> {
    const { timers, limits } = this.#parts;
    const line = answerLine(answer);
    if (this.#raw.writableLength + line.length <= limits.maxUnreadReceiptBytes) {
      this.#raw.write(line);
      return true;
    }
    if (await written(this.#raw, line, timers, limits.maxReceiptWaitMs, this.#signal)) return true;
    const unread = fault('receipts-unread', 'the answers are not being read');
    if (this.#signal.aborted) return false;
    this.#parts.onCut(unread, `publishing to ${this.#stream.display}`);
    this.#raw.write(answerLine({ error: problemOf(unread) }));
    return false;
  }
}

/** A line as it goes on: sound, and asking for nothing that is not built. */
function judged({ line, result }: NdjsonLine): Line {
  const event = result.ok ? checkSupported(result.value) : result;
  return event.ok ? { line, event: event.value } : { line, problem: at(event.error, { line }) };
}

/** Lines that follow each other, as their events do in one block of one log. */
interface Run {
  readonly from: number;
  readonly to: number;
  /** Of the first line. */
  readonly receipt: ReceiptView;
}

function joins(
  { from, to, receipt }: Run,
  line: number,
  { log, block, index, ack }: ReceiptView,
): boolean {
  const follows = line === to + 1 && index === receipt.index + (line - from);
  return follows && log === receipt.log && block === receipt.block && ack === receipt.ack;
}

function runAnswer({ from, to, receipt }: Run): unknown {
  const { log, index, block, ack, replicated, shortfall } = receipt;
  return { lines: [from, to], log, index, block, ack, replicated, shortfall };
}

function answerLine(answer: unknown): string {
  return `${JSON.stringify(answer)}\n`;
}
