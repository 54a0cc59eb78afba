/** `GET /logs/{logId}/fork`: what is proved of a forked log, as JSON or as the bytes of the proof. */
import type { FastifyInstance } from 'fastify';
import { parseLogId } from '../../ids.ts';
import type { NodeApi } from '../node-api.ts';
import { answer } from './answer.ts';
import { sendProblem } from './problem.ts';
import { textOf } from './request.ts';
import { logParams } from './schemas.ts';

/** The bytes of FACTS.md section 8; what `hw verify FILE` takes. */
const forkType = 'application/cbor';

export function forkRoutes(server: FastifyInstance, api: NodeApi): void {
  const summary = 'proof that the writer of a log signed two histories: JSON, or bytes by Accept';
  const schema = { params: logParams, summary };
  server.get('/logs/:logId/fork', { schema }, async (request, reply) => {
    const log = parseLogId(textOf(request.params, 'logId') ?? '');
    if (!log.ok) return sendProblem(reply, log.error);
    if (request.headers.accept?.includes(forkType) === true) {
      const proof = await api.forks.proof(log.value);
      if (!proof.ok) return sendProblem(reply, proof.error);
      return reply.type(forkType).send(Buffer.from(proof.value));
    }
    return answer(reply, api.forks.view(log.value));
  });
}
