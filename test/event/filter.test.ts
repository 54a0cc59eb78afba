import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { compileFilter } from '../../src/event/filter.ts';

const event = { type: 'org.acme.order.placed', source: '/shop', subject: 'A-17' };

function fits(value: unknown, attributes: Record<string, string> = event): boolean {
  const filter = compileFilter(value);
  assert.ok(filter.ok, filter.ok ? '' : filter.error);
  return filter.value(attributes);
}

describe('filters', () => {
  it('compare attributes exactly, by their beginning and by their end', () => {
    assert.ok(fits({ exact: { type: 'org.acme.order.placed', source: '/shop' } }));
    assert.ok(!fits({ exact: { type: 'org.acme.order.placed', source: '/sho' } }));
    assert.ok(fits({ prefix: { type: 'org.acme.' } }));
    assert.ok(!fits({ prefix: { type: 'acme' } }));
    assert.ok(fits({ suffix: { type: '.placed' } }));
  });

  it('are joined by all, any and not', () => {
    const [yes, no] = [{ exact: { subject: 'A-17' } }, { exact: { subject: 'A-18' } }];
    assert.ok(fits({ all: [yes, { not: no }] }));
    assert.ok(!fits({ all: [yes, no] }));
    assert.ok(fits({ any: [no, yes] }));
    assert.ok(!fits({ any: [no, no] }));
  });

  it('fit nothing by an attribute that is absent or of the prototype', () => {
    assert.ok(!fits({ prefix: { toString: '' } }));
    assert.ok(!fits({ exact: { absent: '' } }));
    assert.ok(fits({ not: { exact: { absent: '' } } }));
  });

  it('are refused in any other shape, and where they are too deep or too many', () => {
    for (const wrong of [null, [], {}, { exact: {} }, { exact: 'x' }, { near: { a: 'b' } }]) {
      assert.ok(!compileFilter(wrong).ok, JSON.stringify(wrong));
    }
    assert.ok(!compileFilter({ exact: { a: 'b' }, prefix: { a: 'b' } }).ok);
    assert.ok(!compileFilter({ all: [] }).ok);
    const leaf: unknown = { exact: { a: 'b' } };
    const nested = (depth: number): unknown =>
      Array.from({ length: depth }).reduce((inner: unknown) => ({ not: inner }), leaf);
    assert.ok(compileFilter(nested(16)).ok && !compileFilter(nested(17)).ok);
    const wide = (parts: number): unknown => ({ any: Array.from({ length: parts }, () => leaf) });
    assert.ok(compileFilter(wide(255)).ok && !compileFilter(wide(256)).ok);
  });
});
