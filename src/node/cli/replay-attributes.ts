/** `hw replay STREAM --fields attributes`: what a grant of attributes alone opens, proof by proof. */
import { ok, type Result } from '../../result.ts';
import type { Context } from './context.ts';
import { callOn, streamPath } from './endpoints.ts';
import { connect } from './connect.ts';
import type { Options } from './options.ts';

/** The most that the node gives at once. */
const pageEvents = 1000;

/** One event a line: its attributes and `hwref`; with --json also recorded time and proof. */
export async function replayAttributes(
  context: Context,
  stream: string,
  options: Options,
): Promise<Result<number>> {
  const limit = options.count('limit', 1);
  if (!limit.ok) return limit;
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const found = await streamPath(open, context, stream);
  if (!found.ok) return found;
  const path = `${found.value}/attributes`;
  let left = limit.value ?? Infinity;
  for (let from = options.text('from'); !context.signal.aborted && left > 0;) {
    const query = { from, limit: Math.min(left, pageEvents) };
    const page = await callOn(open, context, { method: 'GET', path, query });
    if (!page.ok) return page;
    const events = page.value.list('events');
    const lines = events.map((event) => {
      const hwref = `hw:${event.text('log') ?? ''}/${event.number('index') ?? 0}`;
      const { value } = event.at('attributes');
      const line = context.json
        ? event.value
        : { ...(typeof value === 'object' ? value : {}), hwref };
      return `${JSON.stringify(line)}\n`;
    });
    await context.runtime.stdout.write(lines.join(''));
    left -= events.length;
    from = page.value.text('next');
    if (from === undefined) break;
  }
  return ok(0);
}
