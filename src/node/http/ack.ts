/** `?ack=` of a publish, and an answer that waits for it. */
import type { FastifyRequest } from 'fastify';
import { fault } from '../../errors.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { NodeApi, ReceiptView, StreamView } from '../node-api.ts';
import type { AckWanted } from '../witness-api.ts';
import { textOf } from './request.ts';

/** Codes: usage; those of `WitnessApi.check`, before anything is appended. */
export function ackOf(
  api: NodeApi,
  stream: StreamView,
  request: FastifyRequest,
): Result<AckWanted> {
  const wanted = parseAck(textOf(request.query, 'ack') ?? 'local');
  if (!wanted.ok || wanted.value.kind === 'local') return wanted;
  const possible = api.witness.check(stream, wanted.value);
  return possible.ok ? wanted : possible;
}

/** Code usage. */
export function parseAck(text: string): Result<AckWanted> {
  if (text === 'local' || text === 'witnessed') return ok({ kind: text });
  const replicas = Number(/^replicated:([1-9][0-9]{0,3})$/.exec(text)?.[1] ?? 0);
  if (replicas >= 1 && replicas <= protocol.maxAckReplicas) {
    return ok({ kind: 'replicated', replicas });
  }
  const most = protocol.maxAckReplicas;
  const message = `ack is local, witnessed or replicated:N with N from 1 to ${most}`;
  return err(fault('usage', message, { pointer: 'querystring/ack' }));
}

/** Results in their order, those that succeeded with what was reached of the acknowledgement. */
export async function acknowledged(
  api: NodeApi,
  wanted: AckWanted,
  results: readonly Result<ReceiptView>[],
  signal?: AbortSignal,
): Promise<readonly Result<ReceiptView>[]> {
  if (wanted.kind === 'local') return results;
  const receipts = results.flatMap((result) => (result.ok ? [result.value] : []));
  const reached = await api.witness.acknowledge(receipts, wanted, signal);
  let next = 0;
  return results.map((result) => (result.ok ? ok(reached[next++] ?? result.value) : result));
}
