/**
 * A response that is written batch by batch as its reader takes it. What a reader does not take stays
 * in the ledger: at most one batch lies in our buffers. One that does not take a batch within
 * `maxReaderStallMs` is told `reader-too-slow` behind what it still has to read, and cut off.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { HeadwaterError, fault, type Fault } from '../../errors.ts';
import type { Timers } from '../../host.ts';
import type { Delivery } from '../node-api.ts';
import { renderAll, type Format } from './formats.ts';
import { loggedUrl } from './callers.ts';
import type { HttpParts } from './parts.ts';

/** What a live reader is told between events: that its log is frozen. */
export interface Notices {
  readonly now: readonly Fault[];
  listen(tell: (notice: Fault) => void): Disposable;
}

/** Aborted when the reader has gone or the server closes. */
export function readerSignal(raw: ServerResponse, closing: AbortSignal): AbortSignal {
  const gone = new AbortController();
  const end = (): void => gone.abort();
  raw.once('close', () => {
    closing.removeEventListener('abort', end);
    end();
  });
  if (closing.aborted) end();
  else closing.addEventListener('abort', end, { once: true });
  return gone.signal;
}

/**
 * Takes the reply over and writes it to its end. Faults of reading become the last thing said, and so does
 * what `ended` gives where the signal was aborted because the caller may no longer read.
 */
export async function respondLive(
  parts: HttpParts,
  reply: FastifyReply,
  source: AsyncIterable<readonly Delivery[]>,
  format: Format,
  signal: AbortSignal,
  notices?: Notices,
  ended: () => Fault | undefined = () => undefined,
): Promise<void> {
  const { timers, limits, closing } = parts;
  const { raw } = reply;
  const fresh = format.idle === undefined ? {} : { 'cache-control': 'no-store' };
  takeOver(reply, { 'content-type': format.type, ...fresh });
  using _alive = format.idle === undefined ? undefined : keepAlive(parts, raw, format.idle);
  const tell = (notice: Fault): void => {
    if (!raw.writableEnded) raw.write(format.notice(notice));
  };
  using _notices = notices?.listen(tell);
  for (const notice of notices?.now ?? []) tell(notice);
  try {
    for await (const batch of source) {
      const bytes = renderAll(format, batch);
      if (await written(raw, bytes, timers, limits.maxReaderStallMs, signal)) continue;
      if (signal.aborted) break;
      const slow = fault('reader-too-slow', `nothing was taken for ${limits.maxReaderStallMs} ms`);
      parts.onCut(slow, `${reply.request.method} ${loggedUrl(reply.request)}`);
      return hangUp(raw, timers, limits.maxReaderStallMs, format.error(slow));
    }
  } catch (cause) {
    const problem = faultOf(cause);
    if (problem.code === 'internal') parts.onCut(problem, loggedUrl(reply.request));
    return hangUp(raw, timers, limits.maxReaderStallMs, format.error(problem));
  }
  // A stream that ends early must not look complete.
  const reason = closing.aborted ? fault('draining', 'the node is stopping') : ended();
  const last = reason === undefined ? undefined : format.error(reason);
  hangUp(raw, timers, closing.aborted ? limits.readerHangUpMs : limits.maxReaderStallMs, last);
}

/** From here on we write the response ourselves: its head goes out at once. */
export function takeOver(reply: FastifyReply, headers: Readonly<Record<string, string>>): void {
  void reply.hijack();
  for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...headers })) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  // A reader of what is still to come wants to know that it is served.
  reply.raw.writeHead(200).flushHeaders();
}

/** Ends the response; a reader that does not take the rest in time loses its connection. */
function hangUp(
  raw: ServerResponse,
  timers: Timers,
  ms: number,
  last: Uint8Array | undefined,
): void {
  if (raw.destroyed) return;
  const timer = timers.after(ms, () => raw.destroy());
  raw.once('close', () => timer[Symbol.dispose]());
  raw.end(last);
}

/** Writes; true once all has been handed to the system, false after `ms` or when the signal aborts. */
export async function written(
  raw: ServerResponse,
  bytes: Uint8Array | string,
  timers: Timers,
  ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const gone = (): void => resolve(false);
  using _stall = timers.after(ms, gone);
  signal.addEventListener('abort', gone);
  raw.write(bytes, (problem) => resolve(problem == null));
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', gone);
  }
}

/** Comments on a stream that has nothing to say, if its buffer is empty. */
function keepAlive(
  { timers, limits }: HttpParts,
  raw: ServerResponse,
  comment: Uint8Array,
): Disposable {
  return timers.every(limits.keepAliveMs, () => {
    if (raw.writableLength === 0 && !raw.writableEnded) raw.write(comment);
  });
}

/** What stopped a reading, as a fault; anything that is not one is a defect of ours. */
export function faultOf(cause: unknown): Fault {
  if (cause instanceof HeadwaterError) return cause.fault;
  return fault('internal', cause instanceof Error ? cause.message : String(cause));
}
