/**
 * The listeners without a token: `http.public`, and `http.metrics` with `/metrics` alone (access.md
 * "Node API"). Each is a server of its own with its few routes, so nothing that a route of the API
 * lets through can be reached here. Requests are counted by address before anything else, heads and
 * bodies are small, and whoever is slow is cut off.
 */
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { fault, type Fault } from '../../errors.ts';
import type { Clock, Timers } from '../../host.ts';
import { protocol } from '../../limits.ts';
import type { Limits } from '../config-schema.ts';
import type { NodeApi } from '../node-api.ts';
import { addressGroup, Attempts } from './attempts.ts';
import { targetOf } from './callers.ts';
import { InFlight } from './in-flight.ts';
import { faultOfError, sendProblem, sendThrown } from './problem.ts';
import { rawServer, refuseGarbage, type TlsFiles } from './raw-server.ts';
import { textOf } from './request.ts';
import { staticFileRoutes } from './static-routes.ts';
import { witnessPublicRoutes } from './witness-routes.ts';

export interface PublicOptions {
  readonly timers: Timers;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly tls?: TlsFiles;
  readonly onFault: (problem: Fault, request: string) => void;
}

/** The same for a log that is not public, one that is not here, and a route that there is not. */
const nothing = fault(
  'route-unknown',
  'there is nothing here',
  undefined,
  'This listener has static trees of public streams, and the witness.',
);

/** What everybody may have. The caller listens and closes. */
export function buildPublicServer(api: NodeApi, options: PublicOptions): FastifyInstance {
  const server = bareServer(options);
  server.get('/health/live', (_request, reply) => reply.send({ live: true }));
  witnessPublicRoutes(server, api, options.limits);
  void server.register((scope, _options, done) => {
    scope.addHook('onRequest', async (request, reply): Promise<FastifyReply | undefined> => {
      const isPublic = api.tree.isPublic(textOf(request.params, 'logId') ?? '');
      return isPublic ? undefined : sendProblem(reply, nothing);
    });
    staticFileRoutes(scope, api);
    done();
  });
  return server;
}

/** `/metrics` alone. */
export function buildMetricsServer(api: NodeApi, options: PublicOptions): FastifyInstance {
  const server = bareServer(options);
  server.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await api.metrics()),
  );
  return server;
}

function bareServer({ timers, clock, limits, tls, onFault }: PublicOptions): FastifyInstance {
  const server = fastify({
    bodyLimit: protocol.maxWitnessRequestBytes,
    forceCloseConnections: true,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 256 },
    clientErrorHandler: refuseGarbage,
    serverFactory: rawServer(
      {
        maxConnections: limits.maxPublicConnections,
        maxConnectionsPerAddress: limits.maxPublicConnectionsPerAddress,
        maxHeaderBytes: limits.maxPublicHeaderBytes,
        headersTimeoutMs: limits.publicHeadersTimeoutMs,
        requestTimeoutMs: limits.publicRequestTimeoutMs,
        keepAliveTimeoutMs: limits.publicIdleTimeoutMs,
        idleTimeoutMs: limits.publicIdleTimeoutMs,
      },
      tls,
    ),
  });
  server.setErrorHandler((error, request, reply) => {
    const problem = faultOfError(error);
    if (problem.code === 'internal')
      onFault(problem, `${request.method} ${targetOf(request).path}`);
    return sendThrown(request, reply, problem);
  });
  server.setNotFoundHandler((_request, reply) => sendProblem(reply, nothing));
  const inFlight = new InFlight();
  inFlight.endFirst(server, timers, limits.apiDrainMs);
  inFlight.count(server);
  const attempts = new Attempts(
    clock,
    limits.maxPublicRequestsPerSecond,
    limits.maxCallerAddresses,
  );
  server.addHook('onRequest', async (request, reply): Promise<FastifyReply | undefined> => {
    void reply.header('x-content-type-options', 'nosniff');
    if (attempts.take(addressGroup(request.raw.socket.remoteAddress))) return undefined;
    return sendProblem(reply, fault('rate-limited', 'too many requests'));
  });
  return server;
}
