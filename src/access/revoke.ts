/** Taking a delegation back (ucan-revocations.ts has what a revocation does). */
import { CID } from 'multiformats/cid';
import type { Signer } from '../crypto.ts';
import type { Random } from '../host.ts';
import { didFromKey } from '../ids.ts';
import type { TimeMs } from '../types.ts';
import { mintInvocation } from './ucan-invocation.ts';

/** A token of `/ucan/revoke` by one of the issuers of the chain, whose CIDs (root first) go along. */
export function mintRevocation(
  signer: Signer,
  random: Random,
  revoked: { readonly id: string; readonly path: readonly string[]; readonly now: TimeMs },
): Uint8Array {
  return mintInvocation(signer, {
    subject: didFromKey(signer.publicKey),
    command: '/ucan/revoke',
    args: { ucan: CID.parse(revoked.id), path: revoked.path.map((cid) => CID.parse(cid)) },
    proofs: [],
    nonce: random.bytes(16),
    issuedAt: Math.floor(revoked.now / 1000),
    expires: null,
  });
}
