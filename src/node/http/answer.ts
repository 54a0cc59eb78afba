/** What routes answer: a value as JSON, a text as it is, a fault as a problem. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TObject } from 'typebox';
import type { Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import type { NodeApi } from '../node-api.ts';
import { sendProblem } from './problem.ts';
import { logOf, onlyLogOf } from './request.ts';

type Settling<T> = Result<T> | Promise<Result<T>>;

/** As JSON; `{}` where there is nothing to say. */
export async function answer(
  reply: FastifyReply,
  result: Settling<unknown>,
  status = 200,
): Promise<FastifyReply> {
  const settled = await result;
  if (!settled.ok) return sendProblem(reply, settled.error);
  return reply.code(status).send(settled.value ?? {});
}

export async function answerText(
  reply: FastifyReply,
  result: Settling<string>,
): Promise<FastifyReply> {
  const settled = await result;
  if (!settled.ok) return sendProblem(reply, settled.error);
  return reply.type('text/plain; charset=utf-8').send(settled.value);
}

interface LogRoute {
  readonly method: 'GET' | 'POST';
  /** What follows the log or the stream: `/consistency`. */
  readonly path: string;
  readonly params: { readonly ofStream: TObject; readonly ofLog: TObject };
  readonly schema: {
    readonly summary: string;
    readonly querystring?: TObject;
    readonly body?: TObject;
  };
  readonly run: (log: LogId, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;
}

/** A route about a log in its two forms: by the log's id, and by the name of a stream of one log. */
export function logRoute(
  server: FastifyInstance,
  api: NodeApi,
  { method, path, params, schema, run }: LogRoute,
): void {
  const forms = [
    { prefix: '/streams/:org/:name', params: params.ofStream, find: onlyLogOf },
    { prefix: '/logs/:logId', params: params.ofLog, find: logOf },
  ];
  for (const form of forms) {
    server.route({
      method,
      url: `${form.prefix}${path}`,
      schema: { params: form.params, ...schema },
      handler: (request, reply) => {
        const log = form.find(api, request);
        return log.ok ? run(log.value, request, reply) : sendProblem(reply, log.error);
      },
    });
  }
}
