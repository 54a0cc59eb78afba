/** A sealed stream of a node: created, written and read over HTTP, with its keys and without. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { hw, json, tempFolder } from '../cli/harness.ts';
import { dig, event, lines, problem, textOf, type Client } from '../http/client.ts';
import { createStream, heldNode, testNode, type TestNode } from '../running.ts';
import { journal, peerDid } from '../views.ts';

const stream = '/streams/acme/secret';
const path = `${stream}/events`;
const batchType = 'application/cloudevents-batch+json';
const sealedStream = { visibility: 'sealed', epochs: { everyEvents: 3 } };

async function publish(client: Client, from: number, to: number): Promise<void> {
  const list = Array.from({ length: to - from }, (_, i) =>
    event(from + i, { subject: `s${(from + i) % 2}`, data: { n: from + i } }),
  );
  const sent = await client.batch(path, list);
  assert.equal(sent.status, 202, sent.text);
}

async function numbers(client: Client, query = ''): Promise<unknown[]> {
  const answer = await client.get(`${path}?from=start${query}`);
  assert.equal(answer.status, 200, answer.text);
  return lines(answer.text).map((line) => dig(line, 'data', 'n') ?? dig(line, 'sealed', 'reason'));
}

/** Without the key files the home has no keys from the next start on. */
function takeKeys(folder: string): void {
  renameSync(join(folder, 'keys', 'epochs'), join(folder, 'taken'));
}

function sorted(list: unknown[]): unknown[] {
  return list.toSorted((a, b) => Number(a) - Number(b));
}

async function overSocket(node: TestNode, count: number): Promise<unknown[]> {
  const url = `${node.client.address.replace('http', 'ws')}${path}?from=start`;
  const headers = { authorization: `Bearer ${node.token}` };
  const socket = new WebSocket(url, 'cloudevents.json', { headers });
  const got: unknown[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.on('message', (data: Buffer) => {
      const value: unknown = JSON.parse(data.toString('utf8'));
      got.push(value);
      if (got.length === count) socket.close();
    });
  });
  return got;
}

describe('a sealed stream of a node', function () {
  this.timeout(40_000);

  it('is created over HTTP, shown with its epoch, and listed as sealed in the registry', async () => {
    await using node = await testNode();
    const { client } = node;
    await createStream(client, 'secret', sealedStream);
    await publish(client, 0, 4);
    const view = await client.get(stream);
    assert.equal(view.at('visibility'), 'sealed');
    assert.deepEqual(view.at('epochs'), { everyEvents: 3 });
    const { since, ...epoch } = Object(view.at('logs', 0, 'epoch'));
    assert.deepEqual(epoch, { epoch: 1, generation: 0 });
    assert.equal(typeof since, 'number');
    const registry = await client.get('/streams/acme/_registry/events?from=start&subject=secret');
    assert.equal(dig(lines(registry.text).at(-1), 'data', 'visibility'), 'sealed');
  });

  it('refuses what does not go together', async () => {
    await using node = await testNode();
    const refusedWith = async (body: object, code: string): Promise<void> =>
      void problem(await node.client.json('POST', '/streams', { name: 'x', ...body }), 400, code);
    await refusedWith({ epochs: { everyMs: 60_000 } }, 'epoch-policy');
    await refusedWith({ visibility: 'sealed', epochs: {} }, 'epoch-policy');
    await refusedWith({ visibility: 'sealed', epochs: { everyMs: 10 } }, 'epoch-policy');
    await refusedWith({ visibility: 'sealed', retention: { compact: true } }, 'retention-policy');
  });

  it('is read by its owner in every form, over partitions and epochs', async () => {
    await using node = await testNode();
    const { client } = node;
    await createStream(client, 'secret', { ...sealedStream, partitions: 3 });
    await publish(client, 0, 10);
    const all = Array.from({ length: 10 }, (_, i) => i);
    assert.deepEqual(sorted(await numbers(client)), all);
    assert.deepEqual(sorted(await numbers(client, '&subject=s1')), [1, 3, 5, 7, 9]);
    assert.deepEqual(await numbers(client, '&subject=s0&last=true'), [8]);
    const batch = await client.get(`${path}?from=start`, batchType);
    const values: unknown = JSON.parse(batch.text);
    assert.ok(Array.isArray(values));
    assert.deepEqual(sorted(values.map((one) => dig(one, 'data', 'n'))), all);
    const messages = await textOf(
      await client.open(`${path}?from=start`, { accept: 'text/event-stream' }),
    );
    assert.equal(messages.match(/^data: \{"id"/gm)?.length, 10);
    const socket = await overSocket(node, 10);
    assert.deepEqual(sorted(socket.map((one) => dig(one, 'data', 'n'))), all);
    const [first] = lines((await client.get(`${path}?from=start&limit=1`)).text);
    const hwref = String(dig(first, 'hwref'));
    const single = await client.get(`/logs/${hwref.slice(3).replace('/', '/events/')}`);
    assert.deepEqual(JSON.parse(single.text), first);
  });

  it('is followed live over epochs and generations', async () => {
    await using node = await testNode();
    const { client } = node;
    await createStream(client, 'secret', sealedStream);
    const response = await client.open(`${path}?from=start&follow=true`, {
      accept: 'application/x-ndjson',
    });
    const got: unknown[] = [];
    const followed = (async () => {
      let text = '';
      for await (const part of response) {
        text += String(part);
        const whole = text.slice(0, text.lastIndexOf('\n') + 1);
        text = text.slice(whole.length);
        got.push(...lines(whole).map((line) => dig(line, 'data', 'n')));
        if (got.length === 9) response.destroy();
      }
    })().catch(() => undefined);
    for (let n = 0; n < 9; n += 1) {
      await publish(client, n, n + 1);
      if (n === 4) await client.json('POST', `${stream}/epochs`, {});
    }
    await followed;
    assert.deepEqual(got, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('repeats the first receipt and tells a conflict, also after a restart', async () => {
    using folder = tempFolder();
    for (const status of [false, true]) {
      await using node = await testNode({ folder: folder.path });
      if (!status) await createStream(node.client, 'secret', sealedStream);
      await publish(node.client, 0, 4);
      assert.deepEqual(await numbers(node.client), [0, 1, 2, 3]);
      const other = await node.client.batch(path, [event(1, { data: { n: 99 } })]);
      assert.match(other.text, /event-conflict/);
    }
  });

  it('is given entry by entry as sealed where its keys are not here, in every form', async () => {
    using folder = tempFolder();
    const place = folder.path;
    {
      await using node = await testNode({ folder: place });
      await createStream(node.client, 'secret', sealedStream);
      await publish(node.client, 0, 2);
    }
    takeKeys(place);
    await using node = await testNode({ folder: place });
    const { client } = node;
    const log = String((await client.get(stream)).at('id'));
    const why = { epoch: 0, reason: 'no-key' };
    const got = lines((await client.get(`${path}?from=start`)).text);
    assert.equal(got.length, 2);
    const { recordedTime, ...rest } = Object(got[0]);
    assert.deepEqual(rest, { sealed: why, hwref: `hw:${log}/4` });
    assert.match(String(recordedTime), /^20\d\d-.*Z$/);
    const enveloped = lines((await client.get(`${path}?from=start&envelope=true`)).text);
    assert.deepEqual(enveloped[1], { log, index: 5, recordedTime, sealed: why });
    const batch: unknown = JSON.parse((await client.get(`${path}?from=start`, batchType)).text);
    assert.deepEqual(dig(batch, 1, 'sealed'), why);
    const messages = await textOf(
      await client.open(`${path}?from=start`, { accept: 'text/event-stream' }),
    );
    assert.match(
      messages,
      /^id: \S+\nevent: sealed\ndata: \{"sealed":\{"epoch":0,"reason":"no-key"/,
    );
    assert.deepEqual(dig(await overSocket(node, 2), 0, 'sealed'), why);
    const single = await client.get(`/logs/${log}/events/4`);
    assert.equal(single.status, 200);
    assert.deepEqual(dig(JSON.parse(single.text), 'sealed'), why);
    assert.deepEqual(await numbers(client, '&subject=s0'), []);
    assert.equal(messages.includes('"n"'), false);
  });

  it('takes no event without the keys of its generation, says so, and goes on with new ones', async () => {
    using folder = tempFolder();
    const place = folder.path;
    {
      await using node = await heldNode(place);
      await createStream(node.client, 'secret', sealedStream);
      await publish(node.client, 0, 1);
    }
    takeKeys(place);
    const stopped = await hw(['doctor', '--home', place]);
    assert.match(stopped.stdout, /epoch keys of secret: the keys of generation 0 are not in/);
    await using node = await heldNode(place);
    const { client } = node;
    const refusal = await client.batch(path, [event(5)]);
    assert.match(refusal.text, /epoch-keys-missing/);
    const status = await client.get('/status');
    assert.match(status.text, /epoch keys of secret/);
    const incomplete = join(place, '..', 'incomplete');
    assert.equal((await hw(['backup', 'create', incomplete, '--home', place])).code, 0);
    const verified = await hw(['backup', 'verify', incomplete, '--json']);
    assert.deepEqual([verified.code, json(verified)['verdict']], [4, 'incomplete']);
    rmSync(incomplete, { recursive: true });
    const rekeyed = await hw(['stream', 'rekey', 'secret', '--why', 'lost', '--home', place]);
    assert.match(rekeyed.stdout, /goes on in epoch 1, generation 1/);
    await publish(client, 1, 2);
    assert.deepEqual(await numbers(client), ['no-key', 1]);
    const entries = await journal(node, await peerDid(place));
    const actions = entries.map(([, subject, data]) => JSON.stringify([subject, data]));
    const told = actions.find((text) => text.includes('stream.rekey'));
    assert.match(told ?? '', /^\["secret",.*"why":"lost"/);
    assert.equal((await client.get('/status')).text.includes('epoch keys of secret'), false);
  });

  it('is rekeyed by hand: epoch and generation go up by one, and all can be read', async () => {
    await using node = await testNode();
    const { client } = node;
    await createStream(client, 'secret', { visibility: 'sealed' });
    await publish(client, 0, 1);
    const opened = await client.json('POST', `${stream}/epochs`, {});
    assert.deepEqual(
      [opened.status, opened.at('opened', 0, 'epoch'), opened.at('opened', 0, 'generation')],
      [200, 1, 1],
    );
    await publish(client, 1, 2);
    assert.deepEqual(await numbers(client), [0, 1]);
    await createStream(client, 'open');
    problem(await client.json('POST', '/streams/acme/open/epochs', {}), 409, 'stream-not-sealed');
  });

  it('is replayed from a stopped home', async () => {
    using folder = tempFolder();
    const place = folder.path;
    {
      await using node = await testNode({ folder: place });
      await createStream(node.client, 'secret', sealedStream);
      await publish(node.client, 0, 5);
    }
    assert.ok(existsSync(join(place, 'keys', 'epochs')));
    assert.equal(readdirSync(join(place, 'keys', 'epochs')).length, 1);
    const replayed = await hw(['replay', 'secret', '--home', place]);
    assert.deepEqual(
      lines(replayed.stdout).map((line) => dig(line, 'data', 'n')),
      [0, 1, 2, 3, 4],
    );
  });
});
