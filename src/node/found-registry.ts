/**
 * The registry of a new home, made by `hw init` and not by the first start: the organisation's delegation
 * to its peer names it, and so the organisation's key can leave the home before a node has ever run
 * (access.md "Identities and keys").
 */
import { mintPeerDelegation, verifyPeerDelegation } from '../access/peer-delegation.ts';
import type { Signer } from '../crypto.ts';
import { nodeCrypto, signerFromSeed } from '../crypto-node.ts';
import { peerIdFromKey } from '../gossip/peer-id.ts';
import { didKey } from '../ids.ts';
import { ok, type Result } from '../result.ts';
import { OwnLogs } from './core/own-logs.ts';
import { exists, readBytes } from './files.ts';
import { keyPath, SeedReader, type AskPassphrase } from './home-keys.ts';
import { lockHolder, lockHome } from './home-lock.ts';
import { homePaths, readHome, savePeerDelegation, type Home, type HomeView } from './home.ts';
import { openHomeLedger } from './open-ledger.ts';
import type { Runtime } from './runtime.ts';

/**
 * Does nothing where the delegation names a registry, the organisation's key is elsewhere, or a node runs:
 * the next start does it then. Codes: those of key files, store and ledger.
 */
export async function foundRegistry(
  directory: string,
  runtime: Runtime,
  ask: AskPassphrase,
  organisation?: Signer,
): Promise<Result<void>> {
  const paths = homePaths(directory);
  if (organisation === undefined && !(await exists(keyPath(paths, 'organisation')))) {
    return ok(undefined);
  }
  const view = await readHome(directory, runtime.environment);
  if (!view.ok) return view;
  if (await isNamed(view.value, runtime)) return ok(undefined);
  if ((await lockHolder(paths, runtime)) !== undefined) return ok(undefined);
  const locked = await lockHome(paths, runtime);
  if (!locked.ok) return locked;
  await using scope = new AsyncDisposableStack();
  scope.defer(() => locked.value.release());
  const seeds = new SeedReader(paths, ask);
  const home = await withKeys(view.value, seeds);
  if (!home.ok) return home;
  const { identity } = view.value;
  const signer =
    organisation === undefined
      ? await seeds.signer('organisation', didKey(identity.organisation))
      : ok(organisation);
  if (!signer.ok) return signer;
  const opened = await openHomeLedger(home.value, runtime);
  if (!opened.ok) return opened;
  const ledger = scope.use(opened.value);
  const own = new OwnLogs(ledger, home.value, runtime, peerIdFromKey(identity.peerKey));
  const made = await own.open();
  if (!made.ok) return made;
  const registry = own.registryId();
  if (registry === undefined) return ok(undefined);
  const terms = { peerKey: identity.peerKey, registry };
  return savePeerDelegation(paths, mintPeerDelegation(signer.value, runtime.random, terms));
}

async function isNamed({ paths, identity }: HomeView, { clock }: Runtime): Promise<boolean> {
  const token = await readBytes(paths.peerDelegation);
  if (!token.ok) return false;
  const { peerKey } = identity;
  const standing = verifyPeerDelegation(nodeCrypto, {
    proof: [token.value],
    peerKey,
    now: clock.now(),
  });
  return standing.ok && standing.value.registry !== undefined;
}

/** The keys that a new log needs; the others stay closed: each costs half a second where it is locked. */
async function withKeys(view: HomeView, seeds: SeedReader): Promise<Result<Home>> {
  const { identity, paths } = view;
  const peerSeed = await seeds.read('peer');
  if (!peerSeed.ok) return peerSeed;
  const writer = await seeds.signer('writer', identity.writerKey);
  if (!writer.ok) return writer;
  const nodeSecret = await seeds.read('node');
  if (!nodeSecret.ok) return nodeSecret;
  const write = await readBytes(paths.writeDelegation);
  if (!write.ok) return write;
  const peer = signerFromSeed(peerSeed.value);
  const keys = {
    peer,
    peerSeed: peerSeed.value,
    writer: writer.value,
    journal: peer,
    nodeSecret: nodeSecret.value,
  };
  const none = { peerDelegation: [], readDelegation: [], keyDelegation: [] };
  return ok({ ...view, keys, writeDelegation: [write.value], ...none });
}
