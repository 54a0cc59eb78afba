/** Failures that a peer, a user or a disk can cause are returned; only our own mistakes are thrown. */
import { HeadwaterError, type Fault } from './errors.ts';

export type Result<T, E = Fault> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** The result of work that throws a HeadwaterError where it fails: streams, iterators, reading. */
export async function caught<T>(run: () => Result<T> | Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof HeadwaterError) return err(cause.fault);
    throw cause;
  }
}

/**
 * Our judgement of what a peer sent. `reject`: it could never be valid and the sender could have
 * known, so it costs him. `ignore`: we have it, or cannot judge it now; costs nobody. A fault of
 * our own is never a reject.
 */
export type Verdict =
  { readonly kind: 'accept' } | { readonly kind: 'ignore' | 'reject'; readonly reason: Fault };

/** Ends a switch over a union, so that a new case breaks the build wherever it matters. */
export function never(value: never): never {
  throw new TypeError(`unexpected case ${String(value)}`);
}
