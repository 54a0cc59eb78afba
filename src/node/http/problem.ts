/** A fault as `application/problem+json` (RFC 9457) with our code, hint and place as members. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fault, httpStatus, placeText, type Fault } from '../../errors.ts';
import { limits } from '../../limits.ts';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly place?: Fault['place'];
}

export function problemOf(problem: Fault): Problem {
  const status = httpStatus(problem.code);
  const where = placeText(problem.place);
  return {
    type: `urn:headwater:error:${problem.code}`,
    title: problem.code,
    status,
    detail: where === '' ? problem.message : `${where}: ${problem.message}`,
    code: problem.code,
    message: problem.message,
    hint: problem.hint,
    ...(problem.place === undefined ? {} : { place: problem.place }),
  };
}

/** Answers with the fault; 429 and 503 say when to come again. */
export function sendProblem(reply: FastifyReply, problem: Fault): FastifyReply {
  const body = problemOf(problem);
  if (body.status === 429 || body.status === 503) void reply.header('retry-after', '1');
  if (body.status === 401) void reply.header('www-authenticate', 'Bearer');
  return reply.code(body.status).type('application/problem+json').send(JSON.stringify(body));
}

/**
 * Answers what fastify threw. It would close the connection behind a body over the limit, and a
 * client that is still sending would see a broken pipe in place of the answer: the rest is read and
 * thrown away instead, where its declared length is bearable.
 */
export function sendThrown(
  request: FastifyRequest,
  reply: FastifyReply,
  problem: Fault,
): FastifyReply {
  const length = Number(request.headers['content-length']);
  if (problem.code === 'request-too-large' && length <= limits.maxDiscardedBodyBytes) {
    void reply.removeHeader('connection');
  }
  return sendProblem(reply, problem);
}

interface ValidationIssue {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message?: string;
  readonly params: Record<string, unknown>;
}

function isIssues(value: unknown): value is readonly ValidationIssue[] {
  return (
    Array.isArray(value) && value.every((item) => typeof item === 'object' && 'keyword' in item)
  );
}

/**
 * What fastify throws before or in a handler, as a fault of ours: a parameter that is not known is
 * `not-supported`, a wrong one `usage`, a body over the limit `body-too-large`.
 */
export function faultOfError(error: unknown): Fault {
  const known = error instanceof Error ? error : new Error(String(error));
  const issues: unknown = 'validation' in known ? known.validation : undefined;
  const context = 'validationContext' in known ? String(known.validationContext) : '';
  if (isIssues(issues) && issues[0] !== undefined) return validationFault(issues[0], context);
  const status = 'statusCode' in known ? Number(known.statusCode) : 500;
  if (status === 413) return fault('request-too-large', 'the request body is over the limit');
  if (status === 415) return fault('media-type', 'this content type is not accepted here');
  if (status === 429) return fault('rate-limited', 'too many requests');
  if (status >= 400 && status < 500) return fault('usage', known.message);
  return fault('internal', known.message);
}

function validationFault(issue: ValidationIssue, context: string): Fault {
  const at = `${context}${issue.instancePath}`;
  const { additionalProperty: extra, missingProperty: missing } = issue.params;
  if (typeof extra === 'string') {
    const pointer = `${at}/${extra}`;
    return fault('not-supported', `the parameter ${extra} is not supported`, { pointer });
  }
  const pointer = typeof missing === 'string' ? `${at}/${missing}` : at;
  return fault('usage', `${at} ${issue.message ?? 'is not valid'}`, { pointer });
}
