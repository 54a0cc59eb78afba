/** Which key signs a log's checkpoints, by its own control entries as they are stored. */
import { equal } from '../bytes.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId, PublicKey, TreeSize } from '../types.ts';
import { controlsOf } from './controls.ts';
import { unknownLog } from './create-log.ts';
import { readKeyChain, writerKeyAt, type KeyChain } from './key-chain.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';

export class LogKeys {
  readonly #env: LedgerEnv;
  /** Good as long as its last key is the one in force at the head. */
  readonly #chains = new WeakMap<LogHandle, KeyChain>();

  constructor(env: LedgerEnv) {
    this.#env = env;
  }

  /** As `keyAt`, by the log's id. Code also: log-unknown. */
  async of(logId: LogId, size: TreeSize): Promise<Result<PublicKey | undefined>> {
    const handle = this.#env.logs.get(logId);
    return handle === undefined ? err(unknownLog(logId)) : this.keyAt(handle, size);
  }

  /**
   * The key in force at a size; above our own size the newest that is known. Undefined where nothing
   * of the log is stored. Codes: store-corrupt, those of the store and of `readKeyChain`.
   */
  async keyAt(handle: LogHandle, size: TreeSize): Promise<Result<PublicKey | undefined>> {
    const newest = handle.stored?.state.writerKey;
    if (newest === undefined) return ok(undefined);
    if (size > handle.size) return ok(newest);
    const known = this.#chains.get(handle);
    if (known !== undefined && equal(lastKey(known), newest)) return ok(writerKeyAt(known, size));
    const controls = await controlsOf(this.#env, handle);
    if (!controls.ok) return controls;
    const chain = readKeyChain(this.#env.options.crypto, handle.log, controls.value);
    if (!chain.ok) return err(chain.error);
    this.#chains.set(handle, chain.value);
    return ok(writerKeyAt(chain.value, size));
  }
}

function lastKey(chain: KeyChain): PublicKey {
  return chain.rotations.at(-1)?.key ?? chain.genesis.writerKey;
}
