/**
 * `hwactivity`: what made the event (events.md "Lineage"). Either a flow's declaration, or a
 * program as its operator states it; signed with the event, so it is the producer's word.
 *
 *   hw:<logId>/<index>
 *   program [version] [digest] [operator]      single spaces between
 *
 * What stands behind the program is told apart by its form, and each comes at most once, in this
 * order: a version (anything else), a digest of the source (`sha256:` or `sha512:` and hex), the
 * DID of who runs it.
 */
import { fault } from '../errors.ts';
import { parseDid, parseReference, type Reference } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did } from '../types.ts';

export interface StatedActivity {
  readonly kind: 'stated';
  readonly program: string;
  readonly version?: string;
  /** `sha256:` or `sha512:` and lower-case hex. */
  readonly digest?: string;
  readonly operator?: Did;
}

export interface DeclaredActivity {
  readonly kind: 'declared';
  /** One entry: the declaration of a flow. */
  readonly reference: Reference;
}

export type Activity = DeclaredActivity | StatedActivity;

const maxLength = 1024;
const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Codes: activity-form, and those of `parseReference` and `parseDid`. */
export function parseActivity(text: string): Result<Activity> {
  if (text.length > maxLength) return refuse(`it is longer than ${maxLength} characters`);
  if (text.startsWith('hw:')) return declared(text);
  const [program = '', ...rest] = text.split(' ');
  if (program === '' || rest.includes('')) return refuse('words stand with single spaces between');
  const last = rest.at(-1);
  const operator = last?.startsWith('did:') === true ? parseDid(last) : undefined;
  if (operator?.ok === false) return operator;
  if (operator !== undefined) rest.pop();
  const digest = /^sha\d+:/.test(rest.at(-1) ?? '') ? rest.pop() : undefined;
  if (digest !== undefined && !digestPattern.test(digest)) {
    return refuse('a digest is sha256: or sha512: and lower-case hex');
  }
  const [version, ...more] = rest;
  if (more.length > 0 || version?.startsWith('did:') === true) {
    return refuse('behind the program stand version, digest and operator, each at most once');
  }
  return ok({
    kind: 'stated',
    program,
    ...(version === undefined ? {} : { version }),
    ...(digest === undefined ? {} : { digest }),
    ...(operator === undefined ? {} : { operator: operator.value }),
  });
}

function declared(text: string): Result<Activity> {
  const reference = parseReference(text);
  if (!reference.ok) return reference;
  const { from, to, hash } = reference.value;
  if (to !== from + 1 || hash !== undefined) return refuse('a declaration is one entry');
  return ok({ kind: 'declared', reference: reference.value });
}

function refuse(message: string): Result<never> {
  return err(fault('activity-form', message));
}
