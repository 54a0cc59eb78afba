/**
 * Static trees (ledger.md "Static tree"): the files of one log below `/logs/{logId}/`, with what a
 * cache has to know. Those of public streams need no token where the caller is on this machine.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { toHex } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { parseStaticPath, type StaticPath } from '../../ledger/static-tree.ts';
import { limits } from '../../limits.ts';
import type { NodeApi } from '../node-api.ts';
import { countBlock } from './counting.ts';
import { sendProblem } from './problem.ts';
import { logOf, textOf } from './request.ts';
import { logParams } from './schemas.ts';

const rest = { '*': Type.String({ description: 'what follows, see docs/reference/formats.md' }) };
const params = Type.Object({ logId: Type.String(), ...rest });

/** The files of the tree; the public listener has these too. */
export function staticFileRoutes(server: FastifyInstance, api: NodeApi): void {
  const file = (path: (request: FastifyRequest) => string) => {
    return (request: FastifyRequest, reply: FastifyReply) =>
      sendFile(api, path(request), request, reply);
  };
  server.get(
    '/logs/:logId/checkpoint',
    { schema: { params: logParams, summary: 'signed checkpoint of a log' } },
    file(() => 'checkpoint'),
  );
  server.get(
    '/logs/:logId/cosigned',
    { schema: { params: logParams, summary: 'newest cosigned checkpoint of a log' } },
    file(() => 'cosigned'),
  );
  server.get(
    '/logs/:logId/tile/*',
    { schema: { params, summary: 'tile or entry bundle of a log (C2SP tlog-tiles)' } },
    file((request) => `tile/${star(request)}`),
  );
  server.get(
    '/logs/:logId/block/*',
    { schema: { params, summary: 'wire block of a log, by its number' } },
    file((request) => `block/${star(request)}`),
  );
}

export function staticRoutes(server: FastifyInstance, api: NodeApi): void {
  staticFileRoutes(server, api);
  server.get(
    '/logs/:logId/tree',
    { schema: { params: logParams, summary: 'what who mirrors a log has to know' } },
    async (request, reply) => {
      const log = logOf(api, request);
      const reduced = log.ok ? await api.tree.mayBeReduced(log.value) : log;
      return reduced.ok
        ? reply.send({ mayBeReduced: reduced.value })
        : sendProblem(reply, reduced.error);
    },
  );
}

function star(request: FastifyRequest): string {
  return textOf(request.params, '*') ?? '';
}

async function sendFile(
  api: NodeApi,
  text: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const path = parseStaticPath(text);
  if (!path.ok) return sendProblem(reply, path.error);
  const log = logOf(api, request);
  const bytes = log.ok ? await api.tree.file(log.value, path.value) : log;
  if (!bytes.ok) return sendProblem(reply, bytes.error);
  const etag = `"${toHex(nodeCrypto.sha256(bytes.value).subarray(0, 16))}"`;
  const scope = log.ok && api.tree.isPublic(log.value) ? 'public' : 'private';
  void reply.header('etag', etag).header('cache-control', `${scope}, ${freshness(path.value)}`);
  if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send();
  if (log.ok && path.value.kind === 'block') countBlock(api, request, log.value, bytes.value);
  const isText = path.value.kind === 'checkpoint' || path.value.kind === 'cosigned';
  return reply
    .type(isText ? 'text/plain; charset=utf-8' : 'application/octet-stream')
    .send(Buffer.from(bytes.value.buffer, bytes.value.byteOffset, bytes.value.byteLength));
}

/** RFC 9111, RFC 8246: tiles never change, blocks lose bodies, checkpoints are renewed. */
function freshness({ kind }: StaticPath): string {
  if (kind === 'tile') return `max-age=${limits.tileCacheSeconds}, immutable`;
  const seconds = kind === 'block' ? limits.blockCacheSeconds : limits.checkpointCacheSeconds;
  return `max-age=${seconds}`;
}

/** RFC 9110 section 13.1.2, weak comparison. */
function isKnown(header: string | undefined, etag: string): boolean {
  const given = (header ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''));
  return given.includes(etag) || given.includes('*');
}
