/** Sealed logs for tests: key trees in memory, of all logs, by generation; and what a log tells. */
import assert from 'node:assert/strict';
import { epochCheck, epochKey, epochRoot, type EpochNode } from '../../src/access/epoch-keys.ts';
import type { Cipher } from '../../src/cipher.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { fault } from '../../src/errors.ts';
import { logIdHash } from '../../src/ids.ts';
import type { EpochKey, NextEpoch, OpenedEpoch, Sealing } from '../../src/ledger/sealing.ts';
import { err, ok, type Result } from '../../src/result.ts';
import type { Fault } from '../../src/errors.ts';
import { asLogIndex, type EventBytes, type LogId } from '../../src/types.ts';
import { fromUtf8, readUint32 } from '../../src/bytes.ts';
import type { CborValue } from '../../src/cbor.ts';
import type { EpochPolicy } from '../../src/ledger/epoch-policy.ts';
import { openingOf } from '../../src/ledger/epochs.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { LedgerEntry, NewLog } from '../../src/ledger/ledger-types.ts';
import { leafAt } from '../../src/ledger/leaf.ts';
import { openBody } from '../../src/ledger/sealed-body.ts';
import { newLog, openLedger, signer, type HomeOptions } from './ledger-home.ts';
import { must } from './result.ts';

const zero = asLogIndex(0);

export class TestKeys implements Sealing {
  readonly cipher: Cipher = nodeCipher;
  /** By `<log>/<generation>`. */
  readonly roots: Map<string, EpochNode> = new Map();
  /** What was asked for, in order. */
  readonly asked: NextEpoch[] = [];
  /** Epochs that were shredded. */
  readonly gone: Set<number> = new Set();
  failing: Fault | undefined;
  #drawn = 0;

  keyFor(log: LogId, { epoch, generation, check }: OpenedEpoch): Uint8Array | undefined {
    const root = this.roots.get(`${log}/${generation}`);
    if (root === undefined || this.gone.has(epoch)) return undefined;
    const key = must(epochKey(nodeCipher, root, epoch));
    const fits = epochCheck(nodeCrypto, logIdHash(log), epoch, key);
    return fits.every((byte, i) => byte === check[i]) ? key : undefined;
  }

  async next(log: LogId, next: NextEpoch): Promise<Result<EpochKey>> {
    await Promise.resolve();
    if (this.failing !== undefined) return err(this.failing);
    this.asked.push(next);
    const name = `${log}/${next.generation}`;
    if (next.begins && !this.roots.has(name)) {
      this.#drawn += 1;
      this.roots.set(name, epochRoot(new Uint8Array(32).fill(this.#drawn)));
    }
    const root = this.roots.get(name);
    if (root === undefined) return err(fault('epoch-keys-missing', 'no such generation'));
    const key = must(epochKey(nodeCipher, root, next.epoch));
    return ok({ key, check: epochCheck(nodeCrypto, logIdHash(log), next.epoch, key) });
  }
}

export const sealedLog: NewLog = { ...newLog, visibility: 'sealed' };

export async function withSealed(
  given: HomeOptions = {},
  epochs: EpochPolicy = { everyMs: 3_600_000 },
): Promise<{ readonly ledger: Ledger; readonly log: LogId; readonly keys: TestKeys }> {
  const keys = new TestKeys();
  const ledger = await openLedger({ sealing: keys, ...given });
  return { ledger, log: must(await ledger.create({ ...sealedLog, epochs }, signer)), keys };
}

export async function openOf(
  ledger: Ledger,
  keys: TestKeys,
  entry: LedgerEntry,
): Promise<EventBytes> {
  const epochs = must(await ledger.epochs(entry.logId));
  const leaf = entry.leaf();
  const opening = openingOf(epochs, readUint32(leaf, leafAt.sealedEpoch));
  const key = opening && keys.keyFor(entry.logId, opening);
  assert.ok(key !== undefined && entry.sealedBody !== undefined, `no key for ${entry.index}`);
  const place = { log: logIdHash(entry.logId), index: entry.index, leaf };
  return must(openBody(keys.cipher, nodeCrypto, place, key, entry.sealedBody)).event;
}

/** `o0.0` an opened epoch, `e<id>` an event, `|` a seal, `p` a policy, in order. */
export async function story(ledger: Ledger, log: LogId, keys: TestKeys): Promise<string> {
  const parts: string[] = [];
  for await (const entry of ledger.entries(log, zero)) {
    if (entry.kind === 'seal') parts.push('|');
    else if (entry.kind === 'control') {
      const { type, epoch, generation } = entry.control ?? {};
      parts.push(
        type === 'epoch' ? `o${textOf(epoch)}.${textOf(generation)}` : short(textOf(type)),
      );
    } else if (entry.bodyMissing !== undefined) parts.push('-');
    else {
      const { attributes } = await openOf(ledger, keys, entry);
      const { id }: { id: string } = JSON.parse(must(fromUtf8(attributes)));
      parts.push(`e${id}`);
    }
  }
  return parts.join(' ');
}

const names: Readonly<Record<string, string>> = {
  genesis: 'g',
  epochs: 'p',
  rotate: 'r',
  redact: 'x',
};

function short(type: string): string {
  return names[type] ?? '?';
}

function textOf(value: CborValue | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
