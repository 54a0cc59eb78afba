/**
 * The key trees of this home's own sealed logs, by generation: `keys/epochs/<log>.epochs`
 * (epoch-file.ts). A root is on the disk before anything is signed that names it.
 */
import {
  epochCheck,
  epochKey,
  epochRoot,
  shredEpoch,
  spans,
  type EpochNode,
} from '../../access/epoch-keys.ts';
import type { Cipher } from '../../cipher.ts';
import { nodeCipher } from '../../cipher-node.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import type { Random } from '../../host.ts';
import { logIdHash } from '../../ids.ts';
import type { EpochKey, NextEpoch, OpenedEpoch, Sealing } from '../../ledger/sealing.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { EpochFiles, type HeldGeneration } from './epoch-file.ts';
import { DerivedKeys } from './tree-keys.ts';

export class OwnKeys {
  readonly cipher: Cipher = nodeCipher;
  readonly #files: EpochFiles;
  readonly #random: Random;
  readonly #logs: Map<LogId, readonly HeldGeneration[]>;
  readonly #damaged: Map<LogId, Fault>;
  readonly #derived = new DerivedKeys();
  /** Changes of one home's files go one after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  private constructor(
    files: EpochFiles,
    random: Random,
    logs: Map<LogId, readonly HeldGeneration[]>,
    damaged: Map<LogId, Fault>,
  ) {
    this.#files = files;
    this.#random = random;
    this.#logs = logs;
    this.#damaged = damaged;
  }

  /**
   * Reads what is in the folder, which need not exist. A file that does not open costs its own log
   * (`damaged`). Code: file-unreadable.
   */
  static async open(
    folder: string,
    nodeSecret: Uint8Array,
    random: Random,
  ): Promise<Result<OwnKeys>> {
    const files = new EpochFiles(folder, nodeSecret, random);
    const read = await files.readAll();
    if (!read.ok) return read;
    const { logs, damaged } = read.value;
    return ok(new OwnKeys(files, random, new Map(logs), new Map(damaged)));
  }

  /** Files that could not be read at the start, by log. */
  get damaged(): ReadonlyMap<LogId, Fault> {
    return this.#damaged;
  }

  /** By generation, in order; empty for a log that is not ours or not sealed. */
  held(log: LogId): readonly HeldGeneration[] {
    return this.#logs.get(log) ?? [];
  }

  keyFor(log: LogId, opening: OpenedEpoch): Uint8Array | undefined {
    return this.#derived.of(log, opening, this.#logs.get(log));
  }

  /** True where the epoch's generation is here and the epoch was taken out of it. */
  isShredded(
    log: LogId,
    { epoch, generation }: Pick<OpenedEpoch, 'epoch' | 'generation'>,
  ): boolean {
    const held = this.#generation(log, generation);
    return held !== undefined && !held.nodes.some((node) => spans(node, epoch));
  }

  /** See `Sealing.next`. */
  next(log: LogId, next: NextEpoch): Promise<Result<EpochKey>> {
    return this.#inTurn(async () => {
      const { epoch, generation, begins } = next;
      if (this.#generation(log, generation) === undefined) {
        if (!begins) return err(missing(log, generation, this.#damaged.get(log)));
        const root = epochRoot(this.#random.bytes(32));
        const begun = await this.#store(log, [...this.held(log), { generation, nodes: [root] }]);
        if (!begun.ok) return begun;
      }
      const nodes = this.#generation(log, generation)?.nodes ?? [];
      const key = keyUnder(nodes, epoch);
      if (!key.ok) return key;
      return ok({
        key: key.value,
        check: epochCheck(nodeCrypto, logIdHash(log), epoch, key.value),
      });
    });
  }

  /**
   * Crypto-shreds one epoch: its key and every node above it go, durably; the file is replaced as a
   * whole. What a disk or a backup keeps of the old file is out of reach. Code: file-unwritable.
   */
  shred(
    log: LogId,
    { epoch, generation }: Pick<OpenedEpoch, 'epoch' | 'generation'>,
  ): Promise<Result<void>> {
    return this.#inTurn(async () => {
      const kept = this.held(log).map((one) => {
        if (one.generation !== generation) return one;
        return { generation, nodes: shredEpoch(nodeCipher, one.nodes, epoch) };
      });
      const stored = await this.#store(log, kept);
      if (stored.ok) this.#derived.forget(log, epoch);
      return stored;
    });
  }

  #generation(log: LogId, generation: number): HeldGeneration | undefined {
    return this.#logs.get(log)?.find((one) => one.generation === generation);
  }

  async #store(log: LogId, held: readonly HeldGeneration[]): Promise<Result<void>> {
    if (this.#damaged.has(log)) {
      const aside = await this.#files.setAside(log);
      if (!aside.ok) return aside;
      this.#damaged.delete(log);
    }
    const written = await this.#files.write(log, held);
    if (written.ok) this.#logs.set(log, held);
    return written;
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(run);
    this.#changing = done.catch(() => undefined);
    return done;
  }
}

/** The ledger's view of the keys: it writes with own ones and reads with any. */
export function sealingOf(own: OwnKeys, others: Pick<Sealing, 'keyFor'>): Sealing {
  return {
    cipher: own.cipher,
    keyFor: (log, opening) => {
      // What the log shreds is opened by nobody, whatever a backup has brought back.
      if (opening.shredded !== undefined) return undefined;
      return own.keyFor(log, opening) ?? others.keyFor(log, opening);
    },
    next: (log, next) => own.next(log, next),
  };
}

function keyUnder(nodes: readonly EpochNode[], epoch: number): Result<Uint8Array> {
  const node = nodes.find((one) => spans(one, epoch));
  if (node === undefined) {
    return err(fault('epoch-not-covered', `the keys of epoch ${epoch} were shredded`));
  }
  return epochKey(nodeCipher, node, epoch);
}

function missing(log: LogId, generation: number, damaged: Fault | undefined): Fault {
  const why = damaged === undefined ? '' : `: ${damaged.message}`;
  const message = `the epoch keys of hw:${log} (generation ${generation}) are not here${why}`;
  return fault('epoch-keys-missing', message);
}
