import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { buildBlock } from '../../src/ledger/build-block.ts';
import type { LogState, UnknownLog } from '../../src/ledger/log-state.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { env } from '../support/judges.ts';
import { readSigner } from '../../src/access/key-file-store.ts';
import { genesisProof } from '../../src/node/home-keys.ts';
import { openHome, readHome } from '../../src/node/home.ts';
import type { Runtime } from '../../src/node/runtime.ts';
import { limits } from '../../src/limits.ts';
import { rotateWriterKey } from '../../src/node/key-rotation.ts';
import { openHomeLedger } from '../../src/node/open-ledger.ts';
import { replaceRecoveryKey } from '../../src/node/recovery-key.ts';
import { err } from '../../src/result.ts';
import { fault } from '../../src/errors.ts';
import { real, tempFolder } from './cli/harness.ts';
import { must, refused } from '../support/result.ts';
import { until } from '../support/until.ts';
import { dig, event, lines, problem } from './http/client.ts';
import { createStream, testNode, type TestNode } from './running.ts';
import { ids, journal, peerDid, registry } from './views.ts';

const path = '/streams/acme/orders';
const never = () => Promise.resolve(err(fault('key-passphrase-needed', 'asked')));

async function publish({ client }: TestNode, ...numbers: number[]): Promise<void> {
  const made = await client.batch(
    `${path}/events`,
    numbers.map((n) => event(n)),
  );
  assert.equal(made.status, 202, made.text);
}

interface Log {
  readonly log: string;
  readonly size: number;
  readonly state: string;
  readonly closing?: { readonly size: number; readonly successor: string };
}

async function logsOf({ client }: TestNode, of = path): Promise<readonly Log[]> {
  const view = (await client.get(of)).body;
  return dig(view, 'logs') as readonly Log[];
}

/** The checks come 250 times as often. */
const soon: Runtime['timers']['every'] = (ms, run) =>
  real.timers.every(ms === limits.checkIntervalMs ? 20 : ms, run);

/** What the node says of keys that it has not. */
async function keyCheck({ client }: TestNode): Promise<unknown> {
  const checks = (await client.get('/status')).at('checks');
  assert.ok(Array.isArray(checks));
  return dig(
    checks.find((check) => dig(check, 'name') === 'writer key'),
    'reason',
  );
}

/** The successor is made, the registry not told: as after kill -9 between the two. */
async function succeedUnsaid(folder: string): Promise<LogId> {
  const home = must(await openHome(folder));
  await using ledger = must(await openHomeLedger(home, real));
  const log = ledger.logs().find(({ genesis }) => genesis?.name === 'orders') ?? assert.fail();
  const key = must(await readSigner(join(folder, 'keys/recovery.key')));
  const proof = genesisProof(home, real.random, log.genesis?.name ?? assert.fail(), 0);
  const plan = { recoveryHash: home.identity.recoveryHash, proof };
  return must(await ledger.successors.succeed(log.logId, plan, key, home.keys.writer));
}

describe('recovering a stream', function () {
  this.timeout(30_000);

  it('goes on in a successor; reading, cursors, verifying and publishing cross it', async () => {
    await using home = await testNode();
    const { client, folder } = home;
    await createStream(client, 'orders', { description: 'What was ordered.' });
    await publish(home, 1, 2, 3);
    const first = (await logsOf(home))[0];
    const done = await client.json('POST', `${path}/recover`, { reason: 'key', why: 'stolen' });
    assert.equal(done.status, 200, done.text);
    await publish(home, 4);
    const [closed, open] = await logsOf(home);
    assert.equal(closed?.log, first?.log);
    assert.equal(closed?.state, 'closed');
    assert.equal(closed?.closing?.successor, open?.log);
    assert.equal(closed?.closing?.size, first?.size);
    assert.equal(open?.state, 'open');
    assert.equal(dig((await client.get(path)).body, 'id'), first?.log);
    assert.deepEqual(await ids(client, `${path}/events`), ['1', '2', '3', '4']);
    for (const [i, wanted] of ['1', '2', '3', '4'].entries()) {
      assert.deepEqual(await ids(client, `${path}/events?cursor=app&limit=1`), [wanted], `${i}`);
    }
    const verified = await client.json('POST', `${path}/verify`, {});
    assert.equal(verified.at('verdict'), 'intact');
    assert.equal((verified.at('logs') as unknown[]).length, 2);
    problem(await client.get(`${path}/events/0`), 409, 'position-ambiguous');
    const one = await client.get(`/logs/${open?.log}/events/2`);
    assert.equal(one.status, 200);
    assert.equal((await client.get(`/logs/${open?.log}/events/2/proof`)).status, 200);
    await until(async () => (await registry(home)).length === 3, 'the card is announced');
    assert.deepEqual((await registry(home)).at(-1), ['org.headwater.stream.updated', 'orders']);
    const card = lines((await client.get(`/streams/${home.organisation}/_registry/events`)).text);
    assert.deepEqual(dig(card.at(-1), 'data', 'partitions', 0, 'successors'), [open?.log]);
    assert.equal(dig(card.at(-1), 'data', 'description'), 'What was ordered.');
    const entries = await journal(home, await peerDid(folder));
    const said = entries.find(([, , data]) => dig(data, 'action') === 'stream.recover');
    assert.match(String(dig(said?.[2], 'why')), /^stolen; hw:.* closed at .* goes on/);
    assert.ok(entries.some(([type]) => type === 'org.headwater.stream.recovered'));
  });

  it('ends before the block of the first entry that does not count', async () => {
    await using home = await testNode();
    await createStream(home.client, 'orders');
    for (const n of [1, 2, 3]) await publish(home, n);
    // Genesis and seal, then an event and a seal each: entry 4 is the second event.
    const done = await home.client.json('POST', `${path}/recover`, { reason: 'fork', at: 4 });
    assert.equal(done.status, 200, done.text);
    assert.equal((await logsOf(home))[0]?.closing?.size, 4);
    assert.deepEqual(await ids(home.client, `${path}/events`), ['1']);
  });

  it('is refused with what to do where it cannot be', async () => {
    await using home = await testNode();
    const { client, folder } = home;
    await createStream(client, 'orders', { partitions: 2 });
    const post = (body: unknown, of = path) => client.json('POST', `${of}/recover`, body);
    problem(await post({ reason: 'whim' }), 400, 'usage');
    problem(await post({ reason: 'fork' }), 409, 'recover-needless');
    problem(await post({ reason: 'clock' }), 409, 'recover-needless');
    problem(await post({ reason: 'fork', at: 1 }), 409, 'position-ambiguous');
    problem(await post({ reason: 'key', partition: 7 }), 400, 'partition-count');
    problem(await post({ reason: 'fork', at: 1, partition: 0 }), 422, 'successor-predecessor');
    problem(await post({ reason: 'key' }, '/streams/acme/none'), 404, 'stream-unknown');
    const wrong = { reason: 'key', keyFile: join(folder, 'keys/peer.key') };
    problem(await post(wrong), 403, 'recovery-key');
    await rename(join(folder, 'keys/recovery.key'), join(folder, 'elsewhere.key'));
    const gone = await post({ reason: 'key' });
    assert.equal(gone.at('code'), 'key-file-missing');
    assert.match(String(gone.at('hint')), /--key FILE/);
    const done = await post({ reason: 'key', keyFile: join(folder, 'elsewhere.key') });
    assert.equal(done.status, 200, done.text);
    assert.equal((await logsOf(home)).length, 4);
  });

  it('survives a restart, and completes a card that a crash kept back', async () => {
    using folder = tempFolder();
    {
      await using home = await testNode({ folder: folder.path });
      await createStream(home.client, 'orders');
      await publish(home, 1);
    }
    const successor = await succeedUnsaid(folder.path);
    await using home = await testNode({ folder: folder.path });
    await publish(home, 2);
    const first = (await logsOf(home))[0]?.log;
    const late = await home.client.json('POST', `/logs/${first}/events/2/redact`, { reason: 'x' });
    problem(late, 409, 'log-closed');
    const retention = { maxBytes: 1_000_000 };
    const set = await home.client.json('PATCH', path, { retention });
    assert.deepEqual(set.at('retention'), retention, set.text);
    assert.deepEqual((await home.client.get(path)).at('retention'), retention);
    assert.deepEqual(await ids(home.client, `${path}/events`), ['1', '2']);
    assert.deepEqual((await registry(home)).at(-1), ['org.headwater.stream.updated', 'orders']);
    assert.equal((await logsOf(home)).at(-1)?.log, successor);
  });

  it('brings back a home whose writer key is lost: registry first, then the stream', async () => {
    using folder = tempFolder();
    {
      await using home = await testNode({ folder: folder.path });
      await createStream(home.client, 'orders');
      await publish(home, 1);
    }
    const view = must(await readHome(folder.path));
    const rotated = must(await rotateWriterKey(view, real, never, true));
    assert.equal(rotated.logs.length, 0);
    assert.equal(rotated.left.length, 2);
    await using home = await testNode({ folder: folder.path });
    const refusedNow = await home.client.batch(`${path}/events`, [event(2)]);
    assert.match(refusedNow.text, /"writer-key"/);
    assert.match(
      String(await keyCheck(home)),
      /^orders, _registry: .*writer-key|^_registry, orders: .*writer-key/,
    );
    const done = await home.client.json('POST', `${path}/recover`, { reason: 'key' });
    assert.equal(done.status, 200, done.text);
    await publish(home, 2);
    assert.deepEqual(await ids(home.client, `${path}/events`), ['1', '2']);
    assert.deepEqual((await registry(home)).at(-1), ['org.headwater.stream.updated', 'orders']);
    assert.equal((await logsOf(home, `/streams/${home.organisation}/_registry`)).length, 2);
    assert.equal(await keyCheck(home), undefined);
  });

  it('starts though its registry, which must name a successor, can no longer be signed', async () => {
    using folder = tempFolder();
    {
      await using home = await testNode({ folder: folder.path });
      await createStream(home.client, 'orders');
    }
    await succeedUnsaid(folder.path);
    must(await rotateWriterKey(must(await readHome(folder.path)), real, never, true));
    await using home = await testNode({ folder: folder.path });
    assert.match(String(await keyCheck(home)), /_registry/);
    const done = await home.client.json('POST', `${path}/recover`, { reason: 'key' });
    assert.equal(done.status, 200, done.text);
    await publish(home, 1);
  });

  it('announces what it could not, as soon as its registry is signed again', async () => {
    using folder = tempFolder();
    {
      await using home = await testNode({ folder: folder.path });
      await createStream(home.client, 'orders', { description: 'What was ordered.' });
    }
    await succeedUnsaid(folder.path);
    must(await rotateWriterKey(must(await readHome(folder.path)), real, never, true));
    const runtime = { timers: { ...real.timers, every: soon } };
    await using home = await testNode({ folder: folder.path, runtime });
    const of = `/streams/${home.organisation}/_registry`;
    const done = await home.client.json('POST', `${of}/recover`, { reason: 'key' });
    assert.equal(done.status, 200, done.text);
    const card = async () => lines((await home.client.get(`${of}/events`)).text).at(-1);
    const updated = 'org.headwater.stream.updated';
    await until(async () => dig(await card(), 'type') === updated, 'the card is announced');
    assert.equal(dig(await card(), 'subject'), 'orders');
    assert.equal(dig(await card(), 'data', 'description'), 'What was ordered.');
    await until(async () => (await keyCheck(home)) !== undefined, 'orders is not recovered');
    assert.match(String(await keyCheck(home)), /^orders: /);
  });

  it('rotates the writer key past a frozen log, which then goes on with the new key', async () => {
    using folder = tempFolder();
    {
      await using home = await testNode({ folder: folder.path });
      await createStream(home.client, 'orders');
      await publish(home, 1);
    }
    {
      // A copy of the home, or a thief, has signed another second block.
      const home = must(await openHome(folder.path));
      await using ledger = must(await openHomeLedger(home, real));
      const log = ledger.logs().find(({ genesis }) => genesis?.name === 'orders') ?? assert.fail();
      let state: LogState | UnknownLog = { logId: log.logId };
      for await (const { wire } of ledger.blocks(log.logId, asLogIndex(0), { maxBytes: 1 })) {
        state = must(verifyBlock(env, state, wire.slice(), { form: 'any' })).state;
      }
      const options = { time: real.clock.now(), seed: new Uint8Array(32) };
      const other = must(buildBlock(env, state, home.keys.writer, [], options));
      await ledger.apply(other.wire, 'gossip');
      assert.equal(ledger.log(log.logId)?.state, 'frozen');
    }
    const view = must(await readHome(folder.path));
    refused(await replaceRecoveryKey(view, real, never, undefined), 'recover-first');
    must(await openHome(folder.path), 'nothing was begun');
    const rotated = must(await rotateWriterKey(view, real, never));
    assert.deepEqual([rotated.logs.length, rotated.left.length], [1, 1]);
    await using home = await testNode({ folder: folder.path });
    const frozen = await home.client.batch(`${path}/events`, [event(2)]);
    assert.notEqual(frozen.status, 202);
    const done = await home.client.json('POST', `${path}/recover`, { reason: 'fork' });
    assert.equal(done.status, 200, done.text);
    await publish(home, 2);
    assert.deepEqual(await ids(home.client, `${path}/events`), ['1', '2']);
  });

  it('recovers with a recovery key that was replaced, and no longer with the old one', async () => {
    using folder = tempFolder();
    {
      await using home = await testNode({ folder: folder.path });
      await createStream(home.client, 'orders');
    }
    const view = must(await readHome(folder.path));
    const { copyFile } = await import('node:fs/promises');
    const kept = join(folder.path, 'old.key');
    await copyFile(join(folder.path, 'keys/recovery.key'), kept);
    const peerKey = join(folder.path, 'keys/peer.key');
    refused(await replaceRecoveryKey(view, real, never, peerKey), 'recovery-key');
    must(await openHome(folder.path), 'nothing was begun');
    const replaced = must(await replaceRecoveryKey(view, real, never, undefined));
    assert.equal(replaced.logs.length, 3);
    await using home = await testNode({ folder: folder.path });
    const old = { reason: 'key', keyFile: kept };
    problem(await home.client.json('POST', `${path}/recover`, old), 403, 'recovery-key');
    const done = await home.client.json('POST', `${path}/recover`, { reason: 'key' });
    assert.equal(done.status, 200, done.text);
    await publish(home, 1);
  });
});
