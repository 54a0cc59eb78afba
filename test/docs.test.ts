import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { controlTypes, type ControlField } from '../scripts/docs/control-maps.ts';
import { formatSources } from '../scripts/docs/formats.ts';
import { readable, unitOf } from '../scripts/docs/limits.ts';
import { commentToMarkdown, declaredMembers, prose, readSource } from '../scripts/docs/markdown.ts';
import { madeElsewhere, referencePages } from '../scripts/docs/pages.ts';
import type { CborMap, CborValue } from '../src/cbor.ts';
import { codes } from '../src/codes.ts';
import { keyspace } from '../src/keyspace.ts';
import { limits, protocol } from '../src/limits.ts';
import { parseControl } from '../src/ledger/control.ts';
import { keys } from '../src/node/config-schema.ts';
import { commandWords } from '../src/node/cli/command.ts';
import { commands } from '../src/node/cli/commands.ts';
import { must, refused } from './support/result.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = new URL('../docs/reference/', import.meta.url);

describe('the reference', () => {
  it('is what the code says: npm run docs', async function () {
    this.timeout(20_000);
    const made = await referencePages();
    const present = readdirSync(folder).filter(
      (name) => name.endsWith('.md') && !madeElsewhere.has(name),
    );
    assert.deepEqual(present.sort(), [...made.keys()].sort());
    for (const [name, text] of made) {
      const stale = readFileSync(new URL(name, folder), 'utf8') !== text;
      assert.ok(!stale, `docs/reference/${name} is stale: npm run docs`);
    }
  });

  it('is the same each time, without a path of this machine', async function () {
    this.timeout(20_000);
    const made = await referencePages();
    assert.deepEqual(await referencePages(), made);
    const text = [...made.values()].join('');
    assert.ok(!text.includes(root) && !text.includes('undefined'), 'a path or a gap');
  });

  it('names every code, limit, table, setting and command', async function () {
    this.timeout(20_000);
    const made = await referencePages();
    const expected: Readonly<Record<string, readonly string[]>> = {
      'errors.md': Object.keys(codes),
      'limits.md': [...Object.keys(protocol), ...Object.keys(limits)],
      'keyspace.md': Object.keys(keyspace),
      'config.md': Object.keys(keys),
      'commands.md': commands.map((spec) => `hw ${commandWords(spec).join(' ')}`),
    };
    for (const [page, names] of Object.entries(expected)) {
      const text = made.get(page) ?? '';
      const missing = names.filter((name) => !text.includes(`\`${name}\``));
      assert.deepEqual(missing, [], page);
    }
  });

  it('draws the format of every codec', () => {
    const codecs = globSync('src/**/*-codec.ts', { cwd: root });
    assert.ok(codecs.length > 4);
    assert.deepEqual(
      codecs.filter((path) => !formatSources.includes(path)),
      [],
    );
  });
});

describe('the map of the code', () => {
  const text = readFileSync(new URL('../docs/ARCHITECTURE.md', import.meta.url), 'utf8');

  it('fits two screens', () => {
    assert.ok(text.split('\n').length - 1 <= 120);
  });

  it('names files and classes that there are', () => {
    const sources = globSync(['src/**/*.ts', 'test/**/*.ts'], { cwd: root });
    const code = sources.map((path) => readFileSync(`${root}/${path}`, 'utf8')).join('');
    const spans = [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
    const files = spans.filter((span) => span.endsWith('.ts') && !span.includes('*'));
    const names = spans.filter((span) => /^(?:[A-Z][a-z]+)+$|^[a-z]+[A-Z]\w+$/.test(span));
    assert.ok(files.length > 8 && names.length > 15);
    const missing = [
      ...files.filter(
        (file) => !sources.some((path) => path === file || path.endsWith(`/${file}`)),
      ),
      ...names.filter(
        (name) => !new RegExp(`(?:class|interface|function|type) ${name}\\b`).test(code),
      ),
    ];
    assert.deepEqual(missing, []);
  });

  it('links to pages that there are', () => {
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)\)/g)) {
      assert.ok(existsSync(new URL(`../docs/${target}`, import.meta.url)), target);
    }
  });
});

/** A value that the parsers take for a field of this name and kind. */
function sampleValue({ name, kind, inner }: ControlField): CborValue {
  const named: Readonly<Record<string, CborValue>> = {
    owner: 'did:key:z6MkmVv592kSDn1Eo1xDCJqfXczuXamSQmAjgK9ijPN6QobX',
    name: 'orders',
    visibility: 'public',
    partitions: 2,
  };
  if (typeof kind === 'number') return new Uint8Array(kind);
  const value = named[name];
  if (value !== undefined) return value;
  if (kind === 'text') return 'text';
  if (kind === 'uint') return 1;
  return kind === 'map' ? sampleMap(inner ?? []) : [];
}

function sampleMap(fields: readonly ControlField[]): Record<string, CborValue> {
  return Object.fromEntries(fields.map((field) => [field.name, sampleValue(field)]));
}

function without(map: CborMap, ...names: readonly string[]): CborMap {
  return Object.fromEntries(Object.entries(map).filter(([name]) => !names.includes(name)));
}

/** What the parser answers where a field of a type is wrong. */
const codeOf: Readonly<Record<string, string>> = {
  genesis: 'genesis-fields',
  rotate: 'rotation-fields',
  recovery: 'recovery-fields',
  epoch: 'epoch-fields',
  redact: 'redact-fields',
};

describe('the table of control records', () => {
  it('has the types that the parser knows', () => {
    const known = [...readSource('src/ledger/control.ts').matchAll(/case '(\w+)':/g)];
    assert.deepEqual(
      known.map((match) => match[1]),
      controlTypes.map(({ type }) => type),
    );
  });

  it('names the fields that the parsers read, and no other', () => {
    const source = readSource('src/ledger/control.ts') + readSource('src/ledger/genesis.ts');
    const pattern = /\.(?:text|bytes|uint|map|bytesList)\('(\w+)'/g;
    const read = new Set([...source.matchAll(pattern)].map((match) => match[1] ?? ''));
    // `created` is read by a helper with its bound, and is in the pattern too.
    const names = (fields: readonly ControlField[]): string[] =>
      fields.flatMap(({ name, inner }) => [name, ...names(inner ?? [])]);
    const listed = new Set(['type', ...controlTypes.flatMap(({ fields }) => names(fields))]);
    assert.deepEqual([...listed].sort(), [...read].sort());
  });

  for (const { type, fields } of controlTypes) {
    const code = codeOf[type] ?? '';
    const whole: CborMap = { type, ...sampleMap(fields) };

    it(`is what the parser takes for ${type}`, () => {
      assert.equal(must(parseControl(whole)).type, type);
      refused(parseControl({ ...whole, other: 1 }), code, 'an unknown field');
    });

    it(`says which fields of ${type} may be left out`, () => {
      // Those whose presence depends on another one are tried with that one.
      const together: Readonly<Record<string, readonly string[]>> = {
        stream: ['stream', 'predecessor', 'recovery'],
        predecessor: ['predecessor', 'recovery'],
        recovery: ['predecessor', 'recovery'],
      };
      for (const { name, optional, kind } of fields) {
        const left = without(whole, ...(together[name] ?? [name]));
        const first = name === 'stream' ? { ...left, partition: 0 } : left;
        if (optional === true) must(parseControl(first), name);
        else refused(parseControl(first), code, name);
        const wrong = typeof kind === 'number' ? new Uint8Array(kind + 1) : null;
        refused(parseControl({ ...whole, [name]: wrong }), code, `${name} of another kind`);
      }
    });

    it(`says what the maps inside ${type} hold`, () => {
      for (const { name, inner = [] } of fields) {
        const map = sampleMap(inner);
        for (const field of inner) {
          const cut = { ...whole, [name]: without(map, field.name) };
          refused(parseControl(cut), code, `${name}.${field.name}`);
        }
        if (inner.length === 0) continue;
        refused(parseControl({ ...whole, [name]: { ...map, other: 1 } }), code, name);
      }
    });
  }
});

describe('the makers of pages', () => {
  it('read members with the comment and section above them', () => {
    const text = [
      'export const table = {',
      '  // first (one)',
      '  /** Of a',
      '   * and b. */',
      '  a: 1,',
      "  'b-c': { d: 2 },",
      '  // second',
      '  /** Of e. */',
      '  e: [',
      "    'x',",
      '  ],',
      '} as const;',
      'export const other = {',
      '  f: 1,',
      '};',
    ].join('\n');
    assert.deepEqual(declaredMembers(text, 'table'), [
      { name: 'a', comment: 'Of a and b.', section: 'first (one)' },
      { name: 'b-c', comment: 'Of a and b.', section: 'first (one)' },
      { name: 'e', comment: 'Of e.', section: 'second' },
    ]);
    assert.throws(() => declaredMembers(text, 'absent'));
  });

  it('keep drawings as they stand and prose as prose', () => {
    const comment = 'A <b> of *c*:\n\n  full  [1, <x>]\n\n    inner\n\nThen `<d>`.';
    assert.deepEqual(commentToMarkdown(comment), [
      'A &lt;b> of \\*c\\*:',
      '',
      '```text',
      'full  [1, <x>]',
      '',
      '  inner',
      '```',
      '',
      'Then `<d>`.',
    ]);
    assert.equal(prose('a `*` * b'), 'a `*` \\* b');
  });

  it('take the unit from the end of a name', () => {
    const units = [
      'drainMs',
      'maxBlockBytes',
      'requestsPerSecond',
      'maxJudgingPerPeer',
      'barScore',
    ];
    assert.deepEqual(units.map(unitOf), ['ms', 'bytes', 'requests per second', 'per peer', '']);
    assert.equal(readable(7_776_000_000, 'ms'), ' (90 d)');
    assert.equal(readable(300_000, 'ms'), ' (5 min)');
    assert.equal(readable(1500, 'ms'), ' (1.5 s)');
    assert.equal(readable(20, 'ms'), '');
    assert.equal(readable(262_144, 'bytes'), ' (256 KiB)');
    assert.equal(readable(65_535, 'bytes'), '');
    assert.equal(readable(1024, 'events'), '');
  });
});
