/**
 * Who may call: everything needs the bearer token of the home, but for health, the description of
 * the API and static trees of public streams (access.md "Node API"). The comparison takes the same
 * time wherever the difference lies.
 */
import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { nodeCrypto } from '../../crypto-node.ts';
import { utf8 } from '../../bytes.ts';
import { fault } from '../../errors.ts';
import { sendProblem } from './problem.ts';
import { isWitnessPath } from './witness-routes.ts';

const open = new Set(['/health/live', '/health/ready', '/openapi.json']);

export function requireToken(
  server: FastifyInstance,
  token: string,
  isOpen: (request: FastifyRequest) => boolean,
): void {
  const expected = nodeCrypto.sha256(utf8(token));
  server.addHook(
    'onRequest',
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
      const path = request.raw.url?.split('?', 1)[0] ?? '';
      if (open.has(path) || isWitnessPath(request.method, path) || isOpen(request)) {
        return undefined;
      }
      const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
      if (timingSafeEqual(nodeCrypto.sha256(utf8(given)), expected)) return undefined;
      const message =
        given === '' ? 'no bearer token was given' : 'the token is not the one of this home';
      return sendProblem(reply, fault('token-refused', message));
    },
  );
}
