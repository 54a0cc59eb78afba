/**
 * Proofs of a log: of one event (`…/events/{index}/proof`, text of C2SP tlog-proof) and that a later
 * size goes on from an earlier one (`…/consistency`). The stream forms are for streams of one log.
 */
import type { FastifyInstance } from 'fastify';
import { isDisclosedPart } from '../core/prove.ts';
import { answer, answerText, logRoute } from './answer.ts';
import { attributeRoutes } from './attribute-routes.ts';
import { countOne } from './counting.ts';
import type { HttpParts } from './parts.ts';
import { numberOf, textOf } from './request.ts';
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
  logRoute(server, api, {
    method: 'GET',
    path: '/events/:index/proof',
    params: { ofStream: eventParams, ofLog: logEventParams },
    schema: { querystring: proofQuery, summary: 'proof of one event, as text' },
    run: async (log, request, reply) => {
      const part = textOf(request.query, 'disclose') ?? 'all';
      const disclosed = isDisclosedPart(part) ? part : 'none';
      const index = numberOf(request.params, 'index') ?? 0;
      const proof = await api.evidence.proof(log, index, disclosed);
      if (proof.ok && disclosed !== 'none') countOne(api, request, log, index, proof.value.length);
      return answerText(reply, proof);
    },
  });
  logRoute(server, api, {
    method: 'GET',
    path: '/consistency',
    params: { ofStream: streamParams, ofLog: logParams },
    schema: {
      querystring: consistencyQuery,
      summary: 'proof that a log of one size goes on from a smaller one',
    },
    run: (log, { query }, reply) => {
      const from = numberOf(query, 'from') ?? 0;
      return answer(reply, api.evidence.consistency(log, from, numberOf(query, 'to')));
    },
  });
}
