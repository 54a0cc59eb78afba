import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { RecentMap } from '../src/recent-map.ts';

describe('RecentMap', () => {
  it('drops what was set longest ago, one past its bound', () => {
    const map = new RecentMap<string, number>(2).set('a', 1).set('b', 2);
    assert.deepEqual([...map.keys()], ['a', 'b']);
    map.set('c', 3);
    assert.deepEqual([...map.keys()], ['b', 'c']);
  });

  it('counts what is set again or used as new, but not what is only looked at', () => {
    const map = new RecentMap<string, number>(3).set('a', 1).set('b', 2).set('c', 3);
    map.set('a', 4);
    assert.equal(map.use('b'), 2);
    assert.equal(map.get('c'), 3);
    assert.equal(map.use('d'), undefined);
    map.set('d', 5);
    assert.deepEqual(
      [...map],
      [
        ['a', 4],
        ['b', 2],
        ['d', 5],
      ],
    );
  });
});
