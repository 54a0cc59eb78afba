/** Nodes of key trees that producers have delivered to this home, by log and generation. */
import type { EpochNode } from '../../access/epoch-keys.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import type { LogId } from '../../types.ts';
import type { HeldGeneration } from './epoch-file.ts';
import { DerivedKeys } from './tree-keys.ts';

export class GotKeys {
  readonly #logs = new Map<LogId, readonly HeldGeneration[]>();
  readonly #derived = new DerivedKeys();
  readonly #listeners = new Set<(log: LogId) => void>();

  held(log: LogId): readonly HeldGeneration[] {
    return this.#logs.get(log) ?? [];
  }

  keyFor(log: LogId, opening: OpenedEpoch): Uint8Array | undefined {
    return this.#derived.of(log, opening, this.#logs.get(log));
  }

  /** Takes nodes in and tells the listeners. */
  add(log: LogId, generation: number, nodes: readonly EpochNode[]): void {
    const before = this.held(log);
    const same = before.find((one) => one.generation === generation);
    const known = (node: EpochNode): boolean =>
      same?.nodes.some((one) => one.level === node.level && one.node === node.node) ?? false;
    const fresh = nodes.filter((node) => !known(node));
    const joined = { generation, nodes: [...(same?.nodes ?? []), ...fresh] };
    const others = before.filter((one) => one.generation !== generation);
    this.#logs.set(log, [...others, joined]);
    for (const listener of this.#listeners) listener(log);
  }

  /** Called after keys of a log came. */
  onNew(listener: (log: LogId) => void): Disposable {
    const own = (log: LogId): void => listener(log);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }
}
