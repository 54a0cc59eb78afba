/** The read-only token for `/metrics`, made by `hw key token --scope metrics` in a file of mode 0600. */
import { toBase64url } from '../bytes.ts';
import type { Random } from '../host.ts';
import { ok, type Result } from '../result.ts';
import { exists, readText, replaceFile } from './files.ts';
import type { HomePaths } from './home.ts';

/** As it is now; undefined where none was made. A running node asks anew for each scrape. */
export async function readMetricsToken(paths: HomePaths): Promise<string | undefined> {
  const text = await readText(paths.metricsToken);
  const token = text.ok ? text.value.trim() : '';
  return token === '' ? undefined : token;
}

/** Makes it where there is none, or anew; the one before stops working at once. */
export async function makeMetricsToken(
  paths: HomePaths,
  random: Random,
  anew: boolean,
): Promise<Result<string>> {
  if (!anew && (await exists(paths.metricsToken))) {
    const text = await readText(paths.metricsToken);
    if (!text.ok || text.value.trim() !== '') return text.ok ? ok(text.value.trim()) : text;
  }
  const token = toBase64url(random.bytes(32));
  const written = await replaceFile(paths.metricsToken, `${token}\n`);
  return written.ok ? ok(token) : written;
}
