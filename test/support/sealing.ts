/** Epoch keys for tests: key trees in memory, of all logs, by generation. */
import { epochCheck, epochKey, epochRoot, type EpochNode } from '../../src/access/epoch-keys.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { fault } from '../../src/errors.ts';
import { logIdHash } from '../../src/ids.ts';
import type { EpochKey, NextEpoch, OpenedEpoch, Sealing } from '../../src/ledger/sealing.ts';
import { err, ok, type Result } from '../../src/result.ts';
import type { Fault } from '../../src/errors.ts';
import type { LogId } from '../../src/types.ts';
import { must } from './result.ts';

export class TestKeys implements Sealing {
  readonly cipher = nodeCipher;
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
