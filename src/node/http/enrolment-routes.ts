/** `POST /peers/{peer}/enrolled`: `hw peer enrol` tells the node beside it what it has done, for the journal. */
import type { FastifyInstance } from 'fastify';
import { Type, type TObject } from 'typebox';
import { fault } from '../../errors.ts';
import { isPeerId } from '../../gossip/peer-id.ts';
import { ok } from '../../result.ts';
import { asPeerId } from '../../types.ts';
import type { NodeApi } from '../node-api.ts';
import { answer } from './answer.ts';
import { sendProblem } from './problem.ts';
import { actorOf, textOf } from './request.ts';
import { whyBody } from './schemas.ts';

const params: TObject = Type.Object({ peer: Type.String({ maxLength: 128 }) });

export function enrolmentRoutes(server: FastifyInstance, api: NodeApi): void {
  server.post(
    '/peers/:peer/enrolled',
    { schema: { params, body: whyBody, summary: 'write down that a peer of ours was enrolled' } },
    (request, reply) => {
      const peer = textOf(request.params, 'peer') ?? '';
      if (!isPeerId(peer)) return sendProblem(reply, fault('peer-unknown', 'not the id of a peer'));
      api.enrolled(asPeerId(peer), actorOf(request));
      return answer(reply, ok({ peer }));
    },
  );
}
