/**
 * Policies of UCAN delegations (ucan-wg/delegation "Policy"): statements that must all hold for the
 * args of an invocation.
 *
 *   ["==", selector, value]     ["!=", selector, value]     equal over the data model, or not
 *   ["<", selector, integer]    also <= > >=; anything but a number does not hold
 *   ["like", selector, text]    `*` any run of characters, `\*` a star; the whole string
 *   ["and", [statement, …]]     ["or", [statement, …]]      empty ones hold
 *   ["not", statement]
 *   ["all", selector, statement]  ["any", selector, statement]    over items of a list, values of a map
 *
 * Whatever is not in this table is refused when the token is read (`ucan-operator`,
 * `ucan-selector`), so a restriction that we do not understand is never passed over. A statement
 * whose selector does not resolve is undecided, and what is undecided does not hold, under `not`
 * neither: a restriction on data that is missing denies.
 */
import { equal } from '../bytes.ts';
import { fault, type Code } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { encodeUcan, isUcanList, isUcanMap, type UcanValue } from './ucan-cbor.ts';
import { like } from './ucan-like.ts';
import { parseSelector, select, type Selector } from './ucan-selector.ts';

type Equality = '==' | '!=';
type Comparison = '<' | '<=' | '>' | '>=';
export type Statement =
  | { readonly operator: Equality; readonly selector: Selector; readonly value: UcanValue }
  | { readonly operator: Comparison; readonly selector: Selector; readonly value: number }
  | { readonly operator: 'like'; readonly selector: Selector; readonly value: string }
  | { readonly operator: 'and' | 'or'; readonly statements: Policy }
  | { readonly operator: 'not'; readonly statement: Statement }
  | {
      readonly operator: 'all' | 'any';
      readonly selector: Selector;
      readonly statement: Statement;
    };
export type Policy = readonly Statement[];

/** Reads the `pol` field. Codes: `ucan-field` (shape), `ucan-operator`, `ucan-selector`. */
export function parsePolicy(value: UcanValue | undefined): Result<Policy> {
  if (!isUcanList(value)) return refuse('ucan-field', 'a policy is a list of statements');
  const statements: Statement[] = [];
  for (const item of value) {
    const statement = parseStatement(item);
    if (!statement.ok) return statement;
    statements.push(statement.value);
  }
  return ok(statements);
}

function parseStatement(item: UcanValue | undefined): Result<Statement> {
  if (!isUcanList(item)) return refuse('ucan-field', 'a policy statement is a list');
  const [operator, first, second] = item;
  switch (operator) {
    case 'and':
    case 'or': {
      if (item.length !== 2)
        return refuse('ucan-field', `a statement is ["${operator}", [statements]]`);
      const statements = parsePolicy(first);
      return statements.ok ? ok({ operator, statements: statements.value }) : statements;
    }
    case 'not': {
      if (item.length !== 2) return refuse('ucan-field', 'a statement is ["not", statement]');
      const statement = parseStatement(first);
      return statement.ok ? ok({ operator, statement: statement.value }) : statement;
    }
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case 'like':
    case 'all':
    case 'any': {
      if (item.length !== 3 || typeof first !== 'string' || second === undefined) {
        return refuse('ucan-field', `a statement is ["${operator}", selector, …]`);
      }
      const selector = parseSelector(first);
      return selector.ok ? parseSelected(operator, selector.value, second) : selector;
    }
    default:
      return refuse(
        'ucan-operator',
        `the policy operator ${named(operator)} is not one that we know`,
      );
  }
}

function parseSelected(
  operator: Equality | Comparison | 'like' | 'all' | 'any',
  selector: Selector,
  value: UcanValue,
): Result<Statement> {
  if (operator === '==' || operator === '!=') return ok({ operator, selector, value });
  if (operator === 'all' || operator === 'any') {
    const statement = parseStatement(value);
    return statement.ok ? ok({ operator, selector, statement: statement.value }) : statement;
  }
  if (operator === 'like') {
    if (typeof value === 'string') return ok({ operator, selector, value });
    return refuse('ucan-field', 'a pattern of "like" is text');
  }
  if (typeof value === 'number') return ok({ operator, selector, value });
  return refuse('ucan-field', `"${operator}" compares with a number`);
}

/** The `pol` field of a policy; inverse of `parsePolicy`. */
export function policyValue(policy: Policy): UcanValue {
  return policy.map(statementValue);
}

function statementValue(statement: Statement): UcanValue {
  const { operator } = statement;
  if ('statements' in statement) return [operator, policyValue(statement.statements)];
  if (operator === 'not') return [operator, statementValue(statement.statement)];
  const last = 'value' in statement ? statement.value : statementValue(statement.statement);
  return [operator, statement.selector.text, last];
}

/** `["==", ".name", value]`; the name is an identifier. */
export function is(name: string, value: UcanValue): Statement {
  return { operator: '==', selector: memberSelector(name), value };
}

/** `["<=", ".hw.depth", n]` and its like: the path is of identifiers. */
export function atMost(path: string, value: number): Statement {
  return { operator: '<=', selector: memberSelector(path), value };
}

/** `[">=", ".from", n]` and its like: the path is of identifiers. */
export function atLeast(path: string, value: number): Statement {
  return { operator: '>=', selector: memberSelector(path), value };
}

function memberSelector(path: string): Selector {
  const selector = parseSelector(`.${path}`);
  if (!selector.ok) throw new RangeError(selector.error.message);
  return selector.value;
}

/** Whether every statement holds for `args`. */
export function satisfied(policy: Policy, args: UcanValue): boolean {
  return policy.every((statement) => holds(statement, args) === true);
}

/** Undefined: undecided, because something that it speaks of is not there. */
function holds(statement: Statement, args: UcanValue): boolean | undefined {
  switch (statement.operator) {
    case 'and':
      return all(statement.statements.map((one) => holds(one, args)));
    case 'or':
      return (
        statement.statements.length === 0 ||
        any(statement.statements.map((one) => holds(one, args)))
      );
    case 'not': {
      const inner = holds(statement.statement, args);
      return inner === undefined ? undefined : !inner;
    }
    default: {
      const value = select(statement.selector, args);
      return value === undefined ? undefined : holdsFor(statement, value);
    }
  }
}

function holdsFor(
  statement: Extract<Statement, { readonly selector: Selector }>,
  value: UcanValue,
): boolean | undefined {
  switch (statement.operator) {
    case '==':
      return same(value, statement.value);
    case '!=':
      return !same(value, statement.value);
    case 'like':
      return typeof value === 'string' && like(value, statement.value);
    case 'all':
    case 'any': {
      const items = isUcanList(value) ? value : isUcanMap(value) ? Object.values(value) : undefined;
      if (items === undefined) return false;
      const judged = items.map((item) => holds(statement.statement, item));
      return statement.operator === 'all' ? all(judged) : any(judged);
    }
    default:
      return typeof value === 'number' && compares(statement.operator, value, statement.value);
  }
}

function compares(operator: Comparison, value: number, bound: number): boolean {
  if (operator === '<') return value < bound;
  if (operator === '<=') return value <= bound;
  return operator === '>' ? value > bound : value >= bound;
}

function all(judged: readonly (boolean | undefined)[]): boolean | undefined {
  if (judged.includes(false)) return false;
  return judged.includes(undefined) ? undefined : true;
}

function any(judged: readonly (boolean | undefined)[]): boolean | undefined {
  if (judged.includes(true)) return true;
  return judged.includes(undefined) ? undefined : false;
}

/** The value to which a policy fixes `.name` (by `==`, also inside `and`); undefined where it does not. */
export function fixedTo(policy: Policy, name: string): UcanValue | undefined {
  for (const statement of policy) {
    if (statement.operator === 'and') {
      const value = fixedTo(statement.statements, name);
      if (value !== undefined) return value;
    } else if (statement.operator === '==' && statement.selector.text === `.${name}`) {
      return statement.value;
    }
  }
  return undefined;
}

/** The tightest bound that a policy sets to `.path` by `>=` or `<=` (also inside `and`). */
export function boundOf(policy: Policy, operator: '>=' | '<=', path: string): number | undefined {
  let found: number | undefined;
  for (const statement of policy) {
    let bound: number | undefined;
    if (statement.operator === 'and') bound = boundOf(statement.statements, operator, path);
    else if (statement.operator === operator && statement.selector.text === `.${path}`) {
      bound = statement.value;
    }
    if (bound === undefined) continue;
    const tighter = operator === '>=' ? Math.max : Math.min;
    found = found === undefined ? bound : tighter(found, bound);
  }
  return found;
}

/** Canonical encodings are equal exactly when the values are. */
function same(a: UcanValue, b: UcanValue): boolean {
  return a === b || equal(encodeUcan(a), encodeUcan(b));
}

function named(operator: UcanValue | undefined): string {
  return typeof operator === 'string' ? JSON.stringify(operator) : 'without a name';
}

function refuse(code: Code, message: string): Result<never> {
  return err(fault(code, message));
}
