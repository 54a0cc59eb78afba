/**
 * Events to the node as one NDJSON stream with back-pressure, and its answers read meanwhile
 * (events.md): a line for each run of lines that went into one block, an error line for each event
 * that it refused. Lines of the stream count from 1, so an answer leads back to where the event
 * came from.
 */
import { codes } from '../../codes.ts';
import { concat, utf8 } from '../../bytes.ts';
import { fault, type Fault } from '../../errors.ts';
import { LineSplitter } from '../../event/ndjson.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { ApiUpload } from '../api-client.ts';
import { JsonView } from '../json-view.ts';

/** One event: its text, and where it came from. */
export interface Outgoing {
  readonly bytes: Uint8Array;
  readonly file: string;
  readonly line: number;
}

export interface SenderEvents {
  /** So many events are in the log from this index on, on the disk. */
  accepted(log: string, index: number, count: number): void;
  /** They are in the log, and what `--ack` asks for was not reached. */
  unacknowledged(reason: Fault): void;
  /** With `--skip-invalid`: the node refused this event and goes on. */
  refused(event: Outgoing, reason: Fault): Promise<Result<void>>;
}

const newline = utf8('\n');

export class Sender {
  readonly #upload: ApiUpload;
  readonly #partial: boolean;
  readonly #events: SenderEvents;
  readonly #answers: Promise<Result<void>>;
  #parts: Uint8Array[] = [];
  /** Events without an answer, in order; the first is line `#answered + 1` of the stream. */
  #waiting: Outgoing[] = [];
  #answered = 0;
  #failure: Fault | undefined;

  constructor(upload: ApiUpload, partial: boolean, events: SenderEvents) {
    this.#upload = upload;
    this.#partial = partial;
    this.#events = events;
    this.#answers = this.#read();
  }

  /** Takes an event; it goes out with the next `flush`. */
  push(event: Outgoing): void {
    this.#parts.push(event.bytes, newline);
    // Only a refused event is written out again, and only where we go on after it.
    this.#waiting.push(this.#partial ? event : { ...event, bytes: newline });
  }

  /** Resolves when the next may come; the fault is that of an earlier event as a rule. */
  async flush(): Promise<Result<void>> {
    const parts = this.#parts;
    this.#parts = [];
    if (parts.length > 0) await this.#upload.write(concat(...parts));
    // A node that stops reading has said why: its answer is better than our broken pipe.
    return this.#failure === undefined ? ok(undefined) : err(this.#failure);
  }

  /** Sends what is left and waits for every answer. */
  async finish(): Promise<Result<void>> {
    await this.flush();
    this.#upload.end();
    const answers = await this.#answers;
    if (!answers.ok) return answers;
    if (this.#waiting.length === 0) return ok(undefined);
    return err(
      fault('node-unreachable', 'the node broke off before it had answered for all events'),
    );
  }

  async #read(): Promise<Result<void>> {
    const result = await this.#readAll();
    if (!result.ok) {
      this.#failure = result.error;
      this.#upload.end();
    }
    return result;
  }

  async #readAll(): Promise<Result<void>> {
    const answer = await this.#upload.answer;
    if (!answer.ok) return answer;
    const splitter = new LineSplitter(limits.maxEventTextBytes);
    try {
      for await (const chunk of answer.value.chunks) {
        for (const { bytes } of splitter.push(chunk)) {
          const step = await this.#take(JsonView.parse(Buffer.from(bytes ?? []).toString('utf8')));
          if (!step.ok) return step;
        }
      }
    } catch {
      return err(fault('node-unreachable', 'the node broke off in the middle of its answer'));
    }
    return ok(undefined);
  }

  async #take(answer: JsonView): Promise<Result<void>> {
    const [from, to] = answer.list('lines').map(({ value }) => Number(value));
    if (from !== undefined && to !== undefined) {
      this.#pass(to);
      this.#events.accepted(answer.text('log') ?? '', answer.number('index') ?? 0, to - from + 1);
      const shortfall = answer.at('shortfall');
      if (shortfall.value !== undefined) this.#events.unacknowledged(faultOf(shortfall, undefined));
      return ok(undefined);
    }
    const problem = answer.at('error');
    const line = problem.at('place').number('line');
    const event = line === undefined ? undefined : this.#pass(line);
    const reason = faultOf(problem, event);
    if (event === undefined || !this.#partial) return err(reason);
    return this.#events.refused(event, reason);
  }

  /** Everything up to that line has its answer; the event of the line itself. */
  #pass(line: number): Outgoing | undefined {
    const count = line - this.#answered;
    if (count < 1 || count > this.#waiting.length) return undefined;
    this.#answered = line;
    return this.#waiting.splice(0, count).at(-1);
  }
}

function isCode(text: string): text is keyof typeof codes {
  return Object.hasOwn(codes, text);
}

/** The node's fault, at the place in the file in place of that in the stream. */
function faultOf(view: JsonView, event: Outgoing | undefined): Fault {
  const code = view.text('code') ?? '';
  const pointer = view.at('place').text('pointer');
  const place = {
    ...(event === undefined ? {} : { file: event.file, line: event.line }),
    ...(pointer === undefined ? {} : { pointer }),
  };
  const message = view.text('message') ?? 'refused by the node';
  return fault(isCode(code) ? code : 'node-failed', message, place, view.text('hint'));
}
