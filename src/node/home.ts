/**
 * The home directory, everything that a node owns:
 *
 *   config.yaml      what its operator sets (config.ts)
 *   keys/            key files, 0600: organisation, peer, writer, recovery, witness, freshness,
 *                   encryption, node (a secret)
 *     identity.json  the public halves, so that a key may be kept elsewhere
 *     peer.ucan      the organisation's delegation of /flow/peer to the peer key, dag-cbor
 *     write.ucan     the same of /flow/write, for every stream
 *     read.ucan      the same of /flow/read: the peer gives grants in the organisation's name
 *     keys.ucan      the same of /flow/key, for sealed streams
 *     epochs/        epoch keys of own sealed logs (sealed/epoch-file.ts)
 *     enrolment.request  of another peer of an organisation: what it asked to be one (enrolment-text.ts)
 *     enrolled/      delegations of other peers that were enrolled here, a file for each
 *     network.json   id of the network that this home belongs to
 *     network.cbor   its newest known document
 *   store/           LevelDB
 *   guard/           what must never go back, outside of LevelDB
 *   control.json     what is followed, paused and banned
 *   peers/           addresses of peers, found again by themselves if deleted
 *   api.token        bearer of the HTTP API, 0600
 *   metrics.token    read-only bearer for /metrics, 0600; where it was asked for
 *   run/             lock, node.json of the running node, logs: may be deleted while stopped
 */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { formatEncryptionKey, type EncryptionKeys } from '../access/encryption-key.ts';
import { keyCommand, mintGranting, readCommand, type GrantCommand } from '../access/grant.ts';
import { fromHex, toHex } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import type { Random } from '../host.ts';
import { didFromKey, parseDid } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asPublicKey, type Did, type Hash, type PublicKey } from '../types.ts';
import type { Config } from './config-schema.ts';
import { parseConfig, type Environment } from './config.ts';
import { openEncryption } from './encryption-keys.ts';
import { exists, readBytes, readText, replaceFile } from './files.ts';
import { openHomeKeys, SeedReader } from './home-keys.ts';

export interface HomePaths {
  readonly root: string;
  readonly config: string;
  readonly keys: string;
  /** Key trees of own sealed logs, a file for each. */
  readonly epochKeys: string;
  /** The same of sealed streams of others, as they were delivered. */
  readonly gotKeys: string;
  readonly identity: string;
  readonly peerDelegation: string;
  readonly writeDelegation: string;
  readonly readDelegation: string;
  readonly keyDelegation: string;
  /** Of a home that asked to be another peer of an organisation: the line of the request. */
  readonly enrolment: string;
  /** What other peers were given here, a container for each. */
  readonly enrolled: string;
  readonly network: string;
  readonly networkDocument: string;
  readonly store: string;
  readonly guard: string;
  /** There from a restore until the heads of all own logs are confirmed. */
  readonly restored: string;
  readonly token: string;
  readonly metricsToken: string;
  readonly run: string;
  readonly lock: string;
  /** {"pid","api","addresses","startedAt"} of the running node. */
  readonly nodeInfo: string;
  /** What the operator decided and outlives a restart. */
  readonly control: string;
  /** libp2p's store of peers and their addresses. */
  readonly peers: string;
  readonly log: string;
}

/** The public halves of the keys. */
export interface Identity {
  readonly organisation: Did;
  readonly peerKey: PublicKey;
  readonly writerKey: PublicKey;
  /** SHA-256 of the recovery public key; goes into every genesis. */
  readonly recoveryHash: Hash;
  /** `x25519:…`, as it stands in the profile; absent in older homes until their first start. */
  readonly encryptionKey?: string;
}

/** Keys in use. Signers cannot be read back; the peer's seed is handed to libp2p. */
export interface HomeKeys {
  /** Absent where the organisation's key is kept elsewhere: then no stream can be created here. */
  readonly organisation?: Signer;
  readonly peer: Signer;
  /** 32-byte Ed25519 seed of the peer key. */
  readonly peerSeed: Uint8Array;
  /** Signs cosignatures; absent in homes that are older than it, until `hw init`. */
  readonly witness?: Signer;
  /** Says that our registry is as it was a moment ago (access.md "Freshness"); as `witness`. */
  readonly freshness?: Signer;
  /** Opens what is sealed to the organisation; as `witness`. */
  readonly encryption?: EncryptionKeys;
  /** Signs the checkpoints of this home's own logs. */
  readonly writer: Signer;
  /** Signs `_journal`, whose owner is the peer itself: the peer key (ledger.md "Identity"). */
  readonly journal: Signer;
  /** 32 bytes that key the dedupe and subject rows of the store. */
  readonly nodeSecret: Uint8Array;
}

export interface HomeNetwork {
  /** Hex of the hash of version 1 of its document. */
  readonly id: string;
  /** Newest known document; absent until a peer has sent it (after `hw join`). */
  readonly document?: Uint8Array;
}

/** What commands need of a home without touching a secret key. */
export interface HomeView {
  readonly paths: HomePaths;
  readonly config: Config;
  readonly identity: Identity;
  readonly apiToken: string;
}

export interface Home extends HomeView {
  readonly keys: HomeKeys;
  /** dag-cbor of the organisation's `/flow/peer` delegation to the peer key, root first. */
  readonly peerDelegation: readonly Uint8Array[];
  /** The same of `/flow/write`, open or for named streams (`genesisProof` in home-keys.ts); empty: writes none. */
  readonly writeDelegation: readonly Uint8Array[];
  /** The same of `/flow/read`, to give grants; empty in older homes until the organisation's key is there. */
  readonly readDelegation: readonly Uint8Array[];
  /** The same of `/flow/key`, for grants of sealed streams. */
  readonly keyDelegation: readonly Uint8Array[];
  /** Absent with `hw init --no-network`. */
  readonly network?: HomeNetwork;
}

export interface OpenOptions {
  readonly environment?: Environment;
  /** Asked for at most once, and only where a key file needs it. */
  readonly passphrase?: () => Promise<Result<string>>;
  /** Makes keys that a home of an earlier version lacks; without it nothing is written. */
  readonly random?: Random;
}

export function homePaths(directory: string): HomePaths {
  const root = resolve(directory);
  return {
    root,
    config: join(root, 'config.yaml'),
    keys: join(root, 'keys'),
    epochKeys: join(root, 'keys', 'epochs'),
    gotKeys: join(root, 'keys', 'got'),
    identity: join(root, 'keys', 'identity.json'),
    peerDelegation: join(root, 'keys', 'peer.ucan'),
    writeDelegation: join(root, 'keys', 'write.ucan'),
    readDelegation: join(root, 'keys', 'read.ucan'),
    keyDelegation: join(root, 'keys', 'keys.ucan'),
    enrolment: join(root, 'keys', 'enrolment.request'),
    enrolled: join(root, 'keys', 'enrolled'),
    network: join(root, 'keys', 'network.json'),
    networkDocument: join(root, 'keys', 'network.cbor'),
    store: join(root, 'store'),
    guard: join(root, 'guard'),
    restored: join(root, 'guard', 'restored'),
    token: join(root, 'api.token'),
    metricsToken: join(root, 'metrics.token'),
    run: join(root, 'run'),
    lock: join(root, 'run', 'lock'),
    nodeInfo: join(root, 'run', 'node.json'),
    control: join(root, 'control.json'),
    peers: join(root, 'peers'),
    log: join(root, 'run', 'node.log'),
  };
}

/** Faults: `home-missing`, `home-damaged`, and those of the configuration. */
export async function readHome(
  directory: string,
  environment: Environment = {},
): Promise<Result<HomeView>> {
  const paths = homePaths(directory);
  if (!(await exists(paths.config))) {
    return err(fault('home-missing', `there is no home at ${paths.root}`, { file: paths.config }));
  }
  const text = await readText(paths.config);
  if (!text.ok) return text;
  const config = parseConfig(text.value, paths.config, environment);
  if (!config.ok) return config;
  const identity = await readIdentity(paths);
  if (!identity.ok) return identity;
  const token = await readText(paths.token);
  if (!token.ok) return err(fault('home-damaged', token.error.message, { file: paths.token }));
  return ok({
    paths,
    config: config.value,
    identity: identity.value,
    apiToken: token.value.trim(),
  });
}

/** As `readHome`, with the keys unlocked. Adds the faults of key files (`wrong-passphrase`, …). */
export async function openHome(
  directory: string,
  options: OpenOptions = {},
): Promise<Result<Home>> {
  const view = await readHome(directory, options.environment);
  if (!view.ok) return view;
  const { paths, identity } = view.value;
  const { random } = options;
  const seeds = new SeedReader(paths, options.passphrase);
  const opened = await openHomeKeys(paths, identity, seeds, random);
  if (!opened.ok) return opened;
  const encryption = await openEncryption(paths, seeds, random);
  if (!encryption.ok) return encryption;
  const keys = { ...opened.value, ...(encryption.value && { encryption: encryption.value }) };
  const whole = await withEncryption(paths, identity, encryption.value, random !== undefined);
  if (!whole.ok) return whole;
  const peerDelegation = await needed(paths.peerDelegation);
  if (!peerDelegation.ok) return peerDelegation;
  const writeDelegation = (await exists(paths.enrolment))
    ? await optional(paths.writeDelegation)
    : listed(await needed(paths.writeDelegation));
  if (!writeDelegation.ok) return writeDelegation;
  const readDelegation = await optional(paths.readDelegation);
  if (!readDelegation.ok) return readDelegation;
  const keyDelegation = await optional(paths.keyDelegation);
  if (!keyDelegation.ok) return keyDelegation;
  const network = await readNetwork(paths);
  if (!network.ok) return network;
  return ok({
    ...view.value,
    identity: whole.value,
    keys,
    peerDelegation: [peerDelegation.value],
    writeDelegation: writeDelegation.value,
    readDelegation: readDelegation.value,
    keyDelegation: keyDelegation.value,
    ...(network.value === undefined ? {} : { network: network.value }),
  });
}

async function needed(file: string): Promise<Result<Uint8Array>> {
  const bytes = await readBytes(file);
  if (bytes.ok) return bytes;
  return err(fault('home-damaged', bytes.error.message, { file }));
}

async function optional(file: string): Promise<Result<readonly Uint8Array[]>> {
  return (await exists(file)) ? listed(await needed(file)) : ok([]);
}

function listed(bytes: Result<Uint8Array>): Result<readonly Uint8Array[]> {
  return bytes.ok ? ok([bytes.value]) : bytes;
}

/** The network this home belongs to, if any. */
export async function readNetwork(paths: HomePaths): Promise<Result<HomeNetwork | undefined>> {
  if (!(await exists(paths.network))) return ok(undefined);
  const text = await readText(paths.network);
  if (!text.ok) return text;
  const id = field(parseJson(text.value), 'id');
  if (id === undefined || !/^[0-9a-f]{64}$/.test(id)) {
    return err(
      fault('home-damaged', 'the network id is not 64 hex digits', { file: paths.network }),
    );
  }
  if (!(await exists(paths.networkDocument))) return ok({ id });
  const document = await readBytes(paths.networkDocument);
  return document.ok ? ok({ id, document: document.value }) : document;
}

/** Makes this home a member of that network; a document of another one is dropped first. */
export async function saveNetwork(paths: HomePaths, network: HomeNetwork): Promise<Result<void>> {
  if (network.document === undefined) {
    await rm(paths.networkDocument, { force: true });
  } else {
    const saved = await replaceFile(paths.networkDocument, network.document, 0o600);
    if (!saved.ok) return saved;
  }
  return replaceFile(paths.network, `${JSON.stringify({ id: network.id })}\n`, 0o600);
}

/** Stores a newer `/flow/peer` delegation, for example one that names the registry. */
export function savePeerDelegation(paths: HomePaths, bytes: Uint8Array): Promise<Result<void>> {
  return replaceFile(paths.peerDelegation, bytes, 0o600);
}

/** The same home, with the leave to give grants: made where the organisation's key is at hand. */
export async function withGranting<H extends Home>(home: H, random: Random): Promise<Result<H>> {
  const signer = home.keys.organisation;
  if (signer === undefined) return ok(home);
  const peer = didFromKey(home.identity.peerKey);
  const ensure = async (
    held: readonly Uint8Array[],
    file: string,
    command: GrantCommand,
  ): Promise<Result<readonly Uint8Array[]>> => {
    if (held.length > 0) return ok(held);
    const token = mintGranting(signer, random, peer, command);
    const saved = await replaceFile(file, token, 0o600);
    return saved.ok ? ok([token]) : saved;
  };
  const { readDelegation: read, keyDelegation: keys, paths } = home;
  const readDelegation = await ensure(read, paths.readDelegation, readCommand);
  if (!readDelegation.ok) return readDelegation;
  const keyDelegation = await ensure(keys, paths.keyDelegation, keyCommand);
  if (!keyDelegation.ok) return keyDelegation;
  return ok({ ...home, readDelegation: readDelegation.value, keyDelegation: keyDelegation.value });
}

/** The identity with the public half as it is; written down where it is news and `write` says so. */
export async function withEncryption(
  paths: HomePaths,
  identity: Identity,
  keys: EncryptionKeys | undefined,
  write: boolean,
): Promise<Result<Identity>> {
  if (keys === undefined) return ok(identity);
  const encryptionKey = formatEncryptionKey(keys.current.publicKey);
  if (identity.encryptionKey === encryptionKey) return ok(identity);
  const next = { ...identity, encryptionKey };
  if (!write) return ok(next);
  const saved = await replaceFile(paths.identity, identityJson(next));
  return saved.ok ? ok(next) : saved;
}

export function identityJson(identity: Identity): string {
  const { organisation, peerKey, writerKey, recoveryHash, encryptionKey } = identity;
  const fields = {
    organisation,
    peerKey: toHex(peerKey),
    writerKey: toHex(writerKey),
    recoveryHash: toHex(recoveryHash),
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

/** The public halves of the keys; `enrolment-pending`, or `home-damaged` where the file is absent or malformed. */
export async function readIdentity(paths: HomePaths): Promise<Result<Identity>> {
  const damaged = (message: string): Result<never> =>
    err(fault('home-damaged', message, { file: paths.identity }));
  const text = await readText(paths.identity);
  if (!text.ok && (await exists(paths.enrolment))) return err(pendingFault(paths));
  if (!text.ok) return damaged(text.error.message);
  const json = parseJson(text.value);
  const organisation = parseDid(field(json, 'organisation') ?? '');
  const peerKey = bytes32(field(json, 'peerKey'));
  const writerKey = bytes32(field(json, 'writerKey'));
  const recoveryHash = bytes32(field(json, 'recoveryHash'));
  if (!organisation.ok) return damaged('organisation is not a did:key');
  if (peerKey === undefined || writerKey === undefined || recoveryHash === undefined) {
    return damaged('a key is not 64 hex digits');
  }
  const encryptionKey = field(json, 'encryptionKey');
  return ok({
    organisation: organisation.value,
    peerKey: asPublicKey(peerKey),
    writerKey: asPublicKey(writerKey),
    recoveryHash: asHash(recoveryHash),
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
  });
}

/** Of a home that waits for the answer of its organisation. */
export function pendingFault({ enrolment: file }: HomePaths): Fault {
  return fault('enrolment-pending', 'this home waits to be let in by its organisation', { file });
}

function bytes32(text: string | undefined): Uint8Array | undefined {
  const bytes = fromHex(text ?? '');
  return bytes.ok && bytes.value.length === 32 ? bytes.value : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A text member of a JSON object; undefined for anything else. */
function field(json: unknown, name: string): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const value: unknown = Object.entries(json).find(([key]) => key === name)?.[1];
  return typeof value === 'string' ? value : undefined;
}
