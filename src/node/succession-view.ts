/** How an organisation came to its DID, as the API and `hw` show it. */
import type { Identities } from '../identities.ts';
import { formatTime } from '../time.ts';
import { asTimeMs, type Did, type TimeMs } from '../types.ts';
import type { JsonView } from './json-view.ts';

export interface SuccessionView {
  readonly from: Did;
  readonly to: Did;
  readonly time: TimeMs;
  readonly reason: 'lost' | 'stolen';
  readonly since?: TimeMs;
}

/** Absent where the organisation has had no other DID. */
export function pastOf(
  identities: Pick<Identities, 'past'> | undefined,
  did: Did | undefined,
): { readonly succeeded?: readonly SuccessionView[] } {
  const past = did === undefined ? [] : (identities?.past(did) ?? []);
  if (past.length === 0) return {};
  const succeeded = past.map(({ from, to, time, terms }) => ({
    from,
    to,
    time,
    reason: terms?.reason ?? ('lost' as const),
    ...(terms?.since === undefined ? {} : { since: terms.since }),
  }));
  return { succeeded };
}

/** One line a DID that it had before. */
export function pastLines(view: JsonView, width: number): readonly string[] {
  const list = view.list('succeeded');
  return list.map((one) => {
    const later = list.some((other) => other.text('from') === one.text('to'));
    const by = later ? (one.text('to') ?? '') : 'this one';
    const [time, since] = [one.number('time'), one.number('since')];
    const day = time === undefined ? '' : ` on ${formatTime(asTimeMs(time)).slice(0, 10)}`;
    const start = since === undefined ? '' : ` since ${formatTime(asTimeMs(since))}`;
    const key = `its key was ${one.text('reason') ?? 'lost'}${start}`;
    return `  ${'formerly'.padEnd(width)}${one.text('from') ?? ''}, succeeded by ${by}${day}: ${key}`;
  });
}
