/**
 * The same reading over a WebSocket (CloudEvents WebSocket binding): subprotocol `cloudevents.json`,
 * one event a text message. The next batch is read only when the last one has left our buffers.
 */
import fastifyWebsocket from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { WebSocket } from '@fastify/websocket';
import { HeadwaterError, fault, type Fault } from '../../errors.ts';
import { renderLine } from '../../event/render.ts';
import type { Timers } from '../../host.ts';
import { formatReference } from '../../ids.ts';
import { limits } from '../../limits.ts';
import { asLogIndex } from '../../types.ts';
import type { Delivery, NodeApi } from '../node-api.ts';
import { readRequest } from './reading.ts';
import { streamOf } from './request.ts';

const subprotocol = 'cloudevents.json';
/** Private close codes (RFC 6455 section 7.4.2); the reason carries our error code. */
const closeCode = { ended: 1000, refused: 4400, slow: 4429 } as const;

/** Must be registered before the routes that upgrade. */
export async function useWebSockets(server: FastifyInstance): Promise<void> {
  await server.register(fastifyWebsocket, {
    options: {
      maxPayload: limits.maxSocketMessageBytes,
      handleProtocols: (offered: Set<string>) => (offered.has(subprotocol) ? subprotocol : false),
    },
  });
}

/** Serves one reader until it leaves, the range ends, or it stalls. */
export async function serveSocket(
  api: NodeApi,
  timers: Timers,
  socket: WebSocket,
  request: FastifyRequest,
): Promise<void> {
  const gone = new AbortController();
  socket.on('close', () => gone.abort());
  socket.on('error', () => gone.abort());
  // Readers have nothing to say: whatever comes is not looked at.
  const refuse = (problem: Fault): void => socket.close(closeCode.refused, problem.code);
  if (socket.protocol !== subprotocol) {
    refuse(fault('usage', `offer the subprotocol ${subprotocol}`));
    return;
  }
  const stream = streamOf(api, request);
  if (!stream.ok) return refuse(stream.error);
  const source = await api.read(stream.value, readRequest(request), gone.signal);
  if (!source.ok) return refuse(source.error);
  using _alive = timers.every(limits.keepAliveMs, () => socket.ping());
  try {
    for await (const batch of source.value) {
      using _stall = timers.after(limits.maxReaderStallMs, () => {
        socket.close(closeCode.slow, 'reader-too-slow');
        socket.terminate();
      });
      for (const item of batch.slice(0, -1)) socket.send(message(item));
      const last = batch.at(-1);
      if (last !== undefined) await sent(socket, message(last), gone.signal);
      if (gone.signal.aborted) return;
    }
    socket.close(closeCode.ended, 'end of the range');
  } catch (cause) {
    if (!(cause instanceof HeadwaterError)) throw cause;
    refuse(cause.fault);
  }
}

function message({ log, index, event }: Delivery): string {
  const hwref = formatReference({ logId: log, from: index, to: asLogIndex(index + 1) });
  return Buffer.from(renderLine(event, { hwref })).toString('utf8');
}

/** Resolves when the message has been handed to the system, or the reader has gone. */
function sent(socket: WebSocket, text: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  socket.send(text, () => resolve());
  return promise;
}
