/**
 * Frames over a libp2p stream, with back-pressure both ways.
 *
 * libp2p's own ways to read lose data: its iterators buffer without bound, and a stream that is
 * paused again from within `resume` goes on taking data until its buffer overflows and the stream is
 * reset. So we take 'message' events, pause outside of `resume` only, and keep the window of the
 * other side (libp2p-node.ts) below the buffer that pausing fills. `onDrain` of libp2p resolves at
 * once after its first use, so writing waits for the events and looks at the buffer itself.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import { concat } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { FrameDecoder, frameHeader, Inbox } from './frames.ts';
import type { FrameStream } from './transport.ts';

export interface FrameStreamLimits {
  readonly maxStreamReadBytes: number;
  readonly maxStreamWriteBytes: number;
  readonly streamStallMs: number;
  readonly streamLingerMs: number;
}

const reset = (why: string): Fault => fault('stream-reset', why);

export class Libp2pFrameStream implements FrameStream {
  readonly #stream: Stream;
  readonly #limits: FrameStreamLimits;
  readonly #monotonic: () => number;
  readonly #decoder = new FrameDecoder();
  readonly #inbox: Inbox;
  readonly #lost = new AbortController();
  #writers: (() => void)[] = [];
  #remoteEnded: boolean;
  #ending: Promise<void> | undefined;
  #discarding = false;
  #resuming = false;
  #movedMs: number;

  constructor(stream: Stream, limits: FrameStreamLimits, monotonic: () => number) {
    this.#stream = stream;
    this.#limits = limits;
    this.#monotonic = monotonic;
    this.#movedMs = monotonic();
    this.#inbox = new Inbox(limits.maxStreamReadBytes, () => this.#resume());
    this.#remoteEnded = stream.status === 'open' && stream.remoteWriteStatus === 'closed';
    stream.addEventListener('message', this.#onMessage);
    stream.addEventListener('remoteCloseWrite', this.#onRemoteEnd);
    stream.addEventListener('close', this.#onClose);
    stream.addEventListener('drain', this.#onDrain);
    stream.addEventListener('idle', this.#onDrain);
    if (stream.status !== 'open') this.#lose(reset('the stream was gone before it was used'));
    else this.#checkEnd();
  }

  /** Aborts when the stream is reset or its connection lost, not when it ends. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Nothing of it is left to watch. */
  get over(): boolean {
    return this.#stream.status !== 'open' && this.#stream.status !== 'closing';
  }

  async send(frame: Uint8Array): Promise<Result<void>> {
    if (frame.length > protocol.maxFrameBytes) {
      return err(fault('frame-too-large', `a frame of ${frame.length} bytes`));
    }
    if (!(await this.#room())) return err(this.#whyNot());
    try {
      this.#stream.send(concat(frameHeader(frame.length), frame));
    } catch {
      return err(this.#whyNot());
    }
    this.#movedMs = this.#monotonic();
    return (await this.#room()) ? ok(undefined) : err(this.#whyNot());
  }

  receive(): Promise<Result<Uint8Array | undefined>> {
    return this.#inbox.receive();
  }

  close(): Promise<void> {
    // Errors mean that the stream is gone, which `receive` and the signal tell.
    this.#ending ??= this.#stream.close().catch(() => undefined);
    return this.#ending;
  }

  abort(): void {
    this.#inbox.drop(reset('the stream was aborted here'));
    this.#lost.abort();
    this.#stream.abort(new Error('aborted'));
    this.#wakeWriters();
  }

  /** Ends our side and drops what still comes; if the other side does not end soon, `sweep` resets. */
  async finish(): Promise<void> {
    await this.close();
    this.#discarding = true;
    this.#movedMs = this.#monotonic();
    this.#inbox.drop(reset('the stream has ended here'));
    this.#resume();
  }

  /** Resets the stream where nothing has moved for too long. */
  sweep(nowMs: number): void {
    const limit = this.#discarding ? this.#limits.streamLingerMs : this.#limits.streamStallMs;
    if (!this.over && nowMs - this.#movedMs > limit) this.abort();
  }

  readonly #onMessage = (event: StreamMessageEvent): void => {
    if (this.#discarding) return;
    this.#movedMs = this.#monotonic();
    const chunks = event.data instanceof Uint8Array ? [event.data] : event.data;
    for (const chunk of chunks) {
      const frames = this.#decoder.push(chunk);
      if (!frames.ok) {
        this.#lose(frames.error);
        this.#stream.abort(new Error(frames.error.message));
        return;
      }
      for (const frame of frames.value) this.#inbox.push(frame);
    }
    if (!this.#resuming) this.#pauseIfFull();
    this.#checkEnd();
  };

  readonly #onRemoteEnd = (): void => {
    this.#remoteEnded = true;
    this.#checkEnd();
  };

  readonly #onClose = (event: StreamCloseEvent): void => {
    const graceful = event.error === undefined && this.#remoteEnded;
    if (!graceful) this.#lose(reset(event.error?.message ?? 'the connection was lost'));
    this.#wakeWriters();
  };

  readonly #onDrain = (): void => {
    this.#movedMs = this.#monotonic();
    // The stream writes on in a microtask of its own, queued before this one.
    queueMicrotask(() => this.#wakeWriters());
  };

  /** All of the other side's bytes have been seen, and its end. */
  #checkEnd(): void {
    if (!this.#remoteEnded || this.#stream.readBufferLength > 0 || this.#inbox.ended) return;
    const cut = this.#decoder.partial;
    this.#inbox.end(cut ? fault('truncated', 'the stream ended within a frame') : undefined);
  }

  #lose(why: Fault): void {
    this.#inbox.end(why);
    this.#lost.abort();
    this.#wakeWriters();
  }

  #pauseIfFull(): void {
    if (this.#inbox.full && this.#stream.readStatus === 'readable') this.#stream.pause();
  }

  #resume(): void {
    if (this.#stream.readStatus !== 'paused') return;
    this.#resuming = true;
    try {
      this.#stream.resume();
    } catch {
      // The connection is gone: what had arrived was handed over, the window update could not go.
    } finally {
      this.#resuming = false;
    }
    this.#pauseIfFull();
    this.#checkEnd();
  }

  /** Waits until little enough is waiting to be sent; false where nothing can be sent any more. */
  async #room(): Promise<boolean> {
    while (this.#stream.writeStatus === 'writable' && this.#ending === undefined) {
      if (this.#stream.writeBufferLength <= this.#limits.maxStreamWriteBytes) return true;
      await new Promise<void>((resolve) => this.#writers.push(resolve));
    }
    return false;
  }

  #wakeWriters(): void {
    const writers = this.#writers;
    this.#writers = [];
    for (const wake of writers) wake();
  }

  #whyNot(): Fault {
    if (this.#ending === undefined || this.#lost.signal.aborted) return reset('the stream is gone');
    return fault('stream-closed', 'our side of the stream has ended');
  }
}
