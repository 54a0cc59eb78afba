/** Streams, follows, peers, network, state and control of the node. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { fault } from '../../errors.ts';
import type { StatedTrust } from '../../ledger/trust-policy.ts';
import { err, type Result } from '../../result.ts';
import type { NewStream, NodeApi, StreamView } from '../node-api.ts';
import { answer, answerText } from './answer.ts';
import { readerSignal } from './live-response.ts';
import type { HttpParts } from './parts.ts';
import { sendProblem } from './problem.ts';
import { policyIn } from './retention-routes.ts';
import {
  actorOf,
  flagOf,
  isSet,
  keySourceOf,
  memberOf,
  numberOf,
  onlyLogOf,
  streamOf,
  textOf,
} from './request.ts';
import {
  checkpointQuery,
  cursorBody,
  followBody,
  inviteBody,
  listQuery,
  memberBody,
  newStreamBody,
  peerPatch,
  streamParams,
  streamPatch,
  verifyQuery,
  whyBody,
} from './schemas.ts';
import { Type } from 'typebox';

type Handler = (request: FastifyRequest) => Promise<Result<unknown>>;

export function streamRoutes(server: FastifyInstance, api: NodeApi): void {
  server.get(
    '/streams',
    { schema: { querystring: listQuery, summary: 'list streams' } },
    async (request, reply) => reply.send({ streams: await api.streams(flagOf(request, 'all')) }),
  );
  server.post(
    '/streams',
    { schema: { body: newStreamBody, summary: 'create a stream' } },
    (request, reply) =>
      answer(reply, api.createStream(newStream(request.body), actorOf(request)), 201),
  );
  server.get(
    '/streams/:org/:name',
    { schema: { params: streamParams, summary: 'show a stream' } },
    (request, reply) => answer(reply, streamOf(api, request)),
  );
  server.patch(
    '/streams/:org/:name',
    { schema: { params: streamParams, body: streamPatch, summary: patchSummary } },
    (request, reply) => answer(reply, patchStream(api, request)),
  );
}

const patchSummary = 'pause or resume a stream, or change what it keeps';

async function patchStream(api: NodeApi, request: FastifyRequest): Promise<Result<StreamView>> {
  const { body } = request;
  const stream = streamOf(api, request);
  if (!stream.ok) return stream;
  const policy = policyIn(body);
  const kept =
    policy === undefined
      ? stream
      : await api.retention.setPolicy(stream.value, policy, actorOf(request));
  if (!kept.ok || memberOf(body, 'paused') === undefined) return kept;
  return api.setStreamPaused(kept.value, isSet(body, 'paused'), actorOf(request));
}

/** What proves a stream: checkpoints, and the check of everything stored. */
export function evidenceRoutes(server: FastifyInstance, { api, closing }: HttpParts): void {
  server.get(
    '/streams/:org/:name/checkpoint',
    {
      schema: {
        params: streamParams,
        querystring: checkpointQuery,
        summary: 'signed checkpoint of a stream of one log',
      },
    },
    (request, reply) => {
      const log = onlyLogOf(api, request);
      if (!log.ok) return sendProblem(reply, log.error);
      return answerText(reply, api.witness.checkpoint(log.value, flagOf(request, 'cosigned')));
    },
  );
  server.post(
    '/streams/:org/:name/verify',
    {
      schema: {
        params: streamParams,
        querystring: verifyQuery,
        summary: 'check everything that is stored of a stream',
      },
    },
    (request, reply) => {
      const stream = streamOf(api, request);
      if (!stream.ok) return sendProblem(reply, stream.error);
      const signal = readerSignal(reply.raw, closing);
      const { evidence } = api;
      const view = flagOf(request, 'repair')
        ? evidence.repair(stream.value, actorOf(request), signal)
        : evidence.verify(
            stream.value,
            () => undefined,
            signal,
            numberOf(request.query, 'workers'),
          );
      const stated = trustIn(request.query);
      return answer(
        reply,
        view.then((found) => (found.ok ? api.witness.judge(found.value, stated) : found)),
      );
    },
  );
}

/** Lists come with commas, which no key has in it. */
function trustIn(query: unknown): StatedTrust {
  const list = (name: string): readonly string[] =>
    (textOf(query, name) ?? '').split(',').filter((text) => text !== '');
  const quorum = numberOf(query, 'quorum');
  const stated = { owners: list('trust'), witnesses: list('witness') };
  return quorum === undefined ? stated : { ...stated, quorum };
}

function newStream(body: unknown): NewStream {
  const partitions = numberOf(body, 'partitions');
  const contentType = textOf(body, 'contentType');
  const description = textOf(body, 'description');
  const policy = policyIn(body);
  return {
    name: textOf(body, 'name') ?? '',
    ...sealingIn(body),
    ...(partitions === undefined ? {} : { partitions }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(description === undefined ? {} : { description }),
    ...(policy === undefined ? {} : { retention: policy }),
    ...witnessesIn(body),
  };
}

/** Validated by the schema. */
function sealingIn(body: unknown): Pick<NewStream, 'visibility' | 'epochs'> {
  const text = textOf(body, 'visibility');
  const visibility = text === 'direct' || text === 'sealed' ? text : 'public';
  const epochs = memberOf(body, 'epochs');
  if (epochs === undefined) return { visibility };
  const [everyMs, everyEvents] = [numberOf(epochs, 'everyMs'), numberOf(epochs, 'everyEvents')];
  const policy = {
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(everyEvents === undefined ? {} : { everyEvents }),
  };
  return { visibility, epochs: policy };
}

/** Validated by the schema; what the keys are, the stream's policy says. */
function witnessesIn(body: unknown): Pick<NewStream, 'witnesses'> {
  const witnesses = memberOf(body, 'witnesses');
  const keys = memberOf(witnesses, 'keys');
  const quorum = numberOf(witnesses, 'quorum');
  if (!Array.isArray(keys) || quorum === undefined) return {};
  return { witnesses: { keys: keys.map(String), quorum } };
}

const noTarget = err(fault('usage', 'name a target or a url', { pointer: 'body/target' }));

export function controlRoutes(server: FastifyInstance, api: NodeApi): void {
  const follow: Handler = async (request) => {
    const [url, target] = [textOf(request.body, 'url'), textOf(request.body, 'target')];
    if (url !== undefined) return api.urls.follow(url, target, actorOf(request));
    return target === undefined ? noTarget : streams(await api.follow(target, actorOf(request)));
  };
  const unfollow: Handler = async (request) => {
    const [url, target] = [textOf(request.body, 'url'), textOf(request.body, 'target')];
    const purge = isSet(request.body, 'purge');
    if (url !== undefined) return streams(await api.urls.unfollow(url, purge, actorOf(request)));
    if (target === undefined) return noTarget;
    return streams(await api.unfollow(target, purge, actorOf(request)));
  };
  const follows = { body: followBody, summary: 'follow or unfollow a stream or an organisation' };
  server.post('/follows', { schema: follows }, (request, reply) => answer(reply, follow(request)));
  server.delete('/follows', { schema: follows }, (request, reply) =>
    answer(reply, unfollow(request)),
  );
  server.get('/peers', { schema: { summary: 'list peers' } }, (_request, reply) =>
    reply.send({ peers: api.peers() }),
  );
  server.patch(
    '/peers/:peer',
    {
      schema: {
        params: Type.Object({ peer: Type.String() }),
        body: peerPatch,
        summary: 'pause or ban a peer',
      },
    },
    (request, reply) => {
      const state = textOf(request.body, 'state');
      const peer = textOf(request.params, 'peer') ?? '';
      const wanted = state === 'paused' || state === 'banned' ? state : 'ok';
      return answer(reply, api.setPeerState(peer, wanted, actorOf(request)));
    },
  );
  server.put(
    '/cursors/:cursor',
    {
      schema: {
        params: Type.Object({ cursor: Type.String() }),
        body: cursorBody,
        summary: 'acknowledge up to a position',
      },
    },
    (request, reply) => {
      const name = textOf(request.params, 'cursor') ?? '';
      return answer(reply, api.setCursor(name, textOf(request.body, 'position') ?? ''));
    },
  );
}

function streams<T>(result: Result<T>): Result<{ readonly streams: T }> {
  return result.ok ? { ok: true, value: { streams: result.value } } : result;
}

export function networkRoutes(server: FastifyInstance, api: NodeApi): void {
  server.get('/network', { schema: { summary: 'the network document' } }, (_request, reply) => {
    const network = api.network();
    if (network !== undefined) return reply.send(network);
    return sendProblem(reply, fault('network-none', 'this home has no network'));
  });
  server.post(
    '/network/invites',
    { schema: { body: inviteBody, summary: 'make an invite line' } },
    async (request, reply) => {
      const member = textOf(request.body, 'member');
      const invite = await api.invite(member, actorOf(request), keySourceOf(request));
      return invite.ok ? reply.send({ invite: invite.value }) : sendProblem(reply, invite.error);
    },
  );
  server.post(
    '/network/members',
    { schema: { body: memberBody, summary: 'accept a member into a listed network' } },
    (request, reply) =>
      answer(
        reply,
        api.acceptMember(
          textOf(request.body, 'member') ?? '',
          actorOf(request),
          keySourceOf(request),
        ),
      ),
  );
}

export function stateRoutes(server: FastifyInstance, api: NodeApi): void {
  server.get('/status', { schema: { summary: 'state at a glance' } }, async (_request, reply) =>
    reply.send(await api.status()),
  );
  server.get(
    '/checks',
    { schema: { summary: 'what is not as it should be' } },
    async (_request, reply) => reply.send({ checks: await api.checks() }),
  );
  server.get('/health/live', { schema: { summary: 'the process answers' } }, (_request, reply) =>
    reply.send({ live: true }),
  );
  server.get('/health/ready', { schema: { summary: 'the node serves' } }, (_request, reply) =>
    reply.code(api.ready() ? 200 : 503).send({ ready: api.ready() }),
  );
  server.get('/metrics', { schema: { summary: 'Prometheus metrics' } }, async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await api.metrics()),
  );
  server.post(
    '/shutdown',
    { schema: { body: whyBody, summary: 'drain and stop the node' } },
    (request, reply) => {
      reply.raw.once('finish', () => api.shutdown(actorOf(request)));
      return reply.code(202).send({ stopping: true });
    },
  );
}
