/**
 * Proofs of a log: of one event (`…/events/{index}/proof`, text of C2SP tlog-proof) and that a later
 * size goes on from an earlier one (`…/consistency`). The stream forms are for streams of one log.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { isDisclosedPart } from '../core/prove.ts';
import type { NodeApi } from '../node-api.ts';
import { attributeRoutes } from './attribute-routes.ts';
import { countOne } from './counting.ts';
import type { HttpParts } from './parts.ts';
import { sendProblem } from './problem.ts';
import { logOf, numberOf, onlyLogOf, textOf } from './request.ts';
import {
  consistencyQuery,
  eventParams,
  logEventParams,
  logParams,
  proofQuery,
  streamParams,
} from './schemas.ts';

export function proofRoutes(server: FastifyInstance, parts: HttpParts): void {
  const { api } = parts;
  attributeRoutes(server, parts);
  const event = { querystring: proofQuery, summary: 'proof of one event, as text' };
  server.get(
    '/streams/:org/:name/events/:index/proof',
    { schema: { params: eventParams, ...event } },
    (request, reply) => sendProof(api, onlyLogOf(api, request), request, reply),
  );
  server.get(
    '/logs/:logId/events/:index/proof',
    { schema: { params: logEventParams, ...event } },
    (request, reply) => sendProof(api, logOf(api, request), request, reply),
  );
  const sizes = {
    querystring: consistencyQuery,
    summary: 'proof that a log of one size goes on from a smaller one',
  };
  server.get(
    '/streams/:org/:name/consistency',
    { schema: { params: streamParams, ...sizes } },
    (request, reply) => sendConsistency(api, onlyLogOf(api, request), request, reply),
  );
  server.get(
    '/logs/:logId/consistency',
    { schema: { params: logParams, ...sizes } },
    (request, reply) => sendConsistency(api, logOf(api, request), request, reply),
  );
}

async function sendProof(
  api: NodeApi,
  log: Result<LogId>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { params, query } = request;
  if (!log.ok) return sendProblem(reply, log.error);
  const part = textOf(query, 'disclose') ?? 'all';
  const disclosed = isDisclosedPart(part) ? part : 'none';
  const index = numberOf(params, 'index') ?? 0;
  const proof = await api.evidence.proof(log.value, index, disclosed);
  if (!proof.ok) return sendProblem(reply, proof.error);
  if (disclosed !== 'none') countOne(api, request, log.value, index, proof.value.length);
  return reply.type('text/plain; charset=utf-8').send(proof.value);
}

async function sendConsistency(
  api: NodeApi,
  log: Result<LogId>,
  { query }: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (!log.ok) return sendProblem(reply, log.error);
  const from = numberOf(query, 'from') ?? 0;
  const answer = await api.evidence.consistency(log.value, from, numberOf(query, 'to'));
  return answer.ok ? reply.send(answer.value) : sendProblem(reply, answer.error);
}
