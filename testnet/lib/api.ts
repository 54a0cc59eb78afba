/** The HTTP API of a node as a foreign client sees it: plain fetch. */
import { JsonView } from '../../src/node/json-view.ts';

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(request: string, status: number, problem: JsonView) {
    const code = problem.text('code') ?? '';
    super(`${request}: ${status} ${code} ${problem.text('detail') ?? ''}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }
}

export interface Call {
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: unknown;
  /** With this the body is sent as it is, else as JSON. */
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Api {
  readonly base: string;
  readonly token: string;
  readonly #signal: AbortSignal;

  constructor(base: string, token: string, signal: AbortSignal) {
    this.base = base;
    this.token = token;
    this.#signal = signal;
  }

  /** The answer, whatever its status; throws where there is none. */
  fetch(method: string, path: string, call: Call = {}): Promise<Response> {
    const query = queryText(call.query ?? {});
    const text = typeof call.body === 'string' ? call.body : JSON.stringify(call.body);
    const type = call.type ?? 'application/json';
    return fetch(`${this.base}${path}${query}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        accept: call.accept ?? 'application/json',
        ...(call.body === undefined ? {} : { 'content-type': type }),
        ...call.headers,
      },
      ...(call.body === undefined ? {} : { body: text }),
      signal: this.#signal,
    });
  }

  /** The text of a 2xx answer; throws `ApiError` for any other. */
  async text(method: string, path: string, call: Call = {}): Promise<string> {
    const answer = await this.fetch(method, path, call);
    const text = await answer.text();
    if (answer.ok) return text;
    throw new ApiError(`${method} ${path}`, answer.status, JsonView.parse(text));
  }

  async call(method: string, path: string, call: Call = {}): Promise<JsonView> {
    return JsonView.parse(await this.text(method, path, call));
  }

  get(path: string, query: Call['query'] = {}): Promise<JsonView> {
    return this.call('GET', path, { query });
  }

  post(path: string, body: unknown = {}): Promise<JsonView> {
    return this.call('POST', path, { body });
  }

  /** Publishes a JSON batch, all or nothing; the receipts in order. */
  async publish(stream: string, events: readonly string[]): Promise<readonly JsonView[]> {
    const answer = await this.call('POST', `${streamPath(stream)}/events`, {
      body: `[${events.join(',')}]`,
      type: 'application/cloudevents-batch+json',
    });
    return answer.list('receipts');
  }

  /** Every event of the stream that this node keeps, one CloudEvent a line. */
  async replay(stream: string, query: Call['query'] = {}): Promise<readonly string[]> {
    const text = await this.text('GET', `${streamPath(stream)}/events`, {
      query: { from: 'start', ...query },
      accept: 'application/x-ndjson',
    });
    return text.split('\n').filter((line) => line !== '');
  }

  stream(stream: string): Promise<JsonView> {
    return this.get(streamPath(stream));
  }

  verify(stream: string): Promise<JsonView> {
    return this.post(`${streamPath(stream)}/verify`);
  }
}

/** `/streams/<organisation>/<name>` of `organisation/name`. */
export function streamPath(stream: string): string {
  const slash = stream.lastIndexOf('/');
  const [organisation, name] = [stream.slice(0, slash), stream.slice(slash + 1)];
  return `/streams/${encodeURIComponent(organisation)}/${encodeURIComponent(name)}`;
}

function queryText(query: NonNullable<Call['query']>): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) parts.append(name, String(value));
  const text = parts.toString();
  return text === '' ? '' : `?${text}`;
}
