/** Audit bundles that were changed: with a last line that fits again, so that the hash does not help. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  bundleText,
  closed,
  cosign,
  inputsLog,
  ledgerOf,
  opened,
  packed,
  parentIn,
  sumsLog,
  verifyText,
  oneChunk,
} from '../../scripts/vectors/bundle-logs.ts';
import { EvidenceLog, evidenceEnv, namedEvent } from '../../scripts/vectors/evidence-log.ts';
import { concat, fromBase64, toBase64, utf8 } from '../../src/bytes.ts';
import { encodeParents } from '../../src/ledger/leaf.ts';
import { HeadwaterError } from '../../src/errors.ts';
import { bundleTextLines } from '../../src/ledger/bundle-gzip.ts';
import { verifyBundle } from '../../src/ledger/verify-bundle.ts';
import { inflateRaw } from '../../src/node/inflate.ts';

interface Golden {
  readonly valid: readonly { readonly how: string; readonly lines: readonly string[] }[];
}
const golden: Golden = JSON.parse(
  readFileSync(new URL('../vectors/bundle.json', import.meta.url), 'utf8'),
);

function linesOf(how: string): readonly string[] {
  const found = golden.valid.find((one) => one.how === how);
  assert.ok(found, how);
  return found.lines.slice(0, -1);
}

function text(lines: readonly string[]): string {
  return closed(lines.map((line) => `${line}\n`).join(''));
}

async function codeOf(lines: readonly string[]): Promise<string> {
  const report = await verifyText(text(lines));
  return report.reasons[0]?.code ?? report.verdict;
}

/** A file that must not be taken for whole; says how it was. */
async function notIntact(lines: string | Uint8Array, what: string): Promise<string> {
  const report = await verifyText(lines);
  assert.notEqual(report.verdict, 'intact', what);
  assert.ok(report.reasons.length > 0, what);
  return report.verdict;
}

type Value = string | number | null | readonly Value[] | { readonly [name: string]: Value };

/** Every value in a line changed by itself, in several ways. */
function* changes(value: Value): Generator<Value> {
  if (value === null) {
    yield '';
    yield 'AA==';
  } else if (typeof value === 'number') {
    yield value + 1;
    if (value > 0) yield value - 1;
    yield value + 0.5;
  } else if (typeof value === 'string') {
    yield null;
    yield `${value} `;
    yield value.slice(0, -1);
    const bytes = fromBase64(value);
    if (bytes.ok && value.length >= 4) {
      for (const at of [0, bytes.value.length >> 1, bytes.value.length - 1]) {
        yield toBase64(bytes.value.with(at, (bytes.value[at] ?? 0) ^ 1));
      }
      yield toBase64(bytes.value.slice(1));
      yield toBase64(concat(bytes.value, Uint8Array.of(0)));
    } else {
      const at = value.length >> 1;
      yield `${value.slice(0, at)}${value[at] === '1' ? '2' : '1'}${value.slice(at + 1)}`;
    }
  } else if (Array.isArray(value)) {
    const list: readonly Value[] = value;
    yield [
      ...list,
      ...list.slice(0, 1),
      ...(list.length === 0 ? [toBase64(new Uint8Array(32))] : []),
    ];
    if (list.length > 0) yield list.slice(1);
    if (list.length > 1) yield list.toReversed();
    for (const [i, item] of list.entries())
      for (const one of changes(item)) yield list.with(i, one);
  } else {
    const entries = Object.entries(value);
    for (const [i, [name, item]] of entries.entries()) {
      for (const one of changes(item)) yield Object.fromEntries(entries.with(i, [name, one]));
      yield Object.fromEntries(entries.toSpliced(i, 1));
    }
    yield Object.fromEntries([...entries, ['more', 1]]);
  }
}

/** Bytes without end: what is too much is told by their number alone. */
async function* bomb(): AsyncGenerator<Uint8Array> {
  const lines = new Uint8Array(1_048_576).fill(0x41).fill(10, 524_288, 524_289).fill(10, -1);
  for (let i = 0; i < 2000; i++) yield lines;
}

function at(lines: readonly string[], kind: string): number {
  return lines.findIndex((line) => line.startsWith(`{"kind":"${kind}"`));
}

describe('an audit bundle that was changed', () => {
  for (const how of [
    'blocks behind a rotation',
    'inputs of inputs',
    'a stream with its inputs',
    'an older checkpoint cosigned',
  ]) {
    it(`never verifies with a value replaced: ${how}`, async function () {
      this.timeout(60_000);
      const lines = linesOf(how);
      let count = 0;
      for (const [i, line] of lines.entries()) {
        const value: Value = JSON.parse(line);
        for (const changed of changes(value)) {
          const other = JSON.stringify(changed);
          if (other === line) continue;
          count += 1;
          await notIntact(text(lines.with(i, other)), `line ${i}: ${other.slice(0, 300)}`);
        }
      }
      assert.ok(count > 100, String(count));
    });
  }

  it('never verifies with a byte flipped, even where the hash over the lines is made anew', async function () {
    this.timeout(120_000);
    const whole = utf8(opened(text(linesOf('one event'))));
    for (let at = 0; at < whole.length; at++) {
      const bit = 1 << (at % 7);
      const bytes = whole.with(at, (whole[at] ?? 0) ^ bit);
      const changed = new TextDecoder().decode(bytes);
      // What is no UTF-8 any more cannot be closed as text.
      if (changed.includes('\ufffd')) await notIntact(bytes, `byte ${at}`);
      else await notIntact(closed(changed), `byte ${at}`);
    }
  });

  it('never verifies with any byte of the file changed but what gzip ignores', async function () {
    this.timeout(60_000);
    const file = packed(utf8(text(linesOf('one event'))));
    let same = 0;
    for (let at = 0; at < file.length; at += at < 16 || at > file.length - 16 ? 1 : 7) {
      const bytes = file.with(at, (file[at] ?? 0) ^ (1 << (at % 8)));
      const report = await verifyBundle(evidenceEnv, oneChunk(bytes), inflateRaw);
      if (report.verdict === 'intact') {
        same += 1;
        // Time stamp, extra flags and system in the header; the bits behind the last code.
        assert.ok((at >= 4 && at < 10) || at === file.length - 9, `byte ${at}`);
      }
    }
    assert.ok(same >= 6, String(same));
  });

  it('never verifies with its lines dropped, doubled or in another order', async () => {
    for (const { how, lines: all } of golden.valid) {
      if (how === 'a body withheld' || how === 'inputs that are not kept') continue;
      const lines = all.slice(0, -1);
      for (let i = 0; i < lines.length; i++) {
        const [line = '', next = ''] = lines.slice(i, i + 2);
        await notIntact(text(lines.toSpliced(i, 0, line)), `${how}: ${i} twice`);
        if (i + 1 < lines.length) {
          await notIntact(text(lines.with(i, next).with(i + 1, line)), `${how}: ${i} and the next`);
        }
        const less = text(lines.toSpliced(i, 1));
        if (!line.startsWith('{"kind":"cosigned"')) {
          await notIntact(less, `${how}: without ${i}`);
          continue;
        }
        // A sound bundle that attests less, and says so.
        const { logs } = await verifyText(less);
        assert.ok(logs.every(({ checkpoints }) => checkpoints[0]?.cosignatures.length === 0));
      }
    }
  });

  it('is told when it is cut, at whatever byte', async function () {
    this.timeout(60_000);
    const file = packed(utf8(text(linesOf('one event'))));
    for (let length = 0; length < file.length; length += 3) {
      const cut = file.slice(0, length);
      const report = await verifyBundle(evidenceEnv, oneChunk(cut), inflateRaw);
      assert.equal(report.reasons[0]?.code, 'bundle-gzip', String(length));
    }
    const whole = text(linesOf('one event'));
    for (let length = 0; length < whole.length; length += 11) {
      const report = await verifyText(whole.slice(0, length));
      assert.equal(report.verdict, 'broken', String(length));
      assert.ok(/^bundle-(?:truncated|order|line)$/.test(report.reasons[0]?.code ?? ''));
    }
  });

  it('is told when two are put together, as members, lines or garbage', async () => {
    const whole = utf8(text(linesOf('one event')));
    const file = packed(whole);
    const empty = packed(new Uint8Array(0));
    for (const bytes of [concat(file, file), concat(file, empty), concat(file, Uint8Array.of(0))]) {
      const report = await verifyBundle(evidenceEnv, oneChunk(bytes), inflateRaw);
      assert.equal(report.reasons[0]?.code, 'bundle-gzip');
    }
    const twice = await verifyText(concat(whole, whole));
    assert.equal(twice.reasons[0]?.code, 'bundle-order');
  });

  it('is refused with an optional field in its gzip header', async () => {
    const file = packed(utf8(text(linesOf('one event'))));
    for (const flag of [1, 2, 4, 8, 16]) {
      const report = await verifyBundle(evidenceEnv, oneChunk(file.with(3, flag)), inflateRaw);
      assert.equal(report.reasons[0]?.code, 'bundle-gzip');
    }
  });

  it('is refused as a bomb: a line without end, and a thousand times its own bytes', async function () {
    this.timeout(60_000);
    const line = await verifyText(new Uint8Array(3_000_000).fill(0x41));
    assert.equal(line.reasons[0]?.code, 'bundle-too-large');
    const head = utf8(`${linesOf('one event')[0]}\n`);
    const many = async function* (): AsyncGenerator<Uint8Array> {
      yield packed(head).subarray(0, 10);
      yield new Uint8Array(1000);
      yield new Uint8Array(8);
    };
    const read = async (): Promise<void> => {
      for await (const _ of bundleTextLines(many(), () => bomb()));
    };
    await assert.rejects(read, (cause) => {
      return cause instanceof HeadwaterError && cause.fault.code === 'bundle-too-large';
    });
  });

  it("is refused with a block, an entry or a key chain of another log's", async () => {
    const other = EvidenceLog.open('bundle-other').withEvents(['1', '2', '3']);
    const inputs = inputsLog();
    await using ledger = await ledgerOf([inputs, other]);
    const mine = (await bundleText(ledger, [[inputs, 2, 6]], false)).split('\n').slice(0, -2);
    const theirs = (await bundleText(ledger, [[other, 2, 6]], false)).split('\n').slice(0, -2);
    for (const [kind, code] of [
      ['block', 'block-log'],
      ['control', 'block-log'],
      ['seal', 'proof-length'],
      ['log', 'block-log'],
    ] as const) {
      const line = theirs[at(theirs, kind)] ?? '';
      assert.equal(await codeOf(mine.with(at(mine, kind), line)), code, kind);
    }
  });

  it('is refused without an input that is not named as missing', async () => {
    const lines = linesOf('inputs of inputs');
    const entry = lines.findIndex((line) => line.startsWith('{"kind":"entry","index":9,'));
    assert.equal(await codeOf(lines.toSpliced(entry, 1)), 'bundle-input-missing');
  });

  it('is refused with something that nobody asked for', async () => {
    const inputs = inputsLog();
    await using ledger = await ledgerOf([inputs, await sumsLog(inputs)]);
    const two = await bundleText(
      ledger,
      [
        [inputs, 2, 3, false],
        [inputs, 3, 4, false],
      ],
      false,
    );
    const lines = two.split('\n').slice(0, -2);
    const manifest: { asked: unknown[] } = JSON.parse(lines[0] ?? '');
    const less = JSON.stringify({ ...manifest, asked: manifest.asked.slice(0, 1) });
    assert.equal(await codeOf(lines.with(0, less)), 'bundle-unasked');
  });

  it('is broken where an event cites another hash than the cited log has', async () => {
    const inputs = inputsLog();
    const parent = await parentIn(inputs, 8, 9);
    const wrong = encodeParents([{ ...parent, from: parent.from, rangeRoot: inputs.state.root }]);
    const liar = EvidenceLog.open('bundle-liar').with([
      { kind: 'event', event: namedEvent('lie', '1'), parents: wrong },
    ]);
    await using ledger = await ledgerOf([inputs, liar]);
    const report = await verifyText(await bundleText(ledger, [[liar, 2, 3, false]], true));
    assert.equal(report.verdict, 'broken');
    assert.equal(report.reasons[0]?.code, 'parent-mismatch');
  });

  it('is broken with a body dropped from its blocks unsaid', async () => {
    const inputs = inputsLog();
    await using all = await ledgerOf([inputs]);
    await using less = await ledgerOf([inputs], (_, index) => index !== 3);
    const full = (await bundleText(all, [[inputs, 0, 12]], false)).split('\n').slice(0, -2);
    const reduced = (await bundleText(less, [[inputs, 0, 12]], false)).split('\n').slice(0, -2);
    assert.equal(await codeOf([full[0] ?? '', ...reduced.slice(1)]), 'bundle-manifest');
    assert.equal(await codeOf([reduced[0] ?? '', ...full.slice(1)]), 'bundle-manifest');
  });

  it('is untrusted with a line of a cosigner that nobody knows', async () => {
    const inputs = inputsLog();
    await using ledger = await ledgerOf([inputs]);
    await cosign(ledger, inputs);
    const lines = (await bundleText(ledger, [[inputs, 2, 3, false]], false))
      .split('\n')
      .slice(0, -2);
    const log = lines[1] ?? '';
    const renamed = log.replace(/— did:key:z6Mk([a-zA-Z0-9]+) /, '— someone ');
    assert.notEqual(renamed, log);
    const report = await verifyText(text(lines.with(1, renamed)));
    assert.equal(report.verdict, 'untrusted');
    assert.equal(report.reasons[0]?.code, 'cosigner-unknown');
  });

  it('never throws, whatever the lines are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string(), { maxLength: 5 }), async (lines) => {
        const report = await verifyText(lines.map((line) => `${line}\n`).join(''));
        return report.verdict === 'broken';
      }),
      { numRuns: 50 },
    );
  });
});
