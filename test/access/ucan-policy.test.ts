import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { CID } from 'multiformats/cid';
import { covers, isCommand } from '../../src/access/ucan-command.ts';
import { encodeUcan, type UcanValue } from '../../src/access/ucan-cbor.ts';
import { fixedTo, is, parsePolicy, policyValue, satisfied } from '../../src/access/ucan-policy.ts';
import { like } from '../../src/access/ucan-like.ts';
import { parseSelector, select } from '../../src/access/ucan-selector.ts';
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

function judge(policy: unknown, data: unknown): boolean {
  return satisfied(value(parsePolicy([fromDagJson(policy)])), fromDagJson(data));
}

function resolved(selector: string, input: unknown): UcanValue | undefined {
  return select(value(parseSelector(selector)), fromDagJson(input));
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
  it('judge the published statements', function () {
    const { cases, disputed } = suite<{
      cases: { policy: unknown; data: unknown; match: boolean }[];
      disputed: { policy: unknown; data: unknown }[];
    }>(this, 'ucan/policy-match.json');
    for (const c of cases) assert.equal(judge(c.policy, c.data), c.match, JSON.stringify(c));
    // Where implementations disagree, what is missing never lets anybody in.
    for (const c of disputed) assert.equal(judge(c.policy, c.data), false, JSON.stringify(c));
    ran('ucan/policy-match.json', cases.length + disputed.length);
  });

  it('hold for the published args', function () {
    interface Group {
      readonly args: unknown;
      readonly policies: unknown[][];
    }
    const file = suite<{ valid: Group[]; invalid: Group[] }>(this, 'ucan/policy.json');
    let judged = 0;
    for (const expected of ['valid', 'invalid'] as const) {
      for (const { args, policies } of file[expected]) {
        for (const policy of policies) {
          const holds = satisfied(value(parsePolicy(fromDagJson(policy))), fromDagJson(args));
          assert.equal(holds, expected === 'valid', JSON.stringify(policy));
          judged += 1;
        }
      }
    }
    ran('ucan/policy.json', judged);
  });

  it('resolve the published selectors', function () {
    const file = suite<{
      agreed: { pass: SelectorCase[]; null: SelectorCase[]; fail: SelectorCase[] };
      derived_from_spec: {
        args: unknown;
        cases: { selector: string; output?: unknown; fail?: boolean }[];
        bytes: SelectorCase;
      };
      syntax_ok: string[];
      syntax_bad: string[];
    }>(this, 'ucan/selectors.json');
    const { pass, null: optional, fail } = file.agreed;
    const { args, cases, bytes } = file.derived_from_spec;
    for (const c of [...pass, bytes]) {
      assert.deepEqual(resolved(c.selector, c.input), fromDagJson(c.output), c.selector);
    }
    for (const c of optional) assert.equal(resolved(c.selector, c.input), null, c.selector);
    for (const c of fail) assert.equal(resolved(c.selector, c.input), undefined, c.selector);
    for (const c of cases) {
      const expected = 'output' in c ? c.output : c.fail === true ? undefined : args;
      assert.deepEqual(resolved(c.selector, args), expected, c.selector);
    }
    for (const text of file.syntax_bad) refused(parseSelector(text), 'ucan-selector');
    for (const text of file.syntax_ok) assert.equal(value(parseSelector(text)).text, text);
    const syntax = file.syntax_ok.length + file.syntax_bad.length;
    const agreed = pass.length + fail.length + optional.length;
    ran('ucan/selectors.json', agreed + cases.length + 1 + syntax);
  });

  it('match the published patterns of "like"', function () {
    const file = suite<Record<string, unknown>>(this, 'ucan/glob.json');
    let judged = 0;
    for (const list of Object.values(file)) {
      if (!Array.isArray(list)) continue;
      for (const c of list as { pattern: string; string: string; match: boolean }[]) {
        assert.equal(like(c.string, c.pattern), c.match, JSON.stringify(c));
        judged += 1;
      }
    }
    assert.ok(judged >= 31);
    ran('ucan/glob.json', judged);
  });

  it('match "like" only where each run has its own place', () => {
    for (const [text, pattern, matches] of [
      ['axbyc', 'a*b*c', true],
      ['ac', 'a*b*c', false],
      ['acb', 'a*b*c', false],
      ['ab', 'ab*b', false],
      ['abb', 'ab*b', true],
      ['aa', 'a*a*a', false],
    ] as const) {
      assert.equal(like(text, pattern), matches, `${text} ${pattern}`);
    }
  });

  it('judge a hostile pattern in a moment', () => {
    const text = 'a'.repeat(8_000);
    assert.equal(like(text, `${'*a'.repeat(2_000)}b`), false);
    assert.equal(like(text, 'a*'.repeat(2_000)), true);
  });

  it('select own members only, so that no selector reaches into the runtime', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      assert.equal(select(value(parseSelector(`.${name}`)), { name: 'orders' }), undefined);
      assert.equal(select(value(parseSelector(`.["${name}"]`)), [1]), undefined);
      assert.equal(satisfied([is(name, null)], {}), false);
    }
    const length = value(parseSelector('.length'));
    assert.equal(select(length, [1, 2]), undefined);
    assert.equal(select(length, 'text'), undefined);
    assert.equal(
      select(
        value(parseSelector('.bytes')),
        CID.parse('bafkreiaqk4czmyeamwjgzjmozpkeqbs2dsfzziaygop3d6kzqc26exv6x4'),
      ),
      undefined,
    );
  });

  it('refuse what is almost a selector', () => {
    const almost = ['.a b', '.a\n', '.a.', '.0', '.ä', 'a', '.a.[0]', '.[:]', '.[1.5]', '.[01a]'];
    const strings = [".['a']", '.["a]', '.["\\x"]', '.["\\ud800"]', '.["a"b]', '?', '.?', '.a?.'];
    for (const text of [...almost, ...strings, '.a'.repeat(33), `.[${'9'.repeat(16)}]`]) {
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
      [['or', 1]],
      [['not']],
      [['not', ['==', '.a', 1], 1]],
      [['<', '.a', '1']],
      [['like', '.a', 1]],
      [['all', '.a', 1]],
      [['any', '.a']],
    ];
    for (const shape of shapes) refused(parsePolicy(shape), 'ucan-field');
    for (const shape of [
      [[]],
      [['===', '.a', 1]],
      [['xor', []]],
      [['not', ['nor', []]]],
      [[1, '.a', 1]],
    ]) {
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
            ['~', '.b', 2],
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
        ['!=', '.other', 1],
        ['<=', '.most', 1],
        ['like', '.alike', 'text'],
        ['or', [['==', '.either', 1]]],
        ['not', ['==', '.not', 1]],
      ]),
    );
    assert.equal(fixedTo(policy, 'name'), 'orders');
    assert.equal(fixedTo(policy, 'partition'), 0);
    const others = ['other', 'most', 'alike', 'either', 'not'];
    for (const open of ['a', 'b', 'whole', 'missing', ...others])
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
