/** `hw init --peer-of`, `hw peer enrol`, `hw init --delegation`: another peer of an organisation. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { verifyPeerDelegation } from '../../../src/access/peer-delegation.ts';
import { decodeDelegation } from '../../../src/access/ucan-delegation.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { parseAnswer } from '../../../src/node/enrolment-text.ts';
import { openHome, readNetwork, homePaths } from '../../../src/node/home.ts';
import { writeLeave } from '../../../src/node/write-leave.ts';
import { asStreamName, asTimeMs } from '../../../src/types.ts';
import { must } from '../../support/result.ts';
import { faultOf, hw, json, real, tempFolder, type Ran } from './harness.ts';

interface Homes {
  readonly acme: string;
  readonly depot: string;
  readonly did: string;
  readonly key: string;
  readonly request: string;
  readonly answer: string;
}

const run = (home: string, ...args: readonly string[]): Promise<Ran> =>
  hw([...args, '--json', '--home', home]);

async function done(home: string, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const ran = await run(home, ...args);
  assert.equal(ran.code, 0, ran.stdout);
  return json(ran);
}

async function refused(home: string, ...args: readonly string[]): Promise<unknown> {
  const ran = await run(home, ...args);
  assert.notEqual(ran.code, 0, ran.stdout);
  assert.notEqual(faultOf(ran)['hint'], undefined);
  return faultOf(ran)['code'];
}

const noPassphrase = (): never => assert.fail('nothing is locked');

/** An organisation whose key is on a stick, and a home that asks to be its peer. */
async function homes(folder: string): Promise<Homes> {
  const [acme, depot] = [join(folder, 'acme'), join(folder, 'depot')];
  const did = String((await done(acme, 'init', '--org', 'acme'))['organisation']);
  const key = join(folder, 'stick.key');
  renameSync(join(acme, 'keys', 'organisation.key'), key);
  const request = join(folder, 'depot.request');
  const asked = await done(depot, 'init', '--peer-of', did, '--org', 'depot');
  writeFileSync(request, String(asked['request']));
  return { acme, depot, did, key, request, answer: join(folder, 'depot.answer') };
}

describe('another peer of an organisation', function () {
  this.timeout(60_000);

  it('asks, is answered by the key on a stick, and has what a peer needs', async () => {
    using folder = tempFolder();
    const { acme, depot, did, key, request, answer } = await homes(folder.path);
    for (const name of ['organisation', 'recovery']) {
      assert.equal(existsSync(join(depot, 'keys', `${name}.key`)), false);
    }
    const writes = ['--write', 'orders', '--write', 'news'];
    await done(acme, 'peer', 'enrol', request, '--key', key, ...writes, '--out', answer);
    const taken = await done(depot, 'init', '--delegation', answer);
    assert.deepEqual(
      [taken['organisation'], taken['name'], taken['encryption']],
      [did, 'acme', true],
    );
    const [first, home] = [must(await openHome(acme)), must(await openHome(depot))];
    const { peerKey } = home.identity;
    assert.equal(home.identity.organisation, did);
    assert.deepEqual(home.identity.recoveryHash, first.identity.recoveryHash);
    assert.deepEqual(
      home.keys.encryption?.current.publicKey,
      first.keys.encryption?.current.publicKey,
    );
    assert.equal(home.config.organisation, 'acme');
    const now = real.clock.now();
    const claim = { proof: home.peerDelegation, peerKey, now };
    const standing = must(verifyPeerDelegation(nodeCrypto, claim));
    const own = { proof: first.peerDelegation, peerKey: first.identity.peerKey, now };
    assert.equal(standing.registry, must(verifyPeerDelegation(nodeCrypto, own)).registry);
    assert.deepEqual(
      [home.readDelegation, home.keyDelegation].map(([token]) => {
        return must(decodeDelegation(token ?? assert.fail())).command;
      }),
      ['/flow/read', '/flow/key'],
    );
    const may = ['orders', 'news', 'other'].map((name) => {
      const leave = writeLeave(home, real, asStreamName(name));
      return leave.ok ? 'may' : leave.error.code;
    });
    assert.deepEqual(may, ['may', 'may', 'stream-not-delegated']);
    const networks = [acme, depot].map(async (at) => must(await readNetwork(homePaths(at))));
    const [theirs, ours] = await Promise.all(networks);
    assert.deepEqual(ours, theirs);
  });

  it('sends no secret: the encryption key goes sealed, or not at all', async () => {
    using folder = tempFolder();
    const { acme, depot, key, request, answer } = await homes(folder.path);
    const seed = JSON.parse(readFileSync(join(acme, 'keys', 'encryption.key'), 'utf8'));
    const secret = Buffer.from(String(seed.seed), 'base64url').toString('latin1');
    await done(acme, 'peer', 'enrol', request, '--key', key, '--out', answer);
    const raw = readFileSync(answer, 'utf8').trim().slice('hwpeer-answer:'.length);
    assert.equal(Buffer.from(raw, 'base64url').toString('latin1').includes(secret), false);
    await done(acme, 'peer', 'enrol', request, '--key', key, '--no-encryption', '--out', answer);
    assert.equal((await done(depot, 'init', '--delegation', answer))['encryption'], false);
    const home = must(await openHome(depot));
    assert.deepEqual(home.writeDelegation, []);
    const leave = writeLeave(home, real, asStreamName('orders'));
    assert.equal(leave.ok ? 'may' : leave.error.code, 'stream-not-delegated');
  });

  it('waits, and says for what, until it is answered', async () => {
    using folder = tempFolder();
    const { depot, did } = await homes(folder.path);
    for (const command of [['up'], ['init'], ['key', 'list'], ['network', 'show']]) {
      assert.equal(await refused(depot, ...command), 'enrolment-pending', command.join(' '));
    }
    const doctor = await run(depot, 'doctor');
    assert.equal(doctor.code, 1);
    assert.match(doctor.stdout, /\[enrolment-pending\]/);
    // The same request, not another one.
    const file = join(depot, 'keys', 'enrolment.request');
    const again = await done(depot, 'init', '--peer-of', did);
    assert.equal(again['request'], readFileSync(file, 'utf8').trim());
  });

  it('takes in only the answer to its own request', async () => {
    using folder = tempFolder();
    const { acme, depot, did, key, request, answer } = await homes(folder.path);
    const shop = join(folder.path, 'shop');
    const asked = await done(shop, 'init', '--peer-of', did);
    await done(acme, 'peer', 'enrol', request, '--key', key, '--out', answer);
    assert.equal(await refused(shop, 'init', '--delegation', answer), 'enrolment-peer');
    assert.equal(await refused(acme, 'init', '--delegation', answer), 'enrolment-peer');
    assert.equal(await refused(depot, 'init', '--delegation', request), 'enrolment-invalid');
    assert.equal(await refused(depot, 'init', '--delegation', key), 'enrolment-invalid');
    const none = join(folder.path, 'none');
    assert.equal(await refused(none, 'init', '--delegation', answer), 'home-missing');
    assert.equal(await refused(depot, 'init', '--delegation', none), 'file-unreadable');
    // A home that is an organisation of its own, or has asked another one.
    const other = String((await done(join(folder.path, 'beta'), 'init'))['organisation']);
    assert.equal(await refused(acme, 'init', '--peer-of', other), 'enrolment-organisation');
    assert.equal(await refused(depot, 'init', '--peer-of', other), 'enrolment-organisation');
    assert.notEqual(asked['request'], readFileSync(request, 'utf8'));
  });

  it('is refused what has ended, and what is of another network', async () => {
    using folder = tempFolder();
    const { acme, depot, key, request, answer } = await homes(folder.path);
    await done(acme, 'peer', 'enrol', request, '--key', key, '--for', '1h', '--out', answer);
    const { takeAnswer } = await import('../../../src/node/enrolment.ts');
    const text = readFileSync(answer, 'utf8');
    const late = {
      ...real,
      clock: { ...real.clock, now: () => asTimeMs(real.clock.now() + 7_200_000) },
    };
    const ended = await takeAnswer(homePaths(depot), late, noPassphrase, text);
    assert.equal(ended.ok ? 'ok' : ended.error.code, 'enrolment-expired');
    assert.equal(existsSync(join(depot, 'keys', 'identity.json')), false);
    writeFileSync(join(depot, 'keys', 'network.json'), `{"id":"${'07'.repeat(32)}"}\n`);
    assert.equal(await refused(depot, 'init', '--delegation', answer), 'network-mismatch');
  });

  it('is let in by the key of its organisation alone, at a home of it', async () => {
    using folder = tempFolder();
    const { acme, depot, key, request, did } = await homes(folder.path);
    assert.equal(await refused(acme, 'peer', 'enrol', request), 'key-file-missing');
    const beta = join(folder.path, 'beta');
    await done(beta, 'init', '--org', 'beta');
    const theirs = join(beta, 'keys', 'organisation.key');
    assert.equal(await refused(acme, 'peer', 'enrol', request, '--key', theirs), 'usage');
    assert.equal(await refused(beta, 'peer', 'enrol', request), 'enrolment-organisation');
    assert.equal(await refused(acme, 'peer', 'enrol', key, '--key', key), 'enrolment-invalid');
    const bad = ['--key', key, '--write', '_registry'];
    assert.equal(await refused(acme, 'peer', 'enrol', request, ...bad), 'bad-name');
    assert.equal(existsSync(join(acme, 'keys', 'enrolled')), false);
    // A request made with stolen words: signed by another key than it names.
    const line = readFileSync(request, 'utf8');
    writeFileSync(request, `${line.slice(0, -4)}AAAA`);
    assert.equal(await refused(acme, 'peer', 'enrol', request, '--key', key), 'enrolment-invalid');
    assert.ok(did.length > 0 && existsSync(depot));
  });

  it('may be given more, or again, and keeps its request for it', async () => {
    using folder = tempFolder();
    const { acme, depot, key, request, answer } = await homes(folder.path);
    for (const writes of [[], ['--write', 'orders']]) {
      await done(acme, 'peer', 'enrol', request, '--key', key, ...writes, '--out', answer);
      assert.equal((await done(depot, 'init', '--delegation', answer))['encryption'], true);
    }
    const home = must(await openHome(depot));
    assert.ok(writeLeave(home, real, asStreamName('orders')).ok);
    const peer = String((await done(depot, 'init'))['peer']);
    const kept = readFileSync(join(acme, 'keys', 'enrolled', `${peer}.ucan`), 'utf8');
    assert.equal(kept.trim().split('\n').length, 2);
  });

  it('may have locked keys, and the organisation others', async () => {
    using folder = tempFolder();
    const { acme, did, key, answer } = await homes(folder.path);
    const secret = join(folder.path, 'secret');
    writeFileSync(secret, 'open sesame\n', { mode: 0o600 });
    const shop = join(folder.path, 'shop');
    const locked = ['--passphrase-file', secret];
    const asked = await done(shop, 'init', '--peer-of', did, ...locked);
    const request = join(folder.path, 'shop.request');
    writeFileSync(request, String(asked['request']));
    await done(acme, 'peer', 'enrol', request, '--key', key, '--out', answer);
    assert.equal(await refused(shop, 'init', '--delegation', answer), 'key-passphrase-needed');
    assert.equal((await done(shop, 'init', '--delegation', answer, ...locked))['encryption'], true);
    const file = join(shop, 'keys', 'encryption.key');
    assert.match(readFileSync(file, 'utf8'), /aes-256-gcm/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(parseAnswer(nodeCrypto, readFileSync(answer, 'utf8')).ok);
  });
});
