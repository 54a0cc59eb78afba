/**
 * This peer as a C2SP witness over HTTP (submission and monitoring prefix `/witness`), and what the
 * operator sees of it. Add-checkpoint needs no token on this machine and on the public listener: who
 * may have a log cosigned is decided by the log's signature. It is rate-limited by address, and its
 * bodies are small.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { protocol } from '../../limits.ts';
import { Type } from 'typebox';
import type { NodeApi } from '../node-api.ts';
import { answer } from './answer.ts';
import type { HttpLimits, HttpParts } from './parts.ts';
import { sendProblem } from './problem.ts';
import { textOf } from './request.ts';

export function witnessRoutes(server: FastifyInstance, { api, limits }: HttpParts): void {
  server.get('/witness', { schema: { summary: 'witnesses, ours and others' } }, (_, reply) =>
    answer(reply, api.witness.view()),
  );
  witnessPublicRoutes(server, api, limits);
}

/** What a witness answers to everybody; the public listener has these too. */
export function witnessPublicRoutes(
  server: FastifyInstance,
  api: NodeApi,
  limits: Pick<HttpLimits, 'maxWitnessedPerSecond'>,
): void {
  const rateLimit = { max: limits.maxWitnessedPerSecond, timeWindow: 1000 };
  void server.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, next) => {
      next(null, body);
    });
    scope.post(
      '/witness/add-checkpoint',
      {
        schema: { summary: 'C2SP tlog-witness add-checkpoint', security: [] },
        bodyLimit: protocol.maxWitnessRequestBytes,
        config: { rateLimit },
      },
      async ({ body }: FastifyRequest, reply) => {
        const bytes = body instanceof Uint8Array ? body : new Uint8Array(0);
        const { status, contentType, body: text } = await api.witness.addCheckpoint(bytes);
        return reply.code(status).type(contentType).send(text);
      },
    );
    done();
  });
  server.get(
    '/witness/:originHash/checkpoint',
    {
      schema: {
        params: Type.Object({ originHash: Type.String({ maxLength: 64 }) }),
        summary: 'what this witness cosigned last of an origin, by the SHA-256 of its name',
        security: [],
      },
      config: { rateLimit },
    },
    async (request, reply) => {
      const note = await api.witness.monitored(textOf(request.params, 'originHash') ?? '');
      if (!note.ok) return sendProblem(reply, note.error);
      reply.type('text/plain; charset=utf-8');
      if (note.value === undefined) return reply.code(404).send('nothing was cosigned\n');
      return reply.send(note.value);
    },
  );
}
