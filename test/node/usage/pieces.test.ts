import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { Pieces, totalsOf, type Piece } from '../../../src/node/usage/pieces.ts';
import { asTimeMs } from '../../../src/types.ts';

const at = (from: number, to: number, time = 1): Piece => ({
  from,
  to,
  count: to - from,
  bytes: 10 * (to - from),
  first: asTimeMs(time),
  last: asTimeMs(time),
  gaps: false,
});
const shape = (pieces: Pieces): readonly (readonly number[])[] =>
  pieces.list().map(({ from, to, count }) => [from, to, count]);

const ranges = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 12 })),
  { maxLength: 60 },
);

describe('pieces of what was delivered', () => {
  it('grow while a reading goes on, and keep when it began and was last', () => {
    const pieces = new Pieces(4);
    for (let i = 0; i < 100; i += 10) pieces.add(at(i, i + 10, 1000 + i));
    assert.deepEqual(pieces.list(), [
      { from: 0, to: 100, count: 100, bytes: 1000, first: 1000, last: 1090, gaps: false },
    ]);
  });

  it('join what overlaps, and count what was delivered twice twice', () => {
    const pieces = new Pieces(8);
    for (const [from, to] of [
      [20, 30],
      [0, 10],
      [40, 50],
      [5, 22],
      [41, 42],
    ] as const) {
      pieces.add(at(from, to));
    }
    assert.deepEqual(shape(pieces), [
      [0, 30, 37],
      [40, 50, 11],
    ]);
  });

  it('keep bytes that belong to no range', () => {
    const pieces = new Pieces(8);
    pieces.add({ ...at(7, 7), bytes: 90 });
    pieces.add({ ...at(3, 3), bytes: 10 });
    assert.equal(pieces.list().length, 1);
    assert.equal(totalsOf(pieces.list())?.bytes, 100);
    pieces.add(at(0, 1));
    const taken = pieces.take().map(({ from, to, bytes }) => [from, to, bytes]);
    assert.deepEqual(taken, [
      [0, 1, 10],
      [3, 3, 100],
    ]);
    assert.ok(pieces.isEmpty);
  });

  it('join the nearest beyond their number, and say so', () => {
    const pieces = new Pieces(3);
    for (const from of [0, 100, 104, 300]) pieces.add(at(from, from + 2));
    assert.deepEqual(
      pieces.list().map(({ from, to, count, gaps }) => [from, to, count, gaps]),
      [
        [0, 2, 2, false],
        [100, 106, 4, true],
        [300, 302, 2, false],
      ],
    );
  });

  it('are the union of what was added, whatever its order, and lose no total', () => {
    fc.assert(
      fc.property(ranges, fc.integer({ min: 1, max: 100 }), (added, max) => {
        const pieces = new Pieces(max);
        const union = new Set<number>();
        let count = 0;
        for (const [from, length] of added) {
          pieces.add(at(from, from + length));
          count += length;
          for (let i = from; i < from + length; i++) union.add(i);
        }
        const list = pieces.list().filter(({ from, to }) => from < to);
        assert.ok(list.length <= max);
        assert.equal(totalsOf(pieces.list())?.count ?? 0, count);
        for (const [i, piece] of list.entries()) {
          const next = list[i + 1];
          assert.ok(next === undefined || next.from > piece.to);
        }
        const covered = (i: number): boolean => list.some(({ from, to }) => i >= from && i < to);
        for (const i of union) assert.ok(covered(i), `${i} is not covered`);
        if (list.some(({ gaps }) => gaps)) return;
        for (let i = 0; i < 220; i++) assert.equal(covered(i), union.has(i), `${i}`);
      }),
    );
  });
});
