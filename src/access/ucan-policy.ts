/**
 * Policies of UCAN delegations, as far as this release knows them:
 *
 *   ["==", selector, value]      equal over the data model
 *   ["and", [statement, …]]      all hold; an empty one holds
 *   selector                     `.` (all args) or `.name`, `.name.name`, …
 *
 * A policy is a list of statements that must all hold for the args of the invocation. Whatever is
 * not in this table is refused when the token is read (`ucan-operator`, `ucan-selector`), so a
 * restriction that we do not understand can never be passed over. A selector that does not resolve
 * makes its statement false.
 */
import { equal } from '../bytes.ts';
import { fault, type Code } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { encodeUcan, isUcanList, isUcanMap, type UcanValue } from './ucan-cbor.ts';

export type Statement =
  | { readonly operator: '=='; readonly path: readonly string[]; readonly value: UcanValue }
  | { readonly operator: 'and'; readonly statements: Policy };
export type Policy = readonly Statement[];

const selectorPattern = /^\.(?:[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)?$/;

/** The member names that a selector walks; empty for `.`. Other forms: `ucan-selector`. */
export function parseSelector(text: string): Result<readonly string[]> {
  if (!selectorPattern.test(text)) {
    return refuse('ucan-selector', `the selector ${JSON.stringify(text)} is not one that we know`);
  }
  return ok(text === '.' ? [] : text.slice(1).split('.'));
}

/** The value that a path selects; undefined where it does not resolve. Own members only. */
export function select(path: readonly string[], args: UcanValue): UcanValue | undefined {
  let value: UcanValue | undefined = args;
  for (const name of path) {
    if (!isUcanMap(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

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

function parseStatement(item: UcanValue): Result<Statement> {
  if (!isUcanList(item)) return refuse('ucan-field', 'a policy statement is a list');
  const [operator, first, second] = item;
  if (operator === '==') {
    if (item.length !== 3 || typeof first !== 'string' || second === undefined) {
      return refuse('ucan-field', 'a statement is ["==", selector, value]');
    }
    const path = parseSelector(first);
    return path.ok ? ok({ operator, path: path.value, value: second }) : path;
  }
  if (operator === 'and') {
    if (item.length !== 2) return refuse('ucan-field', 'a statement is ["and", [statements]]');
    const statements = parsePolicy(first);
    return statements.ok ? ok({ operator, statements: statements.value }) : statements;
  }
  return refuse('ucan-operator', `the policy operator ${named(operator)} is not one that we know`);
}

/** The `pol` field of a policy; inverse of `parsePolicy`. */
export function policyValue(policy: Policy): UcanValue {
  return policy.map((statement) =>
    statement.operator === '=='
      ? [statement.operator, `.${statement.path.join('.')}`, statement.value]
      : [statement.operator, policyValue(statement.statements)],
  );
}

/** `["==", ".name", value]`. */
export function is(name: string, value: UcanValue): Statement {
  return { operator: '==', path: [name], value };
}

/** Whether every statement holds for `args`. */
export function satisfied(policy: Policy, args: UcanValue): boolean {
  return policy.every((statement) => {
    if (statement.operator === 'and') return satisfied(statement.statements, args);
    const value = select(statement.path, args);
    return value !== undefined && same(value, statement.value);
  });
}

/** The value to which a policy fixes `.name` (by `==`, also inside `and`); undefined where it does not. */
export function fixedTo(policy: Policy, name: string): UcanValue | undefined {
  for (const statement of policy) {
    if (statement.operator === 'and') {
      const value = fixedTo(statement.statements, name);
      if (value !== undefined) return value;
    } else if (statement.path.length === 1 && statement.path[0] === name) {
      return statement.value;
    }
  }
  return undefined;
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
