/**
 * The HTTP API of a node (operations.md "HTTP API"): fastify with our errors, the bearer token, rate
 * limits and an OpenAPI description made from the same schemas. It only translates; `NodeApi` acts.
 */
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
import { Guard, requireCaller, type ApiSecurity } from './auth.ts';
import { bundleRoutes, rangeRoutes } from './bundle-routes.ts';
import { backupRoutes } from './backup-routes.ts';
import { addressGroup } from './attempts.ts';
import { callerOf, loggedUrl } from './callers.ts';
import { grantRoutes } from './grant-routes.ts';
import { epochRoutes } from './epoch-routes.ts';
import { rekeyRoutes } from './rekey-routes.ts';
import { forkRoutes } from './fork-routes.ts';
import { InFlight } from './in-flight.ts';
import { ingestRoutes } from './ingest.ts';
import { lineageRoutes } from './lineage-routes.ts';
import { refuseSocket, serveSocket, useWebSockets } from './live-socket.ts';
import type { HttpLimits } from './parts.ts';
import { faultOfError, sendProblem, sendThrown } from './problem.ts';
import { proofRoutes } from './proof-routes.ts';
import { rawServer, refuseGarbage, type ConnectionBounds, type TlsFiles } from './raw-server.ts';
import { recoveryRoutes } from './recovery-routes.ts';
import { retentionRoutes } from './retention-routes.ts';
import { readingRoutes } from './reading.ts';
import { staticRoutes } from './static-routes.ts';
import { ticketRoutes } from './ticket-routes.ts';
import { witnessRoutes } from './witness-routes.ts';

export interface HttpOptions {
  /** Bearer token of the home. */
  readonly token: string;
  readonly timers: Timers;
  readonly version: string;
  readonly security: ApiSecurity;
  /** Speaks TLS with these. */
  readonly tls?: TlsFiles;
  /** As configured. */
  readonly limits: HttpLimits;
  /** Told of faults that are ours (`internal`) and of readers that were cut off, with what was asked. */
  readonly onFault: (problem: Fault, request: string) => void;
}

const routes = new WeakMap<FastifyInstance, readonly string[]>();

/** `METHOD /path` of each route of a server that `buildServer` made. */
export function declaredRoutes(server: FastifyInstance): readonly string[] {
  return routes.get(server) ?? [];
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
    clientErrorHandler: refuseGarbage,
    serverFactory: rawServer(apiBounds(limits), options.tls),
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, useDefaults: false } },
  });
  const declared: string[] = [];
  routes.set(server, declared);
  server.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) declared.push(`${one} ${url}`);
  });
  server.removeContentTypeParser('text/plain');
  server.setErrorHandler((error, request, reply) => {
    const problem = faultOfError(error);
    if (problem.code === 'internal') onFault(problem, `${request.method} ${loggedUrl(request)}`);
    return sendThrown(request, reply, problem);
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
  const guard = new Guard(api, options.token, options.security, limits);
  requireCaller(server, guard, options.security);
  await usePlugins(server, options);
  ticketRoutes(server, guard, limits);
  ingestRoutes(server, parts);
  readingRoutes(server, parts, {
    refuse: refuseSocket,
    serve: (socket, request) => serveSocket(parts, socket, request),
  });
  streamRoutes(server, api);
  evidenceRoutes(server, parts);
  proofRoutes(server, parts);
  rangeRoutes(server, api);
  bundleRoutes(server, parts);
  retentionRoutes(server, api);
  staticRoutes(server, api);
  lineageRoutes(server, parts);
  witnessRoutes(server, parts);
  backupRoutes(server, parts);
  forkRoutes(server, api);
  epochRoutes(server, api);
  rekeyRoutes(server, api);
  recoveryRoutes(server, api);
  grantRoutes(server, api);
  controlRoutes(server, api);
  networkRoutes(server, api);
  stateRoutes(server, api);
  return server;
}

/** Uploads and answers may be streams without an end: only heads have a time limit of ours. */
function apiBounds(limits: HttpLimits): ConnectionBounds {
  return {
    maxConnections: limits.maxApiConnections,
    maxHeaderBytes: limits.maxApiHeaderBytes,
    headersTimeoutMs: limits.apiHeadersTimeoutMs,
    requestTimeoutMs: 0,
    keepAliveTimeoutMs: 72_000,
    idleTimeoutMs: 0,
  };
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
    // Whoever was let in is counted under the own name, strangers by address.
    keyGenerator: (request) => callerOf(request)?.key ?? addressGroup(request.ip),
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
    const url = await server.listen({ host, port: Number(address.slice(colon + 1)) });
    return ok('setSecureContext' in server.server ? url.replace(/^http:/, 'https:') : url);
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
    security: {
      clock: { now: unreachable, monotonic: unreachable },
      random: { bytes: unreachable },
    },
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
