/**
 * `GET /lineage`: the lineage of one event, rendered, with its verdict; what `hw trace` asks. And
 * `GET /api/v1/lineage`: streams and what makes them, in Marquez's shape.
 */
import type { FastifyInstance } from 'fastify';
import { isTraceFormat } from '../../lineage/render.ts';
import { answer } from './answer.ts';
import { readerSignal } from './live-response.ts';
import type { HttpParts } from './parts.ts';
import { isSet, numberOf, textOf } from './request.ts';
import { marquezQuery, traceQuery } from './schemas.ts';

/** What Marquez takes where no depth is given. */
const marquezDepth = 20;

export function lineageRoutes(server: FastifyInstance, { api, closing }: HttpParts): void {
  server.get(
    '/lineage',
    {
      schema: {
        querystring: traceQuery,
        summary: 'where an event came from, or what was made of it',
      },
    },
    ({ query }, reply) => {
      const depth = numberOf(query, 'depth');
      const limit = numberOf(query, 'limit');
      const format = textOf(query, 'format') ?? 'json';
      const request = {
        event: textOf(query, 'event') ?? '',
        direction: textOf(query, 'direction') === 'down' ? 'down' : 'up',
        format: isTraceFormat(format) ? format : 'json',
        ...(isSet(query, 'consumers') ? { consumers: true, direction: 'down' as const } : {}),
        ...(depth === undefined ? {} : { depth }),
        ...(limit === undefined ? {} : { limit }),
      } as const;
      return answer(reply, api.evidence.trace(request, readerSignal(reply.raw, closing)));
    },
  );
  server.get(
    '/api/v1/lineage',
    { schema: { querystring: marquezQuery, summary: "streams around one, in Marquez's shape" } },
    ({ query }, reply) => {
      const depth = numberOf(query, 'depth') ?? marquezDepth;
      const signal = readerSignal(reply.raw, closing);
      const nodeId = textOf(query, 'nodeId') ?? '';
      return answer(reply, api.evidence.marquez(nodeId, depth, signal));
    },
  );
}
