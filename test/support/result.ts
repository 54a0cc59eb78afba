import assert from 'node:assert/strict';
import type { Code } from '../../src/errors.ts';
import type { Result } from '../../src/result.ts';

/** The value, or a failed assertion that says why. */
export function must<T>(result: Result<T>, what?: string): T {
  if (!result.ok) assert.fail(`${what ?? ''} ${result.error.code}: ${result.error.message}`);
  return result.value;
}

/** Asserts a refusal with this code. */
export function refused(result: Result<unknown>, code: string, what?: string): void {
  if (result.ok) assert.fail(`${what ?? ''} was accepted instead of ${code}`);
  const found: Code = result.error.code;
  assert.equal(found, code, `${what ?? ''} (${result.error.message})`);
}
