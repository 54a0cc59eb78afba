/**
 * One keep-alive connection that posts ready-made requests, one at a time. By hand, because the load
 * runs on the same machine as what it measures: Node's own client costs ten times as much.
 */
import { createConnection, type Socket } from 'node:net';

const headEnd = Buffer.from('\r\n\r\n');

export interface Target {
  readonly port: number;
  readonly path: string;
  readonly token: string;
}

/** A whole request. */
export function post(target: Target, type: string, body: Uint8Array): Buffer {
  const head = [
    `POST ${target.path} HTTP/1.1`,
    'host: 127.0.0.1',
    `authorization: Bearer ${target.token}`,
    `content-type: ${type}`,
    `content-length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

export class HttpConnection implements Disposable {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Length of the answer under way, once its head is there. */
  #length: number | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (cause) => this.#fail(cause));
    socket.on('close', () => this.#fail(new Error('the node closed a connection')));
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = createConnection(port, '127.0.0.1');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve);
    socket.once('error', reject);
    await promise;
    return new HttpConnection(socket);
  }

  /** Resolves when the whole answer is there; rejects unless it is a 202. */
  async send(request: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#waiting = Promise.withResolvers<void>();
    this.#socket.write(request);
    await this.#waiting.promise;
  }

  [Symbol.dispose](): void {
    this.#failure ??= new Error('closed');
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    if (this.#length === undefined) this.#readHead();
    if (this.#length === undefined || this.#bytes < this.#length) return;
    this.#parts = [];
    this.#bytes = 0;
    this.#length = undefined;
    this.#waiting?.resolve();
  }

  #readHead(): void {
    const all = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    if (all === undefined) return;
    this.#parts = [all];
    const end = all.indexOf(headEnd);
    if (end < 0) return;
    const head = all.toString('latin1', 0, end);
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN);
    if (!head.startsWith('HTTP/1.1 202') || Number.isNaN(length)) {
      this.#fail(new Error(`not accepted: ${all.toString('utf8', 0, 1000)}`));
      return;
    }
    this.#length = end + headEnd.length + length;
  }

  #fail(cause: Error): void {
    this.#failure ??= cause;
    this.#waiting?.reject(this.#failure);
  }
}

/** Connections that post together, each as soon as its last answer is there. */
export class HttpLoad implements Disposable {
  readonly #connections: readonly HttpConnection[];

  private constructor(connections: readonly HttpConnection[]) {
    this.#connections = connections;
  }

  static async open(port: number, connections: number): Promise<HttpLoad> {
    const open: HttpConnection[] = [];
    // Not all in one go: a listen queue is short.
    while (open.length < connections) {
      const part = Math.min(32, connections - open.length);
      open.push(
        ...(await Promise.all(Array.from({ length: part }, () => HttpConnection.open(port)))),
      );
    }
    return new HttpLoad(open);
  }

  /** Posts what `next` gives until it gives nothing; resolves when all is answered. */
  async run(next: () => Uint8Array | undefined | Promise<Uint8Array | undefined>): Promise<void> {
    await Promise.all(
      this.#connections.map(async (connection) => {
        for (let request = await next(); request !== undefined; request = await next()) {
          await connection.send(request);
        }
      }),
    );
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections) connection[Symbol.dispose]();
  }
}
