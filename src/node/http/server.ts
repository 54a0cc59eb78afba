/**
 * The HTTP API of a node (operations.md "HTTP API"): fastify with our errors, the bearer token, rate
 * limits and an OpenAPI description made from the same schemas. It only translates; `NodeApi` acts.
 */
import type { Socket } from 'node:net';
import fastifyHelmet from '@fastify/helmet';
import fastifyRateLimit from '@fastify/rate-limit';
import fastifySwagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import { fault, type Fault } from '../../errors.ts';
import type { Timers } from '../../host.ts';
import { limits as defaultLimits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { NodeApi } from '../node-api.ts';
import {
  controlRoutes,
  evidenceRoutes,
  networkRoutes,
  stateRoutes,
  streamRoutes,
} from './admin-routes.ts';
import { requireToken } from './auth.ts';
import { bundleRoutes, rangeRoutes } from './bundle-routes.ts';
import { backupRoutes } from './backup-routes.ts';
import { forkRoutes } from './fork-routes.ts';
import { InFlight } from './in-flight.ts';
import { ingestRoutes } from './ingest.ts';
import { lineageRoutes } from './lineage-routes.ts';
import { refuseSocket, serveSocket, useWebSockets } from './live-socket.ts';
import type { HttpLimits } from './parts.ts';
import { faultOfError, problemOf, sendProblem } from './problem.ts';
import { proofRoutes } from './proof-routes.ts';
import { recoveryRoutes } from './recovery-routes.ts';
import { retentionRoutes } from './retention-routes.ts';
import { readingRoutes } from './reading.ts';
import { isOpenTree, staticRoutes } from './static-routes.ts';
import { witnessRoutes } from './witness-routes.ts';

export interface HttpOptions {
  /** Bearer token of the home. */
  readonly token: string;
  readonly timers: Timers;
  readonly version: string;
  /** As configured. */
  readonly limits: HttpLimits;
  /** Told of faults that are ours (`internal`) and of readers that were cut off, with what was asked. */
  readonly onFault: (problem: Fault, request: string) => void;
}

/** The server with all its routes, not yet listening. The caller closes it. */
export async function buildServer(api: NodeApi, options: HttpOptions): Promise<FastifyInstance> {
  const { timers, limits, onFault } = options;
  const server = fastify({
    bodyLimit: limits.maxApiBodyBytes,
    forceCloseConnections: true,
    // Closing has an answer of its own, with our code.
    return503OnClosing: false,
    // A HEAD of a live stream would never end.
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 256 },
    clientErrorHandler: (_error, socket) => refuseGarbage(socket),
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, useDefaults: false } },
  });
  server.removeContentTypeParser('text/plain');
  server.server.maxConnections = limits.maxApiConnections;
  server.setErrorHandler((error, request, reply) => {
    const problem = faultOfError(error);
    if (problem.code === 'internal') onFault(problem, `${request.method} ${request.url}`);
    return sendProblem(reply, problem);
  });
  server.setNotFoundHandler((request, reply) =>
    sendProblem(reply, fault('route-unknown', `there is no ${request.method} ${request.url}`)),
  );
  const inFlight = new InFlight();
  const parts = { api, timers, limits, closing: inFlight.closing, onCut: onFault };
  inFlight.endFirst(server, timers, limits.apiDrainMs);
  // Upgrades are marked first: only of those that are is the socket closed after a refusal.
  await useWebSockets(server, parts);
  inFlight.count(server);
  requireToken(server, options.token, (request) => isOpenTree(api, request));
  await usePlugins(server, options);
  ingestRoutes(server, parts);
  readingRoutes(server, parts, {
    refuse: refuseSocket,
    serve: (socket, request) => serveSocket(parts, socket, request),
  });
  streamRoutes(server, api);
  evidenceRoutes(server, parts);
  proofRoutes(server, api);
  rangeRoutes(server, api);
  bundleRoutes(server, parts);
  retentionRoutes(server, api);
  staticRoutes(server, api);
  lineageRoutes(server, parts);
  witnessRoutes(server, parts);
  backupRoutes(server, parts);
  forkRoutes(server, api);
  recoveryRoutes(server, api);
  controlRoutes(server, api);
  networkRoutes(server, api);
  stateRoutes(server, api);
  return server;
}

/** What is no HTTP never becomes a request: it is answered on the socket. */
function refuseGarbage(socket: Socket): void {
  if (socket.destroyed || !socket.writable) return;
  const body = JSON.stringify(problemOf(fault('usage', 'this is not an HTTP request')));
  const head = [
    'HTTP/1.1 400 Bad Request',
    'content-type: application/problem+json',
    `content-length: ${body.length}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Headers, rate limit, description. */
async function usePlugins(
  server: FastifyInstance,
  { limits, version }: HttpOptions,
): Promise<void> {
  await server.register(fastifyHelmet, { contentSecurityPolicy: false });
  await server.register(fastifyRateLimit, {
    max: limits.maxApiRequestsPerSecond,
    timeWindow: 1000,
    addHeaders: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
    },
  });
  await describe(server, version);
}

/** Listens on `host:port`; `port-in-use`, or what the system says. Returns the address as a URL. */
export async function listen(server: FastifyInstance, address: string): Promise<Result<string>> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  try {
    return ok(await server.listen({ host, port: Number(address.slice(colon + 1)) }));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code === 'EADDRINUSE') return err(fault('port-in-use', `${address} is in use`));
    return err(fault('listen-failed', `cannot listen on ${address}: ${code || String(cause)}`));
  }
}

async function describe(server: FastifyInstance, version: string): Promise<void> {
  await server.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Headwater', version, description: 'API of one node' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  });
  server.get('/openapi.json', { schema: { hide: true } }, (_request, reply) =>
    reply.send(server.swagger()),
  );
}

/** The OpenAPI document, for the generated reference. */
export async function openApi(version: string): Promise<unknown> {
  const nothing: unknown = {};
  const server = await buildServer(isApi(nothing) ? nothing : unreachable(), {
    token: '',
    timers: { after: unreachable, every: unreachable, sleep: unreachable },
    version,
    limits: defaultLimits,
    onFault: () => undefined,
  });
  await server.ready();
  const document = server.swagger();
  await server.close();
  return document;
}

function unreachable(): never {
  throw new Error('the description of the API calls nothing');
}

function isApi(value: unknown): value is NodeApi {
  return typeof value === 'object';
}
