/** Who makes a request, once that is known: for the routes, the journal and the rate limits. */
import type { FastifyRequest } from 'fastify';
import type { Fault } from '../../errors.ts';
import type { Result } from '../../result.ts';
import type { Did } from '../../types.ts';

export interface Caller {
  /** `home`: the token of the home. `metrics`: the read-only token. `admin`: a UCAN bearer. `open`: nobody known. */
  readonly kind: 'home' | 'metrics' | 'admin' | 'open';
  /** Under which it is counted. */
  readonly key: string;
  /** Who signed the invocation. */
  readonly did?: Did;
  /** Of an admin: whether what was delegated covers a GET of this path too. */
  readonly permits?: (path: string) => Result<void>;
  /** Of an admin: tells when what was delegated has expired or was taken back; asks at once. */
  readonly watch?: (ended: (reason: Fault) => void) => Disposable;
}

const callers = new WeakMap<object, Caller>();

export function setCaller(request: FastifyRequest, caller: Caller): void {
  callers.set(request.raw, caller);
}

/** Undefined before anybody was let in. */
export function callerOf(request: FastifyRequest): Caller | undefined {
  return callers.get(request.raw);
}

/** Path and query of a request as they came; the path has no escapes undone. */
export function targetOf(request: FastifyRequest): {
  readonly path: string;
  readonly query: string;
} {
  const url = request.raw.url ?? '';
  const mark = url.indexOf('?');
  return mark < 0
    ? { path: url, query: '' }
    : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

/** The address of a request for a log: what opens something is left out. */
export function loggedUrl(request: FastifyRequest): string {
  const { path, query } = targetOf(request);
  if (query === '') return path;
  const kept = query.replaceAll(/(^|&)([^=&]*(?:ticket|token)[^=&]*)=[^&]*/gi, '$1$2=…');
  return `${path}?${kept}`;
}
