/** What loopback TCP and a bare HTTP server carry. */
import { createServer as createHttp } from 'node:http';
import { createConnection, createServer, type AddressInfo, type Server } from 'node:net';
import { perSecond } from './bench.ts';
import { there } from './must.ts';

const chunkBytes = 65_536;

/** Listens on a free port of the loopback; gives it. */
export async function listen(server: Server): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Bytes a second from one socket to another of this process. */
export async function tcpBytesPerSecond(total: number): Promise<number> {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    let bytes = 0;
    socket.on('error', reject);
    socket.on('data', (data) => {
      bytes += data.length;
      if (bytes >= total) resolve();
    });
  });
  const port = await listen(server);
  const client = createConnection(port, '127.0.0.1');
  client.on('error', reject);
  try {
    const begun = performance.now();
    const chunk = new Uint8Array(chunkBytes);
    for (let sent = 0; sent < total; sent += chunkBytes) {
      if (!client.write(chunk)) await new Promise<void>((go) => void client.once('drain', go));
    }
    await done;
    return perSecond(total, begun);
  } finally {
    client.destroy();
    server.close();
  }
}

/** A bare HTTP server that reads a post and answers with about as much as a receipt is. */
export async function bareHttp(): Promise<{ readonly port: number } & Disposable> {
  const answer = JSON.stringify({ receipts: [{ log: 'x'.repeat(59), root: 'y'.repeat(128) }] });
  const server = createHttp((request, response) => {
    request.resume();
    request.once('end', () => {
      const headers = { 'content-type': 'application/json', 'content-length': answer.length };
      response.writeHead(202, headers);
      response.end(answer);
    });
  });
  const port = await listen(server);
  return {
    port: there(port, 'port'),
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
