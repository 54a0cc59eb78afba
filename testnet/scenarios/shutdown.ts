/** SIGTERM in the middle of publishing: what was accepted is there, and the end is in good order. */
import { ApiError } from '../lib/api.ts';
import { until } from '../lib/until.ts';
import { loneNode, must, numbered, numberOf, type Scenario } from '../scenario.ts';

const stream = 'writer/events';
const publishers = 8;
const latestMs = 10_000;

export const shutdown: Scenario = {
  name: 'shutdown',
  promise: 'SIGTERM while events come in ends within 10 s, exit 0, and loses nothing acknowledged',
  async run({ work }) {
    const writer = await loneNode(work, 'writer', 'events');
    const acknowledged = new Set<number>();
    let next = 0;
    let answers = 0;
    const publishing = Array.from({ length: publishers }, async () => {
      for (;;) {
        const numbers = Array.from({ length: 10 }, () => next++);
        try {
          await writer.api.publish(
            stream,
            numbers.map((n) => numbered(n)),
          );
        } catch (cause) {
          // A coded refusal, or a connection that is no more: never half an answer.
          if (cause instanceof ApiError) must(cause.status === 503, cause.message);
          return;
        }
        answers += 1;
        for (const n of numbers) acknowledged.add(n);
        if (answers === 100) writer.process.kill('SIGTERM');
      }
    });
    await Promise.all(publishing);
    const asked = performance.now();
    // No second signal: it could come when the node listens to none any more.
    const ended = await until('the writer to end', () => writer.process.exit);
    must(ended.code === 0, `it ended with ${ended.code ?? ended.signal}`);
    const tookMs = performance.now() - asked;
    must(tookMs < latestMs, `it took ${Math.round(tookMs)} ms`);
    await writer.up();
    const found = (await writer.api.replay(stream)).map(numberOf);
    const there = new Set(found);
    must(there.size === found.length, 'an event is stored twice');
    const lost = [...acknowledged].filter((n) => !there.has(n));
    must(lost.length === 0, `${lost.length} acknowledged events are gone`);
    await writer.down();
    return `${acknowledged.size} acknowledged, ${found.length} stored, ended in ${Math.round(tookMs)} ms`;
  },
};
