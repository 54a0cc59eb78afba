/**
 * `GET /streams/{org}/{name}/events`: a JSON batch, NDJSON or Server-Sent Events by `Accept`, live
 * with `follow`. Readers pull: what they do not take stays in the ledger, so a slow one costs no
 * memory, and one that takes nothing for `maxReaderStallMs` is cut off.
 */
import { Readable } from 'node:stream';
import type { WebSocket } from '@fastify/websocket';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { concat, utf8 } from '../../bytes.ts';
import { HeadwaterError, fault, type Fault } from '../../errors.ts';
import { contentTypes, renderBatch, renderLine } from '../../event/render.ts';
import type { Timers } from '../../host.ts';
import { formatReference } from '../../ids.ts';
import { limits } from '../../limits.ts';
import { formatTime } from '../../time.ts';
import { asLogIndex } from '../../types.ts';
import type { Delivery, NodeApi, ReadRequest } from '../node-api.ts';
import { problemOf, sendProblem } from './problem.ts';
import { flagOf, isSet, numberOf, streamOf, textOf } from './request.ts';
import { eventParams, logEventParams, readQuery, streamParams } from './schemas.ts';

const newline = utf8('\n');

/** Serves one WebSocket; handed in, because it reads by the same request. */
export type SocketHandler = (socket: WebSocket, request: FastifyRequest) => Promise<void>;

export function readingRoutes(
  server: FastifyInstance,
  api: NodeApi,
  timers: Timers,
  socketHandler: SocketHandler,
): void {
  const schema = { params: streamParams, querystring: readQuery, summary: 'read or follow events' };
  server.route({
    method: 'GET',
    url: '/streams/:org/:name/events',
    schema,
    handler: (request, reply) => read(api, timers, request, reply),
    wsHandler: socketHandler,
  });
  server.get(
    '/streams/:org/:name/events/:index',
    { schema: { params: eventParams, summary: 'one event of a stream of one log' } },
    async (request, reply) => {
      const stream = streamOf(api, request);
      if (!stream.ok) return sendProblem(reply, stream.error);
      const [log, ...others] = stream.value.logs;
      if (log === undefined || others.length > 0) {
        return sendProblem(
          reply,
          fault('position-ambiguous', `${stream.value.display} has several logs`),
        );
      }
      return oneEvent(api, log.log, numberOf(request.params, 'index') ?? 0, reply);
    },
  );
  server.get(
    '/logs/:logId/events/:index',
    { schema: { params: logEventParams, summary: 'one event of a log' } },
    async (request, reply) => {
      const log = api.logId(textOf(request.params, 'logId') ?? '');
      if (!log.ok) return sendProblem(reply, log.error);
      return oneEvent(api, log.value, numberOf(request.params, 'index') ?? 0, reply);
    },
  );
}

/** The request as the node reads it; used by the WebSocket too. */
export function readRequest(request: FastifyRequest): ReadRequest {
  const { query } = request;
  const last = request.headers['last-event-id'];
  const from = (typeof last === 'string' ? last : undefined) ?? textOf(query, 'from');
  const texts = { from, ...pick(query, ['to', 'cursor', 'subject', 'eventFrom', 'eventTo']) };
  const counts = { limit: numberOf(query, 'limit'), speed: numberOf(query, 'speed') };
  const given = Object.entries({ ...texts, ...counts }).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(given),
    follow: isSet(query, 'follow'),
    last: isSet(query, 'last'),
    autoAcknowledge: true,
  };
}

async function oneEvent(
  api: NodeApi,
  log: Delivery['log'],
  index: number,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const event = await api.event(log, index);
  if (!event.ok) return sendProblem(reply, event.error);
  return reply.type(contentTypes.structured).send(Buffer.from(lineOf(event.value)));
}

async function read(
  api: NodeApi,
  timers: Timers,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const stream = streamOf(api, request);
  if (!stream.ok) return sendProblem(reply, stream.error);
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const wanted = readRequest(request);
  const accept = request.headers.accept ?? '';
  const sse = accept.includes('text/event-stream');
  const batch = accept.includes(contentTypes.batch) && !sse;
  if (batch && wanted.follow === true) {
    return sendProblem(reply, fault('usage', 'a batch cannot follow: accept NDJSON or SSE'));
  }
  const limited = batch ? { limit: limits.maxJsonBatchEvents, ...wanted } : wanted;
  const source = await api.read(stream.value, limited, gone.signal);
  if (!source.ok) return sendProblem(reply, source.error);
  if (batch) return sendBatch(source.value, reply);
  const format = sse ? sseFormat : flagOf(request, 'envelope') ? envelopeFormat : lineFormat;
  const body = Readable.from(chunks(source.value, format, { timers, gone, reply }));
  if (sse) void reply.header('cache-control', 'no-store');
  return reply.type(format.type).send(body);
}

async function sendBatch(
  source: AsyncIterable<readonly Delivery[]>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const items: Delivery[] = [];
  for await (const part of source) items.push(...part);
  const events = items.map((item) => ({ event: item.event, extra: { hwref: reference(item) } }));
  return reply.type(contentTypes.batch).send(Buffer.from(renderBatch(events)));
}

interface Format {
  readonly type: string;
  render(item: Delivery): Uint8Array;
  error(problem: Fault): Uint8Array;
  /** Sent while nothing else is, or nothing. */
  readonly idle: Uint8Array | undefined;
}

const errorLine = (problem: Fault): Uint8Array =>
  utf8(`${JSON.stringify({ error: problemOf(problem) })}\n`);

const lineFormat: Format = {
  type: contentTypes.ndjson,
  render: (item) => concat(lineOf(item), newline),
  error: errorLine,
  idle: undefined,
};

const envelopeFormat: Format = {
  type: contentTypes.ndjson,
  render: ({ log, index, recordedTime, event }) => {
    const head = `{"log":"${log}","index":${index},"recordedTime":"${formatTime(recordedTime)}","event":`;
    return concat(utf8(head), renderLine(event), utf8('}\n'));
  },
  error: errorLine,
  idle: undefined,
};

const sseFormat: Format = {
  type: 'text/event-stream',
  render: (item) => concat(utf8(`id: ${item.position()}\ndata: `), lineOf(item), utf8('\n\n')),
  error: (problem) => utf8(`event: error\ndata: ${JSON.stringify(problemOf(problem))}\n\n`),
  idle: utf8(': alive\n\n'),
};

interface Connection {
  readonly timers: Timers;
  readonly gone: AbortController;
  readonly reply: FastifyReply;
}

/** One chunk a batch; ends with an error line where reading fails; cuts off a reader that stalls. */
async function* chunks(
  source: AsyncIterable<readonly Delivery[]>,
  format: Format,
  { timers, gone, reply }: Connection,
): AsyncGenerator<Uint8Array> {
  const cut = (): void => {
    reply.log.warn(
      { code: 'reader-too-slow' },
      'a reader took nothing for too long and is cut off',
    );
    gone.abort();
    reply.raw.destroy();
  };
  using _idle = format.idle === undefined ? undefined : keepAlive(timers, reply, format.idle);
  try {
    for await (const batch of source) {
      using _stall = timers.after(limits.maxReaderStallMs, cut);
      yield concat(...batch.map((item) => format.render(item)));
    }
  } catch (cause) {
    if (!(cause instanceof HeadwaterError)) throw cause;
    yield format.error(cause.fault);
  }
}

/** Comments on an SSE stream that has nothing to say, if its buffer is empty. */
function keepAlive(timers: Timers, reply: FastifyReply, comment: Uint8Array): Disposable {
  return timers.every(limits.keepAliveMs, () => {
    if (reply.raw.headersSent && reply.raw.writableLength === 0) reply.raw.write(comment);
  });
}

function lineOf(item: Delivery): Uint8Array {
  return renderLine(item.event, { hwref: reference(item) });
}

function reference({ log, index }: Delivery): string {
  return formatReference({ logId: log, from: index, to: asLogIndex(index + 1) });
}

function pick(source: unknown, names: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(names.map((name) => [name, textOf(source, name)]));
}
