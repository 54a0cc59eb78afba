import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { EvidenceLog } from '../../../scripts/vectors/evidence-log.ts';
import type { KeysPage } from '../../../src/gossip/keys-codec.ts';
import { checkpointOrigin } from '../../../src/ledger/checkpoint.ts';
import { fault } from '../../../src/errors.ts';
import { WitnessedKeys } from '../../../src/node/witness/witnessed-keys.ts';
import { err, ok } from '../../../src/result.ts';
import { asTreeSize } from '../../../src/types.ts';
import { next, provedLog, writer } from '../../support/proofs.ts';

/** Genesis, seal | three events, seal | rotation, seal | two events, seal. */
const whole = provedLog();
const { logId, size } = whole.state;

interface Fetching {
  log: EvidenceLog;
  nowMs: number;
  fetched: number;
}

/** A witness that keeps nothing of the log. */
function witnessOf(state: Fetching): WitnessedKeys {
  return new WitnessedKeys({
    ledger: { log: () => undefined, keys: { of: async () => err(fault('log-unknown', 'none')) } },
    configured: [],
    now: () => state.nowMs,
    isMember: () => true,
    fetch: async () => {
      state.fetched += 1;
      const entries = state.log.controls().map((entry) => ({ ...entry, path: [] }));
      const { checkpoint } = state.log;
      return ok<KeysPage[]>([
        { kind: 'page', size: asTreeSize(state.log.state.size), checkpoint, entries },
      ]);
    },
  });
}

function asked(log: EvidenceLog): { origin: string; size: typeof size; note: string } {
  return { origin: checkpointOrigin(logId), size: log.state.size, note: log.checkpoint };
}

describe('keys that a witness trusts', () => {
  it('asks for the keys of a log again when it was passed on to another', async () => {
    const state = { log: whole.until(1), nowMs: 0, fetched: 0 };
    const keys = witnessOf(state);
    const [before] = (await keys.of(asked(state.log))) ?? [];
    assert.deepEqual(before?.publicKey, writer.publicKey);
    state.log = whole;
    state.nowMs = 2000;
    const [after] = (await keys.of(asked(whole))) ?? [];
    assert.deepEqual(after?.publicKey, next.publicKey);
    assert.equal(state.fetched, 2);
  });

  it('asks at most once a second for checkpoints that no key of the log signs', async () => {
    const state = { log: whole, nowMs: 0, fetched: 0 };
    const keys = witnessOf(state);
    const note = whole.checkpoint.replace(/\n— .*\n$/, '\n— stranger AAAAAAAAAAAA\n');
    for (let n = 0; n < 10; n++) {
      const [key] = (await keys.of({ ...asked(whole), note })) ?? [];
      assert.deepEqual(key?.publicKey, next.publicKey);
      state.nowMs += 100;
    }
    assert.equal(state.fetched, 1);
  });
});
