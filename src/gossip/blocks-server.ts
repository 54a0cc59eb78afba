/**
 * Serving ranges of blocks (blocks-codec.ts has the messages). Acknowledgements are read beside the
 * sending, so that a reader which stops reading stops us, within `maxUnackedBytes`.
 */
import { fault, HeadwaterError, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, asTreeSize, type LogId, type TreeSize } from '../types.ts';
import {
  decodeBlocks,
  encodeBlocks,
  maxBlocksPerFrame,
  type BlocksMessage,
  type BlocksRequest,
} from './blocks-codec.ts';
import { admit, unknownLog, type Admitted } from './admission.ts';
import type { Exchange } from './exchange.ts';
import { maxCosignedNote } from './heads-codec.ts';
import type { PortBlock } from './ledger-port.ts';
import { usable, type Net } from './net.ts';
import { longLimit, protocols, serve } from './serve.ts';
import type { Session } from './sessions.ts';
import { UnackedWindow } from './unacked-window.ts';
import { meterOf } from './metering.ts';
import type { Handed, Meter } from './usage-port.ts';
import { isWhole, withhold } from './withhold.ts';

export class BlocksServer {
  readonly #net: Net;
  #live = 0;

  constructor(net: Net) {
    this.#net = net;
  }

  async serve(): Promise<void> {
    await serve(this.#net, {
      protocol: protocols.blocks,
      limit: longLimit(this.#net),
      greeted: true,
      answer: (exchange, session) => this.#answer(exchange, session),
    });
  }

  async #answer(exchange: Exchange, session: Session): Promise<Result<void>> {
    const frame = await exchange.next();
    if (!frame.ok) return frame;
    const request = decodeBlocks(frame.value);
    if (!request.ok) return request;
    if (request.value.kind !== 'read') return err(fault('message-shape', 'not a read request'));
    const { logId, grant, live } = request.value;
    const admitted = admit(this.#net, session, logId, grant);
    if (!admitted.ok) return admitted;
    const { permit } = admitted.value;
    if (!live) return this.#read(exchange, session, request.value, permit);
    if (this.#live >= this.#net.limits.maxLiveReads) {
      return err(fault('rate-limited', 'too many live reads at once'));
    }
    this.#live += 1;
    try {
      return await this.#read(exchange, session, request.value, permit);
    } finally {
      this.#live -= 1;
    }
  }

  async #read(
    exchange: Exchange,
    session: Session,
    request: BlocksRequest,
    permit: Admitted['permit'],
  ): Promise<Result<void>> {
    const meter = meterOf(this.#net, session, request.logId, permit);
    const reading = new BlockReading(this.#net, exchange, session, request, permit, meter);
    using _ = this.#net.access?.onChange(() => reading.look());
    const reader = reading.acknowledgements();
    const run = await reading.run();
    const result = reading.ended === undefined ? run : err(reading.ended);
    // The reader ends with the stream: after the last frame the asker closes its side.
    const last = result.ok ? await reader : ok(undefined);
    reading.stop();
    return result.ok ? last : result;
  }
}

/** A block as its reader gets it, with what it has of it. */
interface Given extends PortBlock {
  readonly handed: Handed;
}

/** One request being served. */
class BlockReading {
  readonly #net: Net;
  readonly #exchange: Exchange;
  readonly #session: Session;
  readonly #request: BlocksRequest;
  readonly #window = new UnackedWindow();
  readonly #stop = new AbortController();
  /** Of a direct log: asked again before each frame, at each pulse and when something was revoked. */
  readonly #permit: Admitted['permit'];
  /** Told of what is sent. */
  readonly #meter: Meter | undefined;
  #refusal: Fault | undefined;
  /** The range of the permit is behind us: nothing more will come. */
  #over = false;
  #ended = false;
  #position: TreeSize;
  /** Cosigned checkpoint that was sent last. */
  #told: string | undefined;

  constructor(
    net: Net,
    exchange: Exchange,
    session: Session,
    request: BlocksRequest,
    permit: Admitted['permit'],
    meter: Meter | undefined,
  ) {
    this.#permit = permit;
    this.#meter = meter;
    this.#net = net;
    this.#exchange = exchange;
    this.#session = session;
    this.#request = request;
    this.#position = asTreeSize(request.from);
  }

  /** Why the reader may not go on, where that is so. */
  get ended(): Fault | undefined {
    return this.#refusal;
  }

  /** Ends the reading if its permit has ended. */
  look(): boolean {
    if (this.#permit === undefined || this.#refusal !== undefined) return this.#ended;
    this.#refusal = this.#net.access?.ended(this.#permit);
    if (this.#refusal !== undefined) this.stop();
    return this.#ended;
  }

  stop(): void {
    this.#ended = true;
    this.#window.close();
    this.#stop.abort();
  }

  /** Reads acks until the asker closes its side or breaks the protocol. */
  async acknowledgements(): Promise<Result<void>> {
    for (;;) {
      const frame = await this.#exchange.receive();
      const message = frame.ok && frame.value !== undefined ? decodeBlocks(frame.value) : undefined;
      if (message?.ok === true && message.value.kind === 'ack') {
        if (this.#window.acknowledged(message.value.next)) continue;
      }
      this.stop();
      if (!frame.ok) return frame;
      if (message === undefined) return ok(undefined);
      return message.ok ? err(fault('message-shape', 'not an acknowledgement')) : message;
    }
  }

  async run(): Promise<Result<void>> {
    const { live, maxBytes } = this.#request;
    const first = await this.#page(
      live ? undefined : Math.min(maxBytes, this.#net.limits.syncPageBytes),
    );
    if (!first.ok) return first;
    if (live && !this.#over) {
      const pushed = await this.#push();
      if (!pushed.ok) return pushed;
    }
    const told = await this.#cosigned();
    if (!told.ok) return told;
    const whole = this.#net.ledger.log(this.#request.logId)?.size ?? this.#position;
    const size = this.#over ? this.#position : whole;
    return this.#ended ? ok(undefined) : this.#exchange.send(encodeBlocks({ kind: 'end', size }));
  }

  /** Goes on with what is appended, until the asker leaves or may no longer read. */
  async #push(): Promise<Result<void>> {
    while (!this.#ended && !this.#over && usable(this.#net, this.#session)) {
      const grown = await nextAppend(
        this.#net,
        this.#request.logId,
        this.#position,
        this.#stop.signal,
      );
      const log = this.#net.ledger.log(this.#request.logId);
      if (log === undefined) return err(unknownLog);
      if (this.look()) return ok(undefined);
      const sent = grown
        ? await this.#page(undefined)
        : await this.#exchange.send(encodeBlocks({ kind: 'pulse', size: log.size }));
      if (!sent.ok) return sent;
      const told = grown ? ok(undefined) : await this.#cosigned();
      if (!told.ok) return told;
    }
    return ok(undefined);
  }

  /** The newest cosigned checkpoint of what was sent, unless it was told before. */
  async #cosigned(): Promise<Result<void>> {
    const newest = await this.#net.evidence?.cosigned.newest(this.#request.logId);
    if (newest?.ok !== true || newest.value === undefined) return ok(undefined);
    const { note, size } = newest.value;
    if (note === this.#told || note.length > maxCosignedNote || size > this.#position) {
      return ok(undefined);
    }
    this.#told = note;
    const frame = encodeBlocks({ kind: 'cosigned', note });
    return this.#ended ? ok(undefined) : this.#exchange.send(frame);
  }

  /** Sends blocks from the position to the head or to the byte budget, small ones packed together. */
  async #page(maxBytes: number | undefined): Promise<Result<void>> {
    let packed: Given[] = [];
    let bytes = 0;
    const options = {
      signal: this.#stop.signal,
      ...(maxBytes === undefined ? {} : { maxBytes }),
    };
    try {
      const from = asLogIndex(this.#position);
      for await (const block of this.#net.ledger.blocks(this.#request.logId, from, options)) {
        if (this.#ended) return ok(undefined);
        const given = this.#given(block);
        if (!given.ok) return given;
        if (given.value === undefined) break;
        const { wire } = given.value;
        const full = bytes + wire.length > protocol.maxMessageBytes;
        if (packed.length > 0 && (full || packed.length >= maxBlocksPerFrame)) {
          const sent = await this.#send(packed);
          if (!sent.ok) return sent;
          [packed, bytes] = [[], 0];
        }
        packed.push(given.value);
        bytes += wire.length;
      }
    } catch (cause) {
      if (cause instanceof HeadwaterError) return err(cause.fault);
      throw cause;
    }
    return this.#send(packed);
  }

  /** What the reader may have of a block; undefined where its range is over. */
  #given(block: PortBlock): Result<Given | undefined> {
    const range = this.#permit?.args;
    if (range === undefined || isWhole(range)) return ok({ ...block, handed: wholeOf(block) });
    const left = withhold(this.#net.crypto, block.wire, range);
    if (!left.ok) return left;
    const { wire, over, from, to, bodies: count } = left.value;
    this.#over = over;
    if (over) return ok(undefined);
    return ok({ ...block, wire, handed: { from, to, count, bytes: wire.length } });
  }

  async #send(packed: readonly Given[]): Promise<Result<void>> {
    const last = packed.at(-1);
    if (last === undefined) return ok(undefined);
    const message: BlocksMessage = {
      kind: 'blocks',
      next: last.size,
      wires: packed.map((block) => block.wire),
    };
    const frame = encodeBlocks(message);
    // Whoever is sent blocks of ours may keep them.
    this.#net.ledger.confirming?.acknowledged(this.#request.logId);
    const paced = await this.#pace(frame.length);
    if (!paced.ok) return paced;
    if (!(await this.#window.room(frame.length)) || this.look()) return ok(undefined);
    this.#window.sent(last.size, frame.length);
    this.#position = last.size;
    for (const { handed } of packed) this.#meter?.delivered(handed);
    return this.#exchange.send(frame);
  }

  /** Waits as long as a throttle asks for, with a pulse now and then. */
  async #pace(bytes: number): Promise<Result<void>> {
    const { host, control } = this.#net;
    let leftMs = control.pace(this.#session.peer, bytes, host.clock.monotonic());
    while (leftMs > 0 && !this.#ended) {
      const stepMs = Math.min(leftMs, protocol.livePulseMs);
      await host.timers.sleep(stepMs, this.#stop.signal);
      leftMs -= stepMs;
      if (leftMs <= 0) break;
      const sent = await this.#exchange.send(encodeBlocks({ kind: 'pulse', size: this.#position }));
      if (!sent.ok) return sent;
    }
    return ok(undefined);
  }
}

function wholeOf({ firstIndex, size, wire, bodies }: PortBlock): Handed {
  return { from: firstIndex, to: size, count: bodies ?? size - firstIndex, bytes: wire.length };
}

/** Waits for the log to grow above `size`: true then, false after `livePulseMs` or an abort. */
async function nextAppend(
  net: Net,
  logId: LogId,
  size: TreeSize,
  signal: AbortSignal,
): Promise<boolean> {
  const grown = (): boolean => (net.ledger.log(logId)?.size ?? 0) > size;
  if (grown()) return true;
  const waiting = new AbortController();
  const stop = (): void => waiting.abort();
  signal.addEventListener('abort', stop);
  using _ = net.ledger.onAppended((block) => {
    if (block.logId === logId) stop();
  });
  if (signal.aborted || grown()) stop();
  await net.host.timers.sleep(protocol.livePulseMs, waiting.signal);
  signal.removeEventListener('abort', stop);
  return grown();
}
