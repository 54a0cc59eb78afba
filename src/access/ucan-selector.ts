/**
 * Selectors of UCAN policies (ucan-wg/delegation "Selectors"):
 *
 *   .                     all args
 *   .name  ["any key"]    a member of a map, own members only
 *   []                    a list as it is, the values of a map
 *   [n]  [-n]             an item of a list, a byte; from the end with a minus
 *   [a:b]  [a:]  [:b]     a part of a list, of bytes, of a string (by code points); clamped
 *   ?                     after a segment: null where that does not resolve
 *
 * Read from left to right up to the first segment that does not resolve; then the selector selects
 * nothing, and its statement does not hold.
 */
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { isUcanList, isUcanMap, type UcanValue } from './ucan-cbor.ts';

type Step =
  | { readonly kind: 'key'; readonly name: string }
  | { readonly kind: 'values' }
  | { readonly kind: 'index'; readonly at: number }
  | { readonly kind: 'slice'; readonly from: number; readonly to: number | undefined };
type Segment = Step & { readonly optional: boolean };

export interface Selector {
  /** As it was written. */
  readonly text: string;
  /** None for `.`. */
  readonly segments: readonly Segment[];
}

const member = /\.([A-Za-z_][A-Za-z0-9_]*)/y;
const bracket = /\[(?:(-?\d{1,15})|(-?\d{1,15})?(:)(-?\d{1,15})?|("(?:[^"\\]|\\.)*"))?\]/y;
const mark = /\?*/y;

/** Code: ucan-selector. */
export function parseSelector(text: string): Result<Selector> {
  if (text === '.') return ok({ text, segments: [] });
  if (!text.startsWith('.')) return refuse(text);
  const segments: Segment[] = [];
  // The dot before a bracket stands at the beginning only.
  for (let at = text[1] === '[' ? 1 : 0; at < text.length;) {
    const found = matchAt(member, text, at) ?? matchAt(bracket, text, at);
    const step = found === undefined ? undefined : stepOf(found);
    if (found === undefined || step === undefined) return refuse(text);
    at += found[0].length;
    const marks = matchAt(mark, text, at)?.[0].length ?? 0;
    at += marks;
    segments.push({ ...step, optional: marks > 0 });
    if (segments.length > protocol.maxSelectorSegments) return refuse(text);
  }
  return ok({ text, segments });
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

function stepOf(match: RegExpExecArray): Step | undefined {
  const [whole, name, start, colon, end, quoted] = match;
  if (whole.startsWith('.')) return name === undefined ? undefined : { kind: 'key', name };
  if (whole === '[]') return { kind: 'values' };
  if (quoted !== undefined) return quotedKey(quoted);
  if (colon === undefined) return { kind: 'index', at: Number(name) };
  if (start === undefined && end === undefined) return undefined;
  const to = end === undefined ? undefined : Number(end);
  return { kind: 'slice', from: Number(start ?? 0), to };
}

function quotedKey(quoted: string): Step | undefined {
  try {
    const name: unknown = JSON.parse(quoted);
    return typeof name === 'string' && name.isWellFormed() ? { kind: 'key', name } : undefined;
  } catch {
    return undefined;
  }
}

/** The value that a selector selects; undefined where it does not resolve. */
export function select({ segments }: Selector, args: UcanValue): UcanValue | undefined {
  let value = args;
  for (const segment of segments) {
    const next = take(segment, value);
    if (next === undefined && !segment.optional) return undefined;
    value = next ?? null;
  }
  return value;
}

function take(step: Step, value: UcanValue): UcanValue | undefined {
  if (step.kind === 'key') {
    return isUcanMap(value) && Object.hasOwn(value, step.name) ? value[step.name] : undefined;
  }
  if (step.kind === 'values') {
    if (isUcanList(value)) return value;
    return isUcanMap(value) ? Object.values(value) : undefined;
  }
  if (step.kind === 'index') {
    return isUcanList(value) || value instanceof Uint8Array ? value.at(step.at) : undefined;
  }
  const { from, to } = step;
  if (typeof value === 'string') return Array.from(value).slice(from, to).join('');
  return isUcanList(value) || value instanceof Uint8Array ? value.slice(from, to) : undefined;
}

function refuse(text: string): Result<never> {
  const message = `${JSON.stringify(text.slice(0, 100))} is not a selector`;
  return err(fault('ucan-selector', message));
}
