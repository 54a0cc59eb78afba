import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { didFromKey } from '../../src/ids.ts';
import { parseCheckpoint } from '../../src/ledger/checkpoint.ts';
import {
  noPolicy,
  thresholdOf,
  witnessesMap,
  type TrustPolicy,
} from '../../src/ledger/trust-policy.ts';
import { selfNamedCosigner } from '../../src/ledger/cosignature.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { cosignNote } from '../../src/ledger/note.ts';
import { verifyEventProof } from '../../src/ledger/event-proof.ts';
import { utf8 } from '../../src/bytes.ts';
import { proveEvent } from '../../src/node/core/prove.ts';
import type { VerifyView } from '../../src/node/evidence-api.ts';
import { nodeEnv } from '../../src/node/judges.ts';
import { statedTrust, withTrust } from '../../src/node/verify-trust.ts';
import { verifyLogs } from '../../src/node/verify-view.ts';
import { asLogIndex, asStreamName, asTimeMs, type LogId } from '../../src/types.ts';
import { events, newLog, openLedger, publish, signer, testHost } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';

const seeds = [11, 12, 13].map((byte) => signerFromSeed(new Uint8Array(32).fill(byte)));
const names = seeds.map(({ publicKey }) => didFromKey(publicKey));
const keys = seeds.map(({ publicKey }) => selfNamedCosigner(nodeCrypto, publicKey));

function quorum(which: readonly number[], threshold: number): TrustPolicy {
  const witnesses = keys.filter((_, i) => which.includes(i));
  return { ...noPolicy, witnesses, quorum: thresholdOf(witnesses, threshold) };
}

async function cosign(ledger: Ledger, log: LogId, by: readonly number[]): Promise<void> {
  const note = ledger.log(log)?.checkpoint ?? '';
  const { text } = must(parseCheckpoint(note));
  const lines = seeds
    .filter((_, i) => by.includes(i))
    .map((one) => cosignNote(nodeCrypto, one, didFromKey(one.publicKey), text, 1_700_000_000n));
  must(await ledger.cosigned.add(log, note + lines.join('')));
}

async function view(ledger: Ledger, log: LogId): Promise<VerifyView> {
  const logs = [{ log, size: ledger.log(log)?.size ?? 0 }];
  return must(await verifyLogs(ledger, 'orders', logs, testHost().clock, {}));
}

const [soon, later] = [0, 61_000];

/** Verdict and reason codes, `ms` after now. */
async function judged(
  ledger: Ledger,
  log: LogId,
  policy: TrustPolicy | undefined,
  ms: number,
): Promise<readonly string[]> {
  const now = asTimeMs(Date.now() + ms);
  const found = must(await withTrust(ledger, await view(ledger, log), policy, now));
  return [found.verdict, ...(found.reasons ?? []).map(({ code }) => code)];
}

async function witnessed(): Promise<{ readonly ledger: Ledger; readonly log: LogId }> {
  const ledger = await openLedger();
  const policy = { ...newLog, witnesses: witnessesMap(names, 2) };
  return { ledger, log: must(await ledger.create(policy, signer)) };
}

describe('a verified stream held against its witnesses', () => {
  it('is intact without a policy, and with one that a quorum covers', async () => {
    await using plain = await openLedger();
    const log = must(await plain.create({ ...newLog, name: asStreamName('plain') }, signer));
    assert.deepEqual(await judged(plain, log, undefined, later), ['intact']);
    const { ledger, log: own } = await witnessed();
    await publish(ledger, own, events(3));
    await cosign(ledger, own, [0, 2]);
    assert.deepEqual(await judged(ledger, own, undefined, later), ['intact']);
    const found = must(await withTrust(ledger, await view(ledger, own), undefined, later));
    assert.deepEqual(found.logs[0]?.witnesses, [names[0], names[2]]);
    assert.deepEqual(found.logs[0].witnessed, { size: 5 + 1, by: '2023-11-14T22:13:20.000Z' });
    await ledger.close();
  });

  it('is untrusted where nobody, or too few, have cosigned', async () => {
    const { ledger, log } = await witnessed();
    assert.deepEqual(await judged(ledger, log, undefined, soon), ['untrusted', 'quorum-missing']);
    await cosign(ledger, log, [1]);
    assert.deepEqual(await judged(ledger, log, undefined, soon), ['untrusted', 'quorum-missing']);
    await ledger.close();
  });

  it('is untrusted once entries above what a quorum cosigned are a minute old', async () => {
    const { ledger, log } = await witnessed();
    await publish(ledger, log, events(3));
    await cosign(ledger, log, [0, 1]);
    await publish(ledger, log, events(3, 10));
    assert.deepEqual(await judged(ledger, log, undefined, soon), ['intact']);
    assert.deepEqual(await judged(ledger, log, undefined, later), ['untrusted', 'quorum-missing']);
    await ledger.close();
  });

  it('is held against the stated policy besides its own', async () => {
    const { ledger, log } = await witnessed();
    await cosign(ledger, log, [0, 1]);
    assert.deepEqual(await judged(ledger, log, quorum([0, 1], 2), soon), ['intact']);
    const missed = ['untrusted', 'quorum-missing'];
    assert.deepEqual(await judged(ledger, log, quorum([0, 1, 2], 3), soon), missed);
    const owner = { ...noPolicy, owners: [newLog.owner] };
    assert.deepEqual(await judged(ledger, log, owner, soon), ['intact']);
    const other = { ...noPolicy, owners: [names[0] ?? newLog.owner] };
    assert.deepEqual(await judged(ledger, log, other, soon), ['untrusted', 'owner-untrusted']);
    await ledger.close();
  });

  it('refuses nonsense as a stated policy', () => {
    refused(statedTrust({ witnesses: ['x'] }), 'usage');
    refused(statedTrust({ witnesses: names, quorum: 4 }), 'usage');
    refused(statedTrust({ quorum: 1 }), 'usage');
  });

  it('is proved by the newest checkpoint that a quorum cosigned, else by that of the head', async () => {
    const { ledger, log } = await witnessed();
    await publish(ledger, log, events(2));
    await cosign(ledger, log, [0, 1]);
    const size = ledger.log(log)?.size ?? 0;
    await publish(ledger, log, events(2, 10));
    const early = verifyEventProof(
      nodeEnv,
      utf8(must(await proveEvent(ledger, log, asLogIndex(2), 'all'))),
      quorum([0, 1, 2], 2),
    );
    assert.equal(early.verdict, 'intact');
    assert.equal(early.proven.size, size);
    const four = verifyEventProof(
      nodeEnv,
      utf8(must(await proveEvent(ledger, log, asLogIndex(2), 'none'))),
      quorum([0, 1, 2], 3),
    );
    assert.equal(four.verdict, 'untrusted');
    const late = verifyEventProof(
      nodeEnv,
      utf8(must(await proveEvent(ledger, log, asLogIndex(size), 'all'))),
    );
    assert.equal(late.verdict, 'untrusted');
    assert.ok(late.proven.size > size);
    await ledger.close();
  });
});
