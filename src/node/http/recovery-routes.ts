/** `POST /streams/{org}/{name}/recover`, and what comes before it: revocations. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type, type TObject } from 'typebox';
import type { NodeApi } from '../node-api.ts';
import { recoverReasons, type RecoverRequest } from '../recovery-api.ts';
import { answer } from './answer.ts';
import { sendProblem } from './problem.ts';
import { actorOf, numberOf, streamOf, textOf } from './request.ts';
import { enrolmentRoutes } from './enrolment-routes.ts';
import { revocationRoutes } from './revocation-routes.ts';
import { streamParams } from './schemas.ts';

const recoverBody: TObject = Type.Object(
  {
    reason: Type.Union(
      recoverReasons.map((reason) => Type.Literal(reason)),
      { description: 'key: lost or stolen; fork: two histories; clock: a time in the future' },
    ),
    at: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'first entry that is not to count; the head where absent',
      }),
    ),
    partition: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })),
    keyFile: Type.Optional(
      Type.String({ maxLength: 4096, description: 'recovery key file on the machine of the node' }),
    ),
    passphrase: Type.Optional(Type.String({ maxLength: 4096, description: 'of that file' })),
    why: Type.Optional(Type.String({ maxLength: 4096, description: 'reason, for the journal' })),
  },
  { additionalProperties: false },
);

export function recoveryRoutes(server: FastifyInstance, api: NodeApi): void {
  enrolmentRoutes(server, api);
  revocationRoutes(server, api);
  server.post(
    '/streams/:org/:name/recover',
    {
      schema: {
        params: streamParams,
        body: recoverBody,
        summary: 'go on in a successor log, signed by the recovery key',
      },
    },
    (request, reply) => {
      const stream = streamOf(api, request);
      if (!stream.ok) return sendProblem(reply, stream.error);
      const asked = wanted(request);
      return answer(reply, api.recovery.recover(stream.value, asked, actorOf(request)));
    },
  );
}

function wanted({ body }: FastifyRequest): RecoverRequest {
  const at = numberOf(body, 'at');
  const partition = numberOf(body, 'partition');
  const keyFile = textOf(body, 'keyFile');
  const passphrase = textOf(body, 'passphrase');
  const reason = recoverReasons.find((one) => one === textOf(body, 'reason')) ?? 'fork';
  return {
    reason,
    ...(at === undefined ? {} : { at }),
    ...(partition === undefined ? {} : { partition }),
    ...(keyFile === undefined ? {} : { keyFile }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
}
