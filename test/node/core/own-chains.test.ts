/** Chains of logs that this home writes, also those that another peer of its organisation began. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { didFromKey } from '../../../src/ids.ts';
import type { LogSummary } from '../../../src/ledger/ledger-types.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { cardPartitions, ownChains, ownNewest } from '../../../src/node/core/own-chains.ts';
import { asPublicKey, asStreamName, type LogId } from '../../../src/types.ts';
import { fakeLogId } from '../../gossip/fake-ledger.ts';

const key = asPublicKey(new Uint8Array(32).fill(3));
const owner = didFromKey(key);
const orders = asStreamName('orders');

function log(n: number, own: boolean, next?: number, partition = 0): LogSummary {
  const closing = next === undefined ? {} : { closing: { next: fakeLogId(next) } };
  const genesis = { owner, name: orders, partition };
  return { logId: fakeLogId(n), createdLocally: own, genesis, ...closing } as unknown as LogSummary;
}

function idsOf(logs: readonly LogSummary[]): readonly (readonly LogId[])[] {
  return ownChains(logs, owner, orders).map((chain) => chain.map(({ logId }) => logId));
}

describe('own chains', () => {
  it('begin with the log of another peer that an own one goes on from', () => {
    const logs = [log(2, true), log(1, false, 2)];
    assert.deepEqual(idsOf(logs), [[fakeLogId(1), fakeLogId(2)]]);
    assert.equal(ownNewest(logs, owner, orders, 0)?.logId, fakeLogId(2));
    const [partition] = cardPartitions(ownChains(logs, owner, orders), peerIdFromKey(key));
    assert.equal(partition?.log, fakeLogId(1));
    assert.deepEqual(partition?.successors, [fakeLogId(2)]);
  });

  it('are none where nothing of them is written here', () => {
    assert.deepEqual(idsOf([log(1, false, 2), log(2, false)]), []);
  });

  it('are one for each partition, whoever began it', () => {
    const logs = [log(1, false, 3, 1), log(2, true), log(3, true, undefined, 1)];
    assert.deepEqual(idsOf(logs), [[fakeLogId(2)], [fakeLogId(1), fakeLogId(3)]]);
  });

  it('end where logs name each other in a circle', () => {
    assert.deepEqual(idsOf([log(1, false, 2), log(2, false, 1)]), []);
  });
});
