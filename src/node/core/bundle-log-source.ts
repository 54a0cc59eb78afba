/**
 * One log as a bundle is made from it: the head of one moment, its keys, and its blocks. All proofs
 * are to the tree of that head, however the log grows meanwhile.
 */
import { HeadwaterError, fault, type Fault } from '../../errors.ts';
import type { DecodedBlock } from '../../ledger/block.ts';
import { decodeBlock } from '../../ledger/block-codec.ts';
import type { LeftOut } from '../../ledger/bundle-lines.ts';
import { knownKeys } from '../../ledger/checkpoint-lines.ts';
import { parseCheckpoint } from '../../ledger/checkpoint.ts';
import { parseControl } from '../../ledger/control.ts';
import { keepLines } from '../../ledger/cosignature.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { readKeyChain, writerKeyAt, type KeyChain, type KeyEntry } from '../../ledger/key-chain.ts';
import { decodeLeaf } from '../../ledger/leaf.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { logIdHash } from '../../ids.ts';
import { protocol } from '../../limits.ts';
import { RecentMap } from '../../recent-map.ts';
import { caught, err, ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId, type TreeSize } from '../../types.ts';
import type { BundleLedger } from './bundle-ledger.ts';

export interface OlderCheckpoint {
  readonly size: TreeSize;
  readonly note: string;
}

/** Blocks kept open; single inputs often stand in one block. */
const openBlocks = 16;

export class LogSource {
  readonly logId: LogId;
  readonly size: TreeSize;
  /** The writer's line, and cosignatures that everybody can check. */
  readonly note: string;
  readonly older: OlderCheckpoint | undefined;
  readonly genesis: Genesis;
  readonly controls: readonly KeyEntry[];
  readonly seal: Uint8Array;
  readonly #ledger: BundleLedger;
  readonly #redacted: ReadonlySet<number>;
  readonly #lowest: number;
  readonly #open = new RecentMap<number, DecodedBlock>(openBlocks);

  private constructor(
    ledger: BundleLedger,
    logId: LogId,
    head: { readonly size: TreeSize; readonly note: string; readonly seal: Uint8Array },
    older: OlderCheckpoint | undefined,
    keys: Keys,
    lowest: number,
  ) {
    this.#ledger = ledger;
    this.logId = logId;
    this.size = head.size;
    this.note = head.note;
    this.seal = head.seal;
    this.older = older;
    this.genesis = keys.chain.genesis;
    this.controls = keys.controls;
    this.#redacted = keys.redacted;
    this.#lowest = lowest;
  }

  /** Codes: log-unknown, log-not-synced (nothing is stored of it), store-corrupt, bundle-too-large. */
  static async open(ledger: BundleLedger, logId: LogId): Promise<Result<LogSource>> {
    const head = ledger.log(logId);
    if (head === undefined) return err(fault('log-unknown', `${logId} is not in this home`));
    if (head.size === 0) return err(fault('log-not-synced', `nothing is stored of ${logId}`));
    const { size } = head;
    const keys = await keysOf(ledger, logId, size);
    if (!keys.ok) return keys;
    const note = knownLines(head.checkpoint, keys.value.chain);
    if (!note.ok) return note;
    const cosigned = await cosignedOf(ledger, logId, size, keys.value.chain);
    if (!cosigned.ok) return cosigned;
    const newest = cosigned.value?.size === size;
    const last = await blockAt(ledger, logId, size - 1);
    if (!last.ok) return last;
    const entry = last.value.entries.at(-1);
    const start = entry?.leafOffset ?? -1;
    const seal = last.value.wire.slice(start, start + (entry?.leafLength ?? 0));
    const leaf = decodeLeaf(seal);
    if (start < 0 || !leaf.ok || leaf.value.kind !== 2) return err(corrupt(size - 1));
    const own = newest ? (cosigned.value?.note ?? note.value) : note.value;
    const source = new LogSource(
      ledger,
      logId,
      { size, note: own, seal },
      newest ? undefined : cosigned.value,
      keys.value,
      leaf.value.lowest,
    );
    return ok(source);
  }

  /** Why a body is gone, as a verifier will see it. */
  whyGone(index: number): keyof LeftOut {
    if (this.#redacted.has(index)) return 'redacted';
    return index < this.#lowest ? 'retention' : 'withheld';
  }

  /** The block that holds an entry below `size`; the last few are kept. */
  async blockAt(index: number): Promise<Result<DecodedBlock>> {
    for (const [first, block] of this.#open) {
      if (index < first || index >= first + block.entries.length) continue;
      this.#open.set(first, block);
      return ok(block);
    }
    const block = await blockAt(this.#ledger, this.logId, index);
    if (!block.ok) return block;
    this.#open.set(block.value.firstIndex, block.value);
    return block;
  }

  /** Stored blocks from the one that holds `from` to the one that holds `to - 1`; throws. */
  async *wires(
    from: number,
    to: number,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly first: number; readonly end: number; readonly wire: Uint8Array }> {
    let next = from;
    for await (const block of this.#ledger.blocks(this.logId, asLogIndex(from), { signal })) {
      yield { first: block.firstIndex, end: block.size, wire: block.wire };
      next = block.size;
      if (next >= to) return;
    }
    if (signal.aborted) throw new HeadwaterError(fault('interrupted', 'interrupted'));
    throw new HeadwaterError(corrupt(next));
  }
}

interface Keys {
  readonly controls: readonly KeyEntry[];
  readonly chain: KeyChain;
  readonly redacted: ReadonlySet<number>;
}

/** Control entries below `size` that say something of keys or bodies. */
async function keysOf(ledger: BundleLedger, logId: LogId, size: number): Promise<Result<Keys>> {
  const page = await ledger.keyChain(logId);
  if (!page.ok) return page;
  const controls: KeyEntry[] = [];
  const redacted = new Set<number>();
  for (const { index, leaf } of page.value.entries) {
    if (index >= size) break;
    const decoded = decodeLeaf(leaf);
    const control =
      decoded.ok && decoded.value.kind === 3 ? parseControl(decoded.value.map) : decoded;
    if (!control.ok) return control;
    if (!('type' in control.value) || control.value.type === 'other') continue;
    if (control.value.type === 'redact') redacted.add(control.value.index);
    controls.push({ index, leaf });
  }
  if (controls.length > protocol.maxBundleControls) {
    return err(fault('bundle-too-large', `the log has ${controls.length} control entries`));
  }
  const chain = readKeyChain(nodeCrypto, logIdHash(logId), controls);
  return chain.ok ? ok({ controls, chain: chain.value, redacted }) : chain;
}

/** The note without the lines that only some could check. */
function knownLines(note: string, chain: KeyChain): Result<string> {
  const checkpoint = parseCheckpoint(note);
  if (!checkpoint.ok) return checkpoint;
  const signer = writerKeyAt(chain, checkpoint.value.size);
  const shown = { checkpoint: checkpoint.value, signer, genesis: chain.genesis };
  const { keys } = knownKeys(nodeCrypto, shown, []);
  const known = (line: { readonly name: string; readonly keyId: number }): boolean =>
    keys.some(({ name, keyId }) => name === line.name && keyId === line.keyId);
  if (!checkpoint.value.signatures.some(known)) {
    return err(fault('store-corrupt', 'the stored checkpoint is not signed by its writer'));
  }
  return ok(keepLines(checkpoint.value, known));
}

/** The cosigned checkpoint that says most, if more than the writer's line is left of it. */
async function cosignedOf(
  ledger: BundleLedger,
  logId: LogId,
  size: TreeSize,
  chain: KeyChain,
): Promise<Result<OlderCheckpoint | undefined>> {
  const newest = await ledger.cosigned.newest(logId);
  if (!newest.ok || newest.value === undefined || newest.value.size > size) {
    return newest.ok ? ok(undefined) : newest;
  }
  const note = knownLines(newest.value.note, chain);
  if (!note.ok) return note;
  const checkpoint = parseCheckpoint(note.value);
  if (!checkpoint.ok) return checkpoint;
  const some = checkpoint.value.signatures.length > 1;
  return ok(some ? { size: newest.value.size, note: note.value } : undefined);
}

async function blockAt(
  ledger: BundleLedger,
  logId: LogId,
  index: number,
): Promise<Result<DecodedBlock>> {
  return caught(async () => {
    for await (const { wire } of ledger.blocks(logId, asLogIndex(index), { maxBytes: 1 })) {
      return decodeBlock(wire, { reduced: true });
    }
    return err(corrupt(index));
  });
}

function corrupt(index: number): Fault {
  return fault('store-corrupt', 'a block cannot be read', { index });
}
