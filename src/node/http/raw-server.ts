/**
 * The socket server below fastify: with TLS or without, and bounded in what one connection may hold
 * up. A head that does not come, a body that trickles and an answer that nobody takes end by time.
 */
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { FastifyServerFactory } from 'fastify';
import { fault } from '../../errors.ts';
import { addressGroup } from './attempts.ts';
import { problemOf } from './problem.ts';

/** Certificate chain and key, PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Older ones are broken. */
export const minVersion = 'TLSv1.2';

export interface ConnectionBounds {
  readonly maxConnections: number;
  /** Of one address; absent: as many as there may be in all. */
  readonly maxConnectionsPerAddress?: number;
  readonly maxHeaderBytes: number;
  /** Until the head is complete, and the whole request; 0: no bound, for bodies that are streams. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Between two requests of a connection. */
  readonly keepAliveTimeoutMs: number;
  /** Nothing moves in either direction; 0: no bound, for answers that are streams. */
  readonly idleTimeoutMs: number;
}

export function rawServer(
  bounds: ConnectionBounds,
  tls: TlsFiles | undefined,
): FastifyServerFactory {
  return (handler) => {
    const options = {
      maxHeaderSize: bounds.maxHeaderBytes,
      headersTimeout: bounds.headersTimeoutMs,
      requestTimeout: bounds.requestTimeoutMs,
      keepAliveTimeout: bounds.keepAliveTimeoutMs,
      connectionsCheckingInterval: 1000,
    };
    const server =
      tls === undefined
        ? createServer(options, handler)
        : createTlsServer(
            {
              ...options,
              ...tls,
              minVersion,
              handshakeTimeout: bounds.headersTimeoutMs,
            },
            handler,
          );
    server.maxConnections = bounds.maxConnections;
    server.setTimeout(bounds.idleTimeoutMs);
    const most = bounds.maxConnectionsPerAddress;
    if (most !== undefined) limitAddresses(server, most);
    return server;
  };
}

/** Closes connections of an address that has its share. */
function limitAddresses(server: Server, most: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = addressGroup(socket.remoteAddress);
    const count = (open.get(address) ?? 0) + 1;
    if (count > most) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}

/** What never becomes a request is answered on the socket. */
export function refuseGarbage(error: Error, socket: Socket): void {
  if (socket.destroyed || !socket.writable) return;
  const code = 'code' in error ? error.code : undefined;
  const problem =
    code === 'HPE_HEADER_OVERFLOW'
      ? fault('header-too-large', 'the head of the request is over the limit')
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? fault('request-timeout', 'the request did not come in time')
        : fault('usage', 'this is not an HTTP request');
  const body = problemOf(problem);
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${statusLines[body.status] ?? '400 Bad Request'}`,
    'content-type: application/problem+json',
    `content-length: ${text.length}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}

const statusLines: Readonly<Record<number, string>> = {
  413: '413 Content Too Large',
  400: '400 Bad Request',
};
