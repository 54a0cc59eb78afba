/** A producer who floods its readers: what they take of it, and how often they ask. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { sealDelivery, type EpochRange } from '../../../src/access/key-delivery.ts';
import { nodeCipher } from '../../../src/cipher-node.ts';
import { logIdHash } from '../../../src/ids.ts';
import { limits } from '../../../src/limits.ts';
import { event } from '../../support/ledger-home.ts';
import { member, Producer, Reader } from '../../support/keys.ts';
import { must } from '../../support/result.ts';

const beta = member(2);

describe('a producer who sends too much', () => {
  let folder = '';
  let acme: Producer;
  let reader: Reader;
  let grant = '';

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hw-hostile-keys-'));
    acme = await Producer.open(join(folder, 'own'));
    must(must(await acme.ledger.publish(acme.log, [event(1)]))[0] ?? assert.fail());
    reader = new Reader(acme, beta);
    grant = (await reader.keep(acme.grantTo(beta))).scope.id;
  });
  afterEach(async () => {
    await acme.ledger.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The next answers have this one delivery instead, of the last epoch of its range. */
  function send(range: EpochRange): void {
    const ports = { cipher: nodeCipher, signer: acme.member.peer, ikm: new Uint8Array(32).fill(5) };
    const place = { log: logIdHash(acme.log), grant };
    const nodes = [{ level: 0, node: range.to - 1, key: new Uint8Array(32).fill(6) }];
    const sent = must(sealDelivery(ports, beta.pair.publicKey, place, range, nodes));
    reader.tamper = (answer) => ({ ...answer, deliveries: [sent] });
  }

  it('keys of a generation that the log has not begun are not kept', async () => {
    send({ generation: 7, from: 0, to: 2 });
    await reader.asking.look();
    assert.deepEqual(reader.got.held(acme.log), []);
    assert.equal(reader.answers.at(-1), undefined, 'its first block may be on its way');
  });

  it('keys that are further ahead than anybody leases are refused', async () => {
    send({ generation: 0, from: 1, to: limits.maxKeysAhead + 1 });
    await reader.asking.look();
    assert.equal(reader.answers.at(-1)?.code, 'keys-payload');
    assert.deepEqual(reader.got.held(acme.log), []);
    send({ generation: 0, from: 1, to: limits.maxKeysAhead });
    await reader.asking.look(true);
    assert.equal(reader.got.held(acme.log).length, 1);
  });

  it('pages without end are left until the next look', async () => {
    let page = 0;
    reader.tamper = (answer) => ({ ...answer, deliveries: [], next: ++page });
    await reader.asking.look();
    assert.equal(reader.asks, limits.maxKeyPages);
    await reader.asking.look();
    assert.equal(reader.asks, limits.maxKeyPages, 'which is not at once');
  });
});
