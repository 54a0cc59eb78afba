import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { describe, it } from 'mocha';
import {
  evidenceEnv as env,
  namedEvent,
  type EvidenceLog,
} from '../../scripts/vectors/evidence-log.ts';
import { labelled } from '../../scripts/vectors/format.ts';
import { eventKeyOf, openSealed, withSealed } from '../../scripts/vectors/sealed-log.ts';
import { toHex, utf8 } from '../../src/bytes.ts';
import { webOpener } from '../../src/cipher-web.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import {
  makeEventProof,
  prepareEventProof,
  verifyEventProof,
  type ProofVerdict,
} from '../../src/ledger/event-proof.ts';
import type { Disclosure } from '../../src/ledger/proof-extra.ts';
import { offlineEnv } from '../../src/verify.ts';
import { broken, changed, extraOf, intact, provedLog, policyOf } from '../support/proofs.ts';
import { must, refused } from '../support/result.ts';

const said = [namedEvent('1', '{"n":1}'), namedEvent('2', '{"n":2}')] as const;
/** 0 genesis, 1 seal | 2 epoch 5 opens, 3 and 4 events, 5 seal | 6 epoch 6, 7 event, 8 seal. */
const log = withSealed(withSealed(openSealed('disclosed'), 5, said), 6, [said[0]]);

async function byKey(of: EvidenceLog, index: number, epoch: number): Promise<string> {
  const { key, body } = eventKeyOf(of, index, epoch);
  return proofOf(of, index, { sealed: { key, body } });
}

async function proofOf(of: EvidenceLog, index: number, disclosed: Disclosure): Promise<string> {
  const input = await of.proofInput(index, { attributes: false, data: false });
  return must(makeEventProof(env, { ...input, disclosed }));
}

function reasons(verdict: ProofVerdict): readonly string[] {
  return 'reasons' in verdict ? verdict.reasons.map(({ code }) => code) : [];
}

describe('a sealed event disclosed by its own key', () => {
  it('is read by who has no other key, from the file alone', async () => {
    const text = await byKey(log, 3, 5);
    const { context, disclosed, entry } = intact(text);
    assert.equal(entry.kind, 1);
    assert.equal(context?.['id'], '1');
    assert.equal(toHex(disclosed.data?.bytes ?? new Uint8Array(0)), toHex(utf8('{"n":1}')));
    const { disclosed: carried } = extraOf(text);
    assert.deepEqual(Object.keys(carried), ['sealed'], 'nothing of it travels in clear');
    assert.ok(!text.includes('eyJu'), 'nor in base64');
  });

  it('opens no other event: not of its block, not of its epoch', async () => {
    const { key } = eventKeyOf(log, 3, 5);
    for (const [index, epoch] of [
      [4, 5],
      [7, 6],
    ] as const) {
      const { body } = eventKeyOf(log, index, epoch);
      const input = await log.proofInput(index, { attributes: false, data: false });
      refused(
        makeEventProof(env, { ...input, disclosed: { sealed: { key, body } } }),
        'sealed-decrypt',
      );
    }
  });

  it('is broken where a byte of key or body was changed, or the body of another event stands there', async () => {
    const text = await byKey(log, 3, 5);
    const { key, body } = extraOf(text).disclosed.sealed ?? assert.fail('nothing sealed');
    const other = eventKeyOf(log, 4, 5).body;
    const cases = [
      [{ key: key.with(0, (key[0] ?? 0) ^ 1), body }, 'sealed-decrypt'],
      [{ key, body: body.with(9, (body[9] ?? 0) ^ 1) }, 'sealed-body-hash'],
      [{ key, body: other }, 'sealed-body-hash'],
      [{ key, body: body.subarray(1) }, 'body-length'],
    ] as const;
    for (const [sealed, code] of cases) broken(changed(text, {}, { disclosed: { sealed } }), code);
  });

  it('is not disclosed twice, nor of an event that is not sealed', async () => {
    const { key, body } = eventKeyOf(log, 3, 5);
    const data = { kind: 1, bytes: said[0].data, salt: labelled('salt') } as const;
    const text = await byKey(log, 3, 5);
    broken(changed(text, {}, { disclosed: { sealed: { key, body }, data } }), 'proof-extra');
    const plain = provedLog();
    const input = await plain.proofInput(2, { attributes: false, data: false });
    refused(makeEventProof(env, { ...input, disclosed: { sealed: { key, body } } }), 'proof-extra');
  });

  it('is refused where its producer sealed something else than it committed to', async () => {
    const cheats = {
      0: { event: namedEvent('other', '{"n":1}') },
      1: { event: { ...said[1], kind: 3 } },
    } as const;
    const lying = withSealed(openSealed('lying'), 0, said, cheats);
    const codes = ['attributes-commitment', 'data-commitment'];
    for (const [i, code] of codes.entries()) {
      const { key, body } = eventKeyOf(lying, 3 + i, 0);
      const input = await lying.proofInput(3 + i, { attributes: false, data: false });
      refused(makeEventProof(env, { ...input, disclosed: { sealed: { key, body } } }), code);
    }
  });

  it('is refused where what was sealed is no event', async () => {
    const nonsense = { attributes: utf8('{}'), kind: 1, data: utf8('1') } as const;
    const lying = withSealed(openSealed('nonsense'), 0, [nonsense]);
    const { key, body } = eventKeyOf(lying, 3, 0);
    const input = await lying.proofInput(3, { attributes: false, data: false });
    refused(
      makeEventProof(env, { ...input, disclosed: { sealed: { key, body } } }),
      'event-invalid',
    );
  });

  it('is incomplete for a verifier that cannot open it, and never broken', async () => {
    const file = utf8(await byKey(log, 3, 5));
    const bare = offlineEnv(nobleCrypto);
    const verdict = verifyEventProof(bare, file);
    assert.equal(verdict.verdict, 'incomplete');
    assert.deepEqual(reasons(verdict), ['cipher-missing']);
    const strict = verifyEventProof(bare, file, policyOf(1));
    assert.equal(strict.verdict, 'untrusted');
    assert.deepEqual(reasons(strict), ['quorum-missing', 'cipher-missing']);
    const wrong = extraOf(new TextDecoder().decode(file)).disclosed.sealed ?? assert.fail();
    const swapped = { sealed: { ...wrong, body: eventKeyOf(log, 4, 5).body } };
    const text = changed(new TextDecoder().decode(file), {}, { disclosed: swapped });
    assert.equal(verifyEventProof(bare, utf8(text)).verdict, 'broken', 'the hash needs no cipher');
  });

  it('is opened by WebCrypto, as a browser does', async () => {
    const web = offlineEnv(nobleCrypto, webOpener(webcrypto.subtle));
    const text = await byKey(log, 3, 5);
    await prepareEventProof(web, utf8(text));
    const verdict = verifyEventProof(web, utf8(text));
    assert.ok(verdict.verdict === 'intact');
    assert.equal(verdict.proven.context?.['id'], '1');
    assert.throws(() => verifyEventProof(web, utf8(text)), /not prepared/);
    const { key, body } = extraOf(text).disclosed.sealed ?? assert.fail();
    const sealed = { key: key.with(0, (key[0] ?? 0) ^ 1), body };
    const wrong = utf8(changed(text, {}, { disclosed: { sealed } }));
    await prepareEventProof(web, wrong);
    const found = verifyEventProof(web, wrong);
    assert.ok(found.verdict === 'broken' && found.reason.code === 'sealed-decrypt');
    // What cannot be read needs no preparation.
    await prepareEventProof(web, utf8('nonsense'));
    await prepareEventProof(offlineEnv(nodeCrypto), wrong);
  });

  it('never verifies with any of its bytes changed', async () => {
    const file = utf8(await byKey(log, 3, 5));
    for (let i = 0; i < file.length; i++) {
      const wrong = file.with(i, (file[i] ?? 0) ^ (1 << (i % 7)));
      assert.equal(verifyEventProof(env, wrong).verdict, 'broken', `byte ${i}`);
    }
  });
});
