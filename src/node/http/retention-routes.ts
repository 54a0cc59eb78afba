/** `POST …/events/{index}/redact`: the owner takes the content of one event out of the log. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type, type TObject } from 'typebox';
import type { RetentionPolicy } from '../../ledger/retention-policy.ts';
import type { Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import type { NodeApi } from '../node-api.ts';
import { sendProblem } from './problem.ts';
import { actorOf, isSet, logOf, memberOf, numberOf, onlyLogOf, textOf } from './request.ts';
import { eventParams, logEventParams } from './schemas.ts';

const redactBody: TObject = Type.Object(
  {
    reason: Type.String({ minLength: 1, maxLength: 4096, description: 'stays in the log for all' }),
    why: Type.Optional(Type.String({ maxLength: 4096, description: 'for the journal' })),
  },
  { additionalProperties: false },
);

export function retentionRoutes(server: FastifyInstance, api: NodeApi): void {
  const redact = { body: redactBody, summary: 'redact one event: its content goes for good' };
  server.post(
    '/streams/:org/:name/events/:index/redact',
    { schema: { params: eventParams, ...redact } },
    (request, reply) => answer(api, onlyLogOf(api, request), request, reply),
  );
  server.post(
    '/logs/:logId/events/:index/redact',
    { schema: { params: logEventParams, ...redact } },
    (request, reply) => answer(api, logOf(api, request), request, reply),
  );
}

async function answer(
  api: NodeApi,
  log: Result<LogId>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (!log.ok) return sendProblem(reply, log.error);
  const index = numberOf(request.params, 'index') ?? 0;
  const reason = textOf(request.body, 'reason') ?? '';
  const done = await api.retention.redact(log.value, index, reason, actorOf(request));
  return done.ok ? reply.send(done.value) : sendProblem(reply, done.error);
}

/** The policy in a body that its schema has checked; undefined where it has none. */
export function policyIn(body: unknown): RetentionPolicy | undefined {
  const given = memberOf(body, 'retention');
  if (given === undefined) return undefined;
  const [maxAgeMs, maxBytes] = [numberOf(given, 'maxAgeMs'), numberOf(given, 'maxBytes')];
  const below = numberOf(given, 'below');
  return {
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(below === undefined ? {} : { below }),
    ...(isSet(given, 'compact') ? { compact: true } : {}),
  };
}
