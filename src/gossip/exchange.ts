/**
 * One request on one stream, on either side: frames are counted, silence is limited, and whatever
 * happens the stream ends. `total` counts from the start (short requests), `idle` from the last
 * frame (pages and live reads).
 */
import { fault, type Fault } from '../errors.ts';
import type { Host } from '../host.ts';
import { err, type Result } from '../result.ts';
import type { PeerId } from '../types.ts';
import { encodeRefusal, isMalformed } from './message.ts';
import type { FrameStream, Transport } from './transport.ts';

export interface TimeLimit {
  readonly ms: number;
  readonly counts: 'total' | 'idle';
}

/** Told of each frame's bytes, after it was sent or received. */
export type CountBytes = (direction: 'in' | 'out', bytes: number) => void;

export interface ExchangeOptions {
  readonly host: Host;
  /** Any of them ends the exchange. */
  readonly signals: readonly AbortSignal[];
  readonly limit: TimeLimit;
  readonly count?: CountBytes;
}

export class Exchange implements Disposable {
  readonly #stream: FrameStream;
  readonly #options: ExchangeOptions;
  readonly #onAbort = (): void => this.#end(fault('peer-left', 'the request was cancelled'));
  #timer: Disposable;
  #lastFrameMs: number;
  #ended: Fault | undefined;

  constructor(stream: FrameStream, options: ExchangeOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#lastFrameMs = options.host.clock.monotonic();
    this.#timer = options.host.timers.after(options.limit.ms, () => this.#expire());
    listen(options.signals, this.#onAbort);
  }

  async send(frame: Uint8Array): Promise<Result<void>> {
    if (this.#ended !== undefined) return err(this.#ended);
    const sent = await this.#stream.send(frame);
    if (!sent.ok) return err(this.#ended ?? sent.error);
    this.#seen('out', frame.length);
    return sent;
  }

  /** The next frame; undefined where the other side has ended. */
  async receive(): Promise<Result<Uint8Array | undefined>> {
    if (this.#ended !== undefined) return err(this.#ended);
    const received = await this.#stream.receive();
    if (!received.ok) {
      // The stream is lost by a frame that breaks the rules: that, and not the loss, is its sender's fault.
      const own = isMalformed(received.error) ? received.error : this.#ended;
      return err(own ?? received.error);
    }
    if (received.value !== undefined) this.#seen('in', received.value.length);
    return received;
  }

  /** The next frame, which must come: `peer-left` otherwise. */
  async next(): Promise<Result<Uint8Array>> {
    const received = await this.receive();
    if (!received.ok) return received;
    if (received.value === undefined) return err(fault('peer-left', 'the stream ended early'));
    return { ok: true, value: received.value };
  }

  /** Tells the other side why it gets no answer; what then fails is of no interest. */
  async refuse(refusal: Fault): Promise<void> {
    await this.send(encodeRefusal(refusal));
  }

  async close(): Promise<void> {
    if (this.#ended === undefined) await this.#stream.close();
  }

  abort(): void {
    this.#stream.abort();
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    unlisten(this.#options.signals, this.#onAbort);
  }

  #seen(direction: 'in' | 'out', bytes: number): void {
    this.#lastFrameMs = this.#options.host.clock.monotonic();
    this.#options.count?.(direction, bytes);
  }

  /** The timer is set anew only when it fires: a frame costs no timer. */
  #expire(): void {
    const { host, limit } = this.#options;
    const left = this.#lastFrameMs + limit.ms - host.clock.monotonic();
    if (limit.counts === 'idle' && left > 0) {
      this.#timer = host.timers.after(left, () => this.#expire());
      return;
    }
    this.#end(fault('peer-timeout', `no answer within ${limit.ms} ms`));
  }

  #end(reason: Fault): void {
    this.#ended ??= reason;
    this.#stream.abort();
  }
}

/**
 * Opens a stream, runs one request on it and ends it: closed after success, aborted after a fault.
 * Faults: those of `Transport.open` and of `run`, `peer-timeout`, `peer-left`.
 */
export async function ask<T>(
  transport: Transport,
  peer: PeerId,
  protocol: string,
  options: ExchangeOptions,
  run: (exchange: Exchange) => Promise<Result<T>>,
): Promise<Result<T>> {
  const opening = new AbortController();
  const cancel = (): void => opening.abort();
  listen(options.signals, cancel);
  const timer = options.host.timers.after(options.limit.ms, cancel);
  const opened = await transport.open(peer, protocol, opening.signal);
  timer[Symbol.dispose]();
  unlisten(options.signals, cancel);
  if (!opened.ok) return opened;
  using exchange = new Exchange(opened.value, options);
  let done = false;
  try {
    const result = await run(exchange);
    done = result.ok;
    return result;
  } finally {
    if (done) await exchange.close();
    else exchange.abort();
  }
}

/** Calls back on the first abort, at once where one is aborted already. */
function listen(signals: readonly AbortSignal[], stop: () => void): void {
  for (const signal of signals) signal.addEventListener('abort', stop);
  if (signals.some((signal) => signal.aborted)) stop();
}

function unlisten(signals: readonly AbortSignal[], stop: () => void): void {
  for (const signal of signals) signal.removeEventListener('abort', stop);
}
