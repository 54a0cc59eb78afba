/** Proofs of ranges: what an aggregate cites, and one input's place in it. */
import { toBase64, toHex } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault } from '../../errors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { proofKeyChain } from '../../ledger/proof-extra.ts';
import { makeRangeFile } from '../../ledger/range-file.ts';
import { leafHash } from '../../ledger/tree.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, asTreeSize, type LogId } from '../../types.ts';
import type { RangeProofRequest, RangeProofView } from '../evidence-api.ts';
import { nodeEnv } from '../judges.ts';

type RangeLedger = Pick<Ledger, 'log' | 'entry' | 'keyChain' | 'proofs'>;

/**
 * Codes: log-unknown, index-over-head (also for an empty range or an index outside of it),
 * store-corrupt.
 */
export async function proveRange(
  ledger: RangeLedger,
  logId: LogId,
  { from, to, size: wanted, index }: RangeProofRequest,
): Promise<Result<RangeProofView>> {
  const head = ledger.log(logId);
  if (head === undefined) return err(fault('log-unknown', `${logId} is not in this home`));
  const size = asTreeSize(wanted ?? head.size);
  const [start, end] = [asLogIndex(from), asLogIndex(to)];
  const proof = await ledger.proofs.range(logId, start, end, size);
  if (!proof.ok) return proof;
  const root = await ledger.proofs.rangeRoot(logId, start, end);
  if (!root.ok) return root;
  const member =
    index === undefined ? ok(undefined) : await memberOf(ledger, logId, from, to, index);
  if (!member.ok) return member;
  return ok({
    log: logId,
    from,
    to,
    size,
    rangeRoot: toHex(root.value),
    proof: proof.value.map(toBase64),
    ...(size === head.size ? { checkpoint: head.checkpoint } : {}),
    ...(member.value === undefined ? {} : { member: member.value }),
  });
}

async function memberOf(
  ledger: RangeLedger,
  logId: LogId,
  from: number,
  to: number,
  index: number,
): Promise<Result<RangeProofView['member']>> {
  const place = asLogIndex(index);
  const proof = await ledger.proofs.member(logId, place, asLogIndex(from), asLogIndex(to));
  if (!proof.ok) return proof;
  const entry = await ledger.entry(logId, place);
  if (!entry.ok) return entry;
  const hash = leafHash(nodeCrypto, entry.value.leaf());
  return ok({ index, leafHash: toHex(hash), proof: proof.value.map(toBase64) });
}

/** Text of a range-proof file at the head (range-file.ts). Codes as above, those of `makeRangeFile`. */
export async function proveRangeFile(
  ledger: RangeLedger,
  logId: LogId,
  from: number,
  to: number,
  index: number | undefined,
): Promise<Result<string>> {
  // One look at the head: chain, checkpoint and proofs must be of one size.
  const chain = await ledger.keyChain(logId);
  if (!chain.ok) return chain;
  const { size, checkpoint, entries } = chain.value;
  const [start, end] = [asLogIndex(from), asLogIndex(to)];
  const proof = await ledger.proofs.range(logId, start, end, size);
  if (!proof.ok) return proof;
  const keyChain = proofKeyChain(entries, size);
  if (!keyChain.ok) return keyChain;
  const base = { keyChain: keyChain.value, from: start, to: end, proof: proof.value, checkpoint };
  if (index === undefined) return makeRangeFile(nodeEnv, base);
  const place = asLogIndex(index);
  const member = await ledger.proofs.member(logId, place, start, end);
  if (!member.ok) return member;
  const entry = await ledger.entry(logId, place);
  if (!entry.ok) return entry;
  const shown = { index: place, leaf: entry.value.leaf(), proof: member.value };
  return makeRangeFile(nodeEnv, { ...base, entry: shown });
}
