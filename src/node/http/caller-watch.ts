/** A reading that goes on ends with what let its reader in: a delegation that expires or is taken back. */
import type { FastifyRequest } from 'fastify';
import type { Fault } from '../../errors.ts';
import { callerOf } from './callers.ts';

export interface CallerWatch extends Disposable {
  /** The one that was given, aborted too when the caller may no longer read. */
  readonly signal: AbortSignal;
  /** Why, where that is so. */
  readonly ended: () => Fault | undefined;
}

export function watchCaller(request: FastifyRequest, signal: AbortSignal): CallerWatch {
  const watch = callerOf(request)?.watch;
  if (watch === undefined) {
    return { signal, ended: () => undefined, [Symbol.dispose]: () => undefined };
  }
  const over = new AbortController();
  let why: Fault | undefined;
  const watching = watch((reason) => {
    why ??= reason;
    over.abort();
  });
  return {
    signal: AbortSignal.any([signal, over.signal]),
    ended: () => why,
    [Symbol.dispose]: () => watching[Symbol.dispose](),
  };
}
