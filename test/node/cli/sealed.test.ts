/** Commands of auditors and owners over sealed streams: prove, verify, export, trace, epochs, shred. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { dig, event, lines, problem } from '../http/client.ts';
import { createStream, heldNode, type TestNode } from '../running.ts';
import { journal, peerDid } from '../views.ts';
import { faultOf, hw, json, tempFolder, type Ran } from './harness.ts';

const path = '/streams/acme/orders';

/** A node with a sealed stream: two events an epoch, five events. */
async function withSealed(folder: string): Promise<TestNode> {
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await heldNode(folder));
  await createStream(node.client, 'orders', { visibility: 'sealed', epochs: { everyEvents: 2 } });
  for (let n = 0; n < 5; n++) {
    const sent = await node.client.batch(`${path}/events`, [event(n, { data: { n } })]);
    assert.equal(sent.status, 202, sent.text);
  }
  stack.move();
  return node;
}

async function indexes(node: TestNode): Promise<readonly number[]> {
  const read = lines((await node.client.get(`${path}/events?from=start`)).text);
  return read.map((one) => Number(String(dig(one, 'hwref')).split('/')[1]));
}

/** In a place where there is no home, and no key. */
async function verify(file: string): Promise<Ran> {
  return hw(['verify', file, '--json', '--home', '/nonexistent/home']);
}

function dataOf(ran: Ran): unknown {
  const base64 = dig(json(ran), 'proven', 'data', 'base64');
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64').toString() : undefined;
}

function sealedOf(ran: Ran): unknown {
  return dig(json(ran), 'proven', 'logs', 0, 'sealed');
}

describe('commands over sealed streams', function () {
  this.timeout(40_000);

  it('prove one event, with plaintext or by its key, online and offline alike', async () => {
    using folder = tempFolder();
    const home = ['--home', folder.path];
    const node = await withSealed(folder.path);
    const online = new Map<string, string>();
    const parts = ['all', 'attributes', 'data', 'key', 'none'] as const;
    const at = (await indexes(node))[3] ?? assert.fail();
    try {
      for (const part of parts) {
        const ran = await hw(['prove', `orders#${at}`, '--disclose', part, ...home]);
        assert.equal(ran.code, 0, ran.stderr);
        online.set(part, ran.stdout);
        const api = await node.client.get(`${path}/events/${at}/proof?disclose=${part}`);
        assert.equal(api.text, ran.stdout);
      }
    } finally {
      await node[Symbol.asyncDispose]();
    }
    for (const part of parts) {
      const file = join(folder.path, `${part}.proof`);
      const ran = await hw(['prove', `orders#${at}`, '--disclose', part, '--out', file, ...home]);
      assert.equal(ran.code, 0, ran.stderr);
      assert.equal(readFileSync(file, 'utf8'), online.get(part), 'the same from the stopped home');
      const verified = await verify(file);
      assert.equal(verified.code, 0, verified.stdout);
      const shown = part === 'all' || part === 'key' || part === 'data';
      assert.equal(dataOf(verified), shown ? '{"n":3}' : undefined, part);
      const key = dig(json(verified), 'proven', 'eventKey');
      assert.equal(key, part === 'key' ? 'opened' : undefined);
    }
    const text = await hw(['verify', join(folder.path, 'key.proof'), '--home', '/nonexistent']);
    assert.match(text.stdout, /intact, one sealed event of orders/);
    assert.match(text.stdout, /disclosed: attributes and data, opened by the key of the event/);
    assert.doesNotMatch(online.get('key') ?? '', /eyJuIjozfQ|"n":3/);
  });

  it('refuse the key of an event that has none, and words that are none', async () => {
    using folder = tempFolder();
    const home = ['--home', folder.path];
    await using node = await heldNode(folder.path);
    await createStream(node.client, 'open');
    const sent = await node.client.batch('/streams/acme/open/events', [event(1)]);
    assert.equal(sent.status, 202, sent.text);
    const wrong = await hw([
      'prove',
      'open#2',
      '--disclose',
      'key',
      '--json',
      '--out',
      'x',
      ...home,
    ]);
    assert.deepEqual([wrong.code, faultOf(wrong)['code']], [2, 'usage']);
    problem(await node.client.get('/streams/acme/open/events/2/proof?disclose=key'), 400, 'usage');
    const word = await hw(['export', 'open', '--bundle', 'x', '--disclose', 'some', ...home]);
    assert.equal(word.code, 2);
    const tree = await hw(['export', 'open', '--static', 'x', '--disclose', 'asked', ...home]);
    assert.equal(tree.code, 2);
    const shred = ['stream', 'shred', 'open', '--epoch', '0', '--yes', '--json', ...home];
    assert.equal(faultOf(await hw(shred))['code'], 'stream-not-sealed');
    problem(await node.client.get('/streams/acme/open/epochs'), 409, 'stream-not-sealed');
  });

  it('bundle ciphertext, and keys where they are asked for', async () => {
    using folder = tempFolder();
    const home = ['--home', folder.path];
    const node = await withSealed(folder.path);
    const file = (name: string): string => join(folder.path, `${name}.hwb`);
    const make = async (name: string, ...more: readonly string[]): Promise<void> => {
      const ran = await hw(['export', 'orders', '--bundle', file(name), ...more, ...home]);
      assert.equal(ran.code, 0, ran.stderr);
    };
    try {
      await make('bare');
      await make('keys', '--disclose', 'asked');
    } finally {
      await node[Symbol.asyncDispose]();
    }
    await make('offline', '--disclose', 'asked');
    assert.deepEqual(readFileSync(file('offline')), readFileSync(file('keys')));
    const bare = await verify(file('bare'));
    assert.deepEqual([bare.code, sealedOf(bare)], [0, { events: 5, there: 5, opened: 0 }]);
    const opened = await verify(file('keys'));
    assert.deepEqual([opened.code, sealedOf(opened)], [0, { events: 5, there: 5, opened: 5 }]);
    const text = await hw(['verify', file('bare'), '--home', '/nonexistent']);
    assert.match(text.stdout, /sealed: 0 opened by their keys, 5 are ciphertext alone: no access/);
  });

  it('verify and trace say what was opened; shredding is asked for twice, journaled, and final', async () => {
    using folder = tempFolder();
    const home = ['--home', folder.path];
    const node = await withSealed(folder.path);
    const at = await indexes(node);
    const verified = async (): Promise<unknown> => {
      const ran = await hw(['verify', 'orders', '--json', ...home]);
      assert.equal(ran.code, 0, ran.stdout);
      return dig(json(ran), 'logs', 0, 'sealed');
    };
    const counts = { events: 5, opened: 5, noKey: 0, shredded: 0 };
    const shred = (...more: readonly string[]): Promise<Ran> =>
      hw(['stream', 'shred', 'orders', '--json', ...more, ...home]);
    try {
      assert.deepEqual(await verified(), counts);
      const list = json(await hw(['stream', 'epochs', 'orders', '--json', ...home]));
      const epochs = list['epochs'] as readonly Record<string, unknown>[];
      assert.deepEqual(
        epochs.map(({ epoch, keys }) => [epoch, keys]),
        [
          [0, 'held'],
          [1, 'held'],
          [2, 'held'],
        ],
      );
      const asked = await shred('--epoch', '1');
      assert.deepEqual([asked.code, faultOf(asked)['code']], [2, 'usage']);
      assert.equal(faultOf(await shred('--yes'))['code'], 'usage');
      assert.equal(faultOf(await shred('--epoch', 'x', '--yes'))['code'], 'usage');
      assert.equal(faultOf(await shred('--epoch', '7', '--yes'))['code'], 'epoch-unknown');
      assert.equal(faultOf(await shred('--epoch', '7'))['code'], 'epoch-unknown');
      assert.deepEqual(await verified(), counts, 'nothing was done');
      const done = json(await shred('--epoch', '1', '--yes', '--why', 'asked by a customer'));
      assert.deepEqual([done['epoch'], done['already']], [1, false]);
      assert.equal(json(await shred('--epoch', '1', '--yes'))['already'], true);
      assert.deepEqual(await verified(), { ...counts, opened: 3, shredded: 2 });
      const gone = await hw(['prove', `orders#${at[2]}`, '--disclose', 'key', ...home]);
      assert.equal(gone.code, 4);
      const read = lines((await node.client.get(`${path}/events?from=start`)).text);
      assert.deepEqual(
        read.map((one) => dig(one, 'sealed', 'reason') ?? dig(one, 'data', 'n')),
        [0, 1, 'shredded', 'shredded', 4],
      );
      const written = await journal(node, await peerDid(folder.path));
      const told = written.filter(([, , data]) => dig(data, 'action') === 'stream.shred');
      assert.equal(told.length, 1);
      assert.equal(dig(told[0]?.[2], 'why'), 'asked by a customer');
      const trace = await hw(['trace', `orders#${at[2]}`, ...home]);
      assert.equal(trace.code, 0, trace.stderr);
      assert.match(trace.stdout, /content sealed: no access/);
    } finally {
      await node[Symbol.asyncDispose]();
    }
    assert.deepEqual(await verified(), { ...counts, opened: 3, shredded: 2 }, 'offline too');
    const trace = await hw(['trace', `orders#${at[0]}`, ...home]);
    assert.doesNotMatch(trace.stdout, /no access/);
    const again = await heldNode(folder.path);
    try {
      const read = lines((await again.client.get(`${path}/events?from=start`)).text);
      assert.equal(read.filter((one) => dig(one, 'sealed', 'reason') === 'shredded').length, 2);
    } finally {
      await again[Symbol.asyncDispose]();
    }
  });
});
