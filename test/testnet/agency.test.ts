import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { daysOf } from '../../testnet/agency.ts';

/** Event at an index of a log, as a reader gets it. */
function quake(log: string, index: number, day: string, mag: number): string {
  const data = { properties: { mag, place: 'near' } };
  const context = { specversion: '1.0', id: `${log}${index}`, subject: `${log}${index}` };
  return JSON.stringify({
    ...context,
    time: `${day}T12:00:00Z`,
    hwref: `hw:${log}/${index}`,
    data,
  });
}

describe('the agency of the testnet', () => {
  it('cites neighbours of a log as a range over the seals between them, others one by one', () => {
    const [first, second] = ['2018-02-01', '2018-02-02'];
    const a = [quake('a', 2, first, 3), quake('a', 4, first, 2.5), quake('a', 5, first, 1)];
    a.push(quake('a', 6, first, 5), quake('a', 8, second, 4));
    const b = [quake('b', 2, first, 2.49), quake('b', 3, first, 6)];
    const days = daysOf(
      new Map([
        ['x/a', a],
        ['y/b', b],
      ]),
    );
    assert.deepEqual(
      days.map(({ day, parents, networks }) => [day, parents, networks]),
      [
        [first, 'hw:a/2-5 hw:a/6 hw:b/3', ['x/a', 'y/b']],
        [second, 'hw:a/8', ['x/a']],
      ],
    );
    assert.deepEqual(days[0]?.inputs, ['hw:a/2', 'hw:a/4', 'hw:a/6', 'hw:b/3']);
    const event: { hwparents: string; data: { count: number; largest: { id: string } } } =
      JSON.parse(days[0]?.event ?? '');
    assert.deepEqual(
      [event.hwparents, event.data.count, event.data.largest.id],
      [days[0]?.parents, 4, 'b3'],
    );
  });
});
