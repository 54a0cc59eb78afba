/**
 * The rules for context attributes (CloudEvents 1.0.2 "Context Attributes"; events.md; FACTS.md
 * section 3), one table for JSON and HTTP alike.
 */
import { fault, type Code, type Fault, type Place } from '../errors.ts';
import { parseReferences } from '../ids.ts';
import { err, never, ok, type Result } from '../result.ts';
import { rfc3339ToMs } from '../time.ts';
import type { AttributeValue } from '../types.ts';
import { parseActivity } from './activity.ts';
import { canonicalBytes, isCanonical, type ValueFault } from './canonical.ts';
import { shown } from './text-place.ts';
import { isMediaType, isUri, isUriReference } from './text-rules.ts';

type Rule =
  'version' | 'text' | 'uri-reference' | 'uri' | 'media-type' | 'time' | 'references' | 'activity';

const coreRules = new Map<string, Rule>([
  ['specversion', 'version'],
  ['id', 'text'],
  ['source', 'uri-reference'],
  ['type', 'text'],
  ['datacontenttype', 'media-type'],
  ['dataschema', 'uri'],
  ['subject', 'text'],
  ['time', 'time'],
  // Chooses the partition, so it is judged like the core ones.
  ['partitionkey', 'text'],
]);

/**
 * Extensions that events.md names. Judged where an event comes in and not by replicas: the format
 * leaves extensions to their producers, and peers of another version must not disagree over them.
 */
const extensionRules = new Map<string, Rule>([
  ['sequence', 'text'],
  ['recordedtime', 'time'],
  ['expirytime', 'time'],
  ['correlationid', 'text'],
  ['causationid', 'text'],
  ['traceparent', 'text'],
  ['tracestate', 'text'],
  ['dataref', 'uri-reference'],
  ['hwparents', 'references'],
  ['hwactivity', 'activity'],
]);

const required = ['specversion', 'id', 'source', 'type'] as const;

/** How strictly extensions are read: at ingest with the rules above, by a replica without. */
type Strictness = 'ingest' | 'replica';

// Names are sliced out of texts; one object per name makes the look-ups below cheap.
const seenNames = new Map<string, string>();
const maxSeenNames = 1024;

/** The same string, as one object for each name that is in use; the table is small and then reset. */
export function internName(name: string): string {
  const seen = seenNames.get(name);
  if (seen !== undefined) return seen;
  if (name.length > 64) return name;
  if (seenNames.size >= maxSeenNames) seenNames.clear();
  seenNames.set(name, name);
  return name;
}

/** Attributes as they are collected: values by name, and the names in the order they came in. */
export class AttributeSet {
  readonly context: Record<string, AttributeValue> = {};
  readonly names: string[] = [];

  /** False if the name is there already. */
  add(name: string, value: AttributeValue): boolean {
    if (this.has(name)) return false;
    this.context[name] = value;
    this.names.push(name);
    return true;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.context, name);
  }

  get(name: string): string | undefined {
    const value = this.has(name) ? this.context[name] : undefined;
    return typeof value === 'string' ? value : undefined;
  }
}

/** Says where an attribute stands in what was read. */
export type Locate = (name: string) => Place;

/**
 * The canonical bytes of a set that keeps every rule. Codes: `attribute-missing`, `attribute-name`,
 * `attribute-reserved`, `attribute-type`, `attribute-empty`, `attribute-specversion`,
 * `attribute-uri`, `attribute-media-type`, `attribute-time`, `attribute-integer`,
 * `attribute-control-character`, `attribute-noncharacter`, `lone-surrogate`, and of ours
 * `bad-reference`, `bad-logid`, `bad-base32`, `parents-over-limit`, `integer-too-large`,
 * `activity-form`.
 */
export function checkAttributes(set: AttributeSet, locate: Locate): Result<Uint8Array> {
  const broken = ruleFault(set, locate, 'ingest');
  if (broken !== undefined) return err(broken);
  const { context, names } = set;
  const attributes = canonicalBytes(names, (name) => context[name] ?? '');
  return attributes instanceof Uint8Array ? ok(attributes) : err(valueFault(attributes, locate));
}

/**
 * Whether `bytes` are the canonical form of a set that keeps the rules of a replica; with `plain`
 * that was seen before (canonical.ts). Codes as above, and `event-invalid` where the rules are kept but the bytes are not canonical.
 */
export function checkCanonical(
  set: AttributeSet,
  locate: Locate,
  bytes: Uint8Array,
  plain: boolean,
): Fault | undefined {
  const broken = ruleFault(set, locate, 'replica');
  if (broken !== undefined || plain) return broken;
  const { context, names } = set;
  const canonical = isCanonical(names, (name) => context[name] ?? '', bytes);
  if (canonical === true) return undefined;
  if (canonical !== false) return valueFault(canonical, locate);
  return fault('event-invalid', 'the attributes are not RFC 8785 canonical JSON');
}

function ruleFault(set: AttributeSet, locate: Locate, strictness: Strictness): Fault | undefined {
  const { context, names } = set;
  for (const name of names) {
    const problem = checkOne(name, context[name] ?? '', strictness);
    if (problem !== undefined) return fault(problem.code, problem.message, locate(name));
  }
  for (const name of required) {
    if (!set.has(name)) return fault('attribute-missing', `${name} is required`, locate(name));
  }
  return undefined;
}

function valueFault({ name, code }: ValueFault, locate: Locate): Fault {
  const message = `${shown(name)} holds ${valueMessages[code] ?? 'a bad character'}`;
  return fault(code, message, locate(name));
}

const valueMessages: { readonly [code in Code]?: string } = {
  'lone-surrogate': 'a surrogate without its pair',
  'attribute-control-character': 'a control character (U+0000-001F, U+007F-009F)',
  'attribute-noncharacter': 'a Unicode noncharacter',
};

interface Problem {
  readonly code: Code;
  readonly message: string;
}

function checkOne(
  name: string,
  value: AttributeValue,
  strictness: Strictness,
): Problem | undefined {
  const rule = coreRules.get(name) ?? extensionRule(name, strictness);
  if (rule !== undefined) {
    if (typeof value !== 'string')
      return { code: 'attribute-type', message: `${name} is a string` };
    return checkText(name, value, rule);
  }
  const problem = nameProblem(name);
  if (problem !== undefined) return problem;
  if (typeof value === 'number' && !isInt32(value)) {
    return {
      code: 'attribute-integer',
      message: `${shown(name)} does not fit a signed 32-bit integer`,
    };
  }
  return undefined;
}

function extensionRule(name: string, strictness: Strictness): Rule | undefined {
  return strictness === 'ingest' ? extensionRules.get(name) : undefined;
}

/** What is wrong with an attribute's name: `attribute-name` or `attribute-reserved`. */
function nameProblem(name: string): Problem | undefined {
  if (!/^[a-z0-9]+$/.test(name)) {
    const message = `the name ${JSON.stringify(shown(name))} is not lower-case ASCII letters and digits`;
    return { code: 'attribute-name', message };
  }
  if (name === 'data') return { code: 'attribute-name', message: 'the name data is reserved' };
  if (name !== 'hwref') return undefined;
  return { code: 'attribute-reserved', message: 'hwref is set on delivery and never accepted' };
}

function isInt32(value: number): boolean {
  return (value | 0) === value && !Object.is(value, -0);
}

function checkText(name: string, value: string, rule: Rule): Problem | undefined {
  switch (rule) {
    case 'version':
      if (value === '1.0') return undefined;
      return { code: 'attribute-specversion', message: 'specversion is not 1.0' };
    case 'time':
      if (rfc3339ToMs(value) !== undefined) return undefined;
      return { code: 'attribute-time', message: `${name} is not an RFC 3339 time with its zone` };
    case 'text':
      return value === '' ? emptyProblem(name) : undefined;
    case 'uri-reference':
      if (isUriReference(value)) return undefined;
      return value === '' ? emptyProblem(name) : uriProblem(name, 'a URI-reference');
    case 'uri':
      if (isUri(value)) return undefined;
      return value === '' ? emptyProblem(name) : uriProblem(name, 'an absolute URI');
    case 'media-type':
      if (isMediaType(value)) return undefined;
      if (value === '') return emptyProblem(name);
      return { code: 'attribute-media-type', message: `${name} is not a media type` };
    case 'references':
      return problemOf(name, parseReferences(value));
    case 'activity':
      return problemOf(name, parseActivity(value));
    default:
      return never(rule);
  }
}

function problemOf(name: string, parsed: Result<unknown>): Problem | undefined {
  if (parsed.ok) return undefined;
  return { code: parsed.error.code, message: `${name}: ${parsed.error.message}` };
}

function emptyProblem(name: string): Problem {
  return { code: 'attribute-empty', message: `${name} is empty` };
}

function uriProblem(name: string, what: string): Problem {
  return { code: 'attribute-uri', message: `${name} is not ${what} (RFC 3986)` };
}
