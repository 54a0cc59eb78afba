/** HTTP as a stranger speaks it: node:http and nothing of ours. */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import assert from 'node:assert/strict';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** The body as JSON. */
  readonly body: unknown;
  /** What stands in the body under these names and positions; undefined where nothing does. */
  at(...path: readonly (string | number)[]): unknown;
}

export function dig(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = Reflect.get(found, name);
  }
  return found;
}
export type Headers = Readonly<Record<string, string | readonly string[]>>;

export class Client implements Disposable {
  readonly address: string;
  readonly #token: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 300 });

  constructor(address: string, token: string) {
    this.address = address;
    this.#token = token;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /** A request whose body is still to be written. */
  begin(method: string, path: string, headers: Headers = {}): ClientRequest {
    const outgoing = httpRequest(`${this.address}${path}`, {
      method,
      agent: this.#agent,
      headers: { authorization: `Bearer ${this.#token}`, ...headers },
    });
    outgoing.on('error', () => undefined); // The answer's promise tells of it.
    return outgoing;
  }

  async call(
    method: string,
    path: string,
    headers: Headers = {},
    sent?: string | Uint8Array,
  ): Promise<Answer> {
    // Without it node:http sends the body of a DELETE as if there were none.
    const length = sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) };
    const outgoing = this.begin(method, path, { ...length, ...headers });
    outgoing.end(sent);
    const response = await answered(outgoing);
    const text = await textOf(response);
    const isJson = /json/.test(response.headers['content-type'] ?? '') && !text.includes('\n{');
    const body: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
    const { statusCode = 0, headers: given } = response;
    return { status: statusCode, headers: given, text, body, at: (...path) => dig(body, ...path) };
  }

  json(method: string, path: string, body: unknown): Promise<Answer> {
    return this.call(method, path, { 'content-type': 'application/json' }, JSON.stringify(body));
  }

  get(path: string, accept = 'application/json'): Promise<Answer> {
    return this.call('GET', path, { accept });
  }

  /** Structured events as one batch. */
  batch(path: string, events: readonly unknown[]): Promise<Answer> {
    const headers = { 'content-type': 'application/cloudevents-batch+json' };
    return this.call('POST', path, headers, JSON.stringify(events));
  }

  /** A response that is read as it comes. */
  async open(path: string, headers: Headers = {}): Promise<IncomingMessage> {
    const outgoing = this.begin('GET', path, headers);
    outgoing.end();
    return answered(outgoing);
  }
}

export function answered(outgoing: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  outgoing.once('response', resolve).once('error', reject);
  return promise;
}

export async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** An event in JSON. */
export function event(
  id: string | number,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return { specversion: '1.0', id: String(id), source: '/test', type: 'org.test', ...more };
}

export function lines(text: string): unknown[] {
  const full = text.split('\n').filter((line) => line !== '');
  return full.map((line): unknown => JSON.parse(line));
}

/** Asserts problem+json with this code, and gives its place. */
export function problem(answer: Answer, status: number, code: string): unknown {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/);
  assert.equal(answer.at('code'), code, answer.text);
  assert.equal(answer.at('type'), `urn:headwater:error:${code}`);
  assert.equal(answer.at('status'), status);
  assert.match(String(answer.at('hint')), /\S/);
  assert.match(String(answer.at('message')), /\S/);
  return answer.at('place');
}
