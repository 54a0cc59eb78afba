/** Epoch keys from a producer to its readers: who gets which, when, and who gets none. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { mintGrant, mintGranting, readCommand } from '../../../src/access/grant.ts';
import { limits } from '../../../src/limits.ts';
import { GotKeys } from '../../../src/node/sealed/got-keys.ts';
import { asTimeMs } from '../../../src/types.ts';
import { event } from '../../support/ledger-home.ts';
import { hour, later, member, orders, Producer, Reader } from '../../support/keys.ts';
import { must, refused } from '../../support/result.ts';

const beta = member(2);
const carl = member(3);

describe('epoch keys of a sealed stream', () => {
  let folder = '';
  let acme: Producer;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hw-keys-'));
    acme = await Producer.open(join(folder, 'own'));
  });
  afterEach(async () => {
    await acme.ledger.close();
    await rm(folder, { recursive: true, force: true });
  });

  let published = 0;
  async function publish(): Promise<void> {
    published += 1;
    must(must(await acme.ledger.publish(acme.log, [event(published)]))[0] ?? assert.fail());
  }
  /** One event in each of so many hours. */
  async function hours(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await publish();
      acme.host.offsetMs += hour;
    }
  }
  async function withGrant(
    who = beta,
    changes: Parameters<Producer['grantTo']>[1] = {},
  ): Promise<readonly [Reader, readonly Uint8Array[]]> {
    const tokens = acme.grantTo(who, changes);
    const reader = new Reader(acme, who);
    await reader.keep(tokens);
    return [reader, tokens];
  }

  it('of all that was written come with a grant, and some that are ahead', async () => {
    await hours(3);
    const [reader] = await withGrant();
    await reader.asking.look();
    assert.equal(await reader.epochs(), '0 1 2');
    assert.deepEqual(reader.answers, [undefined]);
    assert.equal(reader.deliveries.at(-1)?.to, 3 + limits.keyLeaseEpochs);
    reader.online = false;
    await hours(5);
    assert.equal(await reader.epochs(), '0 1 2 3 4 5 6 7');
  });

  it('of a range come for exactly the epochs in which something of it was recorded', async () => {
    const starts: number[] = [];
    for (let i = 0; i < 6; i++) {
      starts.push(acme.host.clock.now());
      await hours(1);
    }
    const at = (i: number): ReturnType<typeof asTimeMs> => asTimeMs((starts[i] ?? 0) - 1000);
    const [reader] = await withGrant(beta, { from: at(2), to: at(4) });
    await reader.asking.look();
    assert.equal(await reader.epochs(), '2 3');
    const [late] = await withGrant(carl, { from: at(5) });
    await late.asking.look();
    assert.equal(await late.epochs(), '5');
  });

  it('are never leased beyond the end of the range, nor of the grant', async () => {
    await publish();
    const [reader] = await withGrant(beta, { to: later(acme.host, 3 * hour - 10_000) });
    await reader.asking.look();
    assert.deepEqual(
      reader.deliveries.map(({ from, to }) => [from, to]),
      [[0, 3]],
    );
    const [other] = await withGrant(carl, { expires: later(acme.host, hour / 2) });
    await other.asking.look();
    assert.deepEqual(
      other.deliveries.map(({ from, to }) => [from, to]),
      [[0, 1]],
    );
    const [future] = await withGrant(member(4), { from: later(acme.host, 9 * hour) });
    await future.asking.look();
    assert.deepEqual(future.deliveries, []);
  });

  it('that were leased open nothing once the grant has ended in a quiet stream', async () => {
    await publish();
    const [reader] = await withGrant(beta, { to: later(acme.host, 3 * hour) });
    await reader.asking.look();
    acme.host.offsetMs += 3 * hour + 1;
    acme.generations.look();
    await acme.generations.idle();
    await publish();
    assert.match(await acme.opened(), /^o0\.0 o1\.1/);
    acme.host.offsetMs += limits.maxKeyBackoffMs;
    await reader.asking.look(true);
    assert.equal(await reader.epochs(), '0');
  });

  it('are asked for again before those ahead run out', async () => {
    await publish();
    const [reader] = await withGrant();
    await reader.asking.look();
    for (let i = 0; i < 30; i++) {
      acme.host.offsetMs += hour;
      await publish();
      await reader.asking.look(true);
    }
    assert.equal((await reader.epochs()).split(' ').length, 31);
    assert.ok(reader.asks >= 2 && reader.asks <= 16, `asked ${reader.asks} times`);
  });

  it('come in pages where a log has many generations', async () => {
    await publish();
    for (let i = 0; i < 20; i++) {
      must(await acme.ledger.openEpoch(acme.log, 'generation'));
      await publish();
    }
    const [reader] = await withGrant();
    await reader.asking.look();
    assert.equal((await reader.epochs()).split(' ').length, 21);
    assert.equal(reader.asks, 2);
  });

  it('of an epoch that was shredded come to nobody, those beside it do', async () => {
    await hours(4);
    const [, gone] = must(await acme.ledger.epochs(acme.log));
    assert.ok(gone !== undefined);
    must(await acme.own.shred(acme.log, gone));
    const [reader] = await withGrant();
    await reader.asking.look();
    assert.equal(await reader.epochs(), '0 2 3');
  });

  describe('and revocation', () => {
    it('a revoked reader gets nothing written from then on; who stays goes on', async () => {
      await publish();
      const [reader, tokens] = await withGrant();
      const [stays] = await withGrant(carl);
      await reader.asking.look();
      await stays.asking.look();
      await acme.revoke(tokens);
      await publish();
      assert.equal(await acme.opened(), 'o0.0 o1.1');
      assert.equal(await stays.epochs(), '0', 'what was leased opens nothing');
      await stays.asking.look(true);
      await reader.asking.look(true);
      assert.equal(await stays.epochs(), '0 1');
      assert.equal(await reader.epochs(), '0');
      assert.equal(reader.answers.at(-1)?.code, 'ucan-revoked');
    });

    it('a revoked reader who asks again and again is refused and asks ever less', async () => {
      await publish();
      const [reader, tokens] = await withGrant();
      await acme.revoke(tokens);
      for (let i = 0; i < 40; i++) await reader.asking.look();
      assert.equal(reader.asks, 1, 'it rests after a refusal');
      assert.equal(await reader.epochs(), '');
    });

    it('of a second reader in the same epoch takes hold at its end', async () => {
      await publish();
      const [first, one] = await withGrant();
      const [second, two] = await withGrant(carl);
      await first.asking.look();
      await acme.revoke(one);
      await second.asking.look();
      assert.equal(await second.epochs(), '0 1');
      await acme.revoke(two);
      await publish();
      assert.equal(await acme.opened(), 'o0.0 o1.1', 'one generation for each epoch');
      const [, open] = must(await acme.ledger.epochs(acme.log));
      assert.equal(acme.generations.heldUntil(orders), (open?.time ?? 0) + hour - 250);
      acme.host.offsetMs += hour;
      acme.generations.look();
      await acme.generations.idle();
      await publish();
      assert.equal(await acme.opened(), 'o0.0 o1.1 o2.2');
      assert.equal(acme.generations.heldUntil(orders), undefined);
      await second.asking.look(true);
      assert.equal(await second.epochs(), '0 1');
    });

    it('that was due when the process ended is done at the next start', async () => {
      await publish();
      acme.generations[Symbol.dispose]();
      must(await acme.leases.setDue(acme.log));
      must(await acme.leases.load());
      const next = acme.begin();
      next.look();
      await next.idle();
      await publish();
      assert.equal(await acme.opened(), 'o0.0 o1.1');
      assert.equal(acme.leases.of(acme.log).due, false);
      next[Symbol.dispose]();
    });

    it('that comes while keys are being made out stops them', async () => {
      await publish();
      const [reader, tokens] = await withGrant(beta, { to: later(acme.host, 5 * hour) });
      const lease = acme.leases.lease.bind(acme.leases);
      acme.leases.lease = async (...args) => {
        await acme.revoke(tokens);
        return lease(...args);
      };
      await reader.asking.look();
      assert.equal(reader.answers.at(-1)?.code, 'ucan-revoked');
      assert.equal(acme.given.length, 0);
    });
  });

  describe('and attacks', () => {
    it('wrong epoch key delivered: it is proved against the log, told and not believed', async () => {
      await hours(2);
      const true_ = acme.held;
      acme.held = (log) =>
        true_(log).map((one) => ({
          ...one,
          nodes: one.nodes.map((node) => ({ ...node, key: new Uint8Array(32).fill(66) })),
        }));
      const [reader] = await withGrant();
      await reader.asking.look();
      assert.equal(reader.answers.at(-1)?.code, 'epoch-key');
      assert.equal(reader.wrong[0]?.epoch, 0);
      assert.equal(reader.got.held(acme.log).length, 0);
      acme.held = true_;
      await reader.asking.look(true);
      assert.equal(await reader.epochs(), '0 1');
      assert.equal(reader.answers.at(-1), undefined);
    });

    it('wrong key for an epoch that opens later: it is seen when it opens', async () => {
      await hours(31);
      await publish();
      const [reader] = await withGrant();
      await reader.asking.look();
      const [held] = reader.got.held(acme.log);
      const ahead = held?.nodes.filter(({ level, node }) => node * 2 ** level > 31) ?? [];
      assert.ok(ahead.length > 0);
      const lies = ahead.map((node) => ({ ...node, key: new Uint8Array(32).fill(66) }));
      must(await reader.got.add(acme.log, 0, lies));
      acme.host.offsetMs += hour;
      await publish();
      await reader.asking.look(true);
      assert.ok(reader.answers.some((answer) => answer?.code === 'epoch-key'));
      assert.equal((await reader.epochs()).split(' ').length, 33, 'the true one is asked for');
    });

    it('epoch key of another stream: a delivery opens for its own log alone', async () => {
      await publish();
      await using other = await otherLog();
      const [reader] = await withGrant();
      const elsewhere = new Reader(other.producer, beta);
      await elsewhere.keep(other.producer.grantTo(beta));
      await elsewhere.asking.look();
      const [foreign] = elsewhere.deliveries;
      assert.ok(foreign !== undefined);
      reader.tamper = (answer) => ({ ...answer, deliveries: [foreign] });
      await reader.asking.look();
      assert.equal(reader.answers.at(-1)?.code, 'keys-signature');
      assert.equal(await reader.epochs(), '');
    });

    it('key delivery to another key: they go where the profile says, whoever carries them', async () => {
      await publish();
      // The thief has the peer's key and its grant, and would like another key to be sealed to.
      const thief = new Reader(acme, { ...beta, pair: member(9).pair });
      acme.profiles.set(beta.did, beta.pair.publicKey);
      await thief.keep(acme.grantTo(beta));
      await thief.asking.look();
      assert.equal(thief.answers.at(-1)?.code, 'hpke-open');
      assert.equal(await thief.epochs(), '');
      const [reader] = await withGrant();
      await reader.asking.look();
      assert.equal(await reader.epochs(), '0');
    });

    it('a copied token: who shows what another peer signed gets the answer of a log that is not there', async () => {
      await publish();
      const [reader] = await withGrant();
      const [kept] = reader.grants.got();
      assert.ok(kept !== undefined);
      const copied = reader.message(kept);
      const answer = await acme.giving.keys(copied, carl.asker);
      refused(answer, 'grant-holder');
      const strange = { ...copied, grant: new Uint8Array(10) };
      refused(await acme.giving.keys(strange, carl.asker), 'log-unknown');
      assert.equal(acme.given.length, 0);
    });

    it('replayed ask: it is good once', async () => {
      await publish();
      const [reader] = await withGrant();
      const [kept] = reader.grants.got();
      assert.ok(kept !== undefined);
      const ask = reader.message(kept);
      must(await acme.giving.keys(ask, beta.asker));
      refused(await acme.giving.keys(ask, beta.asker), 'ucan-replayed');
    });

    it('expired: a grant that is over gets no keys', async () => {
      await publish();
      const [reader] = await withGrant(beta, { expires: later(acme.host, hour) });
      const [kept] = reader.grants.got();
      assert.ok(kept !== undefined);
      acme.host.offsetMs += hour + 70_000;
      refused(await acme.giving.keys(reader.message(kept), beta.asker), 'ucan-expired');
    });

    it('a grant to read is none for keys, and one for another stream is none for this', async () => {
      await publish();
      const reader = new Reader(acme, beta);
      const { owner, peer, did, peerDid } = acme.member;
      const { random } = acme.host;
      const terms = { owner: did, audience: beta.peerDid, stream: orders, handOns: 0 };
      const granting = mintGranting(owner, random, peerDid, readCommand);
      const kept = await reader.keep(mintGrant(peer, random, [granting], terms));
      refused(await acme.giving.keys(reader.message(kept), beta.asker), 'log-unknown');
      await using other = await otherLog();
      const keys = await reader.keep(acme.grantTo(beta));
      const ask = reader.message(keys, other.producer.log);
      refused(await acme.giving.keys(ask, beta.asker), 'log-unknown');
    });

    it('an organisation without an encryption key in its profile is told so, and asks again', async () => {
      await publish();
      const [reader] = await withGrant();
      acme.profiles.delete(beta.did);
      await reader.asking.look();
      assert.equal(reader.answers.at(-1)?.code, 'keys-recipient');
      acme.profiles.set(beta.did, beta.pair.publicKey);
      await reader.asking.look(true);
      assert.equal(await reader.epochs(), '0');
    });
  });

  describe('that were delivered', () => {
    it('are kept for the owner of the home alone, and are there after a restart', async () => {
      await hours(3);
      const place = join(folder, 'got');
      const secret = new Uint8Array(32).fill(8);
      const { random } = acme.host;
      const reader = new Reader(acme, beta, must(await GotKeys.open(place, secret, random)));
      await reader.keep(acme.grantTo(beta));
      await reader.asking.look();
      const file = join(place, `${acme.log}.epochs`);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const bytes = await readFile(file);
      for (const { nodes } of reader.got.held(acme.log)) {
        for (const { key } of nodes) assert.equal(bytes.indexOf(key), -1);
      }
      const again = must(await GotKeys.open(place, secret, random));
      assert.deepEqual(again.held(acme.log), reader.got.held(acme.log));
      const other = must(await GotKeys.open(place, new Uint8Array(32).fill(9), random));
      assert.equal(other.damaged.size, 1);
    });

    it('do not grow with what is asked for again', async () => {
      await hours(3);
      const [reader] = await withGrant();
      await reader.asking.look();
      const [before] = reader.got.held(acme.log);
      for (const { nodes } of reader.got.held(acme.log)) {
        must(await reader.got.add(acme.log, 0, nodes));
      }
      const [after] = reader.got.held(acme.log);
      assert.equal(after?.nodes.length, before?.nodes.length);
    });
  });

  /** A second stream of acme, by the same keys of organisation and peer. */
  async function otherLog(): Promise<AsyncDisposable & { readonly producer: Producer }> {
    const producer = await Producer.open(join(folder, 'other'));
    must(must(await producer.ledger.publish(producer.log, [event('x')]))[0] ?? assert.fail());
    return { producer, [Symbol.asyncDispose]: () => producer.ledger.close() };
  }
});
