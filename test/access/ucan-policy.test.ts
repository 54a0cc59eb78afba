import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { CID } from 'multiformats/cid';
import { covers, isCommand } from '../../src/access/ucan-command.ts';
import { encodeUcan, type UcanValue } from '../../src/access/ucan-cbor.ts';
import {
  fixedTo,
  is,
  parsePolicy,
  parseSelector,
  policyValue,
  satisfied,
  select,
} from '../../src/access/ucan-policy.ts';
import { ran, suite } from '../support/vectors.ts';
import { refused, value } from './tokens.ts';

/** DAG-JSON as the suites write it: {"/": cid} and {"/": {"bytes": base64}}. */
function fromDagJson(json: unknown): UcanValue {
  if (Array.isArray(json)) return json.map(fromDagJson);
  if (typeof json !== 'object' || json === null) return json as UcanValue;
  const special = (json as Record<string, unknown>)['/'];
  if (typeof special === 'string') return CID.parse(special);
  if (special !== undefined) {
    return new Uint8Array(Buffer.from((special as { bytes: string }).bytes, 'base64'));
  }
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, fromDagJson(item)]));
}

const supported = /^\.(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?$/;

/** Why this release refuses a statement of the suite, if it does. */
function unsupported(statement: unknown): string | undefined {
  const [operator, first] = statement as [string, unknown];
  if (operator === '==') return supported.test(String(first)) ? undefined : 'ucan-selector';
  if (operator !== 'and') return 'ucan-operator';
  return (first as unknown[]).map(unsupported).find((code) => code !== undefined);
}

interface SelectorCase {
  readonly selector: string;
  readonly input: unknown;
  readonly output?: unknown;
}

describe('commands of tokens', () => {
  it('are read and cover each other as in the published cases', function () {
    const cases = suite<{
      valid: string[];
      invalid: { command: string }[];
      covers: { proof: string; claim: string; covers: boolean }[];
    }>(this, 'ucan/commands.json');
    for (const command of cases.valid) assert.ok(isCommand(command), command);
    for (const { command } of cases.invalid) assert.ok(!isCommand(command), command);
    for (const c of cases.covers) assert.equal(covers(c.proof, c.claim), c.covers, c.claim);
    ran('ucan/commands.json', cases.valid.length + cases.invalid.length + cases.covers.length);
  });
});

describe('policies of tokens', () => {
  it('judge the published statements of == and "and", and refuse every other operator', function () {
    const { cases, disputed } = suite<{
      cases: { policy: unknown; data: unknown; match: boolean }[];
      disputed: { policy: unknown }[];
    }>(this, 'ucan/policy-match.json');
    let judged = 0;
    for (const c of cases) {
      const policy = parsePolicy([fromDagJson(c.policy)]);
      const code = unsupported(c.policy);
      if (code === undefined) {
        assert.equal(satisfied(value(policy), fromDagJson(c.data)), c.match, JSON.stringify(c));
        judged += 1;
      } else refused(policy, code);
    }
    assert.equal(judged, 29);
    for (const c of disputed) {
      const policy = parsePolicy([fromDagJson(c.policy)]);
      assert.ok(!policy.ok && /^ucan-(?:operator|selector)$/.test(policy.error.code));
    }
    ran('ucan/policy-match.json', cases.length + disputed.length);
  });

  it('resolve the published selectors of the form .name and refuse every other form', function () {
    const file = suite<{
      agreed: { pass: SelectorCase[]; null: SelectorCase[]; fail: SelectorCase[] };
      syntax_ok: string[];
      syntax_bad: string[];
    }>(this, 'ucan/selectors.json');
    const { pass, null: optional, fail } = file.agreed;
    let resolved = 0;
    for (const c of [...pass, ...fail, ...optional]) {
      const path = parseSelector(c.selector);
      if (!supported.test(c.selector)) {
        refused(path, 'ucan-selector');
        continue;
      }
      resolved += 1;
      const found = select(value(path), fromDagJson(c.input));
      assert.deepEqual(found, 'output' in c ? fromDagJson(c.output) : undefined, c.selector);
    }
    assert.equal(resolved, 6);
    for (const text of file.syntax_bad) refused(parseSelector(text), 'ucan-selector');
    const read = file.syntax_ok.filter((text) => parseSelector(text).ok);
    assert.deepEqual(read, ['.', '.foo', '.bar0_']);
    const syntax = file.syntax_ok.length + file.syntax_bad.length;
    ran('ucan/selectors.json', pass.length + fail.length + optional.length + syntax);
  });

  it('select own members only, so that no selector reaches into the runtime', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      assert.equal(select([name], { name: 'orders' }), undefined);
      assert.equal(satisfied([is(name, null)], {}), false);
    }
    assert.equal(select(['length'], [1, 2]), undefined);
    assert.equal(select(['length'], 'text'), undefined);
    assert.equal(
      select(['bytes'], CID.parse('bafkreiaqk4czmyeamwjgzjmozpkeqbs2dsfzziaygop3d6kzqc26exv6x4')),
      undefined,
    );
  });

  it('refuse selectors that try to say more than a name', () => {
    for (const text of [
      '.a b',
      '.a\n',
      '.a..b',
      '.a.',
      '.a?',
      '.["a"]',
      '.0',
      '.ä',
      '.a[0]',
      'a',
    ]) {
      refused(parseSelector(text), 'ucan-selector');
    }
  });

  it('refuse statements of another shape', () => {
    const shapes: UcanValue[] = [
      null,
      {},
      'text',
      [null],
      [['==']],
      [['==', '.a']],
      [['==', '.a', 1, 2]],
      [['==', 1, 1]],
      [['and']],
      [['and', {}]],
      [['and', [], []]],
      [['and', [['==', '.a']]]],
    ];
    for (const shape of shapes) refused(parsePolicy(shape), 'ucan-field');
    for (const shape of [[[]], [['===', '.a', 1]], [['or', []]], [[1, '.a', 1]]]) {
      refused(parsePolicy(shape), 'ucan-operator');
    }
  });

  it('refuse an unknown operator also where a statement before it fails', () => {
    refused(
      parsePolicy([
        [
          'and',
          [
            ['==', '.a', 1],
            ['!=', '.b', 2],
          ],
        ],
      ]),
      'ucan-operator',
    );
  });

  it('tell what they fix, also inside "and", and nothing else', () => {
    const policy = value(
      parsePolicy([
        ['==', '.a.b', 1],
        [
          'and',
          [
            ['==', '.partition', 0],
            ['==', '.name', 'orders'],
          ],
        ],
        ['==', '.', { whole: true }],
      ]),
    );
    assert.equal(fixedTo(policy, 'name'), 'orders');
    assert.equal(fixedTo(policy, 'partition'), 0);
    for (const open of ['a', 'b', 'whole', 'missing'])
      assert.equal(fixedTo(policy, open), undefined);
  });

  const scalar = fc.oneof(fc.string(), fc.maxSafeInteger(), fc.boolean(), fc.constant(null));
  const { tree } = fc.letrec<{ tree: UcanValue }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      scalar,
      fc.uint8Array({ maxLength: 8 }),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc
        .dictionary(fc.stringMatching(/^[a-z]{1,4}$/), tie('tree'), { maxKeys: 3 })
        .map((d) => ({ ...d })),
    ),
  }));

  it('hold for a value exactly when it is the same value', () => {
    fc.assert(
      fc.property(tree, tree, (a, b) => {
        assert.ok(satisfied([is('x', a)], { x: structuredClone(a) }));
        const equal = Buffer.compare(encodeUcan(a), encodeUcan(b)) === 0;
        assert.equal(satisfied([is('x', a)], { x: b }), equal);
      }),
    );
  });

  it('never throw on any value, and give it back when they read it', () => {
    const statement = fc.oneof(
      tree,
      fc.tuple(fc.constant('=='), fc.constantFrom('.', '.a', '.a.b'), tree),
      fc.tuple(fc.constant('and'), fc.array(fc.tuple(fc.constant('=='), fc.constant('.z'), tree))),
    );
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 3 }), (list) => {
        const policy = parsePolicy(list);
        if (!policy.ok) assert.match(policy.error.code, /^ucan-(?:field|operator|selector)$/);
        else assert.deepEqual(policyValue(policy.value), list);
      }),
    );
  });
});
