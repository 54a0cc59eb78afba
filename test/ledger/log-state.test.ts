import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { codes } from '../../src/codes.ts';
import { fault, type Code } from '../../src/errors.ts';
import { decodeLogState, encodeLogState, isKnown } from '../../src/ledger/log-state.ts';
import { blockVerdict, isForkEvidence } from '../../src/ledger/verdict.ts';
import { blocksSuite, testLog, testSigner } from '../support/blocks.ts';
import { must } from '../support/result.ts';

const verdict = (code: Code): string => blockVerdict(fault(code, 'x')).kind;

describe('the state of a log', () => {
  it('comes back from its stored form', function () {
    const { file, states } = blocksSuite(this);
    for (const log of file.logs) {
      for (const state of states(log.id)) {
        if (!isKnown(state)) continue;
        assert.deepEqual(must(decodeLogState(nodeCrypto, encodeLogState(state))), state);
      }
    }
  });

  it('is not read from bytes that were cut or lengthened', () => {
    const { state } = testLog(testSigner(1));
    const stored = encodeLogState(state);
    assert.deepEqual(must(decodeLogState(nodeCrypto, stored)), state);
    for (let length = 0; length < stored.length; length++) {
      assert.equal(decodeLogState(nodeCrypto, stored.subarray(0, length)).ok, false, `${length}`);
    }
    const longer = new Uint8Array(stored.length + 1);
    longer.set(stored);
    assert.equal(decodeLogState(nodeCrypto, longer).ok, false);
  });
});

describe('the verdict on a refused block', () => {
  it('costs the sender where the bytes could never be valid', () => {
    for (const code of ['root-mismatch', 'bad-signature', 'genesis-proof', 'time-back'] as const) {
      assert.equal(verdict(code), 'reject', code);
    }
  });

  it('costs nobody for a duplicate, a gap, a newer version, a fork or a clock ahead', () => {
    for (const code of ['block-index', 'block-version', 'log-unknown', 'clock-ahead'] as const) {
      assert.equal(verdict(code), 'ignore', code);
    }
    assert.equal(verdict('fork'), 'ignore');
    assert.equal(isForkEvidence(fault('fork', 'x')), true);
    assert.equal(isForkEvidence(fault('root-mismatch', 'x')), false);
  });

  it('never costs a peer for a fault of our own', () => {
    const ours = new Set(['failed', 'unavailable', 'full', 'config', 'down', 'busy', 'broken']);
    for (const [code, [kind]] of Object.entries(codes)) {
      if (!ours.has(kind)) continue;
      assert.equal(
        blockVerdict({ code: code as Code, message: '', hint: '' }).kind,
        'ignore',
        code,
      );
    }
  });
});
