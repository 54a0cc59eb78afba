/** Forks that a witness is shown, of logs that it does not keep, and logs that it signs no longer. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { EvidenceLog } from '../../../scripts/vectors/evidence-log.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import { fault } from '../../../src/errors.ts';
import type { KeysPage } from '../../../src/gossip/keys-codec.ts';
import { signCheckpoint } from '../../../src/ledger/checkpoint.ts';
import { verifyForkProof } from '../../../src/ledger/fork-proof.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { formatAddCheckpoint } from '../../../src/ledger/witness.ts';
import { proveForeign } from '../../../src/node/witness/foreign-fork.ts';
import { WitnessService } from '../../../src/node/witness/service.ts';
import { WitnessedKeys } from '../../../src/node/witness/witnessed-keys.ts';
import { utf8 } from '../../../src/bytes.ts';
import { err, ok, type Result } from '../../../src/result.ts';
import { asTreeSize, type LogId } from '../../../src/types.ts';
import { offlineEnv } from '../../../src/verify.ts';
import { openLedger, signer } from '../../support/ledger-home.ts';
import { must, refused } from '../../support/result.ts';
import { plan, recovery, written } from '../../support/succession.ts';

const shared = EvidenceLog.open('forked').withEvents(['1', '2']);
const one = shared.withEvents(['"one"']);
const two = shared.withEvents(['"two"']);
const { logId } = one.state;

function keys(log: EvidenceLog): Result<readonly KeysPage[]> {
  const entries = log.controls().map((entry) => ({ ...entry, path: [] }));
  const { checkpoint, state } = log;
  return ok([{ kind: 'page', size: asTreeSize(state.size), checkpoint, entries }]);
}

describe('a fork of a log that a witness does not keep', () => {
  it('is proved by both checkpoints and the keys that a peer states', async () => {
    await using ledger = await openLedger();
    const told: string[] = [];
    ledger.forks.onFound(({ via }) => told.push(via));
    const offered = must(
      await proveForeign(ledger, logId, one.checkpoint, two.checkpoint, keys(shared)),
    );
    assert.deepEqual([offered.isNew, offered.followed, told], [true, false, ['own']]);
    const proof = must(await ledger.forks.proof(logId));
    assert.ok(proof !== undefined);
    assert.equal(must(verifyForkProof(offlineEnv(nodeCrypto), proof)).logId, logId);
  });

  it('is not believed without both, nor with the keys of another log', async () => {
    await using ledger = await openLedger();
    const first = one.checkpoint;
    refused(await proveForeign(ledger, logId, '', first, keys(shared)), 'fork-none');
    refused(await proveForeign(ledger, logId, first, first, keys(shared)), 'fork-none');
    const nobody = err(fault('log-unknown', 'nobody has it'));
    refused(await proveForeign(ledger, logId, first, two.checkpoint, nobody), 'log-unknown');
    refused(await proveForeign(ledger, logId, first, two.checkpoint, ok([])), 'genesis-missing');
    const others = keys(EvidenceLog.open('another'));
    refused(await proveForeign(ledger, logId, first, two.checkpoint, others), 'checkpoint-origin');
    assert.deepEqual(ledger.forks.list(), []);
  });
});

function witnessOf(ledger: Ledger): WitnessService {
  const trusted = new WitnessedKeys({
    ledger,
    configured: [],
    now: () => 0,
    isMember: () => true,
    fetch: () => Promise.resolve(keys(shared)),
  });
  return new WitnessService(signerFromSeed(new Uint8Array(32).fill(8)), ledger, trusted);
}

function request(log: LogId, size: number, by = signer): Uint8Array {
  const root = nodeCrypto.sha256(utf8(`${size}`));
  const note = signCheckpoint(nodeCrypto, by, log, asTreeSize(size), root);
  return utf8(formatAddCheckpoint(asTreeSize(0), [], note));
}

describe('a witness', () => {
  it('signs nothing beyond the end of a log that has a successor', async () => {
    const { ledger, log } = await written(3);
    const witness = witnessOf(ledger);
    must(await ledger.successors.succeed(log, plan, recovery, signer));
    const { size, checkpoint } = ledger.log(log) ?? { size: 0, checkpoint: '' };
    const thief = await witness.addCheckpoint(request(log, size + 2));
    assert.equal(thief.status, 422);
    assert.match(thief.body, /successor/);
    const end = await witness.addCheckpoint(
      utf8(formatAddCheckpoint(asTreeSize(0), [], checkpoint)),
    );
    assert.equal(end.status, 200);
    await ledger.close();
  });

  it('signs nothing of a log that it does not keep and knows to be forked', async () => {
    await using ledger = await openLedger();
    const witness = witnessOf(ledger);
    const asked = (log: EvidenceLog): ReturnType<typeof witness.addCheckpoint> =>
      witness.addCheckpoint(utf8(formatAddCheckpoint(asTreeSize(0), [], log.checkpoint)));
    assert.equal((await asked(one)).status, 200);
    must(await proveForeign(ledger, logId, one.checkpoint, two.checkpoint, keys(shared)));
    const refusal = await asked(one);
    assert.equal(refusal.status, 422);
    assert.match(refusal.body, /two histories/);
  });
});
