/**
 * `POST /streams/{org}/{name}/events`: binary, structured, batch and NDJSON (events.md). A batch is
 * judged as a whole before anything is appended, unless `partial`; NDJSON is a stream and answered
 * line by line while it is read.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { at, fault } from '../../errors.ts';
import { contentMode, parseHttp } from '../../event/parse-http.ts';
import { checkSupported } from '../../event/supported.ts';
import { err, ok, type Result } from '../../result.ts';
import type { ParsedEvent } from '../../types.ts';
import type { ReceiptView, StreamView } from '../node-api.ts';
import type { AckWanted } from '../witness-api.ts';
import { acknowledged, ackOf } from './ack.ts';
import { readerSignal } from './live-response.ts';
import { ingestLines } from './ndjson-ingest.ts';
import type { HttpParts } from './parts.ts';
import { problemOf, sendProblem } from './problem.ts';
import { flagOf, streamOf } from './request.ts';
import { ingestQuery, streamParams } from './schemas.ts';

/** Its own context: bodies here are bytes or streams, whatever their type says. */
export function ingestRoutes(server: FastifyInstance, parts: HttpParts): void {
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
      {
        schema,
        bodyLimit: parts.limits.maxJsonBatchBytes,
      },
      (request, reply) => ingest(parts, request, reply),
    );
    done();
  });
}

/** The stream, if it is ours and the node takes events now. */
function target({ api, closing }: HttpParts, request: FastifyRequest): Result<StreamView> {
  const stream = streamOf(api, request);
  if (!stream.ok) return stream;
  if (!stream.value.own) {
    return err(fault('stream-not-own', `${stream.value.display} is of another owner`));
  }
  if (!closing.aborted && api.ready()) return stream;
  return err(fault('draining', 'the node takes no events now'));
}

async function ingest(
  parts: HttpParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { api, limits } = parts;
  const stream = target(parts, request);
  if (!stream.ok) return sendProblem(reply, stream.error);
  const wanted = ackOf(api, stream.value, request);
  if (!wanted.ok) return sendProblem(reply, wanted.error);
  const partial = flagOf(request, 'partial');
  const { body } = request;
  if (contentMode(request.headers['content-type']) === 'ndjson' && body instanceof Readable) {
    await ingestLines(parts, stream.value, body, { partial, wanted: wanted.value }, reply);
    return reply;
  }
  const bytes = body instanceof Uint8Array ? body : new Uint8Array(0);
  const parsed = parseHttp({ headers: headerPairs(request), body: bytes }, limits);
  if (!parsed.ok) return sendProblem(reply, parsed.error);
  const events = parsed.value.map(supported);
  return partial
    ? publishEach(parts, stream.value, events, wanted.value, reply)
    : publishAll(parts, stream.value, events, wanted.value, reply);
}

function supported(event: Result<ParsedEvent>, index: number): Result<ParsedEvent> {
  if (!event.ok) return event;
  const checked = checkSupported(event.value);
  return checked.ok ? checked : err(at(checked.error, { index }));
}

/** 202 with a receipt for each event; the first fault otherwise. */
async function publishAll(
  parts: HttpParts,
  stream: StreamView,
  events: readonly Result<ParsedEvent>[],
  wanted: AckWanted,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const sound: ParsedEvent[] = [];
  for (const event of events) {
    if (!event.ok) return sendProblem(reply, event.error);
    sound.push(event.value);
  }
  const published = await publish(parts, stream, sound, wanted, reply);
  if (!published.ok) return sendProblem(reply, published.error);
  const receipts: ReceiptView[] = [];
  for (const [index, result] of published.value.entries()) {
    if (result.ok) receipts.push(result.value);
    else return sendProblem(reply, at(result.error, { index }));
  }
  return reply.code(202).send({ receipts });
}

/** 200 with a receipt or an error for each event, in order. */
async function publishEach(
  parts: HttpParts,
  stream: StreamView,
  events: readonly Result<ParsedEvent>[],
  wanted: AckWanted,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const sound = events.flatMap((event) => (event.ok ? [event.value] : []));
  const published = await publish(parts, stream, sound, wanted, reply);
  if (!published.ok) return sendProblem(reply, published.error);
  let next = 0;
  const results = events.map((event, index) => {
    const result = event.ok ? (published.value[next++] ?? missing()) : event;
    return result.ok
      ? { receipt: result.value }
      : { error: problemOf(at(result.error, { index })) };
  });
  return reply.code(200).send({ results });
}

async function publish(
  { api, closing }: HttpParts,
  stream: StreamView,
  events: readonly ParsedEvent[],
  wanted: AckWanted,
  reply: FastifyReply,
): Promise<Result<readonly Result<ReceiptView>[]>> {
  if (events.length === 0) return ok([]);
  const published = await api.publish(stream, events);
  if (!published.ok || wanted.kind === 'local') return published;
  // Who has gone waits for nothing any more.
  const signal = readerSignal(reply.raw, closing);
  return ok(await acknowledged(api, wanted, published.value, signal));
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
