/**
 * Which keys a witness trusts for an origin: those configured (`witness.origins`), and for
 * `headwater/<logId>` the writer key in force: by our own copy where we keep the log, else by the
 * key chain that a peer of the network serves, which proves itself from the id. Logs that are not
 * kept here are witnessed for organisations whose registry is known.
 */
import { nodeCrypto } from '../../crypto-node.ts';
import type { KeysPage } from '../../gossip/keys-codec.ts';
import { logIdHash, parseLogId } from '../../ids.ts';
import { checkpointOrigin } from '../../ledger/checkpoint.ts';
import { readKeyChain, type KeyEntry } from '../../ledger/key-chain.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { LogKeys } from '../../ledger/log-keys.ts';
import { noteAlgorithm, noteKey, parseNoteText, type NoteKey } from '../../ledger/note.ts';
import { proofKeyChain } from '../../ledger/proof-extra.ts';
import { readProofKeys } from '../../ledger/proof-keys.ts';
import type { AddCheckpoint } from '../../ledger/witness.ts';
import { limits } from '../../limits.ts';
import { RecentMap } from '../../recent-map.ts';
import type { Result } from '../../result.ts';
import type { Did, LogId, PublicKey, TreeSize } from '../../types.ts';
import { nodeEnv } from '../judges.ts';

export interface WitnessedKeysParts {
  readonly ledger: Pick<Ledger, 'log'> & { readonly keys: Pick<LogKeys, 'of'> };
  readonly configured: readonly NoteKey[];
  readonly now: () => number;
  /** Has the organisation a registry that is known here, and is it admitted? */
  readonly isMember: (owner: Did) => boolean;
  /** Key chain of a log from any peer; a fault where nobody has it. */
  readonly fetch: (logId: LogId) => Promise<Result<readonly KeysPage[]>>;
}

type Asked = Pick<AddCheckpoint, 'origin' | 'size' | 'note'>;

interface Fetched {
  readonly atMs: number;
  readonly entries: readonly KeyEntry[] | undefined;
}

/**
 * A chain that was fetched is asked for again after so long, one that was not found too, and sooner
 * one whose key has not signed what is asked about: the log may have been passed on to another.
 */
const [goodMs, badMs, passedOnMs] = [60_000, 5000, 1000];

export class WitnessedKeys {
  readonly #parts: WitnessedKeysParts;
  readonly #fetched = new RecentMap<LogId, Promise<Fetched>>(limits.maxWitnessedKeys);

  constructor(parts: WitnessedKeysParts) {
    this.#parts = parts;
  }

  /** Of a checkpoint, with its lines; undefined where the origin is not witnessed here. */
  async of({ origin, size, note }: Asked): Promise<readonly NoteKey[] | undefined> {
    const configured = this.#parts.configured.filter(({ name }) => name === origin);
    if (configured.length > 0) return configured;
    const logId = parseLogId(origin.startsWith('headwater/') ? origin.slice(10) : '');
    if (!logId.ok) return undefined;
    const ours = await this.#kept(logId.value, size);
    // Up to our own size our own copy decides.
    const decides = size <= (this.#parts.ledger.log(logId.value)?.size ?? 0);
    if (ours !== undefined && (decides || isSigner(ours, note))) return [ours];
    const fetched = await this.#fetchedKey(logId.value, size, goodMs);
    if (fetched !== undefined && isSigner(fetched, note)) return [fetched];
    const again = await this.#fetchedKey(logId.value, size, passedOnMs);
    const key = again ?? ours;
    return key === undefined ? undefined : [key];
  }

  /** By our own copy, which may not have come to the size yet. */
  async #kept(logId: LogId, size: TreeSize): Promise<NoteKey | undefined> {
    const { ledger } = this.#parts;
    if (ledger.log(logId) === undefined) return undefined;
    const known = await ledger.keys.of(logId, size);
    return known.ok && known.value !== undefined ? keyOf(logId, known.value) : undefined;
  }

  /** By a chain that a peer serves, asked for again where ours is older than `maxAgeMs`. */
  async #fetchedKey(logId: LogId, size: TreeSize, maxAgeMs: number): Promise<NoteKey | undefined> {
    const { entries } = await this.#chain(logId, maxAgeMs);
    const chain = entries === undefined ? undefined : proofKeyChain(entries, size);
    if (chain?.ok !== true) return undefined;
    const keys = readProofKeys(nodeEnv, logId, chain.value, size);
    if (!keys.ok || !this.#parts.isMember(keys.value.genesis.owner)) return undefined;
    return keyOf(logId, keys.value.signer);
  }

  async #chain(logId: LogId, maxAgeMs: number): Promise<Fetched> {
    const known = await this.#fetched.get(logId);
    const restMs = known?.entries === undefined ? badMs : maxAgeMs;
    if (known !== undefined && this.#parts.now() - known.atMs < restMs) return known;
    const fetching = this.#fetch(logId);
    this.#fetched.set(logId, fetching);
    return fetching;
  }

  async #fetch(logId: LogId): Promise<Fetched> {
    const pages = await this.#parts.fetch(logId);
    const stated = pages.ok ? pages.value.flatMap((page) => page.entries) : [];
    // A peer that states a chain which proves nothing is as good as none: another one may be asked soon.
    const sound = readKeyChain(nodeCrypto, logIdHash(logId), stated).ok;
    return { atMs: this.#parts.now(), entries: sound ? stated : undefined };
  }
}

function keyOf(logId: LogId, key: PublicKey): NoteKey {
  return noteKey(nodeCrypto, checkpointOrigin(logId), noteAlgorithm.ed25519, key);
}

/** Does a line of the note name the key? Whether it is sound is the witness' part. */
function isSigner({ name, keyId }: NoteKey, note: string): boolean {
  const parsed = parseNoteText(note);
  return (
    parsed.ok && parsed.value.signatures.some((line) => line.name === name && line.keyId === keyId)
  );
}
