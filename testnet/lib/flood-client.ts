/**
 * Opens very many TCP connections to one port, so many at once, from a process of its own: some say
 * nothing, some send noise, none speaks the protocol. Prints what became of them as JSON.
 */
import { randomFillSync } from 'node:crypto';
import { connect } from 'node:net';

const [port = 0, total = 0, width = 0] = process.argv.slice(2).map(Number);
/** `connected`: until we hung up, or the other side in its own time; `dropped`: reset or refused. */
const counts = { connected: 0, dropped: 0 };
/** How long a connection is held where the other side does not end it. */
const holdMs = 150;

function one(n: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ host: '127.0.0.1', port });
  socket.setTimeout(holdMs, () => socket.destroy());
  let dropped = false;
  socket.once('connect', () => {
    if (n % 2 === 0) socket.write(randomFillSync(new Uint8Array(64 + (n % 1000))));
  });
  socket.once('error', () => {
    dropped = true;
  });
  socket.resume();
  socket.once('close', () => {
    counts[dropped ? 'dropped' : 'connected'] += 1;
    resolve();
  });
  return promise;
}

let next = 0;
const worker = async (): Promise<void> => {
  while (next < total) await one(next++);
};
await Promise.all(Array.from({ length: width }, worker));
process.stdout.write(`${JSON.stringify(counts)}\n`);
