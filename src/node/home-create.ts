/**
 * `hw init`: makes what is missing in a home and leaves the rest alone, so that a run that was cut
 * off is completed by the next. config.yaml comes last: with it a home counts as made.
 */
import { stringify } from 'yaml';
import { mintPeerDelegation } from '../access/peer-delegation.ts';
import { toBase64url } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { nodeCrypto, signerFromSeed } from '../crypto-node.ts';
import { fault } from '../errors.ts';
import type { Random } from '../host.ts';
import { didFromKey, didKey } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { PublicKey } from '../types.ts';
import { readEncryptionKey } from './encryption-keys.ts';
import { freePorts } from './free-ports.ts';
import { createFile, exists, makeFolders, readText } from './files.ts';
import {
  ensureKey,
  keyInfo,
  keyNames,
  keyPath,
  SeedReader,
  type AskPassphrase,
  type KeyName,
} from './home-keys.ts';
import { ownDelegations } from './own-delegations.ts';
import {
  homePaths,
  identityJson,
  pendingFault,
  readIdentity,
  type HomePaths,
  type Identity,
} from './home.ts';

export interface CreateOptions {
  readonly organisation: string;
  /** Locks new key files. */
  readonly passphrase?: string;
  /** Opens key files of an earlier run that was cut off. */
  readonly ask: AskPassphrase;
  readonly random: Random;
}

export interface CreatedHome {
  readonly paths: HomePaths;
  readonly identity: Identity;
  /** What was made now, relative to the home; empty where all was there. */
  readonly created: readonly string[];
  /** The organisation's key, where it is here and the home is new: it signs the network document. */
  readonly organisation?: Signer;
}

/** Codes: those of files and key files, `home-damaged` where a key of a finished home is gone. */
export async function createHome(
  directory: string,
  options: CreateOptions,
): Promise<Result<CreatedHome>> {
  const paths = homePaths(directory);
  const created: string[] = [];
  const folders = await makeFolders(paths.root, ['.', 'keys', 'store', 'guard', 'run']);
  if (!folders.ok) return folders;
  const made = await ensureIdentity(paths, options, created);
  if (!made.ok) return made;
  const { identity, organisation } = made.value;
  const settings = await ensureSettings(paths, options);
  if (!settings.ok) return settings;
  created.push(...settings.value);
  return ok({ paths, identity, created, ...(organisation && { organisation }) });
}

interface Made {
  readonly identity: Identity;
  readonly organisation?: Signer;
}

/** identity.json is written after the keys and delegations, so its being there means that they were. */
async function ensureIdentity(
  paths: HomePaths,
  options: CreateOptions,
  created: string[],
): Promise<Result<Made>> {
  if (await exists(paths.identity)) {
    const identity = await readIdentity(paths);
    if (!identity.ok) return identity;
    const whole = await checkKeys(paths);
    if (!whole.ok) return whole;
    const later = await ensureLater(paths, options, created);
    return later.ok ? ok({ identity: identity.value }) : later;
  }
  if (await exists(paths.enrolment)) return err(pendingFault(paths));
  for (const name of keyNames) {
    const key = await ensureKey(paths, name, options.random, options.passphrase);
    if (!key.ok) return key;
    if (key.value) created.push(`keys/${name}.key`);
  }
  const seeds = seedsOf(paths, options);
  const organisation = await organisationSigner(seeds);
  if (!organisation.ok) return organisation;
  const identity = await publicHalves(paths, seeds);
  if (!identity.ok) return identity;
  const delegated = await delegate(paths, organisation.value, identity.value, options.random);
  if (!delegated.ok) return delegated;
  const written = await createFile(paths.identity, identityJson(identity.value), 0o600);
  if (!written.ok) return written;
  created.push('keys/identity.json');
  return ok({ identity: identity.value, organisation: organisation.value });
}

/** Homes of earlier versions lack these keys; they are locked where the others are. */
async function ensureLater(
  paths: HomePaths,
  options: CreateOptions,
  created: string[],
): Promise<Result<void>> {
  const missing: KeyName[] = [];
  for (const name of ['witness', 'freshness', 'encryption'] as const) {
    if (!(await exists(keyPath(paths, name)))) missing.push(name);
  }
  if (missing.length === 0) return ok(undefined);
  const seeds = seedsOf(paths, options);
  const node = await seeds.read('node');
  if (!node.ok) return node;
  node.value.fill(0);
  for (const name of missing) {
    const key = await ensureKey(paths, name, options.random, seeds.passphrase);
    if (!key.ok) return key;
    created.push(`keys/${name}.key`);
  }
  return ok(undefined);
}

/** The organisation's and the recovery key may be kept elsewhere; without the others nothing works. */
async function checkKeys(paths: HomePaths): Promise<Result<void>> {
  for (const name of ['peer', 'writer', 'node'] as const) {
    const file = keyPath(paths, name);
    if (!(await exists(file))) {
      return err(fault('home-damaged', `the ${name} key of this home is gone`, { file }));
    }
  }
  return ok(undefined);
}

/** Opens what lies there already with the passphrase that new files get. */
function seedsOf(paths: HomePaths, { passphrase, ask }: CreateOptions): SeedReader {
  return new SeedReader(paths, () =>
    passphrase === undefined ? ask() : Promise.resolve(ok(passphrase)),
  );
}

async function organisationSigner(seeds: SeedReader): Promise<Result<Signer>> {
  const seed = await seeds.read('organisation');
  if (!seed.ok) return seed;
  const signer = signerFromSeed(seed.value);
  seed.value.fill(0);
  return ok(signer);
}

async function publicHalves(paths: HomePaths, seeds: SeedReader): Promise<Result<Identity>> {
  const found = new Map<string, PublicKey>();
  for (const name of keyNames) {
    const info = await keyInfo(paths, name);
    if (!info.ok) return info;
    if (info.value.did !== undefined) found.set(name, didKey(info.value.did));
  }
  const [organisation, peerKey] = [found.get('organisation'), found.get('peer')];
  const [writerKey, recovery] = [found.get('writer'), found.get('recovery')];
  if (!organisation || !peerKey || !writerKey || !recovery) {
    return err(fault('home-damaged', 'a key file went away', { file: paths.keys }));
  }
  const recoveryHash = nodeCrypto.sha256(recovery);
  const encryptionKey = await readEncryptionKey(seeds);
  if (!encryptionKey.ok) return encryptionKey;
  return ok({
    organisation: didFromKey(organisation),
    peerKey,
    writerKey,
    recoveryHash,
    encryptionKey: encryptionKey.value,
  });
}

async function delegate(
  paths: HomePaths,
  organisation: Signer,
  identity: Identity,
  random: Random,
): Promise<Result<void>> {
  const { peerKey } = identity;
  const peer = await createFile(
    paths.peerDelegation,
    mintPeerDelegation(organisation, random, { peerKey }),
  );
  if (!peer.ok) return peer;
  for (const { file, token } of ownDelegations(paths, organisation, peerKey, random)) {
    const written = await createFile(file, token);
    if (!written.ok) return written;
  }
  return ok(undefined);
}

/** The token of the API and config.yaml, where they are not there; the configuration comes last. */
export async function ensureSettings(
  paths: HomePaths,
  options: Pick<CreateOptions, 'organisation' | 'random'>,
): Promise<Result<readonly string[]>> {
  const token = await createFile(paths.token, `${toBase64url(options.random.bytes(32))}\n`);
  if (!token.ok) return token;
  const config = await ensureConfig(paths, options);
  if (!config.ok) return config;
  return ok([...(token.value ? ['api.token'] : []), ...(config.value ? ['config.yaml'] : [])]);
}

async function ensureConfig(
  paths: HomePaths,
  { organisation, random }: Pick<CreateOptions, 'organisation' | 'random'>,
): Promise<Result<boolean>> {
  if ((await readText(paths.config)).ok) return ok(false);
  const ports = await freePorts(random, 3);
  if (!ports.ok) return ports;
  const [http = 0, tcp = 0, websocket = 0] = ports.value;
  return createFile(paths.config, configText(organisation, http, tcp, websocket), 0o600);
}

function configText(organisation: string, http: number, tcp: number, websocket: number): string {
  return `# Headwater: hw config show explains, hw config check reads this again.
# JSON Schema for editors: hw config show --schema

# What others may call this organisation. Its identity is in keys/.
organisation: ${stringify(organisation).trim()}

http:
  # The API for this machine. It asks for the token in api.token.
  listen: 127.0.0.1:${http}

p2p:
  # Where other peers reach this one.
  listen:
    - /ip4/0.0.0.0/tcp/${tcp}
    - /ip4/0.0.0.0/tcp/${websocket}/ws
  # Peers dialled at start.
  bootstrap: []

# Streams and organisations to keep a verified copy of; hw follow adds without a restart.
follow: []

# Local names of organisations.
aliases: {}
`;
}
