import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../src/bytes.ts';
import { CborReader, CborWriter, encodeCbor, type CborValue } from '../src/cbor.ts';
import { hex } from './support/vectors.ts';

/** What writer and reader can both do, item by item. */
type Item =
  | { readonly kind: 'uint'; readonly value: number }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'null'; readonly value: null }
  | { readonly kind: 'list'; readonly value: readonly Item[] };

function plain(item: Item): CborValue {
  return item.kind === 'list' ? item.value.map(plain) : item.value;
}

function write(writer: CborWriter, item: Item): void {
  if (item.kind === 'uint') writer.uint(item.value);
  else if (item.kind === 'bytes') writer.bytes(item.value);
  else if (item.kind === 'text') writer.text(item.value);
  else if (item.kind === 'null') writer.null();
  else {
    writer.list(item.value.length);
    for (const inner of item.value) write(writer, inner);
  }
}

function read(reader: CborReader, shape: Item): CborValue {
  if (shape.kind === 'uint') return reader.uint();
  if (shape.kind === 'bytes') return reader.bytes();
  if (shape.kind === 'text') return reader.text();
  if (shape.kind === 'null') return reader.null() ? null : 'not null';
  const length = reader.list();
  return shape.value.slice(0, length).map((inner) => read(reader, inner));
}

/** Code and offset of the fault of a reader. */
function failure(text: string, use: (reader: CborReader) => void): unknown {
  const reader = new CborReader(hex(text));
  use(reader);
  return [reader.failed?.code, reader.failed?.place?.offset];
}

describe('the reader and the writer of fixed tuples', () => {
  const { item } = fc.letrec<{ item: Item }>((tie) => ({
    item: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.record({ kind: fc.constant('uint' as const), value: fc.maxSafeNat() }),
      fc.record({ kind: fc.constant('uint' as const), value: fc.nat({ max: 300 }) }),
      fc.record({
        kind: fc.constant('bytes' as const),
        value: fc.uint8Array({ maxLength: 300, size: 'max' }),
      }),
      fc.record({
        kind: fc.constant('text' as const),
        value: fc.string({ unit: 'grapheme', maxLength: 30 }),
      }),
      fc.record({ kind: fc.constant('null' as const), value: fc.constant(null) }),
      fc.record({
        kind: fc.constant('list' as const),
        value: fc.array(tie('item'), { maxLength: 6 }),
      }),
    ),
  }));

  it('agree with encodeCbor on every byte, whatever the first capacity', () => {
    fc.assert(
      fc.property(item, fc.integer({ min: 1, max: 64 }), (tuple, capacity) => {
        const writer = new CborWriter(capacity);
        write(writer, tuple);
        const bytes = encodeCbor(plain(tuple));
        assert.equal(writer.length, bytes.length);
        assert.deepEqual(writer.finish(), bytes);
        assert.deepEqual(writer.take(), bytes);
        const reader = new CborReader(bytes);
        assert.deepEqual(read(reader, tuple), plain(tuple));
        reader.end();
        assert.equal(reader.failed, undefined);
      }),
    );
  });

  it('fail with a code on every cut, and never read past the end they were given', () => {
    fc.assert(
      fc.property(item, (tuple) => {
        const bytes = encodeCbor(plain(tuple));
        for (let cut = 0; cut < bytes.length; cut++) {
          for (const reader of [
            new CborReader(bytes.subarray(0, cut)),
            new CborReader(bytes, 0, cut),
          ]) {
            const value = read(reader, tuple);
            reader.end();
            const missing = value === 'not null' || reader.failed !== undefined;
            assert.ok(missing || tuple.kind === 'list', `cut at ${cut} of ${toHex(bytes)}`);
            if (reader.failed !== undefined) {
              assert.match(reader.failed.code, /^(?:truncated|cbor-encoding|trailing-bytes)$/);
              assert.ok(reader.offset <= cut);
            }
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('say where and why: type, length, shortest form, text, end', () => {
    assert.deepEqual(
      failure('20', (r) => r.uint()),
      ['cbor-shape', 0],
    );
    assert.deepEqual(
      failure('0060', (r) => [r.uint(), r.bytes()]),
      ['cbor-shape', 1],
    );
    assert.deepEqual(
      failure('1817', (r) => r.uint()),
      ['cbor-encoding', 0],
    );
    assert.deepEqual(
      failure('190018', (r) => r.uint()),
      ['cbor-encoding', 0],
    );
    assert.deepEqual(
      failure('1a0000ffff', (r) => r.uint()),
      ['cbor-encoding', 0],
    );
    assert.deepEqual(
      failure('1b00000000ffffffff', (r) => r.uint()),
      ['cbor-encoding', 0],
    );
    assert.deepEqual(
      failure('9f', (r) => r.list()),
      ['cbor-encoding', 0],
    );
    assert.deepEqual(
      failure('62c328', (r) => r.text()),
      ['cbor-encoding', 3],
    );
    assert.deepEqual(
      failure('4201', (r) => r.bytes()),
      ['truncated', 1],
    );
    assert.deepEqual(
      failure('9a7fffffff', (r) => r.list()),
      ['cbor-encoding', 5],
    );
    assert.deepEqual(
      failure('0000', (r) => [r.uint(), r.end()]),
      ['trailing-bytes', 1],
    );
  });

  it('keep the first fault and read nothing more after it', () => {
    const reader = new CborReader(hex('6161004100'));
    assert.equal(reader.uint(), 0);
    assert.equal(reader.text(), '');
    assert.equal(reader.list(), 0);
    assert.deepEqual(reader.bytes(), new Uint8Array(0));
    reader.end();
    assert.deepEqual([reader.failed?.code, reader.failed?.place?.offset], ['cbor-shape', 0]);
  });

  it('hand out byte strings as views of the input', () => {
    const bytes = hex('4201ff');
    const view = new CborReader(bytes).bytes();
    assert.equal(view.buffer, bytes.buffer);
    assert.deepEqual(view, hex('01ff'));
  });

  it('write a byte string whose bytes come later', () => {
    const writer = new CborWriter(1).bytesHead(3).raw(hex('0102')).uint(3);
    assert.equal(toHex(writer.finish()), '43010203');
  });
});
