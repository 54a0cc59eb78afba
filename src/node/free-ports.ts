/** Ports that are free now and likely to stay so: below those that systems hand out by themselves. */
import { createServer } from 'node:net';
import { fault } from '../errors.ts';
import type { Random } from '../host.ts';
import { readUint16 } from '../bytes.ts';
import { err, ok, type Result } from '../result.ts';

const lowest = 10_000;
const span = 20_000;
const attempts = 200;

/** `count` different ports, drawn at random so that two homes that are both down do not meet. */
export async function freePorts(random: Random, count: number): Promise<Result<readonly number[]>> {
  const found = new Set<number>();
  for (let i = 0; i < attempts && found.size < count; i++) {
    const port = lowest + (readUint16(random.bytes(2), 0) % span);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  if (found.size === count) return ok([...found]);
  return err(fault('no-free-port', `no ${count} free ports from ${lowest} to ${lowest + span}`));
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', () => resolve(false));
  server.listen({ port, host: '0.0.0.0', exclusive: true }, () =>
    server.close(() => resolve(true)),
  );
  return promise;
}
