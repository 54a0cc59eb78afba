/** Peers whose standing was taken back are not let in, and hung up where they are. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { mintPeerDelegation } from '../../../src/access/peer-delegation.ts';
import { tokenCid } from '../../../src/access/ucan-envelope.ts';
import { Revocations } from '../../../src/access/ucan-revocations.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { Signer } from '../../../src/crypto.ts';
import type { AccessPort } from '../../../src/gossip/access-port.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { didFromKey } from '../../../src/ids.ts';
import { limits } from '../../../src/limits.ts';
import { Standings } from '../../../src/node/access/standings.ts';
import type { Did } from '../../../src/types.ts';
import { ready, World } from '../../gossip/support.ts';
import { Dice } from '../../sim/dice.ts';
import { VirtualHost, VirtualTime } from '../../sim/virtual-time.ts';

const signer = (n: number): Signer => signerFromSeed(new Uint8Array(32).fill(n));
const [acme, branch, stranger] = [signer(81), signer(82), signer(83)];
const owner = didFromKey(acme.publicKey);
const { random } = new VirtualHost(new VirtualTime(), new Dice(9));
const shown = [mintPeerDelegation(acme, random, { peerKey: branch.publicKey })];
const ucan = tokenCid(nodeCrypto, shown[0] ?? new Uint8Array(0));
const peer = peerIdFromKey(branch.publicKey);

describe('the standing of a peer', () => {
  it('ends by the word of who gave it, and of nobody else', () => {
    const revocations = new Revocations(10);
    const standings = new Standings(nodeCrypto, revocations, owner);
    assert.equal(standings.revoked(peer, shown), undefined);
    revocations.add({ ucan, revoker: didFromKey(stranger.publicKey), path: [] });
    assert.equal(standings.revoked(peer, shown), undefined);
    revocations.add({ ucan, revoker: owner, path: [] });
    assert.deepEqual(standings.revoked(peer, shown)?.code, 'ucan-revoked');
  });

  it('is remembered of peers of our own organisation, of so many', () => {
    const own = new Standings(nodeCrypto, new Revocations(10), owner);
    own.revoked(peer, shown);
    assert.deepEqual(own.of(peer)?.cids, [ucan]);
    for (let n = 0; n < limits.maxCardPeers; n++) {
      own.revoked(peerIdFromKey(signer(100 + (n % 100)).publicKey), shown);
    }
    const others = new Standings(nodeCrypto, new Revocations(10), didFromKey(stranger.publicKey));
    others.revoked(peer, shown);
    assert.equal(others.of(peer), undefined);
  });

  it('ends while it is connected, and it is not let in again', async () => {
    await using world = new World();
    const revocations = new Revocations(10);
    const standings = new Standings(nodeCrypto, revocations, owner);
    const listeners: (() => void)[] = [];
    let seen: readonly Uint8Array[] = [];
    const access: Partial<AccessPort> = {
      onChange: (listener) => {
        listeners.push(listener);
        return { [Symbol.dispose]: () => undefined };
      },
      ownerOf: () => undefined,
      revokedStanding: (id, tokens) => {
        seen = tokens;
        return standings.revoked(id, tokens);
      },
    };
    const a = await world.add({ access: access as AccessPort });
    const b = await world.add({ owner: acme, peerKey: branch });
    await world.greet(b, a);
    const revoker: Did = owner;
    const id = tokenCid(nodeCrypto, seen[0] ?? new Uint8Array(0));
    revocations.add({ ucan: id, revoker, path: [] });
    for (const listener of listeners) listener();
    await world.until(() => !ready(a, b), 'it is hung up', 1000);
    await world.connect(b, a);
    await world.time.pass(30_000);
    assert.ok(!ready(a, b));
    const refused = a.events.filter((event) => event.kind === 'peerRefused');
    assert.equal(refused.at(-1)?.reason.code, 'ucan-revoked');
  });
});
