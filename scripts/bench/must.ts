/** A bench cannot go on after a fault. */
import type { Result } from '../../src/result.ts';

export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { code, message, place } = result.error;
  throw new Error(`${code}: ${message} ${JSON.stringify(place ?? {})}`);
}

/** Of a look-up that cannot fail. */
export function there<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`no ${what}`);
  return value;
}
