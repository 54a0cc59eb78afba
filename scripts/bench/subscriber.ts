/**
 * Follows a stream of a node as NDJSON and keeps account of what arrives: how many events, each at
 * most once, and when.
 */
import { get, type IncomingMessage } from 'node:http';
import { idOf, type Events } from './events.ts';

const newline = 10;

export class Subscriber implements Disposable {
  readonly #events: Events;
  readonly #response: IncomingMessage;
  /** 1 for each event that has arrived. */
  #seen = new Uint8Array(1 << 20);
  #count = 0;
  #rest: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;
  #waiting: { readonly count: number; readonly go: PromiseWithResolvers<void> } | undefined;
  /** Called with the number of each event as it arrives. */
  onEvent: ((number: number) => void) | undefined;

  private constructor(events: Events, response: IncomingMessage) {
    this.#events = events;
    this.#response = response;
    response.on('data', (chunk: Buffer) => this.#take(chunk));
    response.on('error', (cause) => this.#fail(cause));
    response.on('close', () => this.#fail(new Error('the subscription ended')));
  }

  /** From now on. `events` made what is published. */
  static async open(api: string, path: string, token: string, events: Events): Promise<Subscriber> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = { authorization: `Bearer ${token}`, accept: 'application/x-ndjson' };
    get(`${api}${path}?follow=true&from=now`, { headers }, resolve).once('error', reject);
    const response = await promise;
    if (response.statusCode !== 200) throw new Error(`cannot follow: ${response.statusCode}`);
    return new Subscriber(events, response);
  }

  /** Different events that have arrived. */
  get count(): number {
    return this.#count;
  }

  /** Resolves once so many have arrived; rejects after `ms` without. */
  async until(count: number, ms: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.count >= count) return;
    const go = Promise.withResolvers<void>();
    const text = (): string => `${this.count} of ${count} events arrived within ${ms} ms`;
    const timer = setTimeout(() => go.reject(new Error(text())), ms);
    this.#waiting = { count, go };
    await go.promise.finally(() => clearTimeout(timer));
  }

  [Symbol.dispose](): void {
    this.#failure ??= new Error('closed');
    this.#response.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      this.#line(bytes.toString('latin1', start, end));
      start = end + 1;
    }
    this.#rest = bytes.subarray(start);
    const waiting = this.#waiting;
    if (waiting === undefined || this.count < waiting.count) return;
    this.#waiting = undefined;
    waiting.go.resolve();
  }

  #line(line: string): void {
    const number = this.#events.numberOf(idOf(line));
    if (number === undefined) {
      this.#fail(new Error(`an unknown event: ${line.slice(0, 300)}`));
      return;
    }
    while (number >= this.#seen.length) this.#grow();
    if (this.#seen[number] === 1) this.#fail(new Error(`event ${number} came twice`));
    this.#seen[number] = 1;
    this.#count += 1;
    this.onEvent?.(number);
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#seen.length);
    larger.set(this.#seen);
    this.#seen = larger;
  }

  #fail(cause: Error): void {
    this.#failure ??= cause;
    this.#waiting?.go.reject(this.#failure);
  }
}
