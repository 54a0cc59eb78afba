/** `POST /peers/{peer}/revoke` and `POST /revocations`: taking back what lets somebody act for us. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type, type TObject } from 'typebox';
import { fault } from '../../errors.ts';
import { parseLogId } from '../../ids.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asPeerId, type LogId } from '../../types.ts';
import type { NodeApi } from '../node-api.ts';
import { answer } from './answer.ts';
import { sendProblem } from './problem.ts';
import { actorOf, keySourceOf, memberOf, textOf } from './request.ts';
import { keySource } from './schemas.ts';

const key = {
  ...keySource,
  why: Type.Optional(Type.String({ maxLength: 4096, description: 'reason, for the journal' })),
};
const writerBody: TObject = Type.Object(
  {
    good: Type.Optional(
      Type.Record(
        Type.String({ maxLength: 64 }),
        Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
        {
          maxProperties: limits.maxRevokedLogs,
          description: 'index of the last good entry by log; of the others the newest one here',
        },
      ),
    ),
    ...key,
  },
  { additionalProperties: false },
);
const delegationBody: TObject = Type.Object(
  { delegation: Type.String({ maxLength: 262_144, description: 'container, text form' }), ...key },
  { additionalProperties: false },
);
const params: TObject = Type.Object({ peer: Type.String({ maxLength: 128 }) });

export function revocationRoutes(server: FastifyInstance, api: NodeApi): void {
  server.post(
    '/peers/:peer/revoke',
    { schema: { params, body: writerBody, summary: 'take back that a peer writes our logs' } },
    (request, reply) => {
      const good = goodOf(request);
      if (!good.ok) return sendProblem(reply, good.error);
      const peer = asPeerId(textOf(request.params, 'peer') ?? '');
      const wanted = { good: good.value, ...keySourceOf(request) };
      return answer(reply, api.revocations.revokeWriter(peer, wanted, actorOf(request)));
    },
  );
  server.post(
    '/revocations',
    { schema: { body: delegationBody, summary: 'take back a delegation, in the registry' } },
    (request, reply) => {
      const text = textOf(request.body, 'delegation') ?? '';
      const { revocations } = api;
      return answer(
        reply,
        revocations.revokeDelegation(text, keySourceOf(request), actorOf(request)),
        201,
      );
    },
  );
}

function goodOf({ body }: FastifyRequest): Result<ReadonlyMap<LogId, number>> {
  const good = new Map<LogId, number>();
  const given = memberOf(body, 'good');
  const entries = typeof given === 'object' && given !== null ? Object.entries(given) : [];
  for (const [text, last] of entries) {
    const logId = parseLogId(text.replace(/^hw:/, ''));
    if (!logId.ok || typeof last !== 'number') {
      return err(fault('usage', `${text} is not a log`, { pointer: 'good' }));
    }
    good.set(logId.value, last);
  }
  return ok(good);
}
