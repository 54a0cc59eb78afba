import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { fromBase64, utf8 } from '../../../src/bytes.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { parseCheckpoint, type ParsedCheckpoint } from '../../../src/ledger/checkpoint.ts';
import { verifyConsistency } from '../../../src/ledger/proof.ts';
import { asHash } from '../../../src/types.ts';
import { offlineEnv, verifyEventProof } from '../../../src/verify.ts';
import { dids } from '../../support/proofs.ts';
import { must } from '../../support/result.ts';
import { dig } from '../http/client.ts';
import { createStream, heldNode, type TestNode } from '../running.ts';
import { faultOf, hw, json, tempFolder, type Ran } from './harness.ts';

const events = ['2026-01-31T12:00:00Z', undefined, undefined].map((time, i) => ({
  specversion: '1.0',
  id: `e${i}`,
  source: '/shop',
  type: 'order.placed',
  ...(time === undefined ? {} : { time }),
  data: { total: 19.5 + i },
}));

const path = '/streams/acme/orders';

/** A node with the stream orders: genesis, seal, three events, seal. */
async function withOrders(folder: string): Promise<TestNode> {
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await heldNode(folder));
  await createStream(node.client, 'orders');
  const answer = await node.client.batch(`${path}/events`, events);
  assert.equal(answer.status, 202, answer.text);
  stack.move();
  return node;
}

async function checkpointOf(node: TestNode): Promise<ParsedCheckpoint> {
  return must(parseCheckpoint((await node.client.get(`${path}/checkpoint`)).text));
}

/** In a place where there is no home. */
function verify(...args: readonly string[]): Promise<Ran> {
  return hw(['verify', ...args, '--home', '/nonexistent/home']);
}
function verifyInput(stdin: string, ...args: readonly string[]): Promise<Ran> {
  return hw(['verify', '-', ...args, '--home', '/nonexistent/home'], { stdin });
}

function reasons(ran: Ran): unknown {
  return (json(ran)['reasons'] as { code: string }[]).map(({ code }) => code);
}

describe('hw prove and hw verify FILE', function () {
  this.timeout(30_000);

  it('give the same proof from a running node, its API and the store of the stopped one', async () => {
    using folder = tempFolder();
    const home = ['--home', folder.path];
    const node = await withOrders(folder.path);
    const { logId } = await checkpointOf(node);
    const made: string[] = [];
    try {
      for (const event of ['orders#2', `hw:${logId}/2`, 'acme/orders#2', `hw:${logId}#2`]) {
        const ran = await hw(['prove', event, ...home]);
        assert.equal(ran.code, 0, ran.stderr);
        made.push(ran.stdout);
      }
      for (const at of [`${path}/events/2/proof`, `/logs/${logId}/events/2/proof`]) {
        const answer = await node.client.get(at);
        assert.deepEqual([answer.status, answer.headers['content-type']], [200, textType]);
        made.push(answer.text);
      }
    } finally {
      await node[Symbol.asyncDispose]();
    }
    const file = join(folder.path, 'a.proof');
    const written = json(await hw(['prove', 'orders#2', '--out', file, '--json', ...home]));
    assert.deepEqual([written['file'], written['disclosed']], [file, 'all']);
    made.push(readFileSync(file, 'utf8'));
    made.push((await hw(['prove', `hw:${logId}/2`, ...home])).stdout);
    assert.equal(made.length, 8);
    assert.equal(new Set(made).size, 1);
    assert.ok(made[0]?.startsWith('c2sp.org/tlog-proof@v1\nextra '));
    const verified = await verify(file);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    const [first, second] = verified.stdout.split('\n');
    assert.match(first ?? '', /^signed by did:key:\w+ for did:key:\w+; no trust was stated$/);
    assert.equal(second, `${file}: intact, one event of orders, partition 0`);
    assert.ok(verified.stdout.includes(', event time 2026-01-31T12:00:00Z\n'), verified.stdout);
    assert.ok(verified.stdout.includes('  attested by nobody: no cosignature\n'));
    assert.ok(verified.stdout.includes('    data: {"total":19.5}\n'));
  });

  it('disclose what was asked for and nothing else', async () => {
    using folder = tempFolder();
    await using node = await withOrders(folder.path);
    const shown: Readonly<Record<string, readonly string[]>> = {
      all: ['attributes', 'data'],
      attributes: ['attributes'],
      data: ['data'],
      none: [],
    };
    for (const [part, parts] of Object.entries(shown)) {
      const ran = await hw(['prove', 'orders#3', '--disclose', part, '--home', folder.path]);
      const answer = await node.client.get(`${path}/events/3/proof?disclose=${part}`);
      assert.equal(answer.text, ran.stdout);
      const verified = await verifyInput(ran.stdout, '--json');
      assert.equal(verified.code, 0);
      const proven = json(verified)['proven'];
      assert.deepEqual(dig(proven, 'disclosed'), parts);
      assert.equal(
        dig(proven, 'attributes', 'id'),
        parts.includes('attributes') ? 'e1' : undefined,
      );
      const data = Buffer.from('{"total":20.5}').toString('base64');
      assert.equal(dig(proven, 'data', 'base64'), parts.includes('data') ? data : undefined);
      const [, extra = ''] = ran.stdout.split('\n');
      const bytes = Buffer.from(extra.slice('extra '.length), 'base64').toString('latin1');
      assert.equal(bytes.includes('"id":"e1"'), parts.includes('attributes'));
      assert.equal(bytes.includes('20.5'), parts.includes('data'));
    }
    const wrong = await hw(['prove', 'orders#3', '--disclose', 'x', '--home', folder.path]);
    assert.equal(wrong.code, 2);
    assert.equal((await node.client.get(`${path}/events/3/proof?disclose=x`)).status, 400);
  });

  it('refuse what is no event, does not exist or is not one', async () => {
    using folder = tempFolder();
    const node = await withOrders(folder.path);
    const cases = [
      ['orders#0', 'event-unknown'],
      ['orders#1', 'event-unknown'],
      ['orders#5', 'event-unknown'],
      ['orders#6', 'index-over-head'],
      ['orders#99999999999999', 'index-over-head'],
      ['orders#9999999999999999', 'bad-reference'],
      ['nothing#2', 'stream-unknown'],
    ] as const;
    const args = ['--out', join(folder.path, 'x'), '--json', '--home', folder.path];
    const codes = async (): Promise<readonly unknown[]> => {
      const found: unknown[] = [];
      for (const [event] of cases) found.push(faultOf(await hw(['prove', event, ...args]))['code']);
      return found;
    };
    const expected = cases.map(([, code]) => code);
    const { logId } = await checkpointOf(node);
    try {
      assert.deepEqual(await codes(), expected);
      const none = await node.client.get(`${path}/events/1/proof?disclose=none`);
      assert.deepEqual([none.status, none.at('code')], [404, 'event-unknown']);
      const beyond = await node.client.get(`/logs/${logId}/events/6/proof`);
      assert.deepEqual([beyond.status, beyond.at('code')], [404, 'index-over-head']);
      const far = await node.client.get(`/logs/${logId}/events/9007199254740993/proof`);
      assert.equal(far.status, 400);
      await createStream(node.client, 'wide', { partitions: 2 });
      for (const end of ['events/2/proof', 'consistency?from=1']) {
        const two = await node.client.get(`/streams/acme/wide/${end}`);
        assert.deepEqual([two.status, two.at('code')], [409, 'position-ambiguous']);
      }
    } finally {
      await node[Symbol.asyncDispose]();
    }
    assert.deepEqual(await codes(), expected);
    const wide = faultOf(await hw(['prove', 'wide#2', ...args]));
    assert.equal(wide['code'], 'position-ambiguous');
    const range = ['prove', `hw:${logId}/2-4`, ...args];
    assert.equal(faultOf(await hw([...range, '--index', '4']))['code'], 'index-over-head');
    assert.equal(faultOf(await hw([...range, '--disclose', 'data']))['code'], 'usage');
  });

  it('hold the proof against the trust that is stated', async () => {
    using folder = tempFolder();
    await using node = await withOrders(folder.path);
    const file = join(folder.path, 'orders');
    await hw(['prove', 'orders#4', '--out', file, '--home', folder.path]);
    const met = await verify(
      '--trust',
      dids[0] ?? '',
      '--trust',
      node.organisation,
      file,
      '--json',
    );
    assert.equal(met.code, 0, met.stdout);
    assert.deepEqual(dig(json(met)['proven'], 'trust'), { stated: true, met: true });
    const other = await verify(file, '--trust', dids[0] ?? '', '--json');
    assert.deepEqual([other.code, reasons(other)], [4, ['owner-untrusted']]);
    const quorum = ['--witness', dids[0] ?? '', '--witness', dids[1] ?? '', '--quorum', '1'];
    const witnessed = await verify(file, ...quorum, '--json');
    assert.deepEqual([witnessed.code, reasons(witnessed)], [4, ['quorum-missing']]);
    const lines = (await verify(file, ...quorum)).stdout.split('\n');
    assert.match(lines[0] ?? '', /; the stated trust is not met$/);
    const nobody = await verify(file, '--quorum', '1', '--json');
    assert.equal(dig(json(nobody), 'error', 'message'), '--quorum counts the keys of --witness');
    const mended = await verify(file, '--repair', '--json');
    assert.equal(dig(json(mended), 'error', 'message'), '--repair is for streams');
    const many = await verify(file, ...quorum.slice(0, -1), '3', '--json');
    assert.deepEqual([many.code, faultOf(many)['code']], [2, 'usage']);
    const bad = await verify(file, '--trust', 'did:web:example.org', '--json');
    assert.deepEqual([bad.code, faultOf(bad)['code']], [2, 'usage']);
  });

  it('never take a changed proof, nor a file that is none', async () => {
    using folder = tempFolder();
    await using _node = await withOrders(folder.path);
    const { stdout: proof } = await hw(['prove', 'orders#2', '--home', folder.path]);
    const env = offlineEnv(nodeCrypto);
    const sound = utf8(proof);
    assert.equal(verifyEventProof(env, sound).verdict, 'intact');
    for (let at = 0; at < sound.length; at++) {
      const changed = sound.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.notEqual(verifyEventProof(env, changed).verdict, 'intact', `byte ${at}`);
      if (at % 101 !== 0) continue;
      const ran = await verifyInput(Buffer.from(changed).toString('latin1'), '--json');
      assert.ok([3, 4].includes(ran.code), `byte ${at}: ${ran.code}`);
    }
    const cases = [
      [proof.slice(0, -1), 'note-malformed'],
      [proof + proof, 'checkpoint-lines'],
      ['', 'proof-header'],
      [proof.replace('\nindex 2\n', '\nindex 6\n'), 'range-invalid'],
      [proof.replace('\nindex 2\n', '\nindex 3\n'), 'root-mismatch'],
      [proof.padEnd(1_048_577, '\n'), 'proof-too-large'],
    ] as const;
    for (const [text, code] of cases) {
      const ran = await verifyInput(text, '--json');
      assert.deepEqual([ran.code, reasons(ran)], [3, [code]]);
      assert.equal(json(ran)['proven'], undefined);
    }
    const file = join(folder.path, 'x.hwb');
    writeFileSync(file, proof);
    const bundle = await verify(file, '--json');
    assert.deepEqual([bundle.code, reasons(bundle)], [3, ['bundle-gzip']]);
    const none = await verify('./not-here', '--json');
    assert.deepEqual([none.code, faultOf(none)['code']], [1, 'file-unreadable']);
    const stream = await verify('orders', '--trust', dids[0] ?? '', '--json');
    assert.equal(faultOf(stream)['code'], 'home-missing');
  });

  it('prove over HTTP that a log goes on from what it was', async () => {
    using folder = tempFolder();
    await using node = await withOrders(folder.path);
    const before = await checkpointOf(node);
    await node.client.batch(`${path}/events`, [{ ...events[0], id: 'later' }]);
    const after = await checkpointOf(node);
    assert.deepEqual([before.size, after.size], [6, 8]);
    for (const base of [path, `/logs/${before.logId}`]) {
      const answer = await node.client.get(`${base}/consistency?from=6&to=8`);
      assert.deepEqual(answer.at('from'), 6);
      assert.deepEqual(answer.at('to'), 8);
      const proof = (answer.at('proof') as string[]).map((text) => asHash(must(fromBase64(text))));
      must(verifyConsistency(nodeCrypto, before.size, after.size, proof, before.root, after.root));
      const head = await node.client.get(`${base}/consistency?from=6`);
      assert.equal(head.text, answer.text);
      const beyond = await node.client.get(`${base}/consistency?from=6&to=9`);
      assert.deepEqual([beyond.status, beyond.at('code')], [404, 'index-over-head']);
      const backwards = await node.client.get(`${base}/consistency?from=7&to=6`);
      assert.deepEqual([backwards.status, backwards.at('code')], [404, 'index-over-head']);
      for (const bad of ['', '?from=-1', '?from=1.5', '?from=1&to=x', '?from=1&also=2']) {
        assert.equal((await node.client.get(`${base}/consistency${bad}`)).status, 400, bad);
      }
    }
  });
});

const textType = 'text/plain; charset=utf-8';
