/**
 * Revocations and registries: what registries say is taken, those of ours are put into our own as soon
 * as that can be written (another peer may write it, and be away), and what has become needless there is
 * dropped from memory.
 */
import { readRevocation, type Revocation } from '../../access/ucan-revocations.ts';
import type { Crypto } from '../../crypto.ts';
import type { Fault } from '../../errors.ts';
import { peerIdFromKey } from '../../gossip/peer-id.ts';
import { didFromKey, didKey } from '../../ids.ts';
import { protocol } from '../../limits.ts';
import type { Result } from '../../result.ts';
import type { Did } from '../../types.ts';
import { registryTypes, revokedData } from '../core/cards.ts';
import type { OwnLogs } from '../core/own-logs.ts';
import type { Registries, Revoked } from '../core/registries.ts';
import type { Identity } from '../home.ts';
import type { AccessGate } from './access-gate.ts';
import type { GrantBook } from './grant-book.ts';
import type { RevocationBook } from './revocation-book.ts';
import type { WriterCourt } from './writer-court.ts';

export interface RecordingParts {
  readonly crypto: Crypto;
  readonly revocations: RevocationBook;
  readonly grants: Pick<GrantBook, 'get' | 'open'>;
  readonly gate: () => Pick<AccessGate, 'takeRevocation'>;
  readonly registries: Pick<Registries, 'profile'>;
  readonly ownLogs: Pick<OwnLogs, 'announce'>;
  readonly writers: Pick<WriterCourt, 'take'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told once of what hinders the recording, until it works again. */
  readonly warn: (subject: string, problem: Fault) => void;
}

export class Recording {
  readonly #parts: RecordingParts;
  /** Recorded in this run; the registry is read a moment later. */
  readonly #done = new WeakSet<Revocation>();
  #hindered = false;
  #looking: Promise<boolean> | undefined;

  constructor(parts: RecordingParts) {
    this.#parts = parts;
  }

  /** Takes what the registry of an owner says. */
  async read(owner: Did, revoked: Revoked): Promise<Revocation | undefined> {
    const { crypto, revocations, gate, writers, now } = this.#parts;
    const { token, expires } = revoked;
    const read = readRevocation(crypto, token);
    if (!read.ok) return undefined;
    const believed = this.#speaksFor(owner, read.value.revoker) ? expires : undefined;
    // Of one that nobody can use any more nothing need be known.
    const over = believed !== undefined && isOver(believed, now());
    if (!over) await gate().takeRevocation(token, true);
    revocations.stands(read.value, believed);
    if (revoked.kind === 'writerRevoked') writers.take(owner, read.value, revoked.logs);
    return read.value;
  }

  /** To be called now and then, and after each revocation of ours. True where all of ours are recorded. */
  look(): Promise<boolean> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(): Promise<boolean> {
    const { revocations, warn, now } = this.#parts;
    for (const { revocation, token, expires } of revocations.unrecorded()) {
      if (this.#done.has(revocation)) continue;
      const said = await this.#record(revocation.ucan, token, expires);
      if (!said.ok) {
        if (!this.#hindered) warn('registry', said.error);
        this.#hindered = true;
        return false;
      }
      this.#done.add(revocation);
    }
    this.#hindered = false;
    const isPast = (known: Revocation, stated: number | undefined): boolean => {
      const expires = this.#expiryOf(known.ucan) ?? stated;
      return expires !== undefined && isOver(expires, now());
    };
    const pruned = await revocations.prune(isPast);
    if (!pruned.ok) warn('revocations', pruned.error);
    return true;
  }

  #record(ucan: string, token: Uint8Array, known: number | undefined): Promise<Result<void>> {
    const expires = this.#expiryOf(ucan) ?? known;
    const data = revokedData(ucan, token, expires === undefined ? {} : { expires });
    return this.#parts.ownLogs.announce(registryTypes.revoked, ucan, data);
  }

  /** Seconds since 1970; undefined where the delegation is not here, or never expires. */
  #expiryOf(ucan: string): number | undefined {
    const { grants } = this.#parts;
    const kept = grants.get(ucan);
    const grant = kept === undefined ? undefined : grants.open(kept);
    return grant?.ok === true ? (grant.value.chain.at(-1)?.expires ?? undefined) : undefined;
  }

  /** An owner tells when delegations expire that it or a peer of it took back, and no others. */
  #speaksFor(owner: Did, revoker: Did): boolean {
    if (owner === revoker) return true;
    const peer = peerIdFromKey(didKey(revoker));
    const peers = this.#parts.registries.profile(owner)?.peers ?? [];
    return peers.some(({ id }) => id === peer);
  }
}

/** Who is a little behind must not take the delegation for good again. */
function isOver(expires: number, nowMs: number): boolean {
  return nowMs / 1000 > expires + 2 * protocol.tokenSkewSeconds;
}

/** Whose revocations are ours to put into the registry. */
export function isOurs(identity: Identity): (revoker: Did) => boolean {
  const own = [identity.organisation, didFromKey(identity.peerKey)];
  return (revoker) => own.includes(revoker);
}
