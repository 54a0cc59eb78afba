/**
 * Nodes of key trees that producers have delivered to this home, by log and generation:
 * `keys/got/<log>.epochs` (epoch-file.ts), for what was read once is to be read after a restart too, also
 * where its producer is gone.
 */
import { shredEpoch, spans, type EpochNode } from '../../access/epoch-keys.ts';
import { nodeCipher } from '../../cipher-node.ts';
import type { Fault } from '../../errors.ts';
import type { Random } from '../../host.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import { ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { EpochFiles, type HeldGeneration } from './epoch-file.ts';
import { DerivedKeys } from './tree-keys.ts';

export class GotKeys {
  readonly #files: EpochFiles | undefined;
  readonly #logs: Map<LogId, readonly HeldGeneration[]>;
  readonly #damaged: Map<LogId, Fault>;
  readonly #derived = new DerivedKeys();
  readonly #listeners = new Set<(log: LogId) => void>();
  /** Files are replaced one after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  /** Without files, nothing outlives the process. */
  constructor(
    files?: EpochFiles,
    logs: ReadonlyMap<LogId, readonly HeldGeneration[]> = new Map(),
    damaged: ReadonlyMap<LogId, Fault> = new Map(),
  ) {
    this.#files = files;
    this.#logs = new Map(logs);
    this.#damaged = new Map(damaged);
  }

  /**
   * Reads what is in the folder, which need not exist. A file that does not open costs its own log: its
   * keys are asked for again. Code: file-unreadable.
   */
  static async open(
    folder: string,
    nodeSecret: Uint8Array,
    random: Random,
  ): Promise<Result<GotKeys>> {
    const files = new EpochFiles(folder, nodeSecret, random);
    const read = await files.readAll();
    return read.ok ? ok(new GotKeys(files, read.value.logs, read.value.damaged)) : read;
  }

  /** Files that could not be read at the start, by log. */
  get damaged(): ReadonlyMap<LogId, Fault> {
    return this.#damaged;
  }

  held(log: LogId): readonly HeldGeneration[] {
    return this.#logs.get(log) ?? [];
  }

  keyFor(log: LogId, opening: OpenedEpoch): Uint8Array | undefined {
    return this.#derived.of(log, opening, this.#logs.get(log));
  }

  /** Is there a node for this epoch, right or wrong? */
  covers(log: LogId, { epoch, generation }: Pick<OpenedEpoch, 'epoch' | 'generation'>): boolean {
    const held = this.held(log).find((one) => one.generation === generation);
    return held?.nodes.some((node) => spans(node, epoch)) ?? false;
  }

  /**
   * Takes nodes in, to be used at once, and tells the listeners; durable when it resolves. A node takes
   * the place of those below it. Code: file-unwritable (they are used, but lost with the process).
   */
  add(log: LogId, generation: number, nodes: readonly EpochNode[]): Promise<Result<void>> {
    const before = this.held(log);
    const same = before.find((one) => one.generation === generation)?.nodes ?? [];
    const joined = { generation, nodes: disjoint([...same, ...nodes]) };
    const others = before.filter((one) => one.generation !== generation);
    return this.#set(
      log,
      [...others, joined].toSorted((a, b) => a.generation - b.generation),
    );
  }

  /** Drops the nodes above one epoch: they are not those of the log. */
  drop(
    log: LogId,
    { epoch, generation }: Pick<OpenedEpoch, 'epoch' | 'generation'>,
  ): Promise<Result<void>> {
    this.#derived.forget(log);
    const kept = this.held(log).map((one) =>
      one.generation === generation
        ? { generation, nodes: one.nodes.filter((node) => !spans(node, epoch)) }
        : one,
    );
    return this.#set(log, kept);
  }

  /** Destroys the keys of one epoch, which its log has shredded; those of all others stay. */
  shred(
    log: LogId,
    { epoch, generation }: Pick<OpenedEpoch, 'epoch' | 'generation'>,
  ): Promise<Result<void>> {
    const kept = this.held(log).map((one) =>
      one.generation === generation
        ? { generation, nodes: shredEpoch(nodeCipher, one.nodes, epoch) }
        : one,
    );
    this.#derived.forget(log, epoch);
    return this.#set(log, kept);
  }

  /** Called after keys of a log came. */
  onNew(listener: (log: LogId) => void): Disposable {
    const own = (log: LogId): void => listener(log);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  #set(log: LogId, held: readonly HeldGeneration[]): Promise<Result<void>> {
    this.#logs.set(log, held);
    for (const listener of this.#listeners) listener(log);
    const written = this.#changing.then(() => this.#write(log));
    this.#changing = written;
    return written;
  }

  /** What is held by then: a later call may have said more. */
  async #write(log: LogId): Promise<Result<void>> {
    if (this.#files === undefined) return ok(undefined);
    if (this.#damaged.has(log)) {
      const aside = await this.#files.setAside(log);
      if (!aside.ok) return aside;
      this.#damaged.delete(log);
    }
    return this.#files.write(log, this.held(log));
  }
}

/** Without those that are below another; of two that are the same the newer. */
function disjoint(nodes: readonly EpochNode[]): readonly EpochNode[] {
  const kept: EpochNode[] = [];
  for (const node of nodes.toReversed()) {
    const first = node.node * 2 ** node.level;
    const below = kept.some((one) => one.level >= node.level && spans(one, first));
    if (!below) kept.push(node);
  }
  return kept.filter((node) => {
    const first = node.node * 2 ** node.level;
    return !kept.some((one) => one.level > node.level && spans(one, first));
  });
}
