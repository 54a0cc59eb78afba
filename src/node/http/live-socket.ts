/**
 * The same reading over a WebSocket (CloudEvents WebSocket binding): subprotocol `cloudevents.json`,
 * one event a text message. The next batch is read only when the last one has left our buffers.
 */
import fastifyWebsocket, { type WebSocket } from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { fault, type Fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Delivery } from '../node-api.ts';
import { watchCaller } from './caller-watch.ts';
import { ReadingMeter } from './counting.ts';
import { lineOf } from './formats.ts';
import { loggedUrl } from './callers.ts';
import { faultOf } from './live-response.ts';
import type { HttpParts } from './parts.ts';
import { noEnvelope, readRequest } from './reading.ts';
import { flagOf, streamOf } from './request.ts';

const subprotocol = 'cloudevents.json';
/** RFC 6455 section 7.4; those above 4000 are private, and the reason carries our error code. */
const closeCode = { ended: 1000, leaving: 1001, refused: 4400, slow: 4429, frozen: 4409 } as const;

/** Must be registered before the routes that upgrade. */
export async function useWebSockets(server: FastifyInstance, parts: HttpParts): Promise<void> {
  await server.register(fastifyWebsocket, {
    options: {
      maxPayload: parts.limits.maxSocketMessageBytes,
      handleProtocols: (offered: Set<string>) => (offered.has(subprotocol) ? subprotocol : false),
    },
    preClose: (done) => {
      // Readers were told when `closing` aborted; whoever is still here does not listen.
      for (const client of server.websocketServer.clients) client.terminate();
      server.websocketServer.close();
      done();
    },
  });
}

/** The binding wants a connection without its subprotocol refused before it is made. */
export function refuseSocket(request: FastifyRequest): Result<void> {
  if (flagOf(request, 'envelope')) return err(noEnvelope());
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  if (offered.split(',').some((name) => name.trim() === subprotocol)) return ok(undefined);
  const place = { pointer: 'Sec-WebSocket-Protocol' };
  return err(fault('usage', `offer the subprotocol ${subprotocol}`, place));
}

/** Serves one reader until it leaves, the range ends, it stalls, or the node stops. */
export async function serveSocket(
  parts: HttpParts,
  socket: WebSocket,
  request: FastifyRequest,
): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  // Readers have nothing to say: whatever comes is not looked at.
  socket.on('close', leave).on('error', leave);
  parts.closing.addEventListener('abort', leave);
  try {
    const end = await deliver(parts, socket, request, gone.signal);
    const timer = parts.timers.after(end.waitMs, () => socket.terminate());
    socket.once('close', () => timer[Symbol.dispose]());
    if (socket.readyState === socket.CLOSED) timer[Symbol.dispose]();
    else socket.close(end.code, end.reason);
  } finally {
    parts.closing.removeEventListener('abort', leave);
  }
}

/** How a connection ends, and how long its reader has to take what is left. */
interface End {
  readonly code: number;
  readonly reason: string;
  readonly waitMs: number;
}

async function deliver(
  parts: HttpParts,
  socket: WebSocket,
  request: FastifyRequest,
  leaving: AbortSignal,
): Promise<End> {
  using watch = watchCaller(request, leaving);
  const { signal } = watch;
  const { api, timers, limits, closing } = parts;
  const refuse = ({ code }: Fault): End => ({
    code: closeCode.refused,
    reason: code,
    waitMs: limits.readerHangUpMs,
  });
  const stream = streamOf(api, request);
  if (!stream.ok) return refuse(stream.error);
  const wanted = readRequest(request);
  if (!wanted.ok) return refuse(wanted.error);
  const source = await api.read(stream.value, wanted.value, signal);
  if (!source.ok) return refuse(source.error);
  const meter = new ReadingMeter(api.deliveries, request, stream.value, wanted.value);
  const waitMs = limits.maxReaderStallMs;
  using _alive = timers.every(limits.keepAliveMs, () => socket.ping());
  const logs = stream.value.logs.map(({ log }) => log);
  // A message must be an event, so the close says it; whoever comes back has lost nothing.
  using _frozen = api.forks.onNotice(wanted.value.follow === true ? logs : [], ({ code }) =>
    socket.close(closeCode.frozen, code),
  );
  try {
    for await (const batch of meter.given(source.value)) {
      if (await sent(socket, batch, parts, signal)) continue;
      if (signal.aborted) break;
      const slow = fault('reader-too-slow', `nothing was taken for ${waitMs} ms`);
      parts.onCut(slow, `WebSocket ${loggedUrl(request)}`);
      return { code: closeCode.slow, reason: slow.code, waitMs };
    }
  } catch (cause) {
    const problem = faultOf(cause);
    if (problem.code === 'internal') parts.onCut(problem, loggedUrl(request));
    return refuse(problem);
  }
  const over = closing.aborted ? undefined : watch.ended();
  if (over !== undefined) return refuse(over);
  return closing.aborted
    ? { code: closeCode.leaving, reason: 'draining', waitMs: limits.readerHangUpMs }
    : { code: closeCode.ended, reason: 'end of the range', waitMs };
}

/** True once all has been handed to the system; false when it stalls or the reader has gone. */
async function sent(
  socket: WebSocket,
  batch: readonly Delivery[],
  { timers, limits }: HttpParts,
  signal: AbortSignal,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const stop = (): void => resolve(false);
  using _stall = timers.after(limits.maxReaderStallMs, stop);
  signal.addEventListener('abort', stop);
  for (const item of batch.slice(0, -1)) socket.send(lineOf(item), { binary: false });
  const last = batch.at(-1);
  if (last === undefined) resolve(true);
  else socket.send(lineOf(last), { binary: false }, (problem) => resolve(problem == null));
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
