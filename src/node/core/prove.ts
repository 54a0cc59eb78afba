/**
 * `hw prove`: the proof of one event, made from the ledger of a running node or of a stopped one, and
 * the consistency proof between two sizes of a log.
 */
import { toBase64 } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import { decodeBlock } from '../../ledger/block-codec.ts';
import { saltsAt, saltsBytes } from '../../ledger/commitment.ts';
import { makeEventProof } from '../../ledger/event-proof.ts';
import type { LedgerEntry } from '../../ledger/ledger-types.ts';
import { bodyFault } from '../../ledger/missing-bodies.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Cosigned } from '../../ledger/cosigned.ts';
import type { LogProofs } from '../../ledger/log-proofs.ts';
import { discloseEvent, type Disclosure } from '../../ledger/proof-extra.ts';
import { caught, err, ok, type Result } from '../../result.ts';
import { asTreeSize, type LogId, type LogIndex } from '../../types.ts';
import { nodeEnv } from '../judges.ts';
import type { ConsistencyView } from '../evidence-api.ts';
import type { Disclosing } from '../sealed/disclosing.ts';

/** What a proof shows of its event; `key`: of a sealed one its ciphertext and its own key. */
export const disclosures = ['all', 'attributes', 'data', 'key', 'none'] as const;
export type DisclosedPart = (typeof disclosures)[number];

export function isDisclosedPart(text: string): text is DisclosedPart {
  return disclosures.some((part) => part === text);
}

type ProvingLedger = Pick<Ledger, 'entry' | 'blocks' | 'keyChain'> & {
  readonly proofs: Pick<LogProofs, 'inclusion'>;
  /** Absent where no cosignatures are kept. */
  readonly cosigned?: Pick<Cosigned, 'newest' | 'witnesses'>;
};

/** What opens sealed events; absent: nothing of them is disclosed. */
type OpensSealed = Pick<Disclosing, 'entry'>;

/**
 * The text of a proof that the event stands in its log, by the newest checkpoint that covers it and
 * that witnesses have cosigned (`Cosigned.newest`), else by that of the head. Codes: log-unknown,
 * index-over-head, event-unknown (seals, controls), usage (the key of an event that is not sealed),
 * those of `Disclosing.entry` (with anything disclosed of a sealed event), event-dropped, event-redacted or body-withheld (with anything disclosed), store-corrupt, those of `makeEventProof` and of the store.
 */
export async function proveEvent(
  ledger: ProvingLedger,
  logId: LogId,
  index: LogIndex,
  part: DisclosedPart,
  sealed?: OpensSealed,
): Promise<Result<string>> {
  const entry = await ledger.entry(logId, index);
  if (!entry.ok) return entry;
  const { kind } = entry.value;
  if (kind === 'seal' || kind === 'control') {
    return err(fault('event-unknown', `entry ${index} is a ${kind} and no event`, { index }));
  }
  const disclosed = part === 'none' ? ok({}) : await disclose(ledger, entry.value, part, sealed);
  if (!disclosed.ok) return disclosed;
  // One look at the head: chain, checkpoint and path must be of one size.
  const chain = await ledger.keyChain(logId);
  if (!chain.ok) return chain;
  const { entries: controls } = chain.value;
  const cosigned = await ledger.cosigned?.newest(logId, asTreeSize(index + 1));
  if (cosigned?.ok === false) return cosigned;
  const { size, note: checkpoint } = cosigned?.value ?? {
    size: chain.value.size,
    note: chain.value.checkpoint,
  };
  const path = await ledger.proofs.inclusion(logId, index, size);
  if (!path.ok) return path;
  return makeEventProof(nodeEnv, {
    index,
    leaf: entry.value.leaf(),
    path: path.value,
    checkpoint,
    controls,
    disclosed: disclosed.value,
    cosigners: ledger.cosigned?.witnesses(logId) ?? [],
  });
}

/** The event, or a part of it, with the salts that its block holds. */
async function disclose(
  ledger: ProvingLedger,
  entry: LedgerEntry,
  part: DisclosedPart,
  sealed: OpensSealed | undefined,
): Promise<Result<Disclosure>> {
  const { logId, index, kind, event, bodyMissing } = entry;
  if (bodyMissing !== undefined) return err(bodyFault(index, bodyMissing, leafOnly));
  if (kind === 'sealed') return discloseSealed(entry, part, sealed);
  if (part === 'key') {
    const message = `entry ${index} is not sealed: it has no key of its own`;
    return err(fault('usage', message, { pointer: '--disclose' }, 'Use --disclose all.'));
  }
  if (event === undefined) return err(noBody(index, 'missing'));
  const salts = await saltsOf(ledger, logId, index);
  if (!salts.ok) return salts;
  if (salts.value === undefined) return err(noBody(index, 'without its salts'));
  const parts = { attributes: part !== 'data', data: part !== 'attributes' };
  return ok(discloseEvent(event, salts.value, parts));
}

async function discloseSealed(
  entry: LedgerEntry,
  part: DisclosedPart,
  sealed: OpensSealed | undefined,
): Promise<Result<Disclosure>> {
  if (sealed === undefined) return err(noBody(entry.index, 'sealed'));
  const opened = await sealed.entry(entry);
  if (!opened.ok) return opened;
  if (part === 'key') return ok({ sealed: opened.value.sealed });
  const parts = { attributes: part !== 'data', data: part !== 'attributes' };
  return ok(discloseEvent(opened.value.event, opened.value.salts, parts));
}

/** The 64 bytes of an event's salts: from the seed of its block, or kept by themselves. */
async function saltsOf(
  ledger: ProvingLedger,
  logId: LogId,
  index: LogIndex,
): Promise<Result<Uint8Array | undefined>> {
  return caught(async () => {
    for await (const { wire, firstIndex } of ledger.blocks(logId, index, { maxBytes: 1 })) {
      const block = decodeBlock(wire, { reduced: true });
      if (!block.ok) return block;
      const position = index - firstIndex;
      const { seed, entries } = block.value;
      if (seed !== null) return ok(saltsAt(nodeCrypto, seed, position));
      const at = entries[position]?.saltsOffset ?? -1;
      return ok(at < 0 ? undefined : wire.slice(at, at + saltsBytes));
    }
    return err(fault('index-over-head', 'the log has no such entry', { index }));
  });
}

const leafOnly = 'That it stood there can still be proved: --disclose none.';

function noBody(index: LogIndex, why: string): Fault {
  return fault('event-unknown', `the content of entry ${index} is ${why}`, { index }, leafOnly);
}

/**
 * Proof that the log of size `to`, the head's where it is left out, begins with that of size `from`.
 * Codes: log-unknown, index-over-head (also where from > to), store-corrupt.
 */
export async function proveConsistency(
  ledger: Pick<Ledger, 'log' | 'proofs'>,
  logId: LogId,
  from: number,
  to: number | undefined,
): Promise<Result<ConsistencyView>> {
  const end = asTreeSize(to ?? ledger.log(logId)?.size ?? 0);
  const proof = await ledger.proofs.consistency(logId, asTreeSize(from), end);
  if (!proof.ok) return proof;
  return ok({ from, to: end, proof: proof.value.map((hash) => toBase64(hash)) });
}
