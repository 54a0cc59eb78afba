/**
 * Which log is whose registry, as this home has come to know it (access.md "Identities and keys": a peer
 * that knows a registry of a DID takes no other one for it without the recovery key). Kept in the table
 * `registries`, so that a restart forgets nothing:
 *
 *   key     SHA-256 of the DID as text
 *   value   dag-cbor [DID, first log of the registry's chain 32, named]
 *
 * `named` is 1 once a delegation of the organisation has named the log: one that a peer of it showed, or
 * that stands in the profile of the log itself. Until then it is what we were told by others, and the
 * organisation's word replaces it, once; a named one stays for good. The DID is
 * the one in the genesis of the first log, and stays that through every succession.
 */
import { verifyPeerDelegation } from '../../access/peer-delegation.ts';
import { decodeDelegation } from '../../access/ucan-delegation.ts';
import { fixedTo } from '../../access/ucan-policy.ts';
import { utf8 } from '../../bytes.ts';
import { decodeCbor, encodeCbor } from '../../cbor.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import { didKey, logIdFromHash, logIdHash, parseDid } from '../../ids.ts';
import { keyspace } from '../../keyspace.ts';
import type { TableRow, TableRows } from '../../ledger/table-rows.ts';
import { ok, type Result } from '../../result.ts';
import { asHash, asTimeMs, type Did, type LogId } from '../../types.ts';

export interface Pin {
  readonly logId: LogId;
  readonly named: boolean;
}

export class RegistryPins {
  readonly #rows: Pick<TableRows, 'put'> | undefined;
  readonly #pins = new Map<Did, Pin>();
  /** Writes one after the other: the last word must stay the last. */
  #writing: Promise<void> = Promise.resolve();
  #failed: Fault | undefined;

  /** Without rows nothing is kept. */
  constructor(rows?: Pick<TableRows, 'put'>) {
    this.#rows = rows;
  }

  /** Rows that cannot be read are passed over: then the registry is learned again. */
  static async load(rows: TableRows): Promise<Result<RegistryPins>> {
    const found = await rows.all(keyspace.registries);
    if (!found.ok) return found;
    const pins = new RegistryPins(rows);
    for (const { value } of found.value) {
      const row = decodeCbor(value);
      const [text, log, named] = row.ok && Array.isArray(row.value) ? row.value : [];
      const did = typeof text === 'string' ? parseDid(text) : undefined;
      if (did?.ok !== true || !(log instanceof Uint8Array) || log.length !== 32) continue;
      pins.#pins.set(did.value, { logId: logIdFromHash(asHash(log)), named: named === 1 });
    }
    return ok(pins);
  }

  of(owner: Did): Pin | undefined {
    return this.#pins.get(owner);
  }

  entries(): IterableIterator<[Did, Pin]> {
    return this.#pins.entries();
  }

  /** What counts from now on; `settled` tells when it is durable. */
  set(owner: Did, pin: Pin): void {
    const before = this.#pins.get(owner);
    if (before?.logId === pin.logId && before.named === pin.named) return;
    this.#pins.set(owner, pin);
    const name = nodeCrypto.sha256(utf8(owner));
    const value = encodeCbor([owner, logIdHash(pin.logId), pin.named ? 1 : 0]);
    this.#writing = this.#write(this.#writing, { name, value });
  }

  async #write(before: Promise<void>, row: TableRow): Promise<void> {
    await before;
    const put = await this.#rows?.put(keyspace.registries, row);
    if (put?.ok === false) this.#failed = put.error;
  }

  /** Resolves when all is written; why something was not. */
  async settled(): Promise<Fault | undefined> {
    await this.#writing;
    const failed = this.#failed;
    this.#failed = undefined;
    return failed;
  }
}

/** That another registry of an organisation is taken for none. */
export function registryKnown(owner: Did, known: LogId, other: LogId): Fault {
  const message = `hw:${other} says that it is the registry of ${owner}, which is hw:${known}`;
  return fault('registry-known', message);
}

/** The organisation whose delegation to a peer, of whatever time, names this log as its registry. */
export function namesRegistry(token: Uint8Array, registry: LogId): Did | undefined {
  const link = decodeDelegation(token);
  if (!link.ok) return undefined;
  const { audience, policy, notBefore = 0 } = link.value;
  const network = fixedTo(policy, 'network');
  const standing = verifyPeerDelegation(nodeCrypto, {
    proof: [token],
    peerKey: didKey(audience),
    now: asTimeMs(Math.max(0, notBefore) * 1000),
    ...(network instanceof Uint8Array && network.length === 32 ? { network: asHash(network) } : {}),
  });
  if (!standing.ok || standing.value.registry !== registry) return undefined;
  return standing.value.organisation;
}
