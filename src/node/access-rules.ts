/**
 * Rules of config.yaml that answer requests for grants (access.md "Self-service"). The first that fits
 * counts; a request that none fits waits for the operator.
 *
 *   access:
 *     rules:
 *       - when: {all: [{exact: {stream: orders, alias: beta}}, {prefix: {purpose: audit}}]}
 *         answer: accept
 *         for: 30d
 *
 * A filter sees `stream`, `purpose`, `organisation` (the DID of who asks), `alias`, the name that
 * `aliases` gives it, and `renews`: `yes` where a grant that has not ended is to be followed by another.
 * No rule gives again what was taken back. What an organisation calls itself is nobody's word but its own.
 */
import { compileFilter, type Filter } from '../event/filter.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did } from '../types.ts';
import { durationMs } from './duration.ts';

export interface AccessRule {
  readonly when: Filter;
  readonly accept: boolean;
  /** Longest time that is given. */
  readonly maxSeconds?: number;
  /** Of a rejection. */
  readonly reason?: string;
}

const members = new Set(['when', 'answer', 'for', 'reason']);

/** Reads `access.rules`; the error says what a wrong value should have been. */
export function parseRules(value: unknown): Result<readonly AccessRule[], string> {
  if (!Array.isArray(value)) return err('a list of rules');
  const rules: AccessRule[] = [];
  for (const item of value) {
    const rule = parseRule(item);
    if (!rule.ok) return rule;
    rules.push(rule.value);
  }
  return ok(rules);
}

function parseRule(value: unknown): Result<AccessRule, string> {
  if (typeof value !== 'object' || value === null) return err('rules with when and answer');
  const map: Readonly<Record<string, unknown>> = { ...value };
  const unknown = Object.keys(map).find((name) => !members.has(name));
  if (unknown !== undefined) return err(`rules of when, answer, for and reason (not ${unknown})`);
  const { answer, reason } = map;
  const when = compileFilter(map['when']);
  if (!when.ok) return err(`rules whose when is ${when.error}`);
  if (answer !== 'accept' && answer !== 'reject') {
    return err('rules whose answer is accept or reject');
  }
  if (reason !== undefined && typeof reason !== 'string') return err('rules whose reason is text');
  const given = map['for'];
  const ms = typeof given === 'string' ? durationMs(given) : undefined;
  if (given !== undefined && ms === undefined) return err('rules whose for is like 30d or 12h');
  return ok({
    when: when.value,
    accept: answer === 'accept',
    ...(ms === undefined ? {} : { maxSeconds: ms / 1000 }),
    ...(reason === undefined ? {} : { reason }),
  });
}

/** The rule that answers a request; undefined where none fits. */
export function ruleFor(
  rules: readonly AccessRule[],
  request: {
    readonly stream: string;
    readonly purpose: string;
    readonly organisation: Did;
    readonly renews: string;
  },
  aliases: Readonly<Record<string, Did>>,
): AccessRule | undefined {
  const { stream, purpose, organisation } = request;
  const [alias] = Object.keys(aliases)
    .filter((name) => aliases[name] === organisation)
    .toSorted();
  const renews = request.renews === '' ? undefined : 'yes';
  return rules.find(({ when }) => when({ stream, purpose, organisation, alias, renews }));
}
