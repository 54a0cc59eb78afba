/** What the organisation's key signs for its peer, so that it need not be there again. */
import { grantCommands, mintGranting, type GrantCommand } from '../access/grant.ts';
import { mintWriteDelegation } from '../access/peer-delegation.ts';
import type { Signer } from '../crypto.ts';
import type { Random } from '../host.ts';
import { didFromKey } from '../ids.ts';
import type { PublicKey } from '../types.ts';
import type { HomePaths } from './home.ts';

export interface OwnDelegation {
  readonly file: string;
  readonly token: Uint8Array;
}

/** To write logs and to give grants in its name; that of `/flow/peer` names the registry and is made apart. */
export function ownDelegations(
  paths: HomePaths,
  organisation: Signer,
  peerKey: PublicKey,
  random: Random,
): readonly OwnDelegation[] {
  const peer = didFromKey(peerKey);
  const files: Readonly<Record<GrantCommand, string>> = {
    '/flow/read': paths.readDelegation,
    '/flow/key': paths.keyDelegation,
  };
  const write = mintWriteDelegation(organisation, random, { audience: peerKey });
  return [
    { file: paths.writeDelegation, token: write },
    ...grantCommands.map((command) => ({
      file: files[command],
      token: mintGranting(organisation, random, peer, command),
    })),
  ];
}
