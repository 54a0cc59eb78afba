/** A home whose node is a small HTTP server of this process, answering as a test tells it to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { createHome } from '../../../src/node/home-create.ts';
import { lockHome } from '../../../src/node/home-lock.ts';
import type { HomePaths, Identity } from '../../../src/node/home.ts';
import { err } from '../../../src/result.ts';
import { fault } from '../../../src/errors.ts';
import { real } from './harness.ts';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string>;
  readonly body: string;
  readonly authorization: string | undefined;
}
/** Undefined: 404. A text body is sent as NDJSON, anything else as JSON; `open`: it never ends. */
export type Answer =
  { readonly status?: number; readonly body: unknown; readonly open?: true } | undefined;

export interface StubNode extends AsyncDisposable {
  readonly home: string;
  readonly paths: HomePaths;
  readonly identity: Identity;
  readonly calls: Call[];
}

export async function stubNode(folder: string, answer: (call: Call) => Answer): Promise<StubNode> {
  const made = await createHome(folder, {
    organisation: 'acme',
    random: real.random,
    ask: () => Promise.resolve(err(fault('key-passphrase-needed', 'asked'))),
  });
  if (!made.ok) throw new Error(JSON.stringify(made.error));
  const { paths, identity } = made.value;
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    void serve(request, response, calls, answer);
  });
  const port = await listen(server);
  const lock = await lockHome(paths, real);
  if (!lock.ok) throw new Error(JSON.stringify(lock.error));
  writeFileSync(
    paths.nodeInfo,
    JSON.stringify({ pid: process.pid, api: `http://127.0.0.1:${port}` }),
  );
  return {
    home: paths.root,
    paths,
    identity,
    calls,
    async [Symbol.asyncDispose]() {
      await lock.value.release();
      server.closeAllConnections();
      server.close();
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  calls: Call[],
  answer: (call: Call) => Answer,
): Promise<void> {
  const url = new URL(request.url ?? '', 'http://stub');
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const call: Call = {
    method: request.method ?? '',
    path: decodeURIComponent(url.pathname),
    query: Object.fromEntries(url.searchParams),
    body,
    authorization: request.headers.authorization,
  };
  calls.push(call);
  const found = answer(call) ?? {
    status: 404,
    body: { code: 'stream-unknown', message: 'no such stream', hint: 'See hw stream list --all.' },
  };
  const text = typeof found.body === 'string';
  response.writeHead(found.status ?? 200, {
    'content-type': text ? 'application/x-ndjson' : 'application/json',
  });
  response.write(text ? found.body : JSON.stringify(found.body));
  if (!('open' in found)) response.end();
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** What a node that takes everything answers to NDJSON: one block for all lines. */
export function allAccepted(body: string, index = 1): string {
  const count = body.split('\n').filter((line) => line !== '').length;
  return count === 0
    ? ''
    : `${JSON.stringify({ lines: [1, count], log: 'bafy', index, block: 1, ack: 'local' })}\n`;
}
