/**
 * Delegations that were taken back (ucan-wg/revocation; access.md "Tokens"). A revocation is an
 * invocation of `/ucan/revoke` with args {ucan: link, path?: [link, …]}, valid on sight. A delegation
 * is void in every chain in which its revoker issued some link; in others it stays good, so what a
 * stranger revokes harms nobody. The set only grows, until the delegation would have expired.
 */
import { CID } from 'multiformats/cid';
import type { Crypto } from '../crypto.ts';
import { fault } from '../errors.ts';
import { didKey } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did } from '../types.ts';
import { isUcanList } from './ucan-cbor.ts';
import type { Chain } from './ucan-chain.ts';
import { decodeInvocation } from './ucan-invocation.ts';

export interface Revocation {
  /** CID of the delegation that is void, in base32. */
  readonly ucan: string;
  readonly revoker: Did;
  /** CIDs of a chain, root first, that has both the revoker and the delegation; may be empty. */
  readonly path: readonly string[];
}

const command = '/ucan/revoke';

/**
 * Reads and verifies a revocation; whether the revoker had a say shows where the delegation is used.
 * It needs no expiry and may come late, twice and before its delegation. Codes: those of
 * `decodeInvocation`, `ucan-signature`, `ucan-command`, `ucan-field`.
 */
export function readRevocation(crypto: Crypto, token: Uint8Array): Result<Revocation> {
  const decoded = decodeInvocation(token);
  if (!decoded.ok) return decoded;
  const { issuer, signed, signature, args } = decoded.value;
  if (!crypto.verify(didKey(issuer), signed, signature)) {
    return err(fault('ucan-signature', 'the revocation is not signed by its issuer'));
  }
  if (decoded.value.command !== command) {
    return err(fault('ucan-command', `not ${command} but ${decoded.value.command}`));
  }
  const unknown = Object.keys(args).find((key) => key !== 'ucan' && key !== 'path');
  if (unknown !== undefined) return malformed(`unknown argument ${unknown}`);
  const ucan = CID.asCID(args['ucan']);
  if (ucan === null) return malformed('args.ucan is not a link');
  const path: string[] = [];
  const links = args['path'] ?? [];
  if (!isUcanList(links) || links.length > protocol.maxProofLinks) return malformed('args.path');
  for (const item of links) {
    const link = CID.asCID(item);
    if (link === null) return malformed('args.path is a list of links');
    path.push(link.toV1().toString());
  }
  return ok({ ucan: ucan.toV1().toString(), revoker: issuer, path });
}

export class Revocations {
  readonly #max: number;
  /** Delegation → who revoked it. */
  readonly #revokers = new Map<string, Set<Did>>();
  /** Who revoked more than is kept. */
  readonly #unkept = new Set<Did>();
  #size = 0;

  /** At most `max` revocations are kept. */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#size;
  }

  /** True where it is news. Code: `revocations-full`: from then on nothing counts that this revoker issued. */
  add({ ucan, revoker }: Revocation): Result<boolean> {
    const revokers = this.#revokers.get(ucan);
    if (revokers?.has(revoker) === true) return ok(false);
    if (this.#size >= this.#max) {
      this.#unkept.add(revoker);
      return err(fault('revocations-full', 'too many revocations'));
    }
    this.#size += 1;
    if (revokers === undefined) this.#revokers.set(ucan, new Set([revoker]));
    else revokers.add(revoker);
    return ok(true);
  }

  /** Once the delegation has expired: what all revokers, or this one, said of it. */
  forget(ucan: string, revoker?: Did): void {
    const revokers = this.#revokers.get(ucan);
    if (revokers === undefined) return;
    if (revoker !== undefined && revokers.size > 1) {
      if (revokers.delete(revoker)) this.#size -= 1;
    } else if (revoker === undefined || revokers.has(revoker)) {
      this.#size -= revokers.size;
      this.#revokers.delete(ucan);
    }
  }

  /** Was it revoked by anybody? Whether that counts shows in its chain. */
  mentions(ucan: string): boolean {
    return this.#revokers.has(ucan);
  }

  /** The first link that is void in this chain, or may be: its issuer revoked more than is kept. */
  first({
    chain,
    cids,
  }: {
    readonly chain: Chain;
    readonly cids: readonly string[];
  }): number | undefined {
    for (const [index, cid] of cids.entries()) {
      const revokers = this.#revokers.get(cid);
      if (revokers !== undefined && chain.some(({ issuer }) => revokers.has(issuer))) return index;
    }
    if (this.#unkept.size === 0) return undefined;
    const unsure = chain.findIndex(({ issuer }) => this.#unkept.has(issuer));
    return unsure < 0 ? undefined : unsure;
  }
}

function malformed(message: string): Result<never> {
  return err(fault('ucan-field', message));
}
