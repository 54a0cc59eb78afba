import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { ok } from '../src/result.ts';
import { formatTime, parseTime, rfc3339ToMs } from '../src/time.ts';
import { asTimeMs } from '../src/types.ts';

describe('RFC 3339 times', () => {
  it('reads zones, fractions and lower-case letters', () => {
    const noon = Date.UTC(2018, 3, 5, 12, 0, 0);
    assert.equal(rfc3339ToMs('2018-04-05T12:00:00Z'), noon);
    assert.equal(rfc3339ToMs('2018-04-05t12:00:00z'), noon);
    assert.equal(rfc3339ToMs('2018-04-05T14:00:00+02:00'), noon);
    assert.equal(rfc3339ToMs('2018-04-05T06:30:00-05:30'), noon);
    assert.equal(rfc3339ToMs('2018-04-05T12:00:00-00:00'), noon);
    assert.equal(rfc3339ToMs('2018-04-05T12:00:00.1Z'), noon + 100);
    assert.equal(rfc3339ToMs('2018-04-05T12:00:00.123456789Z'), noon + 123);
    assert.equal(rfc3339ToMs('1969-12-31T23:59:59.999Z'), -1);
    assert.equal(rfc3339ToMs('0000-01-01T00:00:00Z'), -62_167_219_200_000);
  });

  it('counts a leap second as the next second, and only at the end of a UTC day', () => {
    const next = Date.UTC(2017, 0, 1);
    assert.equal(rfc3339ToMs('2016-12-31T23:59:60Z'), next);
    assert.equal(rfc3339ToMs('2017-01-01T00:59:60+01:00'), next);
    assert.equal(rfc3339ToMs('2016-12-31T22:59:60Z'), undefined);
  });

  it('refuses what is not a date-time', () => {
    const wrong = [
      '',
      '2018-04-05',
      '2018-04-05T12:00Z',
      '2018-04-05T12:00:00',
      '2018-04-05 12:00:00Z',
      '2018-04-05T12:00:00.Z',
      '2018-04-05T12:00:00,5Z',
      '2018-04-05T24:00:00Z',
      '2018-04-05T12:60:00Z',
      '2018-04-05T12:00:61Z',
      '2018-04-05T12:00:00+24:00',
      '2018-04-05T12:00:00+02:60',
      '2018-04-05T12:00:00+0200',
      '2018-00-05T12:00:00Z',
      '2018-13-05T12:00:00Z',
      '2018-04-00T12:00:00Z',
      '2018-04-31T12:00:00Z',
      '2018-02-29T12:00:00Z',
      '1900-02-29T12:00:00Z',
      '18-04-05T12:00:00Z',
      '+2018-04-05T12:00:00Z',
      ' 2018-04-05T12:00:00Z',
      '2018-04-05T12:00:00Z\n',
      '٢٠١٨-04-05T12:00:00Z',
    ];
    for (const text of wrong) assert.equal(rfc3339ToMs(text), undefined, JSON.stringify(text));
    assert.notEqual(rfc3339ToMs('2000-02-29T12:00:00Z'), undefined);
    assert.notEqual(rfc3339ToMs('2016-02-29T12:00:00Z'), undefined);
  });

  it('agrees with the calendar of the platform on every millisecond of years 0 to 9999', () => {
    const ms = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 });
    fc.assert(
      fc.property(ms, (time) => {
        assert.equal(rfc3339ToMs(new Date(time).toISOString()), time);
      }),
      { numRuns: 2000 },
    );
  });

  it('writes what it reads, and has no times of ours before 1970', () => {
    const time = asTimeMs(1_766_000_000_123);
    assert.equal(formatTime(time), '2025-12-17T19:33:20.123Z');
    assert.deepEqual(parseTime(formatTime(time)), ok(time));
    for (const text of ['1969-12-31T23:59:59Z', 'yesterday']) {
      const parsed = parseTime(text);
      assert.equal(parsed.ok ? undefined : parsed.error.code, 'bad-time', text);
    }
  });
});
