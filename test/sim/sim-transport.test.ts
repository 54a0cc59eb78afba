import { transportContract } from '../contract/transport.ts';
import type { TransportHarness } from '../contract/transport-support.ts';
import { peerIdFromKey } from '../../src/gossip/peer-id.ts';
import { asPublicKey } from '../../src/types.ts';
import assert from 'node:assert/strict';
import { Dice } from './dice.ts';
import { SimNetwork } from './sim-network.ts';
import { SimTransport } from './sim-transport.ts';
import { VirtualTime } from './virtual-time.ts';

function harness(): TransportHarness {
  const time = new VirtualTime();
  const dice = new Dice(1);
  const network = new SimNetwork(time, dice);
  return {
    create: (count) =>
      Promise.resolve(
        Array.from(
          { length: count },
          () => new SimTransport(network, peerIdFromKey(asPublicKey(dice.bytes(32)))),
        ),
      ),
    run: async (promise) => {
      let settled = false;
      const watched = Promise.resolve(promise).finally(() => {
        settled = true;
      });
      watched.catch(() => undefined);
      assert.ok(await time.until(() => settled, 60_000), 'a minute passed and nothing happened');
      return watched;
    },
    until: async (condition, what) => {
      assert.ok(await time.until(condition, 60_000), what);
    },
    settle: () => time.pass(1000),
    topics: ['/headwater/1/test/blocks/000', '/headwater/1/test/blocks/001'],
  };
}

transportContract('the simulator', harness);
