/** Pulls a request body chunk by chunk, so that a wait for more can be given up without ending it. */
import type { Readable } from 'node:stream';

/** `end`: the body is whole. `gone`: its sender broke off, or the signal aborted. */
export type Chunk = Uint8Array | 'end' | 'gone';

export async function nextChunk(body: Readable, signal: AbortSignal): Promise<Chunk> {
  for (;;) {
    if (signal.aborted) return 'gone';
    const chunk: unknown = body.read();
    if (chunk instanceof Uint8Array) return chunk;
    if (body.readableEnded) return 'end';
    if (body.destroyed) return 'gone';
    await news(body, signal);
  }
}

const names = ['readable', 'end', 'error', 'close'] as const;

/** Resolves when the body has something to say, or the signal aborts. */
async function news(body: Readable, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  for (const name of names) body.once(name, wake);
  signal.addEventListener('abort', wake);
  await promise;
  for (const name of names) body.off(name, wake);
  signal.removeEventListener('abort', wake);
}
