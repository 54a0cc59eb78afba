import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import type { Fault } from '../../../src/errors.ts';
import { mapperOf, type Mapper } from '../../../src/node/cli/publish-map.ts';
import { Options } from '../../../src/node/cli/options.ts';
import type { Result } from '../../../src/result.ts';
import { faultOf, hw, json, tempFolder } from './harness.ts';
import { allAccepted, stubNode, type Answer, type Call } from './stub-node.ts';

const event = (id: string): string => `{"specversion":"1.0","id":"${id}","source":"/s","type":"t"}`;
const stream = { name: 'orders', logs: [{ log: 'bafy', size: 1 }] };

function takesAll(call: Call): Answer {
  if (call.method === 'GET') return { body: stream };
  return { body: allAccepted(call.body) };
}

const conflict = (line: number): string =>
  `${JSON.stringify({ error: { code: 'event-conflict', message: 'other bytes', hint: 'h', place: { line } } })}\n`;
const block = (from: number, to: number): string =>
  `${JSON.stringify({ lines: [from, to], log: 'bafy', index: from, block: 1, ack: 'local' })}\n`;

function faultIn(result: Result<unknown>): Fault {
  assert.ok(!result.ok);
  return result.error;
}

describe('hw publish', () => {
  it('sends the lines of files and stdin as they are, in order, and counts them', async () => {
    using folder = tempFolder();
    await using node = await stubNode(join(folder.path, 'home'), takesAll);
    writeFileSync(join(folder.path, 'a.ndjson'), `${event('1')}\r\n\n${event('2')}`);
    const ran = await hw(['publish', 'orders', 'a.ndjson', '-', '--json', '--home', node.home], {
      directory: folder.path,
      stdin: `${event('3')}\n`,
    });
    assert.equal(ran.code, 0, ran.stdout);
    const { seconds: _, ...rest } = json(ran);
    assert.deepEqual(rest, { stream: 'orders', published: 3, duplicates: 0, rejected: 0 });
    assert.equal(node.calls[1]?.body, `${event('1')}\r\n${event('2')}\n${event('3')}\n`);
    assert.deepEqual(node.calls[1]?.query, {});
  });

  it('tells events that were there already from new ones', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, (call) =>
      call.method === 'GET' ? { body: stream } : { body: allAccepted(call.body, 0) },
    );
    const ran = await hw(['publish', 'orders', '--home', node.home], { stdin: event('1') });
    assert.match(ran.stdout, /^published 0 events to orders in .* s \(1 were there already\)\n$/);
  });

  it('publishes everything before a malformed line, and names its file, line and column', async () => {
    using folder = tempFolder();
    await using node = await stubNode(join(folder.path, 'home'), takesAll);
    writeFileSync(
      join(folder.path, 'a.ndjson'),
      `${event('1')}\n${event('2')}\n{"id":}\n${event('4')}\n`,
    );
    const ran = await hw(['publish', 'orders', 'a.ndjson', '--json', '--home', node.home], {
      directory: folder.path,
    });
    assert.equal(ran.code, 1);
    const found = faultOf(ran);
    assert.equal(found['code'], 'json-syntax');
    assert.deepEqual(found['place'], { file: 'a.ndjson', line: 3, column: 7 });
    assert.equal(node.calls[1]?.body, `${event('1')}\n${event('2')}\n`);
    assert.ok(ran.stderr.includes('2 events published'));
  });

  it('with --skip-invalid writes refused lines to FILE.rejected and goes on', async () => {
    using folder = tempFolder();
    await using node = await stubNode(join(folder.path, 'home'), takesAll);
    writeFileSync(
      join(folder.path, 'a.ndjson'),
      `${event('1')}\nnot json\n${event('3')}\n{"id":"4"}\n`,
    );
    const ran = await hw(
      ['publish', 'orders', 'a.ndjson', '--skip-invalid', '--json', '--home', node.home],
      {
        directory: folder.path,
      },
    );
    assert.equal(ran.code, 0, ran.stdout);
    assert.equal(json(ran)['rejected'], 2);
    assert.deepEqual(json(ran)['rejectedFiles'], ['a.ndjson.rejected']);
    assert.equal(
      readFileSync(join(folder.path, 'a.ndjson.rejected'), 'utf8'),
      'not json\n{"id":"4"}\n',
    );
    assert.equal(node.calls[1]?.body, `${event('1')}\n${event('3')}\n`);
    assert.deepEqual(node.calls[1]?.query, { partial: 'true' });
    assert.match(ran.stderr, /refused a\.ndjson:2:1: .*\[json-syntax\]\nrefused a\.ndjson:4:/);
  });

  it('names the line of the file that the node refused', async () => {
    using folder = tempFolder();
    await using node = await stubNode(join(folder.path, 'home'), (call) =>
      call.method === 'GET' ? { body: stream } : { body: block(1, 1) + conflict(2) },
    );
    // Blank lines are not sent, so line 2 of the stream is line 4 of the file.
    writeFileSync(join(folder.path, 'a.ndjson'), `${event('1')}\n\n\n${event('2')}\n`);
    const ran = await hw(['publish', 'orders', 'a.ndjson', '--json', '--home', node.home], {
      directory: folder.path,
    });
    assert.equal(ran.code, 1);
    assert.equal(faultOf(ran)['code'], 'event-conflict');
    assert.deepEqual(faultOf(ran)['place'], { file: 'a.ndjson', line: 4 });
    assert.ok(ran.stderr.includes('1 event published'));
  });

  it('with --skip-invalid keeps what the node refused, too', async () => {
    using folder = tempFolder();
    await using node = await stubNode(join(folder.path, 'home'), (call) =>
      call.method === 'GET' ? { body: stream } : { body: block(1, 1) + conflict(2) + block(3, 3) },
    );
    const text = `${event('1')}\n${event('2')}\n${event('3')}\n`;
    writeFileSync(join(folder.path, 'a.ndjson'), text);
    const ran = await hw(
      ['publish', 'orders', 'a.ndjson', '--skip-invalid', '--json', '--home', node.home],
      {
        directory: folder.path,
      },
    );
    assert.equal(ran.code, 0, ran.stdout);
    assert.equal(json(ran)['published'], 2);
    assert.equal(readFileSync(join(folder.path, 'a.ndjson.rejected'), 'utf8'), `${event('2')}\n`);
  });

  it('does not call it done where the node answered for fewer events', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, (call) =>
      call.method === 'GET' ? { body: stream } : { body: block(1, 1) },
    );
    const ran = await hw(['publish', 'orders', '--json', '--home', node.home], {
      stdin: `${event('1')}\n${event('2')}\n`,
    });
    assert.equal(ran.code, 6);
    assert.equal(faultOf(ran)['code'], 'node-unreachable');
  });

  it('reads no file before all are found, and says which is missing', async () => {
    using folder = tempFolder();
    await using node = await stubNode(join(folder.path, 'home'), takesAll);
    writeFileSync(join(folder.path, 'a.ndjson'), event('1'));
    const ran = await hw(
      ['publish', 'orders', 'a.ndjson', 'b.ndjson', '--json', '--home', node.home],
      {
        directory: folder.path,
      },
    );
    assert.equal(ran.code, 1);
    assert.deepEqual(
      [faultOf(ran)['code'], faultOf(ran)['place']],
      ['file-unreadable', { file: 'b.ndjson' }],
    );
    assert.equal(node.calls.length, 0);
    assert.ok(!existsSync(join(folder.path, 'a.ndjson.rejected')));
  });

  it('makes events of plain data', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, takesAll);
    const line = '{"id": 7, "at":1517363399650, "net":"uw"}';
    const ran = await hw(
      [
        'publish',
        'orders',
        '--type',
        'quake',
        '--source',
        '/seismic/{/net}',
        '--id-from',
        '/id',
        '--time-from',
        '/at:ms',
        '--home',
        node.home,
      ],
      { stdin: `${line}\n` },
    );
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(
      node.calls[1]?.body,
      '{"specversion":"1.0","id":"7","source":"/seismic/uw","type":"quake","time":"2018-01-31T01:49:59.650Z",' +
        `"data":${line}}\n`,
    );
  });
});

describe('plain data', () => {
  const rules = { type: 't', source: '/s' };
  function mapper(values: Record<string, string>): Mapper {
    const made = mapperOf(new Options({ ...rules, ...values }), nodeCrypto);
    assert.ok(made.ok && made.value !== undefined, JSON.stringify(made));
    return made.value;
  }
  function map(values: Record<string, string>, line: string): Record<string, unknown> {
    const mapped = mapper(values)(Buffer.from(line), 3);
    assert.ok(mapped.ok, JSON.stringify(mapped));
    return JSON.parse(Buffer.from(mapped.value).toString()) as Record<string, unknown>;
  }
  it('has an id of its bytes and its line where none is named', () => {
    // SHA-256 of `{"a":1}` is 015abd7f5cc57a2d…
    assert.equal(map({}, '{"a":1}')['id'], '015abd7f5cc57a2d-3');
    assert.equal(map({}, '{"a":1}\r')['id'], '015abd7f5cc57a2d-3');
  });

  it('takes ids and subjects by pointer or template', () => {
    const line = '{"id":"x","p":{"u":1.5,"a/b":true}}';
    assert.equal(map({ idFrom: '/id' }, line)['id'], 'x');
    assert.equal(map({ idFrom: '{/id}-{/p/u}' }, line)['id'], 'x-1.5');
    assert.equal(map({ subjectFrom: '/p/a~1b' }, line)['subject'], 'true');
  });

  it('takes times as text, milliseconds or seconds', () => {
    assert.equal(
      map({ timeFrom: '/t' }, '{"t":"2020-01-01T00:00:00+01:00"}')['time'],
      '2020-01-01T00:00:00+01:00',
    );
    assert.equal(map({ timeFrom: '/t:ms' }, '{"t":1500}')['time'], '1970-01-01T00:00:01.500Z');
    assert.equal(map({ timeFrom: '/t:s' }, '{"t":1.5}')['time'], '1970-01-01T00:00:01.500Z');
  });

  it('says which pointer found nothing that fits', () => {
    const cases: readonly (readonly [Record<string, string>, string, string])[] = [
      [{ idFrom: '/id' }, '{}', '/id'],
      [{ idFrom: '/id' }, '{"id":null}', '/id'],
      [{ idFrom: '/id' }, '[]', '/id'],
      [{ subjectFrom: '/a/b' }, '{"a":5}', '/a/b'],
      [{ timeFrom: '/t:ms' }, '{"t":"1500"}', '/t'],
      [{ timeFrom: '/t:s' }, '{"t":-1}', '/t'],
      [{ timeFrom: '/t' }, '{"t":1}', '/t'],
      [{ idFrom: '/toString' }, '{}', '/toString'],
    ];
    for (const [values, line, pointer] of cases) {
      const found = faultIn(mapper(values)(Buffer.from(line), 1));
      assert.deepEqual([found.code, found.place?.pointer], ['mapping-missing', pointer], line);
    }
  });

  it('refuses a line that is not JSON, with its column', () => {
    const found = faultIn(mapper({})(Buffer.from('{"a":1,}'), 1));
    assert.deepEqual([found.code, found.place?.column], ['json-syntax', 8]);
  });

  const wrong: readonly (readonly [string, Record<string, string>])[] = [
    ['a type without a source', { type: 't', source: '' }],
    ['a pointer without a slash', { idFrom: 'id' }],
    ['a bad escape in a pointer', { idFrom: '/a~2' }],
    ['an open brace', { source: '/{/a' }],
    ['a template that holds no pointer', { source: '/{a}' }],
    ['a unit that is not known', { timeFrom: 't:min' }],
  ];
  for (const [name, values] of wrong) {
    it(`refuses ${name} as wrong usage`, () => {
      const given = { ...rules, ...values };
      const made = mapperOf(new Options(given), nodeCrypto);
      assert.equal(faultIn(made).code, 'usage');
    });
  }
});
