/** Waiting for what shall come to be, and not for a while. */
import assert from 'node:assert/strict';

/** Resolves when `ready` says so; fails after `limitMs`. */
export async function until(
  ready: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 10_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await ready())) {
    if (performance.now() > end) assert.fail(`not in time: ${what}`);
    await new Promise((resolve) => void setTimeout(resolve, 5));
  }
}
