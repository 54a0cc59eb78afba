/**
 * `GET /streams/{org}/{name}/events`: a JSON batch, NDJSON or Server-Sent Events by `Accept`, live
 * with `follow`; and single events.
 */
import type { WebSocket } from '@fastify/websocket';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fault, type Fault } from '../../errors.ts';
import { contentTypes } from '../../event/render.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import type { Delivery, ReadRequest } from '../node-api.ts';
import { countOne, ReadingMeter } from './counting.ts';
import {
  contentBytes,
  envelopeFormat,
  lineFormat,
  lineOf,
  renderArray,
  sseFormat,
} from './formats.ts';
import { watchCaller } from './caller-watch.ts';
import { faultOf, readerSignal, respondLive, type Notices } from './live-response.ts';
import type { HttpParts } from './parts.ts';
import { sendProblem } from './problem.ts';
import { flagOf, isSet, logOf, numberOf, onlyLogOf, streamOf, textOf } from './request.ts';
import { eventParams, logEventParams, readQuery, streamParams } from './schemas.ts';

/** Serves one WebSocket; handed in, because it reads by the same request. */
export interface SocketServer {
  /** What speaks against the upgrade, before it is made. */
  refuse(request: FastifyRequest): Result<void>;
  serve(socket: WebSocket, request: FastifyRequest): Promise<void>;
}

export function readingRoutes(
  server: FastifyInstance,
  parts: HttpParts,
  sockets: SocketServer,
): void {
  const { api } = parts;
  const schema = { params: streamParams, querystring: readQuery, summary: 'read or follow events' };
  server.route({
    method: 'GET',
    url: '/streams/:org/:name/events',
    schema,
    preHandler: async (request, reply) => {
      const refused = request.ws ? sockets.refuse(request) : ok(undefined);
      return refused.ok ? undefined : sendProblem(reply, refused.error);
    },
    handler: (request, reply) => read(parts, request, reply),
    wsHandler: (socket, request) => sockets.serve(socket, request),
  });
  server.get(
    '/streams/:org/:name/events/:index',
    { schema: { params: eventParams, summary: 'one event of a stream of one log' } },
    async (request, reply) => {
      const log = onlyLogOf(api, request);
      if (!log.ok) return sendProblem(reply, log.error);
      return oneEvent(parts, log.value, request, reply);
    },
  );
  server.get(
    '/logs/:logId/events/:index',
    { schema: { params: logEventParams, summary: 'one event of a log' } },
    async (request, reply) => {
      const log = logOf(api, request);
      if (!log.ok) return sendProblem(reply, log.error);
      return oneEvent(parts, log.value, request, reply);
    },
  );
}

/** The request as the node reads it; used by the WebSocket too. */
export function readRequest(request: FastifyRequest): Result<ReadRequest> {
  const { query } = request;
  const last = request.headers['last-event-id'];
  const texts = pick(query, ['from', 'to', 'cursor', 'subject', 'eventFrom', 'eventTo']);
  const counts = { limit: numberOf(query, 'limit'), speed: numberOf(query, 'speed') };
  const resume = typeof last === 'string' && last !== '' ? last : undefined;
  const given = Object.entries({ ...texts, ...counts, resume });
  if (isSet(query, 'last') && (texts['subject'] === undefined || isSet(query, 'follow'))) {
    const pointer = 'querystring/last';
    return err(fault('usage', 'last needs subject, and does not go with follow', { pointer }));
  }
  return ok({
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    follow: isSet(query, 'follow'),
    last: isSet(query, 'last'),
    autoAcknowledge: true,
  });
}

async function oneEvent(
  { api }: HttpParts,
  log: LogId,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const event = await api.event(log, numberOf(request.params, 'index') ?? 0);
  if (!event.ok) return sendProblem(reply, event.error);
  const isEvent = event.value.event !== undefined;
  if (isEvent) countOne(api, request, log, event.value.index, contentBytes(event.value));
  const type = isEvent ? contentTypes.structured : 'application/json';
  return reply.type(type).send(Buffer.from(lineOf(event.value)));
}

async function read(
  parts: HttpParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const stream = streamOf(parts.api, request);
  if (!stream.ok) return sendProblem(reply, stream.error);
  const wanted = readRequest(request);
  if (!wanted.ok) return sendProblem(reply, wanted.error);
  const accept = request.headers.accept ?? '';
  const sse = accept.includes(sseFormat.type);
  const batch = accept.includes(contentTypes.batch) && !sse;
  if (flagOf(request, 'envelope') && (sse || batch)) {
    return sendProblem(reply, noEnvelope());
  }
  const bounded = batch ? batchRequest(wanted.value, parts.limits.maxJsonBatchEvents) : wanted;
  if (!bounded.ok) return sendProblem(reply, bounded.error);
  using watch = watchCaller(request, readerSignal(reply.raw, parts.closing));
  const { signal } = watch;
  const source = await parts.api.read(stream.value, bounded.value, signal);
  if (!source.ok) return sendProblem(reply, source.error);
  const meter = new ReadingMeter(parts.api.deliveries, request, stream.value, bounded.value);
  if (batch) return sendBatch(parts, source.value, reply, meter);
  const lines = flagOf(request, 'envelope') ? envelopeFormat : lineFormat;
  const logs = stream.value.logs.map(({ log }) => log);
  const notices = wanted.value.follow === true ? noticesOf(parts.api, logs) : undefined;
  await respondLive(
    parts,
    reply,
    meter.given(source.value),
    sse ? sseFormat : lines,
    signal,
    notices,
    watch.ended,
  );
  return reply;
}

/** What those are told who follow these logs. */
function noticesOf({ forks }: HttpParts['api'], logs: readonly LogId[]): Notices {
  return { now: forks.notices(logs), listen: (tell) => forks.onNotice(logs, tell) };
}

/** Everything else has its own place for what the envelope says. */
export function noEnvelope(): Fault {
  const pointer = 'querystring/envelope';
  return fault('usage', 'the envelope goes with NDJSON only', { pointer });
}

/** A batch is bounded, and so never live. */
function batchRequest(wanted: ReadRequest, max: number): Result<ReadRequest> {
  if (wanted.follow === true) {
    const pointer = 'querystring/follow';
    return err(fault('usage', 'a batch cannot follow: accept NDJSON or SSE', { pointer }));
  }
  if ((wanted.limit ?? 0) > max) {
    const pointer = 'querystring/limit';
    return err(fault('usage', `a batch holds at most ${max} events`, { pointer }));
  }
  return ok({ ...wanted, limit: wanted.limit ?? max });
}

/** As many whole blocks as fit a batch; at least one, so that whoever goes on behind it gets on. */
async function sendBatch(
  { limits, closing }: HttpParts,
  source: AsyncIterable<readonly Delivery[]>,
  reply: FastifyReply,
  meter: ReadingMeter,
): Promise<FastifyReply> {
  const items: Delivery[] = [];
  let bytes = 0;
  try {
    for await (const part of source) {
      const more = part.reduce((sum, item) => sum + contentBytes(item), 0);
      if (items.length > 0 && bytes + more > limits.maxJsonBatchBytes) break;
      items.push(...part);
      bytes += more;
    }
  } catch (cause) {
    return sendProblem(reply, faultOf(cause));
  }
  if (closing.aborted) return sendProblem(reply, fault('draining', 'the node is stopping'));
  meter.count(items);
  return reply.type(contentTypes.batch).send(Buffer.from(renderArray(items)));
}

function pick(source: unknown, names: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(names.map((name) => [name, textOf(source, name)]));
}
