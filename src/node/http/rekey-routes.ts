/** `POST /streams/{org}/{name}/epochs`: a new generation of keys, by hand. */
import type { FastifyInstance } from 'fastify';
import { Type, type TObject } from 'typebox';
import { ok } from '../../result.ts';
import type { NodeApi } from '../node-api.ts';
import { answer } from './answer.ts';
import { sendProblem } from './problem.ts';
import { actorOf, streamOf } from './request.ts';
import { streamParams } from './schemas.ts';

const rekeyBody: TObject = Type.Object(
  { why: Type.Optional(Type.String({ maxLength: 4096, description: 'reason, for the journal' })) },
  { additionalProperties: false },
);

export function rekeyRoutes(server: FastifyInstance, api: NodeApi): void {
  server.post(
    '/streams/:org/:name/epochs',
    { schema: { params: streamParams, body: rekeyBody, summary: 'open a new generation of keys' } },
    async (request, reply) => {
      const stream = streamOf(api, request);
      if (!stream.ok) return sendProblem(reply, stream.error);
      const opened = await api.rekeying.rekey(stream.value, actorOf(request));
      return answer(reply, opened.ok ? ok({ opened: opened.value }) : opened);
    },
  );
}
