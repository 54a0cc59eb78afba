import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { marquezGraph, parseDatasetId } from '../../src/lineage/marquez.ts';
import { traceFormats } from '../../src/lineage/render.ts';
import { chain, derivedRef, rawRef, rendered, sample, wide } from './graphs.ts';

describe('a trace as a tree', () => {
  it('has a line for each step, with what is claimed and what was verified', () => {
    assert.equal(
      rendered(sample(), 'tree').text,
      `daily #5  acme  org.acme.daily  2025-11-21T00:01:40.000Z  intact
    ${derivedRef(5)}
    id d "1", source /net, subject <b>Zürich & Bern</b>, time 2026-01-02T00:00:00+01:00
    activity agency 1.0 did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK
├─ usgs/quakes #2-4  usgs  2 entries  intact
│      ${rawRef('2-4')}
│  ├─ usgs/quakes #2  usgs  gov.usgs.earthquake  2025-11-21T00:00:00.000Z  intact
│  │      ${rawRef(2)}
│  │      id us1, source /net
│  │      activity not stated
│  │      attested by agency, intact, ${derivedRef(6)}: {"accuracy":"reviewed [31m"}
│  └─ usgs/quakes #3  usgs  event  2025-11-21T00:00:00.001Z  intact
│         ${rawRef(3)}
│         content not here: redacted
└─ usgs/quakes #9  usgs  event  not kept here
       ${rawRef(9)}@${'ee'.repeat(32)}
5 steps, 2 organisations: 4 intact, 1 not here, 0 broken; incomplete
`,
    );
  });

  it('counts the plain inputs of a long range, and says where it was cut', () => {
    const { text } = rendered(wide(10_000), 'tree');
    assert.ok(text.includes('└─ and 9995 more events, each intact'));
    assert.ok(text.endsWith(`  ${rawRef('99')}\n  and 5 more places\n`), text.slice(-200));
    assert.ok(text.split('\n').length < 40);
  });

  it('of ten thousand steps one behind the other is no deeper than a screen is wide', () => {
    const { text } = rendered(chain(10_000), 'tree');
    const lines = text.split('\n');
    assert.ok(lines.every((line) => line.length < 260));
    assert.ok(lines.some((line) => /^\[9\d{3}\] usgs\/quakes #/.test(line)));
  });
});

describe('a trace as JSON', () => {
  it('has ref, stream, organisation, verdict and parents in each node', () => {
    const { text, type } = rendered(sample(), 'json');
    assert.equal(type, 'application/json');
    const value = JSON.parse(text);
    assert.deepEqual(Object.keys(value).slice(0, 4), ['ref', 'stream', 'organisation', 'kind']);
    assert.equal(value.parents[0].parents[1].bodyMissing, 'redacted');
    assert.equal(value.parents[1].problem.code, 'lineage-not-kept');
    assert.equal(value.event.activity.program, 'agency');
    assert.equal(value.parents[0].parents[0].event.activity, 'not stated');
    assert.deepEqual(value.trace, { verdict: 'incomplete', steps: 5 });
  });

  it('writes an event once, and ten thousand in a row without end of stack', () => {
    const graph = sample();
    const nodes = new Map(graph.nodes);
    const root = nodes.get(graph.root);
    assert.ok(root !== undefined);
    nodes.set(graph.root, { ...root, next: [rawRef(2), rawRef('2-4')] });
    const value = JSON.parse(rendered({ ...graph, nodes }, 'json').text);
    assert.equal(value.parents[1].parents[0].seen, true);
    assert.equal(rendered(chain(10_000), 'json').text.match(/"ref"/g)?.length, 10_000);
    const down = JSON.parse(rendered({ ...graph, direction: 'down' }, 'json').text);
    assert.equal(down.children.length, 2);
  });
});

describe('a trace as DOT and as HTML', () => {
  it('draws arrows the way the data went, with text that cannot break out', () => {
    const { text } = rendered(sample(), 'dot');
    assert.ok(text.startsWith('digraph lineage {\n'));
    assert.ok(text.includes('  n1 -> n0;\n') && text.includes('  n3 -> n1;\n'));
    const { text: down } = rendered({ ...sample(), direction: 'down' }, 'dot');
    assert.ok(down.includes('  n0 -> n1;\n'));
  });

  it('is one page without scripts that holds every step and escapes what events say', () => {
    const { text } = rendered(sample(), 'html');
    for (const ref of sample().nodes.keys()) assert.ok(text.includes(`<code>${ref}</code>`), ref);
    assert.ok(!text.includes('<b>Zürich') && text.includes('&lt;b&gt;Zürich &amp; Bern&lt;/b&gt;'));
    assert.ok(text.includes('<svg ') && !text.includes('<script'));
    assert.ok(text.includes('not kept here'));
    assert.ok(!rendered(wide(200), 'html').text.includes('<svg '));
  });

  it('renders every format, of one step too', () => {
    for (const format of traceFormats) {
      const { text } = rendered(chain(1), format);
      assert.ok(text.endsWith('\n') && text.length > 100, format);
    }
  });
});

describe("streams in Marquez's shape", () => {
  it('are datasets, and what made their events are jobs, sorted, with edges both ways', () => {
    const { graph } = marquezGraph([sample()]);
    const did = 'did%3Akey%3Az6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
    const job = `job:acme:agency 1.0 ${did}`;
    assert.deepEqual(
      graph.map(({ id, type, inEdges, outEdges }) => [id, type, inEdges, outEdges]),
      [
        ['dataset:acme:daily', 'DATASET', [{ origin: job, destination: 'dataset:acme:daily' }], []],
        [
          'dataset:usgs:quakes',
          'DATASET',
          [],
          [{ origin: 'dataset:usgs:quakes', destination: job }],
        ],
        [
          job,
          'JOB',
          [{ origin: 'dataset:usgs:quakes', destination: job }],
          [{ origin: job, destination: 'dataset:acme:daily' }],
        ],
      ],
    );
    const data = graph[2]?.data;
    assert.deepEqual(data?.['inputs'], [{ namespace: 'usgs', name: 'quakes' }]);
  });

  it('are found by their node id', () => {
    const wanted = { organisation: 'did:key:z6Mk', stream: 'a.b' };
    assert.deepEqual(parseDatasetId('dataset:did:key:z6Mk:a.b'), wanted);
    assert.deepEqual(parseDatasetId('dataset:did%3Akey%3Az6Mk:a.b#v1'), wanted);
    for (const id of ['dataset:x', 'job:a:b', 'dataset:%:b', '', 'dataset::b'])
      assert.equal(parseDatasetId(id), undefined, id);
  });
});
