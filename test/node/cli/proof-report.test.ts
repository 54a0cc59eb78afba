import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { utf8 } from '../../../src/bytes.ts';
import { nodeCrypto as h } from '../../../src/crypto-node.ts';
import { verifyEventProof, type ProofVerdict } from '../../../src/ledger/event-proof.ts';
import { cosignNote, formatVkey, noteKey, parseNoteText } from '../../../src/ledger/note.ts';
import { noPolicy, statedPolicy, witnessesMap } from '../../../src/ledger/trust-policy.ts';
import { proofReport } from '../../../src/node/cli/proof-report.ts';
import { proofView } from '../../../src/node/proof-view.ts';
import { offlineEnv } from '../../../src/verify.ts';
import { cosigned, dids, make, policyOf, provedLog, witnesses } from '../../support/proofs.ts';
import { must } from '../../support/result.ts';

function verdictOf(text: string, policy = noPolicy): ProofVerdict {
  return verifyEventProof(offlineEnv(h), utf8(text), policy);
}

describe('the report of a proof', () => {
  it('separates what cosigners attest from what the producer claims', async () => {
    const log = provedLog(witnessesMap(dids, 2));
    const text = await make(log, 3, undefined, cosigned(log, witnesses));
    const view = proofView(verdictOf(text));
    assert.equal(view.proven?.attested.by, '2025-11-21T04:40:01.000Z');
    assert.deepEqual(view.proven.attested.cosignatures[0], {
      name: dids[0],
      key: dids[0],
      time: '2025-11-21T04:40:00.000Z',
      listed: true,
    });
    assert.deepEqual(view.proven.claimed, { recordedTime: '2025-11-21T00:00:01.000Z', inputs: [] });
    const lines = proofReport('f', view);
    assert.ok(lines.includes('  attested by cosigners: existed by 2025-11-21T04:40:01.000Z'));
    assert.ok(lines.includes('    recorded 2025-11-21T00:00:01.000Z'));
  });

  it('says of a cosigner whom nobody listed that nobody did', async () => {
    const log = provedLog();
    const text = await make(log, 3, undefined, cosigned(log, witnesses.slice(0, 1)));
    const lines = proofReport('f', proofView(verdictOf(text)));
    assert.ok(lines.includes('  attested by cosigners: no quorum was asked for'));
    assert.ok(
      lines.includes(`    2025-11-21T04:40:00.000Z by ${dids[0]} (listed by no policy)`),
      lines.join('\n'),
    );
  });

  it('names what a stated policy misses', async () => {
    const view = proofView(verdictOf(await make(provedLog(), 3), policyOf(2)));
    const [reason] = view.reasons;
    assert.deepEqual([view.verdict, reason?.code], ['untrusted', 'quorum-missing']);
    assert.deepEqual(view.proven?.trust, { stated: true, met: false });
    const lines = proofReport('f', view);
    assert.equal(lines[2], '  quorum-missing: the witness policy that was stated is not met');
  });

  it('shows nothing of a broken proof', () => {
    const lines = proofReport('f', proofView(verdictOf('x')));
    assert.equal(lines[0], 'f: broken; it proves nothing');
    assert.equal(lines.length, 2);
    assert.ok(lines[1]?.startsWith('  proof-header: '));
  });

  it('passes nothing on that a terminal would act on, and survives any time', async () => {
    const log = provedLog();
    const [witness] = witnesses;
    assert.ok(witness !== undefined);
    const name = 'w\u202ehidden';
    const key = noteKey(h, name, 4, witness.publicKey);
    const { text: note } = must(parseNoteText(log.checkpoint));
    const line = cosignNote(h, witness, name, note, 2n ** 63n - 1n);
    const policy = must(statedPolicy(h, { witnesses: [formatVkey(key)] }));
    const text = await make(log, 3, undefined, line, { cosigners: [key] });
    const view = proofView(verdictOf(text, policy));
    assert.deepEqual([view.verdict, view.reasons], ['intact', []]);
    assert.equal(view.proven?.attested.by, '9223372036854775807 s after 1970');
    const shown = proofReport('f', view).join('\n');
    assert.ok(!/[^\P{C}\n]/u.test(shown), shown);
    assert.ok(shown.includes('by w hidden'));
  });
});
