import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { EvidenceLog } from '../../../scripts/vectors/evidence-log.ts';
import { nodeCrypto as h } from '../../../src/crypto-node.ts';
import { fault, HeadwaterError } from '../../../src/errors.ts';
import { reduceBlock } from '../../../src/ledger/block-encode.ts';
import type { LedgerEntry, StoredBlock } from '../../../src/ledger/ledger-types.ts';
import { inclusionProof } from '../../../src/ledger/proof.ts';
import { proveEvent } from '../../../src/node/core/prove.ts';
import { ok } from '../../../src/result.ts';
import { asBlockNumber, asLogIndex, asTreeSize } from '../../../src/types.ts';
import { extraOf, intact, provedLog } from '../../support/proofs.ts';
import { must, refused } from '../../support/result.ts';

type ProvingLedger = Parameters<typeof proveEvent>[0];

interface StubOptions {
  /** Of these entries the bodies are gone, and the seed with them. */
  readonly dropped?: readonly number[];
  readonly unreadable?: boolean;
}

const kinds = ['event', 'sealed', 'seal', 'control'] as const;

/** A ledger that holds this log. */
function ledgerOf(log: EvidenceLog, { dropped = [], unreadable }: StubOptions = {}): ProvingLedger {
  const found = (index: number): { at: number; number: number } => {
    const number = log.blocks.findIndex(({ state }) => index < state.size);
    return { number, at: index - (log.blocks[number]?.block.firstIndex ?? 0) };
  };
  return {
    entry: (logId, index) => {
      const { number, at } = found(index);
      const block = log.blocks[number];
      const gone = dropped.includes(index);
      const event = gone ? undefined : block?.events[at];
      const entry: LedgerEntry = {
        logId,
        index,
        kind: kinds[block?.block.entries[at]?.kind ?? 0],
        recordedTime: log.state.time,
        leaf: () => block?.leaves.leaf(at).slice() ?? new Uint8Array(0),
        ...(event === undefined ? {} : { event }),
        ...(gone ? { bodyMissing: 'retention' } : {}),
      };
      return Promise.resolve(ok(entry));
    },
    async *blocks(logId, from): AsyncGenerator<StoredBlock> {
      await Promise.resolve();
      if (unreadable === true) throw new HeadwaterError(fault('store-corrupt', 'damaged'));
      const { number } = found(from);
      const block = log.blocks[number];
      if (block === undefined) return;
      const { firstIndex } = block.block;
      const keep = (at: number): boolean => !dropped.includes(firstIndex + at);
      const wire =
        dropped.length === 0 ? block.wire : reduceBlock(h, block.block, block.leaves, keep);
      const size = asTreeSize(block.state.size);
      yield { logId, number: asBlockNumber(number), firstIndex, size, wire };
    },
    keyChain: (logId) => {
      const entries = log.controls().map((entry) => ({ ...entry, path: [] }));
      const { size } = log.state;
      return Promise.resolve(ok({ logId, size, checkpoint: log.checkpoint, entries }));
    },
    proofs: {
      inclusion: async (_logId, index, size = log.state.size) =>
        ok(await inclusionProof(h, log.tree(), index, size)),
    },
  };
}

describe('proving an event of a ledger', () => {
  const log = provedLog();
  const { logId } = log.state;

  it('takes the salts from the seed of a full block and from the list of a reduced one', async () => {
    const full = must(await proveEvent(ledgerOf(log), logId, asLogIndex(3), 'all'));
    const reduced = ledgerOf(log, { dropped: [2] });
    assert.equal(must(await proveEvent(reduced, logId, asLogIndex(3), 'all')), full);
    assert.equal(intact(full).context?.['id'], '1-1');
  });

  it('proves that an event stood there whose content is gone, and says that it is gone', async () => {
    const ledger = ledgerOf(log, { dropped: [2] });
    const none = must(await proveEvent(ledger, logId, asLogIndex(2), 'none'));
    assert.deepEqual(intact(none).disclosed, {});
    for (const part of ['all', 'attributes', 'data'] as const) {
      const problem = await proveEvent(ledger, logId, asLogIndex(2), part);
      refused(problem, 'event-dropped', part);
      assert.match(problem.ok ? '' : problem.error.hint, /--disclose none/);
    }
  });

  it('carries the keys in force at the head', async () => {
    const text = must(await proveEvent(ledgerOf(log), logId, asLogIndex(8), 'data'));
    assert.equal(extraOf(text).keyChain.rotations.length, 1);
    assert.equal(intact(text).size, log.state.size);
  });

  it('refuses seals and controls whatever is disclosed, and tells of damage', async () => {
    for (const index of [0, 1, 5, 6, 7]) {
      for (const part of ['all', 'none'] as const) {
        const proof = await proveEvent(ledgerOf(log), logId, asLogIndex(index), part);
        refused(proof, 'event-unknown', `${index}`);
      }
    }
    const damaged = ledgerOf(log, { unreadable: true });
    refused(await proveEvent(damaged, logId, asLogIndex(3), 'all'), 'store-corrupt', '');
  });
});
