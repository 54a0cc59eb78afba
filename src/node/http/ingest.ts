/**
 * `POST /streams/{org}/{name}/events`: binary, structured, batch and NDJSON (events.md). A batch is
 * judged as a whole before anything is appended, unless `partial`; NDJSON is a stream and answered
 * line by line while it is read.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fault } from '../../errors.ts';
import { contentMode, parseHttp } from '../../event/parse-http.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { ParsedEvent } from '../../types.ts';
import type { NodeApi, ReceiptView, StreamView } from '../node-api.ts';
import { ingestLines } from './ndjson-ingest.ts';
import { problemOf, sendProblem } from './problem.ts';
import { flagOf, streamOf } from './request.ts';
import { ingestQuery, streamParams } from './schemas.ts';

/** Its own context: bodies here are bytes or streams, whatever their type says. */
export function ingestRoutes(server: FastifyInstance, api: NodeApi): void {
  void server.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/x-ndjson', (_request, payload, next) => {
      next(null, payload);
    });
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, next) => {
      next(null, body);
    });
    const schema = { params: streamParams, querystring: ingestQuery, summary: 'publish events' };
    scope.post(
      '/streams/:org/:name/events',
      { schema, bodyLimit: limits.maxJsonBatchBytes },
      (request, reply) => ingest(api, request, reply),
    );
    done();
  });
}

async function ingest(
  api: NodeApi,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const stream = streamOf(api, request);
  if (!stream.ok) return sendProblem(reply, stream.error);
  if (!stream.value.own) {
    return sendProblem(
      reply,
      fault('stream-not-own', `${stream.value.display} is of another owner`),
    );
  }
  if (!api.ready()) return sendProblem(reply, fault('draining', 'the node takes no events now'));
  const partial = flagOf(request, 'partial');
  if (contentMode(request.headers['content-type']) === 'ndjson') {
    if (!(request.body instanceof Readable)) return sendProblem(reply, fault('usage', 'no body'));
    return ingestLines(api, stream.value, request.body, partial, reply);
  }
  const body = request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
  const events = parseHttp({ headers: headerPairs(request), body });
  if (!events.ok) return sendProblem(reply, events.error);
  return partial
    ? publishEach(api, stream.value, events.value, reply)
    : publishAll(api, stream.value, events.value, reply);
}

/** 202 with a receipt for each event; the first fault otherwise. */
async function publishAll(
  api: NodeApi,
  stream: StreamView,
  events: readonly Result<ParsedEvent>[],
  reply: FastifyReply,
): Promise<FastifyReply> {
  const sound: ParsedEvent[] = [];
  for (const event of events) {
    if (!event.ok) return sendProblem(reply, event.error);
    sound.push(event.value);
  }
  const published = await publish(api, stream, sound);
  if (!published.ok) return sendProblem(reply, published.error);
  const receipts: ReceiptView[] = [];
  for (const [index, result] of published.value.entries()) {
    if (result.ok) receipts.push(result.value);
    else return sendProblem(reply, { ...result.error, place: { ...result.error.place, index } });
  }
  return reply.code(202).send({ receipts });
}

/** 200 with a receipt or an error for each event, in order. */
async function publishEach(
  api: NodeApi,
  stream: StreamView,
  events: readonly Result<ParsedEvent>[],
  reply: FastifyReply,
): Promise<FastifyReply> {
  const sound = events.flatMap((event) => (event.ok ? [event.value] : []));
  const published = await publish(api, stream, sound);
  if (!published.ok) return sendProblem(reply, published.error);
  let next = 0;
  const results = events.map((event) => {
    const result = event.ok ? (published.value[next++] ?? missing()) : event;
    return result.ok ? { receipt: result.value } : { error: problemOf(result.error) };
  });
  return reply.code(200).send({ results });
}

function publish(
  api: NodeApi,
  stream: StreamView,
  events: readonly ParsedEvent[],
): Promise<Result<readonly Result<ReceiptView>[]>> {
  return events.length === 0 ? Promise.resolve(ok([])) : api.publish(stream, events);
}

function missing(): Result<ReceiptView> {
  return err(fault('internal', 'an event without a result'));
}

function headerPairs(request: FastifyRequest): (readonly [string, string])[] {
  const raw = request.raw.rawHeaders;
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return pairs;
}
