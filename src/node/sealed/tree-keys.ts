/** Epoch keys out of the nodes of key trees that are held; own and delivered ones alike. */
import { checkEpochKey, epochKey, spans } from '../../access/epoch-keys.ts';
import { equal } from '../../bytes.ts';
import { nodeCipher } from '../../cipher-node.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { logIdHash } from '../../ids.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import { limits } from '../../limits.ts';
import type { LogId } from '../../types.ts';
import type { HeldGeneration } from './epoch-file.ts';

interface Derived {
  readonly check: Uint8Array;
  readonly key: Uint8Array;
}

/** Keys that were derived and checked, least recently used goes: a derivation is 32 HMACs. */
export class DerivedKeys {
  readonly #derived = new Map<string, Derived>();

  /**
   * The key of an opened epoch out of what is held of the log; undefined where no node of its
   * generation reaches it, or the key does not fit the log's check value. It is filled with zeros when
   * it is forgotten: who keeps it takes a copy.
   */
  of(
    log: LogId,
    opening: OpenedEpoch,
    held: readonly HeldGeneration[] | undefined,
  ): Uint8Array | undefined {
    const name = `${log}/${opening.epoch}/${opening.generation}`;
    const known = this.#derived.get(name);
    if (known !== undefined && equal(known.check, opening.check)) {
      this.#derived.delete(name);
      this.#derived.set(name, known);
      return known.key;
    }
    const key = derive(log, opening, held);
    if (key === undefined) return undefined;
    this.#derived.set(name, { check: opening.check, key });
    if (this.#derived.size > limits.maxDerivedEpochKeys) {
      const oldest = this.#derived.keys().next();
      if (oldest.done !== true) this.#derived.delete(oldest.value);
    }
    return key;
  }

  /** Of one epoch, or of all epochs of a log: what they were derived from has changed. */
  forget(log: LogId, epoch?: number): void {
    const prefix = epoch === undefined ? `${log}/` : `${log}/${epoch}/`;
    const names = [...this.#derived.keys()].filter((name) => name.startsWith(prefix));
    for (const name of names) {
      this.#derived.get(name)?.key.fill(0);
      this.#derived.delete(name);
    }
  }
}

function derive(
  log: LogId,
  { epoch, generation, check }: OpenedEpoch,
  held: readonly HeldGeneration[] | undefined,
): Uint8Array | undefined {
  for (const one of held ?? []) {
    if (one.generation !== generation) continue;
    for (const node of one.nodes) {
      if (!spans(node, epoch)) continue;
      const key = epochKey(nodeCipher, node, epoch);
      const fits = key.ok && checkEpochKey(nodeCrypto, logIdHash(log), epoch, key.value, check).ok;
      if (fits) return key.value;
    }
  }
  return undefined;
}
