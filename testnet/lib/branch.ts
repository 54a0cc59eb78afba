/**
 * A second peer of an organisation: a home that was made as usual and is then given the organisation's
 * delegations in place of its own. Its streams are recovered by the organisation's recovery key.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mintPeerDelegation, verifyPeerDelegation } from '../../src/access/peer-delegation.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { homePaths, identityJson, openHome, type Home } from '../../src/node/home.ts';
import { ownDelegations } from '../../src/node/own-delegations.ts';
import { processRuntime } from '../../src/node/runtime.ts';
import type { Result } from '../../src/result.ts';
import type { Peer } from './peer.ts';

/** Makes the stopped `peer`, which is in the network already, a peer of the organisation of `first`. */
export async function enrol(peer: Peer, first: Peer): Promise<void> {
  const { random, clock } = processRuntime();
  const [head, home] = [value(await openHome(first.home)), value(await openHome(peer.home))];
  const signer = head.keys.organisation;
  if (signer === undefined) throw new Error('the key of the organisation is elsewhere');
  const { peerKey, writerKey } = home.identity;
  const { organisation, recoveryHash } = head.identity;
  const paths = homePaths(peer.home);
  const registry = registryOf(head, clock.now());
  writeFileSync(paths.peerDelegation, mintPeerDelegation(signer, random, { peerKey, registry }));
  for (const { file, token } of ownDelegations(paths, signer, peerKey, random)) {
    writeFileSync(file, token);
  }
  writeFileSync(paths.identity, identityJson({ organisation, peerKey, writerKey, recoveryHash }));
  for (const name of ['organisation', 'recovery']) rmSync(join(paths.keys, `${name}.key`));
  // What it was before: a registry and a journal of another organisation.
  for (const folder of [paths.store, paths.guard]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o700 });
  }
}

function registryOf(
  { peerDelegation: proof, identity: { peerKey } }: Home,
  now: Parameters<typeof verifyPeerDelegation>[1]['now'],
): NonNullable<Parameters<typeof mintPeerDelegation>[2]['registry']> {
  const standing = value(verifyPeerDelegation(nodeCrypto, { proof, peerKey, now }));
  if (standing.registry === undefined) throw new Error('the first peer has no registry yet');
  return standing.registry;
}

function value<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.error.code}: ${result.error.message}`);
}
