/** `GET /backup`: all rows of the store as of one moment, as `hw backup create` takes them. */
import type { FastifyInstance } from 'fastify';
import { faultOf, readerSignal, takeOver, written } from './live-response.ts';
import type { HttpParts } from './parts.ts';
import { sendProblem } from './problem.ts';

export function backupRoutes(server: FastifyInstance, parts: HttpParts): void {
  const { api, timers, limits, closing, onCut } = parts;
  server.get(
    '/backup',
    { schema: { summary: 'rows of the store as of now, for hw backup create' } },
    async (request, reply) => {
      const rows = api.backup.rows();
      if (!rows.ok) return sendProblem(reply, rows.error);
      const { raw } = reply;
      const signal = readerSignal(raw, closing);
      takeOver(reply, { 'content-type': 'application/octet-stream' });
      try {
        for await (const chunk of rows.value) {
          if (await written(raw, chunk, timers, limits.maxReaderStallMs, signal)) continue;
          // Without its end it is no backup: whoever reads it sees that.
          raw.destroy();
          return reply;
        }
        raw.end();
      } catch (cause) {
        onCut(faultOf(cause), request.url);
        raw.destroy();
      }
      return reply;
    },
  );
}
