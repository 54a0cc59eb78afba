import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { EvidenceLog } from '../../scripts/vectors/evidence-log.ts';
import { toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { ask } from '../../src/gossip/exchange.ts';
import { decodeProof, encodeProof, type ProofMessage } from '../../src/gossip/proof-codec.ts';
import { protocols } from '../../src/gossip/serve.ts';
import { verifyConsistency, verifyInclusion } from '../../src/ledger/proof.ts';
import { rangeRoot, verifyRange } from '../../src/ledger/range.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import type { Result } from '../../src/result.ts';
import { asHash, asLogIndex, asTreeSize } from '../../src/types.ts';
import { openLedger } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { VirtualHost } from '../sim/virtual-time.ts';
import { World, type TestNode } from './support.ts';

const log = EvidenceLog.open('proofs').withEvents(['1', '2', '3']).withEvents(['4', '5']);
const { logId, size, root } = log.state;

type Asking = (request: ProofMessage) => Promise<Result<ProofMessage>>;

/** A node that asks one which holds the log. */
async function asking(world: World): Promise<Asking> {
  const ledger = await openLedger();
  must(await ledger.follow(logId));
  for (const { wire } of log.blocks) await ledger.apply(wire, 'sync');
  const holder: TestNode = await world.add({ ledger });
  const asker = await world.add();
  await world.greet(asker, holder);
  const host = new VirtualHost(world.time, world.dice.fork());
  const limit = { ms: 10_000, counts: 'total' as const };
  const options = { host, signals: [new AbortController().signal], limit, count: () => undefined };
  return (request) =>
    world.run(
      ask(asker.transport, holder.transport.self, protocols.proof, options, async (exchange) => {
        must(await exchange.send(encodeProof(request)));
        const frame = await exchange.next();
        return frame.ok ? decodeProof(frame.value) : frame;
      }),
    );
}

function proof(answer: Result<ProofMessage>): ProofMessage & { kind: 'proof' } {
  const message = must(answer);
  assert.ok(message.kind === 'proof');
  return message;
}

describe('proofs served to peers', () => {
  it('hold against the signed root: of an entry, of two sizes, of a range', async () => {
    await using world = new World();
    const asked = await asking(world);
    const head = asTreeSize(0);
    const index = asLogIndex(3);
    const entry = proof(await asked({ kind: 'inclusion', logId, index, size: head }));
    assert.deepEqual([entry.size, toHex(entry.root)], [size, toHex(root)]);
    assert.equal(entry.checkpoint, log.checkpoint);
    const second = log.blocks[1];
    assert.ok(second !== undefined);
    const leaf = leafHash(nodeCrypto, second.leaves.leaf(1));
    assert.equal(second.block.firstIndex + 1, index);
    must(verifyInclusion(nodeCrypto, leaf, index, size, entry.hashes, root));

    const from = log.until(1).state;
    const grown = proof(await asked({ kind: 'consistency', logId, from: from.size, size }));
    must(verifyConsistency(nodeCrypto, from.size, size, grown.hashes, from.root, root));
    const older = proof(
      await asked({ kind: 'consistency', logId, from: from.size, size: from.size }),
    );
    assert.equal(toHex(older.root), toHex(from.root));
    assert.deepEqual([older.checkpoint, older.hashes], ['', []]);

    const to = asLogIndex(5);
    const range = proof(await asked({ kind: 'range', logId, from: index, to, size }));
    const found = must(verifyRange(nodeCrypto, index, to, size, range.hashes, root));
    const leaves = [1, 2].map((i) => leafHash(nodeCrypto, second.leaves.leaf(i)));
    assert.equal(toHex(found), toHex(rangeRoot(nodeCrypto, leaves.map(asHash))));
  });

  it('are refused beyond the head, for unknown logs and for what is no request', async () => {
    await using world = new World();
    const asked = await asking(world);
    const beyond = asTreeSize(size + 1);
    const index = asLogIndex(0);
    refused(await asked({ kind: 'inclusion', logId, index, size: beyond }), 'index-over-head');
    const other = EvidenceLog.open('stranger').state.logId;
    refused(await asked({ kind: 'inclusion', logId: other, index, size }), 'log-unknown');
    refused(await asked({ kind: 'askFork', logId }), 'log-unknown');
    refused(await asked({ kind: 'forks', logs: [] }), 'message-shape');
    const wrong = await asked({ kind: 'range', logId, from: index, to: index, size });
    assert.ok(!wrong.ok, 'an empty range');
  });
});
