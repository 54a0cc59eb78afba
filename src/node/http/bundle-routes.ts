/**
 * `GET /bundle`: an audit bundle as it is made, a gzip file. What cannot be made is refused before the
 * first byte; where reading fails later the connection is cut, and a cut bundle is never taken for a
 * whole one. And range proofs: `…/range`.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { isBundleDisclosure } from '../core/bundle.ts';
import type { NodeApi } from '../node-api.ts';
import { answer, answerText, logRoute } from './answer.ts';
import { countCarried } from './counting.ts';
import { readerSignal } from './live-response.ts';
import type { HttpParts } from './parts.ts';
import { sendProblem } from './problem.ts';
import { flagOf, logOf, numberOf, textOf } from './request.ts';
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
      const disclose = textOf(query, 'disclose') ?? 'none';
      const bundle = await api.evidence.bundle(
        {
          of: textOf(query, 'of') ?? '',
          ancestors: flagOf(request, 'ancestors'),
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          ...(isBundleDisclosure(disclose) ? { disclose } : {}),
        },
        readerSignal(reply.raw, closing),
      );
      if (!bundle.ok) return sendProblem(reply, bundle.error);
      const { entries, references, missing, opened, chunks, carried } = bundle.value;
      countCarried(api, request, carried);
      return reply
        .type(bundleType)
        .header(
          'headwater-bundle',
          `entries=${entries} references=${references} missing=${missing} opened=${opened}`,
        )
        .send(Readable.from(chunks, { objectMode: false }));
    },
  );
}

export function rangeRoutes(server: FastifyInstance, api: NodeApi): void {
  logRoute(server, api, {
    method: 'GET',
    path: '/range',
    params: { ofStream: streamParams, ofLog: logParams },
    schema: {
      querystring: rangeQuery,
      summary: 'root of a range, proof that it is in the log, and the place of one entry in it',
    },
    run: (log, { query }, reply) => {
      const [size, index] = [numberOf(query, 'size'), numberOf(query, 'index')];
      const request = {
        from: numberOf(query, 'from') ?? 0,
        to: numberOf(query, 'to') ?? 0,
        ...(size === undefined ? {} : { size }),
        ...(index === undefined ? {} : { index }),
      };
      return answer(reply, api.evidence.range(log, request));
    },
  });
  const file = { querystring: rangeFileQuery, summary: 'the same as a file for hw verify' };
  server.get(
    '/logs/:logId/range/proof',
    { schema: { params: logParams, ...file } },
    (request, reply) => {
      const log = logOf(api, request);
      if (!log.ok) return sendProblem(reply, log.error);
      const [from, to, index] = ['from', 'to', 'index'].map((name) =>
        numberOf(request.query, name),
      );
      return answerText(reply, api.evidence.rangeFile(log.value, from ?? 0, to ?? 0, index));
    },
  );
}
