/**
 * The official suites: at $HW_VECTORS, else in a `shared/vectors` folder beside the clone. Where
 * they are absent a test skips, and the run says so once.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Context } from 'mocha';

const root =
  process.env['HW_VECTORS'] ?? fileURLToPath(new URL('../../../shared/vectors', import.meta.url));
let told = false;

/** True where the suites can be read. */
export const suitesPresent: boolean = existsSync(root);

/** Text of one suite file, for example `headwater/leaves.json`; skips the test if absent. */
export function suiteText(context: Context, path: string): string {
  if (!suitesPresent) {
    if (!told) console.log(`official suites not found at ${root}: their tests are skipped`);
    told = true;
    context.skip();
  }
  return readFileSync(`${root}/${path}`, 'utf8');
}

/** One JSON suite, as the type that the test expects it to have. */
export function suite<T>(context: Context, path: string): T {
  const parsed: unknown = JSON.parse(suiteText(context, path));
  // The suites are trusted input with a documented shape: the one cast of the test support.
  return parsed as T;
}

/** Counts a suite's cases for the summary that `.ci/run` prints. */
export function ran(path: string, cases: number): void {
  counts.set(path, (counts.get(path) ?? 0) + cases);
}

export const counts: Map<string, number> = new Map();

/** Bytes of lower-case hex. */
export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
