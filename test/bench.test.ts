import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { benches, choose } from '../scripts/bench/benches.ts';
import { Events, idOf } from '../scripts/bench/events.ts';
import { figureSpecs, type FigureName } from '../scripts/bench/figures.ts';
import {
  bound,
  makeFigures,
  misses,
  missing,
  type Figure,
} from '../scripts/bench/judge-figures.ts';
import { median, percentile } from '../scripts/bench/statistics.ts';
import { table } from '../scripts/bench/table.ts';
import { must } from './support/result.ts';
import { parseJsonEvent } from '../src/event/parse-json.ts';

const first: readonly string[] = [
  'publish',
  'publishSingle',
  'apply',
  'threeProcesses',
  'latency1000P50',
  'latency1000P99',
  'rangeSync',
  'replayLibrary',
  'replayHttp',
  'ingestBatch',
  'ingestSingle',
  'coldOpen',
  'inclusionProof',
  'diskBytes',
  'wireBytes',
  'residentMiB',
];

function only(figures: readonly Figure[], name: FigureName): Figure {
  const found = figures.find((figure) => figure.name === name);
  assert.ok(found !== undefined, `no figure ${name}`);
  return found;
}

function verdict(name: FigureName, value: number): boolean | null {
  return only(makeFigures([{ name, value }]), name).pass;
}

function publish(value: number, raw: number): Figure {
  const figures = makeFigures([
    { name: 'publish', value },
    { name: 'rawLevelBatch', value: raw },
  ]);
  return only(figures, 'publish');
}

describe('bench figures', () => {
  it('begin with the agreed names in their order', () => {
    assert.deepEqual(Object.keys(figureSpecs).slice(0, first.length), first);
  });

  it('are each given by exactly one bench', () => {
    const given = benches.flatMap((bench) => bench.names);
    assert.deepEqual(given.toSorted(), Object.keys(figureSpecs).toSorted());
  });

  it('have exactly the agreed members, in JSON too', () => {
    const figures = makeFigures([
      { name: 'rawLevelBatch', value: 100_000 },
      { name: 'publish', value: 80_000 },
    ]);
    assert.deepEqual(JSON.parse(JSON.stringify(figures)), [
      {
        name: 'publish',
        value: 80_000,
        unit: 'events/s',
        target: 70_000,
        pass: true,
        ratioTo: 'rawLevelBatch',
        ratio: 0.8,
      },
      {
        name: 'rawLevelBatch',
        value: 100_000,
        unit: 'events/s',
        target: null,
        pass: null,
        ratioTo: null,
        ratio: null,
      },
    ]);
  });

  it('come in the order of the table, whatever the order of measuring', () => {
    const names = makeFigures([
      { name: 'rawSign', value: 1 },
      { name: 'wireBytes', value: 1 },
      { name: 'apply', value: 1 },
    ]).map((figure) => figure.name);
    assert.deepEqual(names, ['apply', 'wireBytes', 'rawSign']);
  });
});

describe('a target', () => {
  it('of a rate is reached at the bound and missed below it', () => {
    assert.equal(verdict('apply', 100_000), true);
    assert.equal(verdict('apply', 99_999), false);
  });

  it('of a time or size is reached at the bound and missed above it', () => {
    assert.equal(verdict('coldOpen', 500), true);
    assert.equal(verdict('coldOpen', 500.1), false);
  });

  it('of value and ratio needs both', () => {
    assert.equal(publish(60_000, 80_000).pass, true);
    assert.equal(publish(59_999, 80_000).pass, false);
    assert.equal(publish(69_000, 100_000).pass, false);
    assert.equal(publish(69_000, 100_000).target, 70_000);
    assert.equal(publish(69_000, 80_000).target, 60_000);
  });

  it('takes the ratio of neighbouring rounds where there is one', () => {
    const figure = only(
      makeFigures([
        { name: 'publishSingle', value: 900, ratio: 0.75 },
        { name: 'rawPair', value: 1000 },
      ]),
      'publishSingle',
    );
    assert.equal(figure.ratio, 0.75);
    assert.equal(figure.target, 960);
    assert.equal(figure.pass, false);
  });

  it('of a ratio is missed where the raw limit was not measured', () => {
    assert.equal(
      only(makeFigures([{ name: 'publishSingle', value: 900 }]), 'publishSingle').pass,
      false,
    );
  });

  it('is missed by what is no number', () => {
    const figures = makeFigures([{ name: 'latency1000P99', value: Number.NaN }]);
    assert.deepEqual(misses(figures), ['latency1000P99']);
  });

  it('is missing where the run gave no figure', () => {
    const figures = makeFigures([{ name: 'apply', value: 1 }]);
    assert.deepEqual(missing(figures, ['apply', 'publish']), ['publish']);
    assert.deepEqual(misses(figures), ['apply']);
  });

  it('stands for each agreed figure', () => {
    const names: readonly string[] = bound();
    assert.deepEqual(names.slice(0, first.length), first);
  });
});

describe('a choice of figures', () => {
  it('runs also the bench of the raw limit that they are put in proportion to', () => {
    const { chosen, wanted } = choose(benches, ['coldOpen']);
    assert.deepEqual(wanted, ['coldOpen']);
    const names = chosen.flatMap((bench) => bench.names);
    assert.ok(names.includes('coldOpen') && names.includes('rawLevelOpen'));
    assert.ok(!names.includes('rawTcp'));
  });
});

describe('bench statistics', () => {
  it('take the middle value, or the mean of the two in the middle', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.ok(Number.isNaN(median([])));
  });

  it('take a percentile as the least value that covers the share', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    assert.equal(percentile(hundred, 0.5), 50);
    assert.equal(percentile(hundred, 0.99), 99);
    assert.equal(percentile([7], 0.99), 7);
  });
});

describe('bench table', () => {
  it('says what was reached and what was not', () => {
    const text = table(
      makeFigures([
        { name: 'apply', value: 123_456.7 },
        { name: 'coldOpen', value: 700 },
      ]),
    );
    assert.match(text, /^apply +123,457 +events\/s +≥ 100,000 +pass/m);
    assert.match(text, /^coldOpen +700 +ms +≤ 500 +MISS/m);
  });
});

describe('bench events', () => {
  it('are valid, about 400 bytes or 1 KB, and never repeat an id', () => {
    for (const [size, bytes] of [
      ['small', 380],
      ['large', 960],
    ] as const) {
      const texts = new Events(size).bytes(4000);
      const ids = new Set(texts.map((text) => must(parseJsonEvent(text)).context['id']));
      assert.equal(ids.size, 4000);
      const mean = texts.reduce((sum, text) => sum + text.length, 0) / texts.length;
      assert.ok(Math.abs(mean - bytes) < 30, `${size}: ${mean}`);
    }
  });

  it('are known again by their ids', () => {
    const events = new Events('small', 5000);
    for (const number of [5000, 5001, 5002]) {
      assert.equal(events.next, number);
      assert.equal(events.numberOf(idOf(events.text())), number);
    }
    assert.equal(events.numberOf('us1000-1'), undefined);
  });

  it('begin where they are told to', () => {
    const all = new Events('small').texts(20);
    assert.deepEqual(new Events('small', 15).texts(5), all.slice(15));
  });
});
