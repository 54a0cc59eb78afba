/** Successions as gossip and the judge of invocations ask for them: by tokens. */
import { decodeDelegation } from '../access/ucan-delegation.ts';
import { tokenCid } from '../access/ucan-envelope.ts';
import { nodeCrypto } from '../crypto-node.ts';
import type { OwnersPort } from '../gossip/net.ts';
import type { Identities } from '../identities.ts';

export function ownersPort(identities: Identities): OwnersPort {
  return {
    now: (did) => identities.now(did),
    all: (did) => identities.all(did),
    onChange: (listener) => identities.onChange(listener),
    void: (proof) => {
      if (identities.list().length === 0) return undefined;
      for (const token of proof) {
        const link = decodeDelegation(token);
        if (!link.ok) continue; // Whoever judges the chain says so.
        const stolen = identities.void(link.value.issuer, tokenCid(nodeCrypto, token));
        if (stolen !== undefined) return stolen;
      }
      return undefined;
    },
  };
}
