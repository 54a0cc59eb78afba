/** How a transport gossips: part of the contract in transport.ts. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fault } from '../../src/errors.ts';
import type { MessageHandler, Transport } from '../../src/gossip/transport.ts';
import { protocol } from '../../src/limits.ts';
import { ok } from '../../src/result.ts';
import type { PeerId } from '../../src/types.ts';
import { bytes, code, Nodes, value, type TransportHarness } from './transport-support.ts';

/** No message of a test is so long. */
const probeLength = 4;
const probe = (from: 1 | 2, tries: number): Uint8Array =>
  Uint8Array.of(from, tries >> 8, tries & 0xff, 99);

/** Registers the gossip part; `transportContract` calls it. */
export function gossipContract(name: string, makeHarness: () => TransportHarness): void {
  describe(`transport contract, gossip: ${name}`, function () {
    this.timeout(10_000);
    const n = new Nodes(makeHarness);

    /** Three in a line, a–b–c: what c hears of a, b has passed on. */
    async function line(judge: MessageHandler): Promise<{
      readonly a: Transport;
      readonly b: Transport;
      readonly c: Transport;
      readonly heard: { at: PeerId; topic: string; data: Uint8Array; from: PeerId }[];
    }> {
      const [a, b, c] = await n.create(3);
      assert.ok(a !== undefined && b !== undefined && c !== undefined);
      const heard: { at: PeerId; topic: string; data: Uint8Array; from: PeerId }[] = [];
      const probed = new Set<string>();
      for (const node of [a, b, c]) {
        node.onMessage((topic, data, from) => {
          // One that comes late must not be taken for what a test sends.
          if (data.length === probeLength) {
            probed.add(`${node.self} ${data[0]}`);
            return Promise.resolve({ kind: 'accept' });
          }
          heard.push({ at: node.self, topic, data: data.slice(), from });
          return node === b ? judge(topic, data, from) : Promise.resolve({ kind: 'accept' });
        });
        node.subscribe(n.h.topics[0]);
      }
      await n.connect(a, b);
      await n.connect(b, c);
      // Subscriptions take a moment: publish until the line carries.
      const carries = (): boolean => probed.has(`${c.self} 1`) && probed.has(`${a.self} 2`);
      for (let tries = 0; tries < 5000 && !carries(); tries++) {
        value(await n.h.run(a.publish(n.h.topics[0], probe(1, tries))));
        value(await n.h.run(c.publish(n.h.topics[0], probe(2, tries))));
        await n.h.settle();
      }
      assert.ok(carries(), 'the line never carries');
      return { a, b, c, heard };
    }

    it('passes on what is accepted, once, and names the neighbour', async () => {
      const { a, b, c, heard } = await line(() => Promise.resolve({ kind: 'accept' }));
      const data = bytes(protocol.maxMessageBytes);
      value(await n.h.run(a.publish(n.h.topics[0], data)));
      await n.h.until(() => heard.length >= 2, 'both have heard');
      value(await n.h.run(a.publish(n.h.topics[0], data)));
      value(await n.h.run(c.publish(n.h.topics[0], data)));
      await n.h.settle();
      assert.deepEqual(
        heard.map((message) => [message.at, message.from, message.topic]),
        [
          [b.self, a.self, n.h.topics[0]],
          [c.self, b.self, n.h.topics[0]],
        ],
      );
      assert.deepEqual(heard[1]?.data, data);
    });

    it('passes on neither what is ignored nor what is rejected', async () => {
      const reason = fault('internal', 'as planned');
      const { a, b, heard } = await line((_topic, data) =>
        Promise.resolve({ kind: data[0] === 1 ? 'ignore' : 'reject', reason }),
      );
      value(await n.h.run(a.publish(n.h.topics[0], Uint8Array.of(1, 1))));
      value(await n.h.run(a.publish(n.h.topics[0], Uint8Array.of(2, 2))));
      await n.h.until(() => heard.length >= 2, 'the middle has heard');
      await n.h.settle();
      assert.deepEqual(
        heard.map((message) => message.at),
        [b.self, b.self],
      );
    });

    it('hears only topics it has subscribed to, and none it has left', async () => {
      const { a, b, heard } = await line(() => Promise.resolve({ kind: 'accept' }));
      b.unsubscribe(n.h.topics[0]);
      value(await n.h.run(a.publish(n.h.topics[1], bytes(9))));
      value(await n.h.run(a.publish(n.h.topics[0], bytes(10))));
      await n.h.settle();
      assert.deepEqual(heard, []);
    });

    it('refuses messages above the limit and topics of another network', async () => {
      const [a] = await n.create(1);
      assert.ok(a !== undefined);
      const large = bytes(protocol.maxMessageBytes + 1);
      assert.equal(code(await n.h.run(a.publish(n.h.topics[0], large))), 'message-too-large');
      assert.equal(code(await n.h.run(a.publish('/elsewhere', bytes(1)))), 'topic-unknown');
      assert.deepEqual(await n.h.run(a.publish(n.h.topics[0], bytes(1))), ok(undefined));
    });
  });
}
