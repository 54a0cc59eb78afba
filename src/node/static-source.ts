/**
 * Where a static tree is read from: a web server, or a folder of this machine. Only names that we
 * make ourselves are asked for, redirects are not followed, and every answer has a bound in bytes
 * and in time. What comes is not believed by anyone.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { fileURLToPath } from 'node:url';
import { fault } from '../errors.ts';
import type { Timers } from '../host.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { systemCode } from './files.ts';

export interface StaticSource extends Disposable {
  /**
   * The file's bytes, or undefined where there is none. Codes: `url-unreachable`, `url-content`
   * (more than `maxBytes`, a redirect), `interrupted`.
   */
  read(
    path: string,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<Result<Uint8Array | undefined>>;
}

const maxUrlLength = 2048;

/** The URL of a folder, with a slash at its end: `bad-url` unless it is one that we take. */
export function parseSourceUrl(text: string): Result<URL> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || text.length > maxUrlLength) return badUrl(text, 'is not a URL');
  if (!['http:', 'https:', 'file:'].includes(url.protocol)) {
    return badUrl(text, 'is not http:, https: or file:');
  }
  if (url.username !== '' || url.password !== '') {
    return badUrl('the URL', 'holds a name or password, which would be stored and shown');
  }
  if (url.search !== '' || url.hash !== '') return badUrl(text, 'has a query or fragment');
  if (url.protocol === 'file:' && url.host !== '') return badUrl(text, 'names another machine');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return ok(url);
}

function badUrl(text: string, why: string): Result<URL> {
  return err(fault('bad-url', `${text.slice(0, 200)} ${why}`));
}

export function openSource(base: URL, timers: Timers): StaticSource {
  return base.protocol === 'file:' ? new FolderSource(base) : new WebSource(base, timers);
}

class FolderSource implements StaticSource {
  readonly #folder: string;

  constructor(base: URL) {
    this.#folder = fileURLToPath(base);
  }

  async read(path: string, maxBytes: number): Promise<Result<Uint8Array | undefined>> {
    try {
      // A pipe in the place of a file must not keep us waiting.
      const file = await open(`${this.#folder}${path}`, constants.O_RDONLY | constants.O_NONBLOCK);
      await using _closed = { [Symbol.asyncDispose]: () => file.close() };
      const found = await file.stat();
      if (!found.isFile()) return err(fault('url-content', `${path} is no file`));
      if (found.size > maxBytes) return tooLarge(path, maxBytes);
      const bytes = new Uint8Array(found.size);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      return ok(bytes.subarray(0, bytesRead));
    } catch (cause) {
      const code = systemCode(cause) ?? 'unknown reason';
      if (code === 'ENOENT' || code === 'ENOTDIR') return ok(undefined);
      return err(fault('url-unreachable', `${path} cannot be read: ${code}`));
    }
  }

  [Symbol.dispose](): void {
    // Holds nothing open.
  }
}

class WebSource implements StaticSource {
  readonly #base: URL;
  readonly #timers: Timers;
  readonly #agent: HttpAgent;

  constructor(base: URL, timers: Timers) {
    this.#base = base;
    this.#timers = timers;
    const sockets = { keepAlive: true, maxSockets: limits.urlFetchesAhead };
    this.#agent = base.protocol === 'https:' ? new HttpsAgent(sockets) : new HttpAgent(sockets);
  }

  async read(
    path: string,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<Result<Uint8Array | undefined>> {
    const timeout = new AbortController();
    using _timer = this.#timers.after(limits.urlTimeoutMs, () => timeout.abort());
    try {
      return await this.#get(path, maxBytes, AbortSignal.any([signal, timeout.signal]));
    } catch (cause) {
      if (signal.aborted) return err(fault('interrupted', 'interrupted'));
      const late = `no answer within ${limits.urlTimeoutMs / 1000} s`;
      const why = timeout.signal.aborted ? late : (systemCode(cause) ?? 'the connection broke');
      return err(fault('url-unreachable', `${path}: ${why}`));
    }
  }

  async #get(
    path: string,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<Result<Uint8Array | undefined>> {
    const response = await this.#answer(path, signal);
    const status = response.statusCode ?? 0;
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response) {
      if (!(chunk instanceof Uint8Array)) continue;
      length += chunk.length;
      // Leaving the loop closes the connection.
      if (length > maxBytes) return tooLarge(path, maxBytes);
      if (status === 200) parts.push(chunk);
    }
    if (status === 404 || status === 410) return ok(undefined);
    if (status >= 300 && status < 400) {
      return err(fault('url-content', `${path} is a redirect, which is not followed`));
    }
    if (status !== 200) return err(fault('url-unreachable', `${path}: status ${status}`));
    if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') {
      return err(fault('url-content', `${path} is compressed, which was not asked for`));
    }
    return ok(new Uint8Array(Buffer.concat(parts)));
  }

  #answer(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = this.#base.protocol === 'https:' ? httpsRequest : httpRequest;
    const headers = { 'accept-encoding': 'identity', 'user-agent': 'headwater' };
    const outgoing = request(new URL(path, this.#base), { agent: this.#agent, headers, signal });
    outgoing.once('response', resolve).on('error', reject).end();
    return promise;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function tooLarge(path: string, maxBytes: number): Result<never> {
  return err(fault('url-content', `${path} has more than ${maxBytes} bytes`));
}
