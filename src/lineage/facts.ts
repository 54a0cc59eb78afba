/** What an event says of itself, read from its attributes; what is missing or misshapen is absent. */
import { fromUtf8 } from '../bytes.ts';
import { parseActivity } from '../event/activity.ts';
import { judgeEvent } from '../event/judge.ts';
import type { Attributes, EventBytes } from '../types.ts';
import type { EventFacts } from './graph.ts';

/** Longest statement of an attestation that is shown whole, in bytes. */
const maxStatementBytes = 2048;

/** Undefined where the attributes are no event's: a replica would not have taken them. */
export function factsOf(event: EventBytes): EventFacts | undefined {
  const judged = judgeEvent(event);
  if (!judged.ok) return undefined;
  const { value } = judged;
  const activity = parseActivity(textOf(value, 'hwactivity') ?? '');
  const optional = {
    subject: textOf(value, 'subject'),
    time: textOf(value, 'time'),
    contentType: textOf(value, 'datacontenttype'),
    activity: activity.ok ? activity.value : undefined,
  };
  return {
    type: textOf(value, 'type') ?? '',
    source: textOf(value, 'source') ?? '',
    id: textOf(value, 'id') ?? '',
    dataKind: event.kind,
    dataBytes: event.data.length,
    ...Object.fromEntries(Object.entries(optional).filter(([, found]) => found !== undefined)),
  };
}

function textOf(attributes: Attributes, name: string): string | undefined {
  if (!Object.hasOwn(attributes, name)) return undefined;
  const value = attributes[name];
  return value === undefined ? undefined : String(value);
}

/** The data of an attestation as text, where it is JSON or text and not long. */
export function statementOf(event: EventBytes): string | undefined {
  if (event.kind !== 1 && event.kind !== 2) return undefined;
  if (event.data.length > maxStatementBytes) return undefined;
  const text = fromUtf8(event.data);
  return text.ok ? text.value : undefined;
}
