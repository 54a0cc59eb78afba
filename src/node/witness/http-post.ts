/** Add-checkpoint to a witness outside of the network: one bounded HTTP request. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { fault } from '../../errors.ts';
import type { WitnessReply } from '../../gossip/evidence-port.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { systemCode } from '../files.ts';

/**
 * Posts a body to `<prefix>/add-checkpoint`. Any status is an answer. Code: witness-unreachable
 * (no connection, no answer before the signal, an answer that is too long).
 */
export async function postCheckpoint(
  prefix: string,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<Result<WitnessReply>> {
  const url = `${prefix.replace(/\/$/, '')}/add-checkpoint`;
  const ask = url.startsWith('https:') ? httpsRequest : httpRequest;
  const { promise, resolve } = Promise.withResolvers<Result<WitnessReply>>();
  const failed = (why: string): void =>
    resolve(err(fault('witness-unreachable', `${prefix}: ${why}`)));
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length };
  const outgoing = ask(url, { method: 'POST', headers, signal }, (response) => {
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
