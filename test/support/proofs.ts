/** A log with a rotation, proofs of its entries, and what must become of them. */
import assert from 'node:assert/strict';
import {
  EvidenceLog,
  evidenceEnv as env,
  showAll,
  type Shown,
} from '../../scripts/vectors/evidence-log.ts';
import { labelledSigner } from '../../scripts/vectors/format.ts';
import { utf8 } from '../../src/bytes.ts';
import type { CborMap } from '../../src/cbor.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { didFromKey } from '../../src/ids.ts';
import {
  makeEventProof,
  verifyEventProof,
  type EventProofInput,
  type ProofVerdict,
  type ProvenEntry,
} from '../../src/ledger/event-proof.ts';
import { cosignNote, parseNoteText } from '../../src/ledger/note.ts';
import { decodeExtra, encodeExtra, type ProofExtra } from '../../src/ledger/proof-extra.ts';
import { formatTlogProof, parseTlogProof, type TlogProof } from '../../src/ledger/tlog-proof.ts';
import { noPolicy, statedPolicy, type TrustPolicy } from '../../src/ledger/trust-policy.ts';
import type { Did } from '../../src/types.ts';
import { must } from './result.ts';

export const writer: Signer = labelledSigner('writer/proved');
export const next: Signer = labelledSigner('writer/proved/2');
export const witnesses: readonly Signer[] = [1, 2, 3].map((n) => labelledSigner(`witness/${n}`));
export const dids: readonly Did[] = witnesses.map(({ publicKey }) => didFromKey(publicKey));

/** Genesis, seal | three events, seal | rotation, seal | two events, seal. */
export function provedLog(more?: CborMap): EvidenceLog {
  const genesis = more === undefined ? {} : { witnesses: more };
  return EvidenceLog.open('proved', genesis)
    .withEvents(['{"n":1}', '{"n": 2}', 'null'])
    .withRotation(writer, next)
    .withEvents(['4', '5'], next);
}

export function cosigned(log: EvidenceLog, by: readonly Signer[], seconds = 1_763_700_000): string {
  const { text } = must(parseNoteText(log.checkpoint));
  return by
    .map((signer, i) => {
      const name = didFromKey(signer.publicKey);
      return cosignNote(h, signer, name, text, BigInt(seconds + i));
    })
    .join('');
}

export async function make(
  log: EvidenceLog,
  index: number,
  shown: Shown = showAll,
  lines = '',
  more: Partial<EventProofInput> = {},
): Promise<string> {
  const input = await log.proofInput(index, shown, lines);
  return must(makeEventProof(env, { ...input, ...more }), `entry ${index}`);
}

export function verify(text: string, policy: TrustPolicy = noPolicy): ProofVerdict {
  return verifyEventProof(env, utf8(text), policy);
}
export function intact(text: string, policy?: TrustPolicy): ProvenEntry {
  const verdict = verify(text, policy);
  if (verdict.verdict !== 'intact') assert.fail(JSON.stringify(verdict, noBigInt));
  return verdict.proven;
}
function noBigInt(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
export function broken(text: string, code: string, what: string = code): void {
  const verdict = verify(text);
  if (verdict.verdict !== 'broken') assert.fail(`${what}: ${verdict.verdict}`);
  const found: string = verdict.reason.code;
  assert.equal(found, code, `${what} (${verdict.reason.message})`);
}
export function untrusted(text: string, policy: TrustPolicy, ...codes: readonly string[]): void {
  const verdict = verify(text, policy);
  if (verdict.verdict !== 'untrusted') assert.fail(`${verdict.verdict} instead of ${codes.join()}`);
  assert.deepEqual(
    verdict.reasons.map(({ code }) => code),
    codes,
  );
}
export function policyOf(quorum: number, list: readonly string[] = dids): TrustPolicy {
  return must(statedPolicy(h, { witnesses: list, quorum }));
}

/** The proof with some of its parts replaced. */
export function changed(
  text: string,
  part: Partial<TlogProof>,
  extra: Partial<ProofExtra> = {},
): string {
  const proof = must(parseTlogProof(utf8(text)));
  const inside = { ...extraOf(text), ...extra };
  return formatTlogProof({ ...proof, extra: encodeExtra(inside), ...part });
}

/** What the `extra` line of a proof holds. */
export function extraOf(text: string): ProofExtra {
  return must(decodeExtra(must(parseTlogProof(utf8(text))).extra ?? new Uint8Array(0)));
}
