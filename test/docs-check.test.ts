import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { parseBlocks, parseOptions } from '../scripts/docs-check/blocks.ts';
import { checkPage, type BlockReport } from '../scripts/docs-check/check.ts';
import { compareOutput, linesOf, shapeOf, withIdsOfThisRun } from '../scripts/docs-check/shape.ts';

const sample = new URL('./support/docs-check/sample.md', import.meta.url);
const did = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
const otherDid = 'did:key:z6MkmVv592kSDn1Eo1xDCJqfXczuXamSQmAjgK9ijPN6QobX';

function fits(shown: string, printed: string): boolean {
  return compareOutput(linesOf(shown), linesOf(printed)).difference === undefined;
}

async function reports(markdown: string, signal?: AbortSignal): Promise<readonly BlockReport[]> {
  const found: BlockReport[] = [];
  for await (const report of checkPage('page.md', markdown, signal)) found.push(report);
  return found;
}

/** A page of one console block. */
function consolePage(lines: readonly string[], annotation = ''): string {
  const remark = annotation === '' ? '' : `<!-- docs-check: ${annotation} -->\n`;
  return `${remark}\`\`\`console\n${lines.join('\n')}\n\`\`\`\n`;
}

describe('the command blocks of a page', () => {
  it('are found with their line, commands, output and annotation', () => {
    const page = [
      'Text.',
      '<!-- docs-check: home=beta exit=3 timeout=5 -->',
      '',
      '```console',
      '$ one \\',
      '  two',
      'printed',
      '',
      '$ cat <<END',
      '> three',
      '> END',
      '^C',
      '```',
      '```json',
      '{}',
      '```',
      '- item',
      '  ```sh',
      '  four',
      '  ```',
    ].join('\n');
    const [first, second, ...others] = parseBlocks(page);
    assert.equal(others.length, 0);
    assert.equal(first?.line, 4);
    assert.deepEqual(first?.commands, [
      { text: 'one \\\n  two', shown: ['printed'], interrupt: false },
      { text: 'cat <<END\nthree\nEND', shown: [], interrupt: true },
    ]);
    const { home, exit, timeoutMs } = first?.options ?? {};
    assert.deepEqual([home, exit, timeoutMs], ['beta', 3, 5000]);
    assert.equal(second?.line, 18);
    assert.deepEqual(second?.commands[0]?.text, 'set -e\nfour');
  });

  it('need a reason to be skipped, and known words otherwise', () => {
    assert.equal(parseOptions('skip'), 'skip without a reason');
    assert.equal(parseOptions('exti=3'), 'docs-check does not know exti=3');
    assert.equal(parseOptions('exit=x'), 'docs-check does not know exit=x');
    const skipped = parseOptions('skip: installs');
    assert.equal(typeof skipped === 'string' ? skipped : skipped.skip, 'installs');
  });

  it('lose an annotation to the text in between', () => {
    const page = '<!-- docs-check: exit=3 -->\nText.\n\n```sh\nx\n```\n';
    assert.equal(parseBlocks(page)[0]?.options.exit, 0);
  });
});

describe('the shape of an output', () => {
  it('puts away what differs between runs, and nothing else', () => {
    const cases: readonly (readonly [string, string])[] = [
      [`owner ${did}`, 'owner <did>'],
      ['peer 12D3KooWGYFQ…', 'peer <peer>'],
      ['log bafkreiaqk4czmyeamwjgzjmozpkeqbs2dsfzziaygop3d6kzqc26exv6x4', 'log <log>'],
      ['hw:bafkreiaqk4…v6x4/12', 'hw:<log>/<number>'],
      ['hwnet:pGd2_-x', '<invite>'],
      ['/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWGYFQ', '<address>'],
      ['http://127.0.0.1:8080/streams/acme/orders', '<url>/streams/acme/orders'],
      ['at 2026-01-31T12:00:00.123Z', 'at <time>'],
      ['/tmp/hw-docs-1/beta/run/node.log', '<path>'],
      [
        'published 1,707 events in 0.2 s (12,000/s)',
        'published <number> events in <duration> (<number>/s)',
      ],
      ['store   1.2 MB,  up 3 min', 'store <size>, up <duration>'],
      ['headwater 0.1.0', 'headwater <version>'],
      ['{"size":12,"ok":true}', '{"size":<number>,"ok":true}'],
      ['root 3f1f6eb4d70cf5454eed2a3018dd8cf9', 'root <hex>'],
      ['acme/orders is intact', 'acme/orders is intact'],
    ];
    for (const [line, shape] of cases) assert.equal(shapeOf(line).text, shape);
  });

  it('tells another word, a missing and an additional line apart', () => {
    assert.ok(fits('intact  3 events\n\n12 blocks', 'intact 1,000 events\n1 blocks'));
    assert.ok(!fits('intact', 'broken'));
    assert.ok(!fits('one', 'one\ntwo'));
    assert.ok(!fits('one\ntwo', 'one'));
    assert.deepEqual(compareOutput(['a 1', 'b', 'c'], ['a 2', 'x', 'c']).difference, {
      shown: 'b',
      printed: 'x',
    });
  });

  it('takes … for the rest of a line, or for lines', () => {
    assert.ok(fits('error: no node … [down]', 'error: no node runs on /tmp/x [down]'));
    assert.ok(fits('a\n…\nz', 'a\nb\nc\nz') && fits('a\n...\nz', 'a\nz'));
    assert.ok(!fits('a\n…\nz', 'a\nb') && !fits('no … here', 'no one there'));
  });

  it('fits itself, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 6 }),
        (lines) => {
          const output = linesOf(lines.join('\n')).filter((line) => !line.includes('…'));
          assert.equal(compareOutput(output, output).difference, undefined);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('carries the ids of this run into later commands', () => {
    const { renamed } = compareOutput(
      [`owner ${did}, log bafkreiaaa…`],
      [`owner ${otherDid}, log bafkreibbb`],
    );
    assert.equal(withIdsOfThisRun(`accept ${did}`, renamed, ''), `accept ${otherDid}`);
    assert.equal(withIdsOfThisRun('prove hw:bafkreiaaa…/3', renamed, ''), 'prove hw:bafkreibbb/3');
    const printed = 'hwnet:old\n{"invite":"hwnet:new_-1"}';
    assert.equal(withIdsOfThisRun('hw join hwnet:…', new Map(), printed), 'hw join hwnet:new_-1');
    assert.equal(withIdsOfThisRun('hw join hwnet:…', new Map(), 'nothing'), undefined);
  });
});

describe('the check of a page', function () {
  this.timeout(60_000);

  it('passes the sample, in which every convention is used', async () => {
    const found = await reports(readFileSync(sample, 'utf8'));
    const failures = found.filter(({ verdict }) => verdict === 'failed');
    assert.deepEqual(
      failures.flatMap(({ place, details }) => [place, ...details]),
      [],
    );
    assert.equal(found.filter(({ verdict }) => verdict === 'skipped').length, 1);
    assert.equal(found.length, 9);
    assert.equal(found[0]?.what, 'installs the clone, which has been done');
  });

  it('fails where output, exit code or annotation are not as shown', async () => {
    const pages: readonly (readonly [string, RegExp])[] = [
      [consolePage(['$ echo two', 'one']), /^shown: {3}one$/],
      [consolePage(['$ echo one; exit 4', 'one']), /exit code 4 instead of 0/],
      [consolePage(['$ true'], 'exit=4'), /exit code 0 instead of 4/],
      [consolePage(['$ true'], 'nothing=4'), /does not know nothing=4/],
      [consolePage(['one']), /begins with a command/],
      [consolePage(['$ npx other-tool'], ''), /exit code 2/],
      [consolePage(['$ echo id-…']), /nothing printed so far/],
      ['```sh\nfalse\ntrue\n```\n', /exit code 1/],
    ];
    for (const [page, reason] of pages) {
      const [report] = await reports(page);
      assert.equal(report?.verdict, 'failed', page);
      assert.ok(
        report.details.some((line) => reason.test(line)),
        report.details.join('\n'),
      );
    }
  });

  it('stops a command that takes too long, and all that was left behind', async function () {
    if (!existsSync('/proc/self/environ')) this.skip();
    const mark = 'sleep 86399.5';
    const page = consolePage([`$ setsid ${mark} & disown`, `$ ${mark}`], 'timeout=1');
    const [report] = await reports(page);
    assert.match(report?.details.join('\n') ?? '', /not done \(limit 1 s\)/);
    const left = readdirSync('/proc').filter(
      (pid) => /^\d+$/.test(pid) && commandLine(pid).includes(mark),
    );
    assert.deepEqual(left, []);
    assert.ok(!readdirSync(tmpdir()).some((name) => report?.details.join('').includes(name)));
  });

  it('ends early when it is told to, without running the rest', async () => {
    const abort = new AbortController();
    const page = consolePage(['$ sleep 86399']) + consolePage(['$ true']);
    const running = reports(page, abort.signal);
    setTimeout(() => abort.abort(), 100);
    const found = await running;
    assert.equal(found.length, 1);
    assert.equal(found[0]?.verdict, 'failed');
  });

  it('begins anew where the page says so', async () => {
    const page = `${consolePage(['$ touch here'])}${consolePage(['$ test ! -e here'], 'fresh')}`;
    const found = await reports(page);
    assert.deepEqual(
      found.map(({ verdict }) => verdict),
      ['passed', 'passed'],
    );
  });
});

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // it ended while we looked
  }
}
