/** Homes, thieves and successors for tests of recovery. */
import assert from 'node:assert/strict';
import { equal } from '../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { logIdHash } from '../../src/ids.ts';
import { buildBlock, buildFirstBlock, type Draft } from '../../src/ledger/build-block.ts';
import type { VerifiedBlock } from '../../src/ledger/block.ts';
import { openLog, type Genesis } from '../../src/ledger/genesis.ts';
import type { NewLog } from '../../src/ledger/ledger-types.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { isKnown, type LogState, type UnknownLog } from '../../src/ledger/log-state.ts';
import type { Store } from '../../src/ledger/store.ts';
import type { SuccessorPlan } from '../../src/ledger/succeed.ts';
import { signSuccessor } from '../../src/ledger/successor.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import {
  asHash,
  asLogIndex,
  asTimeMs,
  asTreeSize,
  type Hash,
  type LogId,
  type LogIndex,
} from '../../src/types.ts';
import { env } from './judges.ts';
import { event, newLog, openLedger, otherSigner, publish, signer, wires } from './ledger-home.ts';
import { must } from './result.ts';

export const recovery: Signer = signerFromSeed(new Uint8Array(32).fill(3));
export const recoveryHash: Hash = nodeCrypto.sha256(recovery.publicKey);
export const nextHash: Hash = asHash(new Uint8Array(32).fill(5));
export const start: LogIndex = asLogIndex(0);
export const plan: SuccessorPlan = { recoveryHash: nextHash, proof: [] };

export const log0: NewLog = { ...newLog, recoveryHash };

/** A home with a log that can be recovered, and `count` events in blocks of one. */
export async function written(
  count: number,
  store?: Store,
): Promise<{ ledger: Ledger; log: LogId }> {
  const ledger = await openLedger(store === undefined ? {} : { store });
  const log = must(await ledger.create(log0, signer), 'create');
  for (let i = 0; i < count; i++) await publish(ledger, log, [event(i, { subject: `s${i % 3}` })]);
  return { ledger, log };
}

export async function follower(given: Parameters<typeof openLedger>[0] = {}): Promise<Ledger> {
  return openLedger(given);
}

/** Hands all blocks of a log from one home to another, as sync does. */
export async function sync(from: Ledger, to: Ledger, log: LogId): Promise<void> {
  must(await to.follow(log), 'follow');
  for (let rounds = 0; rounds < 40; rounds++) {
    const size = to.log(log)?.size ?? 0;
    if (size >= (from.log(log)?.size ?? 0)) break;
    for (const wire of await wires(from, log, asLogIndex(size))) {
      const { verdict } = await to.apply(wire, 'sync');
      if (verdict.kind === 'ignore' && verdict.reason.code === 'branch-left') break;
    }
  }
  await to.successors.settled();
}

/** The blocks that a writer with its own ideas makes after those of the log so far. */
export function forged(
  logId: LogId,
  wiresSoFar: readonly Uint8Array[],
  groups: readonly (readonly Draft[])[],
): VerifiedBlock[] {
  let state: LogState | UnknownLog = { logId };
  for (const wire of wiresSoFar) {
    state = must(verifyBlock(env, state, wire, { form: 'gossip' })).state;
  }
  const made: VerifiedBlock[] = [];
  for (const [i, drafts] of groups.entries()) {
    const options = { time: asTimeMs(Date.now()), seed: new Uint8Array(32).fill(40 + i) };
    const stolen = isKnown(state) && equal(state.writerKey, otherSigner.publicKey);
    const block = must(buildBlock(env, state, stolen ? otherSigner : signer, drafts, options));
    made.push(block);
    state = block.state;
  }
  return made;
}

export const draft: (id: string) => Draft = (id) => ({ kind: 'event', event: event(id) });

export async function applyAll(
  ledger: Ledger,
  log: LogId,
  list: readonly Uint8Array[],
): Promise<void> {
  must(await ledger.follow(log), 'follow');
  for (const wire of list) {
    const { verdict } = await ledger.apply(wire, 'sync');
    assert.equal(verdict.kind, 'accept');
  }
}

/** A genesis that goes on from a log, signed by whoever is given. */
export function successorOf(
  genesis: Genesis,
  log: LogId,
  size: number,
  root: Uint8Array,
  by: Signer = recovery,
  more: Partial<Genesis> = {},
): { readonly genesis: Genesis; readonly logId: LogId; readonly wire: Uint8Array } {
  const { stream, ...rest } = genesis;
  const signed = signSuccessor(
    {
      ...rest,
      created: asTimeMs(Date.now()),
      random: new Uint8Array(16).fill(1),
      recoveryHash: nextHash,
      stream: stream ?? logIdHash(log),
      predecessor: { log: logIdHash(log), size: asTreeSize(size), root: asHash(root) },
      ...more,
    },
    by,
  );
  const options = { time: signed.created, seed: new Uint8Array(32) };
  const block = must(buildFirstBlock(env, signer, signed, [], options), 'successor');
  return { genesis: signed, logId: openLog(nodeCrypto, signed).logId, wire: block.wire };
}

export function genesisOf(ledger: Ledger, log: LogId): Genesis {
  const genesis = ledger.log(log)?.genesis;
  assert.ok(genesis);
  return genesis;
}

export async function intact(ledger: Ledger, log: LogId): Promise<void> {
  const report = must(await ledger.verify(log));
  assert.equal(report.verdict, 'intact', JSON.stringify(report.problems));
}
