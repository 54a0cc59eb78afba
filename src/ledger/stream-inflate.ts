/** Inflating by the platform's own streams, as browsers and Node have them (Compression Streams). */
import type { Inflate } from './bundle-gzip.ts';

/** Fails on data that is cut or goes on behind its end, as the standard demands. */
export const streamInflate: Inflate = async function* (deflated) {
  const inflate = new DecompressionStream('deflate-raw');
  const writer = inflate.writable.getWriter();
  const fed = feed(writer, deflated);
  // Looked at below; until then a failure of it must not count as unheard.
  fed.catch(() => undefined);
  const reader = inflate.readable.getReader();
  try {
    for (;;) {
      const next = await reader.read();
      if (next.done) break;
      const bytes: Uint8Array = next.value;
      yield bytes;
    }
    await fed;
  } finally {
    await reader.cancel().catch(() => undefined);
    await fed.catch(() => undefined);
  }
};

async function feed(
  writer: {
    write(chunk: Uint8Array<ArrayBuffer>): Promise<void>;
    close(): Promise<void>;
    abort(cause: unknown): Promise<void>;
  },
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  try {
    for await (const chunk of chunks) await writer.write(new Uint8Array(chunk));
    await writer.close();
  } catch (cause) {
    await writer.abort(cause).catch(() => undefined);
    throw cause;
  }
}
