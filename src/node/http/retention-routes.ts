/** `POST …/events/{index}/redact`: the owner takes the content of one event out of the log. */
import type { FastifyInstance } from 'fastify';
import { Type, type TObject } from 'typebox';
import type { RetentionPolicy } from '../../ledger/retention-policy.ts';
import type { NodeApi } from '../node-api.ts';
import { answer, logRoute } from './answer.ts';
import { actorOf, isSet, memberOf, numberOf, textOf } from './request.ts';
import { eventParams, logEventParams } from './schemas.ts';

const redactBody: TObject = Type.Object(
  {
    reason: Type.String({ minLength: 1, maxLength: 4096, description: 'stays in the log for all' }),
    why: Type.Optional(Type.String({ maxLength: 4096, description: 'for the journal' })),
  },
  { additionalProperties: false },
);

export function retentionRoutes(server: FastifyInstance, api: NodeApi): void {
  logRoute(server, api, {
    method: 'POST',
    path: '/events/:index/redact',
    params: { ofStream: eventParams, ofLog: logEventParams },
    schema: { body: redactBody, summary: 'redact one event: its content goes for good' },
    run: (log, request, reply) => {
      const index = numberOf(request.params, 'index') ?? 0;
      const reason = textOf(request.body, 'reason') ?? '';
      return answer(reply, api.retention.redact(log, index, reason, actorOf(request)));
    },
  });
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
