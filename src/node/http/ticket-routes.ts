/** `POST /tickets`: a one-use ticket for a reader that cannot send a header (tickets.ts). */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { fault } from '../../errors.ts';
import type { Guard } from './auth.ts';
import { callerOf } from './callers.ts';
import type { HttpLimits } from './parts.ts';
import { sendProblem } from './problem.ts';
import { textOf } from './request.ts';

const body = Type.Object(
  {
    path: Type.String({
      maxLength: 4096,
      description: '/streams/{org}/{name}/events, as it will be asked for, without a query',
    }),
  },
  { additionalProperties: false },
);

/** Where tickets are taken: the route in entry-points.ts with `ticket`. */
const streamPath = /^\/streams\/[^/?#]+\/[^/?#]+\/events$/;

export function ticketRoutes(
  server: FastifyInstance,
  { tickets }: Guard,
  { ticketLifeMs }: Pick<HttpLimits, 'ticketLifeMs'>,
): void {
  server.post(
    '/tickets',
    { schema: { body, summary: 'one-use ticket for a WebSocket or SSE, as ?ticket=' } },
    (request, reply) => {
      const path = textOf(request.body, 'path') ?? '';
      const caller = callerOf(request);
      if (caller === undefined || !streamPath.test(path)) {
        const message = 'tickets are for /streams/{org}/{name}/events';
        return sendProblem(reply, fault('usage', message, { pointer: 'body/path' }));
      }
      // A policy of a delegation may narrow it to paths: then it does so through a ticket too.
      const permitted = caller.permits?.(path);
      if (permitted?.ok === false) return sendProblem(reply, permitted.error);
      const ticket = tickets.issue(path, caller);
      if (!ticket.ok) return sendProblem(reply, ticket.error);
      void reply.header('cache-control', 'no-store');
      return reply.code(201).send({ ticket: ticket.value, path, seconds: ticketLifeMs / 1000 });
    },
  );
}
