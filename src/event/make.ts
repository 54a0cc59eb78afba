/** Events that a node says itself: registry, journal and what the CLI makes of plain data. */
import { err, type Result } from '../result.ts';
import { dataKind, type Attributes, type DataKind, type ParsedEvent } from '../types.ts';
import { AttributeSet, checkAttributes } from './attributes.ts';
import { checkJson, withinSize } from './data.ts';
import { memberPointer } from './text-place.ts';

/**
 * An event of the given attributes and data, checked by the rules of ingest (codes of
 * `checkAttributes`, `json-utf8`, `json-syntax`, `body-too-large`). `data` is kept, not copied. Where
 * the data is text or binary the caller gives a `datacontenttype` that fits.
 */
export function makeEvent(
  attributes: Attributes,
  kind: DataKind,
  data: Uint8Array = new Uint8Array(0),
): Result<ParsedEvent> {
  const set = new AttributeSet();
  for (const [name, value] of Object.entries(attributes)) set.add(name, value);
  const checked = checkAttributes(set, (name) => ({ pointer: memberPointer(name) }));
  if (!checked.ok) return checked;
  const problem = kind === dataKind.json ? checkJson(data) : undefined;
  if (problem !== undefined) return err(problem);
  return withinSize({ attributes: checked.value, context: set.context, kind, data });
}
