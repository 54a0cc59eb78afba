/** `GET /streams/{org}/{name}/attributes`: of events the attributes alone, each with its proof. */
import type { FastifyInstance } from 'fastify';
import { Type, type TObject } from 'typebox';
import { countOne } from './counting.ts';
import { readerSignal } from './live-response.ts';
import type { HttpParts } from './parts.ts';
import { sendProblem } from './problem.ts';
import { numberOf, streamOf, textOf } from './request.ts';
import { streamParams } from './schemas.ts';

const query: TObject = Type.Object(
  {
    from: Type.Optional(
      Type.String({ maxLength: 256, description: 'start, an index, or hw:<log>/<index>' }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'events (100)' })),
  },
  { additionalProperties: false },
);

export function attributeRoutes(server: FastifyInstance, { api, closing }: HttpParts): void {
  const summary = 'attributes of events without their data, each with its proof';
  server.get(
    '/streams/:org/:name/attributes',
    { schema: { params: streamParams, querystring: query, summary } },
    async (request, reply) => {
      const stream = streamOf(api, request);
      if (!stream.ok) return sendProblem(reply, stream.error);
      const [from, limit] = [textOf(request.query, 'from'), numberOf(request.query, 'limit')];
      const wanted = {
        ...(from === undefined ? {} : { from }),
        ...(limit === undefined ? {} : { limit }),
      };
      const signal = readerSignal(reply.raw, closing);
      const page = await api.attributes.page(stream.value, wanted, signal);
      if (!page.ok) return sendProblem(reply, page.error);
      for (const { log, index, proof } of page.value.events) {
        countOne(api, request, log, index, proof.length);
      }
      return reply.send(page.value);
    },
  );
}
