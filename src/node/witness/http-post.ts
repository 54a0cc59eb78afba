/** A witness outside of the network: one bounded HTTP request each. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { toHex } from '../../bytes.ts';
import { fault } from '../../errors.ts';
import type { WitnessReply } from '../../gossip/evidence-port.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Hash } from '../../types.ts';
import { systemCode } from '../files.ts';

/**
 * Posts a body to `<prefix>/add-checkpoint`. Any status is an answer. Code: witness-unreachable
 * (no connection, no answer before the signal, an answer that is too long).
 */
export function postCheckpoint(
  prefix: string,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<Result<WitnessReply>> {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length };
  return request(prefix, 'add-checkpoint', { method: 'POST', headers, signal }, body);
}

/** Gets `<prefix>/<hex of the origin's SHA-256>/checkpoint`; as `postCheckpoint`. */
export function getCheckpoint(
  prefix: string,
  origin: Hash,
  signal: AbortSignal,
): Promise<Result<WitnessReply>> {
  return request(prefix, `${toHex(origin)}/checkpoint`, { method: 'GET', signal });
}

async function request(
  prefix: string,
  path: string,
  options: RequestOptions & { readonly signal: AbortSignal },
  body?: Uint8Array,
): Promise<Result<WitnessReply>> {
  const url = `${prefix.replace(/\/$/, '')}/${path}`;
  const ask = url.startsWith('https:') ? httpsRequest : httpRequest;
  const { signal } = options;
  const { promise, resolve } = Promise.withResolvers<Result<WitnessReply>>();
  const failed = (why: string): void =>
    resolve(err(fault('witness-unreachable', `${prefix}: ${why}`)));
  const outgoing = ask(url, options, (response) => {
    void readAnswer(response).then(resolve, (cause: unknown) => failed(why(cause, signal)));
  });
  outgoing.on('error', (cause) => failed(why(cause, signal)));
  outgoing.end(body);
  const answer = await promise;
  outgoing.destroy();
  return answer;
}

async function readAnswer(response: IncomingMessage): Promise<Result<WitnessReply>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response) {
    if (!(chunk instanceof Uint8Array)) continue;
    parts.push(chunk);
    length += chunk.length;
    if (length > protocol.maxWitnessAnswerBytes) {
      return err(fault('witness-unreachable', 'the answer is too long'));
    }
  }
  return ok({ status: response.statusCode ?? 0, body: new Uint8Array(Buffer.concat(parts)) });
}

function why(cause: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'no answer in time';
  return systemCode(cause) ?? (cause instanceof Error ? cause.message : 'it broke off');
}
