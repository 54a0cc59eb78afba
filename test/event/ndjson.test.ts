import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import {
  LineSplitter,
  NdjsonParser,
  parseNdjson,
  type NdjsonLine,
} from '../../src/event/ndjson.ts';
import type { ParseLimits } from '../../src/event/parse-json.ts';
import { limits } from '../../src/limits.ts';

function event(id: string): string {
  return `{"specversion":"1.0","id":"${id}","source":"/s","type":"t"}`;
}

async function linesOf(
  chunks: Iterable<Uint8Array>,
  bounds: ParseLimits = limits,
): Promise<NdjsonLine[]> {
  const lines: NdjsonLine[] = [];
  for await (const line of parseNdjson(chunks, bounds)) lines.push(line);
  return lines;
}

function summary(lines: readonly NdjsonLine[]): string[] {
  return lines.map(({ line, result }) =>
    result.ok ? `${line} ${String(result.value.context['id'])}` : `${line} ${result.error.code}`,
  );
}

/** Cuts bytes at the given places (modulo what is left). */
function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) {
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return [...chunks, bytes.subarray(at)];
}

describe('NDJSON', () => {
  it('is one event a line, with LF or CR LF, the last with or without', async () => {
    const text = `${event('1')}\n${event('2')}\r\n\n  \r\n${event('ü😀')}\n`;
    const expected = ['1 1', '2 2', '5 ü😀'];
    assert.deepEqual(summary(await linesOf([utf8(text)])), expected);
    assert.deepEqual(summary(await linesOf([utf8(text.trimEnd())])), expected);
    assert.deepEqual(await linesOf([]), []);
    assert.deepEqual(await linesOf([utf8('\n\r\n')]), []);
  });

  it('goes on behind a bad line and says where it was', async () => {
    const text = `${event('1')}\n{"id":\n${event('ü')}\n {"id":5}\nfoo`;
    const lines = await linesOf([utf8(text)]);
    assert.deepEqual(summary(lines), [
      '1 1',
      '2 json-syntax',
      '3 ü',
      '4 attribute-type',
      '5 json-syntax',
    ]);
    const places = lines.flatMap(({ result }) => (result.ok ? [] : [result.error.place]));
    assert.deepEqual(places, [
      { line: 2, column: 7, offset: 62 },
      { pointer: '/id', line: 4, column: 8, offset: 127 },
      { line: 5, column: 1, offset: 130 },
    ]);
    assert.equal(new TextDecoder().decode(lines[3]?.bytes), ' {"id":5}');
  });

  it('does not depend on how the bytes are cut into chunks', async () => {
    const text = `${event('1')}\r\n${event('Zürich 😀')}\n\n{"x":1}\n${event('4')}`;
    const bytes = utf8(text);
    const whole = await linesOf([bytes]);
    const chunkings = fc.array(fc.nat(40), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(chunkings, async (lengths) => {
        assert.deepEqual(await linesOf(cut(bytes, lengths)), whole);
      }),
      { numRuns: 100 },
    );
    assert.deepEqual(await linesOf(cut(bytes, Array(bytes.length).fill(1) as number[])), whole);
  });

  it('puts a long line together from many chunks', async () => {
    const id = 'x'.repeat(5000);
    const bytes = utf8(`${event(id)}\n${event('2')}`);
    const chunks = cut(bytes, Array(70).fill(77) as number[]);
    assert.deepEqual(summary(await linesOf(chunks)), [`1 ${id}`, '2 2']);
  });

  it('takes a line of the limit and drops one past it as it comes', async () => {
    const bounds = { ...limits, maxEventTextBytes: 100 };
    const pad = (length: number): string => event('1').padEnd(length, ' ');
    const text = `${pad(100)}\n${pad(101)}\n${pad(1000)}\r\n${event('4')}\n${pad(300)}`;
    const expected = ['1 1', '2 line-too-long', '3 line-too-long', '4 4', '5 line-too-long'];
    for (const size of [1, 7, 64, 5000]) {
      const bytes = utf8(text);
      const chunks = cut(bytes, Array(Math.ceil(bytes.length / size)).fill(size) as number[]);
      const lines = await linesOf(chunks, bounds);
      assert.deepEqual(summary(lines), expected, `chunks of ${size}`);
      const tooLong = lines[2]?.result;
      assert.deepEqual(tooLong?.ok === false && tooLong.error.place, { line: 3, offset: 203 });
    }
  });

  it('tells of a line that is too long before its end comes, and keeps nothing of it', () => {
    const splitter = new LineSplitter(10);
    assert.deepEqual(splitter.push(utf8('0123456789')), []);
    assert.deepEqual(splitter.push(utf8('x')), [{ line: 1, offset: 0, bytes: undefined }]);
    for (let i = 0; i < 1000; i++) assert.deepEqual(splitter.push(new Uint8Array(1000)), []);
    const [next, ...none] = splitter.push(utf8('\nab\n'));
    assert.deepEqual(none, []);
    assert.deepEqual(next, { line: 2, offset: 1_000_012, bytes: utf8('ab') });
    assert.deepEqual(splitter.end(), []);
  });

  it('ends its source when the consumer stops, and reads nothing ahead', async () => {
    let [given, ended] = [0, false];
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          given += 1;
          yield await Promise.resolve(utf8(`${event(String(given))}\n`));
        }
      } finally {
        ended = true;
      }
    }
    for await (const { line } of parseNdjson(source())) if (line === 3) break;
    assert.deepEqual([given, ended], [3, true]);
  });

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }), (chunks) => {
        const parser = new NdjsonParser({ ...limits, maxEventTextBytes: 30 });
        const lines = [...chunks.flatMap((chunk) => parser.push(chunk)), ...parser.end()];
        const numbers = lines.map(({ line }) => line);
        assert.deepEqual(
          numbers,
          [...new Set(numbers)].sort((a, b) => a - b),
        );
      }),
    );
  });
});
