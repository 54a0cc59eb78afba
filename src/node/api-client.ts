/**
 * HTTP to the node of a home, as the commands use it: one keep-alive connection, the token of the
 * home, problem+json turned back into the fault that the node meant.
 */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { codes } from '../codes.ts';
import { fault, type Code, type Fault, type Place } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { systemCode } from './files.ts';
import { JsonView } from './json-view.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** From the root, already escaped. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Bytes go as they are (with `type`), anything else as JSON. */
  readonly body?: unknown;
  readonly type?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  /** The whole body as JSON; undefined where it is empty. */
  readonly body: unknown;
}

export interface ApiStream {
  readonly status: number;
  readonly contentType: string;
  /** By its lower-case name; undefined where it is absent or repeated. */
  header(name: string): string | undefined;
  /** Must be read to its end or left by breaking out, which closes the connection. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** A request whose body is written bit by bit while the answer may already be read. */
export interface ApiUpload {
  /** Resolves when more may be written, and at once after the node has hung up. */
  write(bytes: Uint8Array): Promise<void>;
  /** The body is whole. Idempotent. */
  end(): void;
  readonly answer: Promise<Result<ApiStream>>;
}

export class ApiClient implements Disposable {
  readonly #agent: Agent;
  readonly #encrypted: boolean;
  readonly #address: string;
  readonly #token: string;

  /**
   * `address` is `host:port` of a node on this machine; `certificate` (PEM) is the one that it has,
   * where it speaks TLS: no other is taken, whatever its name.
   */
  constructor(address: string, token: string, certificate?: string) {
    const options = { keepAlive: true, maxSockets: 4 };
    this.#encrypted = certificate !== undefined;
    this.#agent =
      certificate === undefined
        ? new Agent(options)
        : new TlsAgent({
            ...options,
            ca: certificate,
            allowPartialTrustChain: true,
            checkServerIdentity: () => undefined,
          });
    this.#address = address;
    this.#token = token;
  }

  /** Any 2xx with its JSON body, else the fault that the node sent; `node-not-running`, `interrupted`. */
  async call(request: ApiRequest): Promise<Result<ApiAnswer>> {
    const answer = await this.open(request);
    if (!answer.ok) return answer;
    const text = await wholeText(answer.value.chunks);
    if (!text.ok) return text;
    if (text.value === '') return ok({ status: answer.value.status, body: undefined });
    const body = JsonView.parse(text.value).value;
    if (body !== undefined) return ok({ status: answer.value.status, body });
    return err(fault('node-unreachable', `${this.#address} did not answer with JSON`));
  }

  /** As `call`, with the body as it comes. */
  async open(request: ApiRequest): Promise<Result<ApiStream>> {
    const [type, body] = encodeBody(request);
    const headers = { 'content-type': type, 'content-length': body?.length ?? 0 };
    const [outgoing, answered] = this.#begin(request, body === undefined ? {} : headers);
    outgoing.end(body);
    return this.#opened(request, await answered);
  }

  /** As `open`, with a body of `type` that is written afterwards. */
  upload(request: ApiRequest): ApiUpload {
    const [outgoing, answered] = this.#begin(request, { 'content-type': request.type ?? '' });
    return {
      write: (bytes) => writeBody(outgoing, bytes),
      end: () => {
        if (!outgoing.writableEnded) outgoing.end();
      },
      answer: answered.then((response) => this.#opened(request, response)),
    };
  }

  async #opened(
    request: ApiRequest,
    answered: Result<IncomingMessage>,
  ): Promise<Result<ApiStream>> {
    if (!answered.ok) return answered;
    const response = answered.value;
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) {
      const contentType = response.headers['content-type'] ?? '';
      const header = (name: string): string | undefined => {
        const value = response.headers[name];
        return typeof value === 'string' ? value : undefined;
      };
      return ok({ status, contentType, header, chunks: guarded(response, request.signal) });
    }
    const text = await wholeText(guarded(response, request.signal));
    if (!text.ok) return text;
    return err(problemFault(status, text.value, retrySeconds(response)));
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #begin(
    request: ApiRequest,
    headers: Readonly<Record<string, string | number>>,
  ): readonly [ClientRequest, Promise<Result<IncomingMessage>>] {
    const { promise, resolve } = Promise.withResolvers<Result<IncomingMessage>>();
    const [scheme, begin] = this.#encrypted ? ['https', httpsRequest] : ['http', httpRequest];
    const url = `${scheme}://${this.#address}${request.path}${queryText(request.query)}`;
    const outgoing = begin(url, {
      method: request.method,
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${this.#token}`,
        accept: request.accept ?? 'application/json',
        ...headers,
      },
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    outgoing.once('response', (response) => resolve(ok(response)));
    outgoing.on('error', (cause) => resolve(err(this.#broken(cause, request.signal))));
    outgoing.once('close', () => resolve(err(this.#broken(undefined, request.signal))));
    return [outgoing, promise];
  }

  #broken(cause: unknown, signal: AbortSignal | undefined): Fault {
    if (signal?.aborted === true) return fault('interrupted', 'interrupted');
    const name = systemCode(cause) ?? 'closed';
    if (name === 'ECONNREFUSED') {
      return fault('node-not-running', `no node answers at ${this.#address}`);
    }
    return fault('node-unreachable', `the node at ${this.#address} broke off (${name})`);
  }
}

async function writeBody(outgoing: ClientRequest, bytes: Uint8Array): Promise<void> {
  if (outgoing.destroyed || outgoing.writableEnded || outgoing.write(bytes)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  outgoing.once('drain', wake).once('close', wake);
  await promise;
  outgoing.off('drain', wake).off('close', wake);
}

function encodeBody(request: ApiRequest): readonly [string, Uint8Array | undefined] {
  if (request.body instanceof Uint8Array) {
    return [request.type ?? 'application/octet-stream', request.body];
  }
  if (request.body === undefined) return ['', undefined];
  return ['application/json', Buffer.from(JSON.stringify(request.body))];
}

function queryText(query: ApiRequest['query']): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) parts.append(name, String(value));
  }
  const text = parts.toString();
  return text === '' ? '' : `?${text}`;
}

/** Chunks of a body; a connection that breaks throws nothing but ends in a fault for `wholeText`. */
async function* guarded(
  response: IncomingMessage,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response) {
      if (chunk instanceof Uint8Array) yield chunk;
    }
  } catch (cause) {
    if (signal?.aborted !== true) throw cause;
  }
}

async function wholeText(chunks: AsyncIterable<Uint8Array>): Promise<Result<string>> {
  const parts: Uint8Array[] = [];
  try {
    for await (const chunk of chunks) parts.push(chunk);
  } catch {
    return err(fault('node-unreachable', 'the node broke off in the middle of its answer'));
  }
  return ok(Buffer.concat(parts).toString('utf8'));
}

/** The fault that an answer carries, or one made from its status. */
export function problemFault(status: number, text: string, retry?: number): Fault {
  const problem = JsonView.parse(text);
  const code = knownCode(problem.text('code')) ?? codeOfStatus(status);
  const message =
    problem.text('message') ??
    problem.text('detail') ??
    problem.text('title') ??
    `the node answered with status ${status}`;
  const wait = retry === undefined ? undefined : `Try again in ${retry} s.`;
  const place = readPlace(problem.at('place'));
  return fault(code, message, place, problem.text('hint') ?? wait);
}

function retrySeconds(response: IncomingMessage): number | undefined {
  const seconds = Number(response.headers['retry-after']);
  return Number.isFinite(seconds) ? seconds : undefined;
}

function isCode(text: string): text is Code {
  return Object.hasOwn(codes, text);
}

function knownCode(text: string | undefined): Code | undefined {
  return text !== undefined && isCode(text) ? text : undefined;
}

function codeOfStatus(status: number): Code {
  if (status === 401) return 'token-refused';
  if (status === 429) return 'node-busy';
  return status >= 500 ? 'node-failed' : 'usage';
}

function readPlace(view: JsonView): Place | undefined {
  const names = { file: view.text('file'), pointer: view.text('pointer') };
  const counts = {
    line: view.number('line'),
    column: view.number('column'),
    index: view.number('index'),
    offset: view.number('offset'),
  };
  const known = Object.entries({ ...names, ...counts }).filter(([, value]) => value !== undefined);
  return known.length === 0 ? undefined : Object.fromEntries(known);
}
