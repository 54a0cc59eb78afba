/**
 * The predicate tree over context attributes (events.md "Filters"), in the shape of the CloudEvents
 * Subscriptions API:
 *
 *   {"exact": {name: text, …}}   {"prefix": {…}}   {"suffix": {…}}     every name must fit
 *   {"all": [filter, …]}   {"any": [filter, …]}   {"not": filter}
 *
 * An attribute that is absent fits nothing. Compiled once into a function.
 */
import { err, ok, type Result } from '../result.ts';

export type Filter = (attributes: Readonly<Record<string, string | undefined>>) => boolean;

/** Levels of nesting, and parts in all; more is refused. */
const maxDepth = 16;
const maxParts = 256;

/** The error says in a few words what is wrong. */
export function compileFilter(value: unknown): Result<Filter, string> {
  const count = { parts: 0 };
  return compile(value, 0, count);
}

function compile(value: unknown, depth: number, count: { parts: number }): Result<Filter, string> {
  count.parts += 1;
  if (depth > maxDepth || count.parts > maxParts) return err('a filter of less parts');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return err(wanted);
  const [entry, ...others] = Object.entries(value);
  if (entry === undefined || others.length > 0) return err(wanted);
  const [dialect, inner]: readonly [string, unknown] = entry;
  switch (dialect) {
    case 'exact':
      return fitting(inner, (found, text) => found === text);
    case 'prefix':
      return fitting(inner, (found, text) => found.startsWith(text));
    case 'suffix':
      return fitting(inner, (found, text) => found.endsWith(text));
    case 'all':
    case 'any': {
      if (!Array.isArray(inner) || inner.length === 0)
        return err(`a list of filters in ${dialect}`);
      const filters: Filter[] = [];
      for (const one of inner) {
        const filter = compile(one, depth + 1, count);
        if (!filter.ok) return filter;
        filters.push(filter.value);
      }
      return ok(
        dialect === 'all'
          ? (attributes) => filters.every((filter) => filter(attributes))
          : (attributes) => filters.some((filter) => filter(attributes)),
      );
    }
    case 'not': {
      const filter = compile(inner, depth + 1, count);
      return filter.ok ? ok((attributes) => !filter.value(attributes)) : filter;
    }
    default:
      return err(wanted);
  }
}

const wanted = 'a filter: exact, prefix, suffix, all, any or not';

function fitting(
  value: unknown,
  fits: (found: string, text: string) => boolean,
): Result<Filter, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return err('names and texts');
  }
  const pairs: (readonly [string, string])[] = [];
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') return err(`a text for ${name}`);
    pairs.push([name, text]);
  }
  if (pairs.length === 0) return err('names and texts');
  return ok((attributes) =>
    pairs.every(([name, text]) => {
      const found = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
      return found !== undefined && fits(found, text);
    }),
  );
}
