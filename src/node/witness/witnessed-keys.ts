/**
 * Which keys a witness trusts for an origin: those configured (`witness.origins`), and for
 * `headwater/<logId>` the writer key in force: by our own copy where we keep the log, else by the
 * key chain that a peer of the network serves, which proves itself from the id. Logs that are not
 * kept here are witnessed for organisations whose registry is known.
 */
import { nodeCrypto } from '../../crypto-node.ts';
import type { KeysPage } from '../../gossip/keys-codec.ts';
import { parseLogId } from '../../ids.ts';
import { checkpointOrigin } from '../../ledger/checkpoint.ts';
import type { KeyEntry } from '../../ledger/key-chain.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { noteAlgorithm, noteKey, type NoteKey } from '../../ledger/note.ts';
import { proofKeyChain } from '../../ledger/proof-extra.ts';
import { readProofKeys } from '../../ledger/proof-keys.ts';
import { limits } from '../../limits.ts';
import type { Result } from '../../result.ts';
import type { Did, LogId, PublicKey, TreeSize } from '../../types.ts';
import { nodeEnv } from '../judges.ts';

export interface WitnessedKeysParts {
  readonly ledger: Pick<Ledger, 'log' | 'keys'>;
  readonly configured: readonly NoteKey[];
  readonly now: () => number;
  /** Has the organisation a registry that is known here, and is it admitted? */
  readonly isMember: (owner: Did) => boolean;
  /** Key chain of a log from any peer; a fault where nobody has it. */
  readonly fetch: (logId: LogId) => Promise<Result<readonly KeysPage[]>>;
}

interface Fetched {
  readonly atMs: number;
  readonly entries: readonly KeyEntry[] | undefined;
}

/** A chain that was fetched is asked for again after so long, one that was not found too. */
const [goodMs, badMs] = [60_000, 5000];

export class WitnessedKeys {
  readonly #parts: WitnessedKeysParts;
  readonly #fetched = new Map<LogId, Promise<Fetched>>();

  constructor(parts: WitnessedKeysParts) {
    this.#parts = parts;
  }

  /** Undefined where the origin is not witnessed here. */
  async of(origin: string, size: TreeSize): Promise<readonly NoteKey[] | undefined> {
    const configured = this.#parts.configured.filter(({ name }) => name === origin);
    if (configured.length > 0) return configured;
    const logId = parseLogId(origin.startsWith('headwater/') ? origin.slice(10) : '');
    if (!logId.ok) return undefined;
    const key = await this.#writerKey(logId.value, size);
    if (key === undefined) return undefined;
    const name = checkpointOrigin(logId.value);
    return [noteKey(nodeCrypto, name, noteAlgorithm.ed25519, key)];
  }

  async #writerKey(logId: LogId, size: TreeSize): Promise<PublicKey | undefined> {
    const { ledger } = this.#parts;
    if (ledger.log(logId) !== undefined) {
      const known = await ledger.keys.of(logId, size);
      if (known.ok && known.value !== undefined) return known.value;
    }
    const { entries } = await this.#chain(logId);
    const chain = entries === undefined ? undefined : proofKeyChain(entries, size);
    if (chain?.ok !== true) return undefined;
    const keys = readProofKeys(nodeEnv, logId, chain.value, size);
    return keys.ok && this.#parts.isMember(keys.value.genesis.owner)
      ? keys.value.signer
      : undefined;
  }

  async #chain(logId: LogId): Promise<Fetched> {
    const known = await this.#fetched.get(logId);
    const restMs = known?.entries === undefined ? badMs : goodMs;
    if (known !== undefined && this.#parts.now() - known.atMs < restMs) return known;
    const fetching = this.#fetch(logId);
    this.#fetched.delete(logId);
    this.#fetched.set(logId, fetching);
    const [oldest] = this.#fetched.keys();
    if (this.#fetched.size > limits.maxWitnessedKeys && oldest !== undefined) {
      this.#fetched.delete(oldest);
    }
    return fetching;
  }

  async #fetch(logId: LogId): Promise<Fetched> {
    const pages = await this.#parts.fetch(logId);
    const entries = pages.ok ? pages.value.flatMap((page) => page.entries) : undefined;
    return { atMs: this.#parts.now(), entries };
  }
}
