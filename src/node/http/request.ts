/** Reading what a request says: validated by its schema, so these only look things up. */
import type { FastifyRequest } from 'fastify';
import { ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { oneLog } from '../core/streams.ts';
import type { Actor, NodeApi, StreamView } from '../node-api.ts';
import type { KeySource } from '../organisation-key.ts';
import { callerOf } from './callers.ts';

/** A member of params, query or body that the schema has checked. */
export function memberOf(source: unknown, name: string): unknown {
  if (typeof source !== 'object' || source === null || !Object.hasOwn(source, name))
    return undefined;
  const value: unknown = Reflect.get(source, name);
  return value;
}

export function textOf(source: unknown, name: string): string | undefined {
  const value = memberOf(source, name);
  return typeof value === 'string' ? value : undefined;
}
export function numberOf(source: unknown, name: string): number | undefined {
  const value = memberOf(source, name);
  return typeof value === 'number' ? value : undefined;
}
/** True only for a member that is true. */
export function isSet(source: unknown, name: string): boolean {
  return memberOf(source, name) === true;
}
export function flagOf(request: FastifyRequest, name: string): boolean {
  return isSet(request.query, name);
}

/** The stream of `/streams/{org}/{name}`. */
export function streamOf(api: NodeApi, request: FastifyRequest): Result<StreamView> {
  return api.stream(textOf(request.params, 'org'), textOf(request.params, 'name') ?? '');
}

/** The log of `/streams/{org}/{name}`, of a stream that has just one. */
export function onlyLogOf(api: NodeApi, request: FastifyRequest): Result<LogId> {
  const stream = streamOf(api, request);
  const log = stream.ok ? oneLog(stream.value) : stream;
  return log.ok ? ok(log.value.log) : log;
}

/** The log of `/logs/{logId}`. */
export function logOf(api: NodeApi, request: FastifyRequest): Result<LogId> {
  return api.logId(textOf(request.params, 'logId') ?? '');
}

/** Who asks and why, for the journal. */
export function actorOf(request: FastifyRequest): Actor {
  const why = textOf(request.body, 'why');
  return { who: callerOf(request)?.did ?? 'api', ...(why === undefined ? {} : { why }) };
}

/** A key file that a body names, and its passphrase. */
export function keySourceOf({ body }: FastifyRequest): KeySource {
  const [keyFile, passphrase] = [textOf(body, 'keyFile'), textOf(body, 'passphrase')];
  return {
    ...(keyFile === undefined ? {} : { keyFile }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
}
