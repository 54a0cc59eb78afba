import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { formatInvite, type Invite } from '../../../src/gossip/invite.ts';
import { parseConfig } from '../../../src/node/config.ts';
import type { Config } from '../../../src/node/config-schema.ts';
import { readNetwork, homePaths } from '../../../src/node/home.ts';
import { asHash, asPeerId, asTimeMs, type Did } from '../../../src/types.ts';
import { parseDid } from '../../../src/ids.ts';
import { faultOf, hw, json, tempFolder } from './harness.ts';

const peer = asPeerId('12D3KooWGYFQvWdDMkNZpCvUAXwQbbmRhqCvC6DYhFS5XYUSLn8H');
const bare = '/ip4/192.0.2.1/tcp/4001';

function did(text: string): Did {
  const parsed = parseDid(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

function line(changes: Partial<Invite> = {}): string {
  return formatInvite({
    network: asHash(new Uint8Array(32).fill(7)),
    addresses: [bare],
    peers: [peer],
    inviter: did('did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'),
    name: 'acme',
    expires: asTimeMs(4_000_000_000_000),
    ...changes,
  });
}

function configOf(home: string): Config {
  const file = join(home, 'config.yaml');
  const config = parseConfig(readFileSync(file, 'utf8'), file, {});
  assert.ok(config.ok);
  return config.value;
}

describe('hw join', () => {
  it('makes a fresh home a member, knowing the way and the inviter by name', async () => {
    using folder = tempFolder();
    const home = join(folder.path, 'h');
    const ran = await hw(['join', line(), '--org', 'beta', '--json', '--home', home]);
    assert.equal(ran.code, 0, ran.stdout);
    assert.equal(json(ran)['network'], '07'.repeat(32));
    assert.equal(json(ran)['alias'], 'acme');
    const config = configOf(home);
    assert.equal(config.organisation, 'beta');
    assert.deepEqual(config.p2p.bootstrap, [`${bare}/p2p/${peer}`]);
    assert.deepEqual(Object.keys(config.aliases), ['acme']);
    const network = await readNetwork(homePaths(home));
    assert.deepEqual(network, { ok: true, value: { id: '07'.repeat(32) } });
    const shown = json(await hw(['network', 'show', '--json', '--home', home]));
    assert.deepEqual(shown, { id: '07'.repeat(32), version: 0 });
  });

  it('changes nothing the second time, and adds addresses of a further invite', async () => {
    using folder = tempFolder();
    await hw(['join', line(), '--home', folder.path]);
    const before = readFileSync(join(folder.path, 'config.yaml'), 'utf8');
    assert.equal((await hw(['join', line(), '--home', folder.path])).code, 0);
    assert.equal(readFileSync(join(folder.path, 'config.yaml'), 'utf8'), before);
    const other = `/ip4/192.0.2.2/tcp/1/p2p/${peer}`;
    await hw(['join', line({ addresses: [other] }), '--home', folder.path]);
    assert.deepEqual(configOf(folder.path).p2p.bootstrap, [`${bare}/p2p/${peer}`, other]);
  });

  it('gives a second inviter of the same name another alias', async () => {
    using folder = tempFolder();
    await hw(['join', line(), '--home', folder.path]);
    const inviter = did('did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp');
    await hw(['join', line({ inviter }), '--home', folder.path]);
    assert.deepEqual(Object.keys(configOf(folder.path).aliases), ['acme', 'acme-2']);
  });

  it('leaves a network of its own that has no streams yet', async () => {
    using folder = tempFolder();
    await hw(['init', '--home', folder.path]);
    assert.equal((await hw(['join', line(), '--home', folder.path])).code, 0);
    const network = await readNetwork(homePaths(folder.path));
    assert.deepEqual(network, { ok: true, value: { id: '07'.repeat(32) } });
  });

  it('refuses a line that is cut or has expired, and makes no home for it', async () => {
    using folder = tempFolder();
    const home = join(folder.path, 'h');
    const cut = await hw(['join', line().slice(0, -3), '--json', '--home', home]);
    assert.deepEqual([cut.code, faultOf(cut)['code']], [2, 'invite-invalid']);
    const late = line({ expires: asTimeMs(1) });
    const expired = await hw(['join', late, '--json', '--home', home]);
    assert.deepEqual([expired.code, faultOf(expired)['code']], [2, 'invite-expired']);
    assert.ok(!existsSync(home));
  });
});

describe('hw init', () => {
  it('founds a network, listed where asked, or none', async () => {
    using folder = tempFolder();
    const at = (name: string): string => join(folder.path, name);
    await hw(['init', '--org', 'acme', '--listed', '--home', at('a')]);
    const shown = json(await hw(['network', 'show', '--json', '--home', at('a')]));
    assert.deepEqual([shown['name'], shown['membership'], shown['version']], ['acme', 'listed', 1]);
    await hw(['init', '--no-network', '--home', at('b')]);
    const none = await hw(['network', 'show', '--json', '--home', at('b')]);
    assert.equal(faultOf(none)['code'], 'network-none');
  });

  it('picks other ports for each home', async () => {
    using folder = tempFolder();
    const ports = new Set<string>();
    for (const name of ['a', 'b', 'c']) {
      await hw(['init', '--home', join(folder.path, name)]);
      const { http, p2p } = configOf(join(folder.path, name));
      for (const address of [http.listen, ...p2p.listen]) {
        ports.add(/(?::|tcp\/)(\d+)/.exec(address)?.[1] ?? '');
      }
    }
    assert.equal(ports.size, 9);
  });

  it('writes a name that YAML would take for something else as text', async () => {
    using folder = tempFolder();
    await hw(['init', '--org', '2024', '--home', folder.path]);
    assert.equal(configOf(folder.path).organisation, '2024');
  });

  it('refuses an organisation name that nobody could write', async () => {
    using folder = tempFolder();
    const ran = await hw(['init', '--org', 'Acme Inc', '--json', '--home', join(folder.path, 'h')]);
    assert.deepEqual([ran.code, faultOf(ran)['code']], [2, 'usage']);
    assert.ok(!existsSync(join(folder.path, 'h')));
  });

  it('says the passphrase file is empty or missing before it makes anything', async () => {
    using folder = tempFolder();
    const home = join(folder.path, 'h');
    const missing = await hw(['init', '--passphrase-file', 'none', '--json', '--home', home]);
    assert.equal(faultOf(missing)['code'], 'file-unreadable');
    const empty = await hw(['init', '--passphrase-file', '-', '--json', '--home', home], {
      stdin: '\n',
    });
    assert.equal(faultOf(empty)['code'], 'usage');
    assert.ok(!existsSync(home));
  });
});
