import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { seismicEvents } from '../../testnet/earthquakes.ts';
import { followedBy, founderName, planOrganisations, sharedName } from '../../testnet/plan.ts';

const organisations = planOrganisations(seismicEvents());

function followed(name: string): readonly string[] {
  return followedBy(name, organisations).map((organisation) => organisation.name);
}

function events(net: string, count: number): { net: string; line: string }[] {
  return Array.from({ length: count }, (_, i) => ({ net, line: `${net}${i}` }));
}

describe('the organisations of the testnet', () => {
  const names = organisations.map(({ name }) => name);

  it('are the ten networks with at least twenty events and one for the others', () => {
    assert.deepEqual(names, [
      'ci',
      'nc',
      'ak',
      'nn',
      'us',
      'pr',
      'uw',
      'hv',
      'uu',
      'mb',
      sharedName,
    ]);
    assert.ok(names.includes(founderName));
  });

  it('publish one stream each, the shared one nm and se', () => {
    const titles = organisations.flatMap(({ streams }) => streams.map(({ title }) => title));
    assert.equal(titles.length, 12);
    assert.equal(titles[0], 'ci/earthquakes');
    assert.deepEqual(titles.slice(-2).toSorted(), [`${sharedName}/nm`, `${sharedName}/se`]);
  });

  it('publish all 1,707 events, each once and in time order within its stream', () => {
    const streams = organisations.flatMap(({ streams }) => streams);
    const counts = Object.fromEntries(streams.map(({ title, events }) => [title, events.length]));
    assert.equal(
      Object.values(counts).reduce((sum, count) => sum + count, 0),
      1707,
    );
    assert.equal(counts['ci/earthquakes'], 386);
    assert.equal(counts[`${sharedName}/nm`], 5);
    assert.equal(counts[`${sharedName}/se`], 1);
    for (const { events, title } of streams) {
      const times = events.map((line) => {
        const event: { time: string } = JSON.parse(line);
        return event.time;
      });
      assert.deepEqual(times, times.toSorted(), title);
    }
    assert.equal(new Set(streams.flatMap(({ events }) => events)).size, 1707);
  });

  it('put a network on the border of twenty events among the large ones', () => {
    const plan = planOrganisations([...events('a', 20), ...events('b', 19)]);
    assert.deepEqual(
      plan.map(({ name, streams }) => [name, streams.map((stream) => stream.name)]),
      [
        ['a', ['earthquakes']],
        [sharedName, ['b']],
      ],
    );
  });

  it('need no shared one where every network is large', () => {
    assert.deepEqual(
      planOrganisations(events('a', 20)).map(({ name }) => name),
      ['a'],
    );
  });

  it('follow two others each, and the founder and the peers without streams follow all', () => {
    assert.deepEqual(followed('ci'), ['nc', 'ak']);
    assert.deepEqual(followed(sharedName), ['ci', 'nc']);
    assert.equal(followed(founderName).length, 10);
    assert.ok(!followed(founderName).includes(founderName));
    assert.equal(followed('auditor').length, 11);
  });
});
