/**
 * `GET /bundle`: an audit bundle as it is made, a gzip file. What cannot be made is refused before the
 * first byte; where reading fails later the connection is cut, and a cut bundle is never taken for a
 * whole one. And range proofs: `…/range`.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import type { NodeApi } from '../node-api.ts';
import { readerSignal } from './live-response.ts';
import type { HttpParts } from './parts.ts';
import { sendProblem } from './problem.ts';
import { flagOf, logOf, numberOf, onlyLogOf, textOf } from './request.ts';
import { bundleQuery, logParams, rangeFileQuery, rangeQuery, streamParams } from './schemas.ts';

const bundleType = 'application/vnd.headwater.bundle+gzip';

export function bundleRoutes(server: FastifyInstance, { api, closing }: HttpParts): void {
  server.get(
    '/bundle',
    {
      schema: {
        querystring: bundleQuery,
        summary: 'audit bundle of a stream, a range or an event',
      },
    },
    async (request, reply) => {
      const { query } = request;
      const [from, to] = [textOf(query, 'from'), textOf(query, 'to')];
      const bundle = await api.evidence.bundle(
        {
          of: textOf(query, 'of') ?? '',
          ancestors: flagOf(request, 'ancestors'),
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
        },
        readerSignal(reply.raw, closing),
      );
      if (!bundle.ok) return sendProblem(reply, bundle.error);
      const { entries, references, missing, chunks } = bundle.value;
      return reply
        .type(bundleType)
        .header(
          'headwater-bundle',
          `entries=${entries} references=${references} missing=${missing}`,
        )
        .send(Readable.from(chunks, { objectMode: false }));
    },
  );
}

export function rangeRoutes(server: FastifyInstance, api: NodeApi): void {
  const range = {
    querystring: rangeQuery,
    summary: 'root of a range, proof that it is in the log, and the place of one entry in it',
  };
  server.get(
    '/streams/:org/:name/range',
    { schema: { params: streamParams, ...range } },
    (request, reply) => sendRange(api, onlyLogOf(api, request), request, reply),
  );
  server.get('/logs/:logId/range', { schema: { params: logParams, ...range } }, (request, reply) =>
    sendRange(api, logOf(api, request), request, reply),
  );
  const file = { querystring: rangeFileQuery, summary: 'the same as a file for hw verify' };
  server.get(
    '/logs/:logId/range/proof',
    { schema: { params: logParams, ...file } },
    async (request, reply) => {
      const log = logOf(api, request);
      if (!log.ok) return sendProblem(reply, log.error);
      const [from, to, index] = ['from', 'to', 'index'].map((name) =>
        numberOf(request.query, name),
      );
      const text = await api.evidence.rangeFile(log.value, from ?? 0, to ?? 0, index);
      if (!text.ok) return sendProblem(reply, text.error);
      return reply.type('text/plain; charset=utf-8').send(text.value);
    },
  );
}

async function sendRange(
  api: NodeApi,
  log: Result<LogId>,
  { query }: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (!log.ok) return sendProblem(reply, log.error);
  const [size, index] = [numberOf(query, 'size'), numberOf(query, 'index')];
  const answer = await api.evidence.range(log.value, {
    from: numberOf(query, 'from') ?? 0,
    to: numberOf(query, 'to') ?? 0,
    ...(size === undefined ? {} : { size }),
    ...(index === undefined ? {} : { index }),
  });
  return answer.ok ? reply.send(answer.value) : sendProblem(reply, answer.error);
}
