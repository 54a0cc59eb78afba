/** Nothing that opens anything is in a log, in the journal or in what a command prints. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { epochKey } from '../../src/access/epoch-keys.ts';
import { formatContainer } from '../../src/access/ucan-container.ts';
import { toBase64, toBase64url, toHex } from '../../src/bytes.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { didFromKey } from '../../src/ids.ts';
import { mintBearer } from '../../src/node/admin-tokens.ts';
import { openHome, homePaths } from '../../src/node/home.ts';
import { keyNames, SeedReader } from '../../src/node/home-keys.ts';
import { commandOf } from '../../src/node/http/entry-points.ts';
import { startNode } from '../../src/node/node.ts';
import { OwnKeys } from '../../src/node/sealed/own-keys.ts';
import { ok } from '../../src/result.ts';
import { asLogId } from '../../src/types.ts';
import { must } from '../support/result.ts';
import { until } from '../support/until.ts';
import { hw, json, real, tempFolder } from './cli/harness.ts';
import { Client, event } from './http/client.ts';
import { createStream } from './running.ts';

const passphrase = 'correct horse battery staple';
const data = 'the-content-of-an-event';

/** The forms in which bytes are written. */
function forms(bytes: Uint8Array): string[] {
  return [toHex(bytes), toBase64(bytes), toBase64url(bytes), bytes.join(','), bytes.join(', ')];
}

class Secrets {
  readonly #all = new Map<string, string>();

  add(name: string, ...texts: readonly string[]): void {
    for (const text of texts) {
      assert.ok(text.length > 8, name);
      // A part of a secret is one too.
      this.#all.set(text.replace(/=+$/, ''), name).set(text.slice(0, 24), name);
    }
  }

  in(text: string): readonly string[] {
    const found = [...this.#all].filter(([secret]) => text.includes(secret));
    return found.map(([, name]) => name);
  }
}

describe('secrets', function () {
  this.timeout(120_000);

  it('are in no log line at the most talkative level, in no journal entry and in no output', async () => {
    using folder = tempFolder();
    const home = join(folder.path, 'home');
    const file = join(folder.path, 'passphrase');
    writeFileSync(file, `${passphrase}\n`, { mode: 0o600 });
    const printed: string[] = [];
    const secrets = new Secrets();
    secrets.add('passphrase', passphrase);
    secrets.add('event', data);
    const run = async (...args: readonly string[]): Promise<Awaited<ReturnType<typeof hw>>> => {
      const ran = await hw([...args, '--home', home, '--passphrase-file', file]);
      printed.push(ran.stderr);
      return ran;
    };
    printed.push((await run('init', '--org', 'acme')).stdout);
    const succeeded = await run('key', 'succeed', '--stolen');
    assert.equal(succeeded.code, 0, succeeded.stderr);
    printed.push(succeeded.stdout);
    const metrics = String(
      json(await hw(['key', 'token', '--scope', 'metrics', '--json', '--home', home]))['token'],
    );
    secrets.add('token for metrics', metrics);

    const opened = must(
      await openHome(home, { passphrase: () => Promise.resolve(ok(passphrase)) }),
    );
    secrets.add('token of the home', opened.apiToken);
    const seeds = new SeedReader(homePaths(home), () => Promise.resolve(ok(passphrase)));
    for (const name of keyNames) secrets.add(`${name} key`, ...forms(must(await seeds.read(name))));

    const http = { listen: '127.0.0.1:0', public: '127.0.0.1:0' };
    // Every refusal is told, not one a second.
    const limits = { ...opened.config.limits, deniedJournalMs: 0.001 };
    const config = { ...opened.config, http, limits };
    const log: string[] = [];
    const output = {
      ...real.stderr,
      terminal: false,
      write: (text: string | Uint8Array): Promise<void> => {
        log.push(String(text));
        return Promise.resolve();
      },
    };
    const environment = { HW_LOG_LEVEL: 'trace' };
    const runtime = { ...real, environment, stderr: output, stdout: output };
    const node = must(await startNode({ ...opened, config }, runtime));
    {
      await using running = node;
      using client = new Client(running.api, opened.apiToken);
      await use(client, opened, secrets, metrics);
      await seal(client, opened, secrets);
      await name(client, opened);
      const path = `/streams/${encodeURIComponent(didFromKey(opened.identity.peerKey))}/_journal/events`;
      let journal = '';
      await until(async () => {
        journal = (await client.get(path, 'application/x-ndjson')).text;
        return journal.includes('org.headwater.security.denied');
      }, 'the refusals are in the journal');
      printed.push(journal);
    }
    assert.match(log.join(''), /the node is ready/);
    assert.deepEqual(secrets.in([...log, ...printed].join('\n')), []);
    assert.deepEqual(secrets.in(`{"token":"${opened.apiToken}"}`).length > 0, true, 'it can find');
  });
});

/** A sealed stream: the nodes of its key tree, and the keys of its epochs that follow from them. */
async function seal(client: Client, home: Opened, secrets: Secrets): Promise<void> {
  const made = await client.json('POST', '/streams', { name: 'sealed', visibility: 'sealed' });
  assert.equal(made.status, 201, made.text);
  const path = '/streams/acme/sealed';
  assert.equal((await client.batch(`${path}/events`, [event(1, { data })])).status, 202);
  const seen = await client.get(`${path}/events`, 'application/x-ndjson');
  assert.ok(seen.text.includes(data), 'its owner reads it');
  const own = must(await OwnKeys.open(home.paths.epochKeys, home.keys.nodeSecret, real.random));
  const [held] = own.held(asLogId(String(made.at('id'))));
  assert.ok(held !== undefined && held.nodes.length > 0);
  for (const node of held.nodes) {
    secrets.add('node of a key tree', ...forms(node.key));
    for (const epoch of [0, 1, 2]) {
      const key = epochKey(nodeCipher, node, epoch);
      if (key.ok) secrets.add('epoch key', ...forms(key.value));
    }
  }
}

/** A passphrase and a key file in bodies of the API, right and wrong ones. */
async function name(client: Client, home: Opened): Promise<void> {
  for (const key of ['organisation', 'recovery', 'none']) {
    const keyFile = join(home.paths.keys, `${key}.key`);
    const body = { member: home.identity.organisation, keyFile, passphrase };
    await client.json('POST', '/network/members', body);
    await client.json('POST', '/network/members', { ...body, passphrase: `${passphrase} not` });
    await client.json('POST', '/network/members', { ...body, more: passphrase });
    const recover = { reason: 'key', keyFile, passphrase: `${passphrase} not` };
    await client.json('POST', '/streams/acme/orders/recover', recover);
  }
}

type Opened = Parameters<typeof startNode>[0];

/** Everything in which a secret takes part, and the wrong ways of it. */
async function use(client: Client, home: Opened, secrets: Secrets, metrics: string): Promise<void> {
  await createStream(client, 'orders');
  const path = '/streams/acme/orders/events';
  const none = { authorization: '' };
  assert.equal((await client.batch(path, [event(1, { data })])).status, 202);
  assert.equal((await client.batch(path, [{ data }])).status, 422);
  const invite = await client.json('POST', '/network/invites', {});
  secrets.add('invite', String(invite.at('invite')));
  for (const name of ['token', 'ticket']) {
    await client.call('GET', `/status?${name}=${home.apiToken}`, none);
  }
  await client.call('GET', `/${home.apiToken}`, { authorization: 'Bearer wrong' });
  await client.call('GET', '/metrics', { authorization: `Bearer ${metrics}` });
  await client.call('GET', '/status', { authorization: `Bearer ${metrics}` });
  const sse = { ...none, accept: 'text/event-stream' };
  for (const how of ['once', 'twice', 'foreign']) {
    const ticket = String((await client.json('POST', '/tickets', { path })).at('ticket'));
    secrets.add('ticket', ticket);
    const url = `${path}?limit=1&ticket=${ticket}`;
    const origin = { ...sse, origin: 'https://evil.example' };
    await client.call('GET', url, how === 'foreign' ? origin : sse);
    if (how === 'twice') await client.call('GET', url, sse);
  }
  const ticket = String((await client.json('POST', '/tickets', { path })).at('ticket'));
  secrets.add('ticket', ticket);
  const socket = new WebSocket(
    `${client.address.replace('http', 'ws')}${path}?from=bad&ticket=${ticket}`,
    'cloudevents.json',
  );
  await new Promise((resolve) => socket.on('close', resolve).on('error', resolve));
  for (const target of ['/status', path, '/nowhere']) {
    const bearer = mintBearer(home.keys.organisation ?? assert.fail(), real.random, {
      powers: { tokens: [], subject: home.identity.organisation },
      node: didFromKey(home.identity.peerKey),
      command: commandOf('GET', target),
      method: 'GET',
      target,
      now: real.clock.now(),
      seconds: 60,
    });
    secrets.add('bearer', bearer);
    const headers = { authorization: `Bearer ${bearer}` };
    for (let times = 0; times < 2; times++) await client.call('GET', target, headers);
    await client.call('GET', `/status?token=${bearer}`, none);
  }
  const noise = formatContainer([real.random.bytes(200)]);
  secrets.add('container', noise);
  await client.call('GET', '/status', { authorization: `Bearer ${noise}` });
}
