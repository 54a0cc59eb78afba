/** `hw key token` for others: the token for metrics, delegations of the API, and bearers of them. */
import assert from 'node:assert/strict';
import { statSync, writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { Replays } from '../../../src/access/ucan-replays.ts';
import { Revocations } from '../../../src/access/ucan-revocations.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { didFromKey } from '../../../src/ids.ts';
import { AdminCourt } from '../../../src/node/http/admins.ts';
import { readHome } from '../../../src/node/home.ts';
import { refused, value } from '../../access/tokens.ts';
import { must } from '../../support/result.ts';
import { faultOf, hw, json, real, tempFolder } from './harness.ts';

async function homes(folder: string): Promise<{
  readonly run: (home: string, ...args: readonly string[]) => ReturnType<typeof hw>;
  readonly court: AdminCourt;
  readonly admin: string;
  readonly node: string;
}> {
  const run = (home: string, ...args: readonly string[]): ReturnType<typeof hw> =>
    hw([...args, '--home', join(folder, home)]);
  for (const home of ['acme', 'ops']) await run(home, 'init', '--org', home, '--no-network');
  const acme = must(await readHome(join(folder, 'acme'))).identity;
  const ops = must(await readHome(join(folder, 'ops'))).identity;
  const node = didFromKey(acme.peerKey);
  const court = new AdminCourt(
    {
      crypto: nodeCrypto,
      self: node,
      replays: new Replays(0, 10),
      revocations: new Revocations(10),
    },
    acme.organisation,
    real.clock,
  );
  return { run, court, admin: ops.organisation, node };
}

const status = { method: 'GET', path: '/status', query: '', command: '/flow/admin/read' };

describe('hw key token for others', function () {
  this.timeout(30_000);

  it('makes a token for metrics in a file for its owner alone, and keeps it', async () => {
    using folder = tempFolder();
    const { run } = await homes(folder.path);
    const made = json(await run('acme', 'key', 'token', '--scope', 'metrics', '--json'));
    const file = join(folder.path, 'acme', 'metrics.token');
    assert.equal(readFileSync(file, 'utf8'), `${String(made['token'])}\n`);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const again = await run('acme', 'key', 'token', '--scope', 'metrics');
    assert.equal(again.stdout, `${String(made['token'])}\n`);
    const anew = await run('acme', 'key', 'token', '--scope', 'metrics', '--new');
    assert.notEqual(anew.stdout, again.stdout);
    const home = await run('acme', 'key', 'token');
    assert.notEqual(home.stdout, anew.stdout);
  });

  it('delegates the API to another organisation, which makes a bearer for one request', async () => {
    using folder = tempFolder();
    const { run, court, admin } = await homes(folder.path);
    const given = await run('acme', 'key', 'token', '--admin', admin, '--scope', 'read');
    assert.equal(given.code, 0, given.stderr);
    const file = join(folder.path, 'delegation');
    writeFileSync(file, given.stdout);
    const ask = ['key', 'token', '--request', 'GET /status', '--delegation', file];
    const bearer = (await run('ops', ...ask)).stdout.trim();
    refused(court.judge(bearer, { ...status, path: '/streams' }), 'ucan-request');
    assert.equal(value(court.judge(bearer, status)).did, admin);
    refused(court.judge(bearer, status), 'ucan-replayed');
    const stop = ['key', 'token', '--request', 'POST /shutdown', '--delegation', file];
    const stopping = (await run('ops', ...stop)).stdout.trim();
    const shutdown = { method: 'POST', path: '/shutdown', query: '', command: '/flow/admin/stop' };
    refused(court.judge(stopping, shutdown), 'ucan-command', 0);
  });

  it('makes a bearer of the organisation itself, whose key is here', async () => {
    using folder = tempFolder();
    const { run, court, node } = await homes(folder.path);
    const made = await run('acme', 'key', 'token', '--request', 'GET /status?a=1', '--node', node);
    value(court.judge(made.stdout.trim(), { ...status, query: 'a=1' }));
  });

  it('refuses a delegation that is not for a key of this home, and wrong words', async () => {
    using folder = tempFolder();
    const { run, admin } = await homes(folder.path);
    const file = join(folder.path, 'delegation');
    writeFileSync(file, (await run('acme', 'key', 'token', '--admin', admin)).stdout);
    for (const [args, code] of [
      [['--request', 'GET /status', '--delegation', file], 'ucan-audience'],
      [['--request', 'GET /status', '--delegation', join(folder.path, 'none')], 'file-unreadable'],
      [['--request', 'GET /status', '--node', 'me'], 'usage'],
      [['--request', 'status'], 'usage'],
      [['--admin', 'ops'], 'usage'],
      [['--admin', admin, '--scope', 'red'], 'usage'],
      [['--admin', admin, '--for', 'ever'], 'usage'],
      [['--scope', 'read'], 'usage'],
    ] as const) {
      const ran = await run('acme', 'key', 'token', ...args, '--json');
      assert.equal(faultOf(ran)['code'], code, args.join(' '));
    }
  });
});
