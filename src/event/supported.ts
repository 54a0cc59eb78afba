/**
 * Attributes that begin with `hw` are ours. Those whose meaning is not built yet are refused where
 * events come in, never accepted and ignored (operations.md "Commands"). A replica takes them: they
 * may come from a newer peer.
 */
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { ParsedEvent } from '../types.ts';
import { shown } from './text-place.ts';

/** Names that events.md reserves and no code here acts on yet, with what they are for. */
const notBuilt = new Map<string, string>([
  ['hwdatadigest', 'the digest of data kept elsewhere'],
  ['hwreplyto', 'naming the stream for an answer'],
  ['hwhops', 'counting the steps of a flow'],
]);

/** Names of ours that mean something here; their form was judged with the other attributes. */
const built: ReadonlySet<string> = new Set(['hwparents', 'hwactivity']);

/** The event itself, or `not-supported` with the attribute's name. */
export function checkSupported(event: ParsedEvent): Result<ParsedEvent> {
  for (const name of Object.keys(event.context)) {
    if (!name.startsWith('hw') || built.has(name)) continue;
    const use = notBuilt.get(name);
    const what =
      use === undefined ? 'names that begin with hw are reserved' : `${use} is not built`;
    const message = `the attribute ${shown(name)} is not supported: ${what}`;
    return err(fault('not-supported', message, { pointer: `/${shown(name)}` }));
  }
  return ok(event);
}
