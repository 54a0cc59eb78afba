/** Whose revocation begins a new generation: of which streams, by which links. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import {
  handOn,
  keyCommand,
  mintGrant,
  mintGranting,
  orderGrant,
} from '../../../src/access/grant.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { kinGrants } from '../../../src/node/sealed/kin-keys.ts';
import { asStreamName } from '../../../src/types.ts';
import { event } from '../../support/ledger-home.ts';
import { member, orders, Producer, Reader, type Member } from '../../support/keys.ts';
import { must } from '../../support/result.ts';

const beta = member(2);
const carl = member(3);

describe('a revocation of a link by which keys went out', () => {
  let folder = '';
  let acme: Producer;
  let published = 0;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hw-handed-out-'));
    acme = await Producer.open(join(folder, 'own'));
    await publish();
  });
  afterEach(async () => {
    await acme.ledger.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function publish(): Promise<void> {
    published += 1;
    must(must(await acme.ledger.publish(acme.log, [event(published)]))[0] ?? assert.fail());
  }
  async function reads(who: Member, tokens: readonly Uint8Array[]): Promise<Reader> {
    const reader = new Reader(acme, who);
    await reader.keep(tokens);
    await reader.asking.look();
    assert.equal(await reader.epochs(), '0');
    return reader;
  }
  async function generations(): Promise<string> {
    await publish();
    return acme.opened();
  }

  it('by a reseller, of what it handed on, ends that and nothing else', async () => {
    const { random } = acme.host;
    const own = acme.grantTo(beta, { handOns: 3 });
    const part = { owner: acme.member.did, stream: orders, handOns: 1, audience: carl.did };
    const given = mintGrant(beta.owner, random, own.slice(0, 2), {
      ...part,
      command: keyCommand,
    });
    const next = { owner: acme.member.did, audience: carl.peerDid };
    const sold = handOn(carl.owner, random, given, next);
    const reseller = await reads(beta, own);
    const customer = await reads(carl, sold);
    await acme.revoke(sold, 2, beta.owner);
    assert.equal(await generations(), 'o0.0 o1.1');
    await reseller.asking.look(true);
    await customer.asking.look(true);
    assert.equal(await reseller.epochs(), '0 1');
    assert.equal(await customer.epochs(), '0');
    assert.equal(customer.answers.at(-1)?.code, 'ucan-revoked');
  });

  it("by an organisation, of its own peer's part, ends that peer's", async () => {
    const tokens = acme.grantTo(beta);
    const reader = await reads(beta, tokens);
    await acme.revoke(tokens, 2, beta.owner);
    assert.equal(await generations(), 'o0.0 o1.1');
    await reader.asking.look(true);
    assert.equal(await reader.epochs(), '0');
  });

  it('by a stranger begins nothing', async () => {
    const tokens = acme.grantTo(beta);
    const reader = await reads(beta, tokens);
    await acme.revoke(tokens, 1, carl.owner);
    await acme.revoke(tokens, 2, carl.peer);
    assert.equal(await generations(), 'o0.0');
    assert.deepEqual(await reader.epochs(), '0');
  });

  it('counts for a grant that was given, whether it was used since the start or not', async () => {
    const given = acme.grantTo(beta).slice(0, 2);
    const grant = must(orderGrant(nodeCrypto, given));
    must(await acme.grants.keep('given', grant, acme.host.clock.now()));
    await acme.revoke(given);
    assert.equal(await generations(), 'o0.0 o1.1');
  });

  it('is none of those of sister peers, who read by the delegation of their organisation', async () => {
    const { owner, did, pair } = acme.member;
    const peer = member(7);
    const asker = { ...peer.asker, organisation: did };
    const sister = new Reader(acme, { ...peer, owner, did, pair, asker });
    const granting = mintGranting(owner, acme.host.random, peer.peerDid, keyCommand);
    const logs = acme.ledger.logs().map((log) => ({ ...log, createdLocally: false }));
    sister.kin = kinGrants(nodeCrypto, logs, did, peer.peerDid, [granting]);
    await sister.asking.look();
    assert.equal(await sister.epochs(), '0');
    assert.equal(sister.deliveries.at(-1)?.to, 25);
    assert.deepEqual(kinGrants(nodeCrypto, acme.ledger.logs(), did, peer.peerDid, [granting]), []);
  });

  it('of another stream begins nothing here', async () => {
    const given = acme.grantTo(beta, { stream: asStreamName('others') }).slice(0, 2);
    const grant = must(orderGrant(nodeCrypto, given));
    must(await acme.grants.keep('given', grant, acme.host.clock.now()));
    await acme.revoke(given);
    assert.equal(await generations(), 'o0.0');
  });
});
