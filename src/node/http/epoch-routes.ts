/** Key epochs of a sealed stream, and the destruction of the keys of one. */
import type { FastifyInstance } from 'fastify';
import { Type, type TObject } from 'typebox';
import { parseLogId } from '../../ids.ts';
import { ok } from '../../result.ts';
import type { NodeApi } from '../node-api.ts';
import { answer } from './answer.ts';
import { sendProblem } from './problem.ts';
import { actorOf, numberOf, streamOf, textOf } from './request.ts';
import { streamParams } from './schemas.ts';

const epochParams: TObject = Type.Object({
  org: Type.String(),
  name: Type.String(),
  epoch: Type.Integer({ minimum: 0, maximum: 0xffffffff, description: 'number of the epoch' }),
});

const shredBody: TObject = Type.Object(
  {
    log: Type.Optional(
      Type.String({ maxLength: 128, description: 'which log of the stream, where it has several' }),
    ),
    why: Type.Optional(Type.String({ maxLength: 4096, description: 'reason, for the journal' })),
  },
  { additionalProperties: false },
);

export function epochRoutes(server: FastifyInstance, api: NodeApi): void {
  server.get(
    '/streams/:org/:name/epochs',
    { schema: { params: streamParams, summary: 'key epochs of a sealed stream' } },
    async (request, reply) => {
      const stream = streamOf(api, request);
      if (!stream.ok) return sendProblem(reply, stream.error);
      const epochs = await api.keyEpochs.epochs(stream.value);
      return answer(reply, epochs.ok ? ok({ epochs: epochs.value }) : epochs);
    },
  );
  const shred = { body: shredBody, summary: 'destroy the keys of one epoch, for good' };
  server.post(
    '/streams/:org/:name/epochs/:epoch/shred',
    { schema: { params: epochParams, ...shred } },
    async (request, reply) => {
      const stream = streamOf(api, request);
      if (!stream.ok) return sendProblem(reply, stream.error);
      const { params, body } = request;
      const named = textOf(body, 'log');
      const log = named === undefined ? undefined : parseLogId(named);
      if (log?.ok === false) return sendProblem(reply, log.error);
      const epoch = numberOf(params, 'epoch') ?? 0;
      const wanted = { epoch, ...(log === undefined ? {} : { log: log.value }) };
      return answer(reply, api.keyEpochs.shred(stream.value, wanted, actorOf(request)));
    },
  );
}
