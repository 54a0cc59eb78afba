/**
 * The keys of a home: made once by `hw init`, never replaced by it, opened by `hw up`. Each is a
 * key file of `src/access/key-file.ts`.
 */
import { join } from 'node:path';
import { mintWriteDelegation } from '../access/peer-delegation.ts';
import { readKeyFile, readSeed, writeKeyFile } from '../access/key-file-store.ts';
import { equal } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { signerFromSeed } from '../crypto-node.ts';
import { fault } from '../errors.ts';
import type { Random } from '../host.ts';
import { didKey } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, PublicKey, StreamName } from '../types.ts';
import { exists } from './files.ts';
import type { Home, HomeKeys, HomePaths, Identity } from './home.ts';

/** Names of the key files; what each is for stands in home.ts. */
export const keyNames = [
  'organisation',
  'peer',
  'writer',
  'recovery',
  'witness',
  'freshness',
  'encryption',
  'node',
] as const;
export type KeyName = (typeof keyNames)[number];

/** A passphrase that is asked for when a locked file is met, and then kept. */
export type AskPassphrase = () => Promise<Result<string>>;

export function keyPath(paths: HomePaths, name: KeyName): string {
  return join(paths.keys, `${name}.key`);
}

/** Where a new writer key lies while `hw key rotate` is at work. */
export function nextWriterPath(paths: HomePaths): string {
  return join(paths.keys, 'writer.next.key');
}

/** Where a new recovery key lies while `hw key recover` is at work. */
export function nextRecoveryPath(paths: HomePaths): string {
  return join(paths.keys, 'recovery.next.key');
}

/** Where a new organisation's key lies while `hw key succeed` is at work. */
export function nextOrganisationPath(paths: HomePaths): string {
  return join(paths.keys, 'organisation.next.key');
}

/** Where the key of a DID is put that was succeeded. */
export function formerOrganisationPath(paths: HomePaths, did: Did): string {
  return join(paths.keys, `organisation-${did.slice(-8)}.key`);
}

/** What can be told of a key file without opening it. */
export interface KeyInfo {
  readonly name: KeyName;
  readonly file: string;
  readonly present: boolean;
  readonly locked: boolean;
  readonly did?: Did;
}

/** Faults of a file that is there but cannot be used; an absent one is `present: false`. */
export async function keyInfo(paths: HomePaths, name: KeyName): Promise<Result<KeyInfo>> {
  const file = keyPath(paths, name);
  if (!(await exists(file))) return ok({ name, file, present: false, locked: false });
  const read = await readKeyFile(file);
  if (!read.ok) return read;
  const { did, locked } = read.value;
  if (!read.value.locked) read.value.seed.fill(0);
  return ok({ name, file, present: true, locked, did });
}

/**
 * Opens every key that is here but that for encryption. Only the organisation's may be absent; with `random` the freshness key of
 * an older home is made, locked like the others.
 */
export async function openHomeKeys(
  paths: HomePaths,
  identity: Identity,
  seeds: SeedReader,
  random?: Random,
): Promise<Result<HomeKeys>> {
  const next = nextWriterPath(paths);
  if (await exists(next)) {
    return err(
      fault('rotation-unfinished', 'a rotation of the writer key was cut off', { file: next }),
    );
  }
  if (await exists(nextRecoveryPath(paths))) {
    const file = nextRecoveryPath(paths);
    const hint = 'Run hw key recover again: it completes the change.';
    return err(
      fault('rotation-unfinished', 'a change of the recovery key was cut off', { file }, hint),
    );
  }
  if (await exists(nextOrganisationPath(paths))) {
    const file = nextOrganisationPath(paths);
    const hint = 'Run hw key succeed again: it completes the succession.';
    return err(fault('rotation-unfinished', 'a succession was cut off', { file }, hint));
  }
  const peerSeed = await seeds.read('peer');
  if (!peerSeed.ok) return peerSeed;
  const peer = matching(paths, 'peer', signerFromSeed(peerSeed.value), identity.peerKey);
  if (!peer.ok) return peer;
  const writer = await seeds.signer('writer', identity.writerKey);
  if (!writer.ok) return writer;
  const nodeSecret = await seeds.read('node');
  if (!nodeSecret.ok) return nodeSecret;
  const witness = await optionalSigner(paths, seeds, 'witness');
  if (!witness.ok) return witness;
  if (random !== undefined) {
    const made = await ensureKey(paths, 'freshness', random, seeds.passphrase);
    if (!made.ok) return made;
  }
  const freshness = await optionalSigner(paths, seeds, 'freshness');
  if (!freshness.ok) return freshness;
  const keys = {
    ...(witness.value === undefined ? {} : { witness: witness.value }),
    ...(freshness.value === undefined ? {} : { freshness: freshness.value }),
    peer: peer.value,
    peerSeed: peerSeed.value,
    writer: writer.value,
    journal: peer.value,
    nodeSecret: nodeSecret.value,
  };
  if (!(await exists(keyPath(paths, 'organisation')))) return ok(keys);
  const organisation = await seeds.signer('organisation', didKey(identity.organisation));
  return organisation.ok ? ok({ ...keys, organisation: organisation.value }) : organisation;
}

/** Homes that were made before there was such a key have none; `hw init` makes it. */
async function optionalSigner(
  paths: HomePaths,
  seeds: SeedReader,
  name: 'witness' | 'freshness',
): Promise<Result<Signer | undefined>> {
  if (!(await exists(keyPath(paths, name)))) return ok(undefined);
  const seed = await seeds.read(name);
  if (!seed.ok) return seed;
  const signer = signerFromSeed(seed.value);
  seed.value.fill(0);
  return ok(signer);
}

/** Reads seeds of one home; the passphrase is asked for once. */
export class SeedReader {
  readonly #paths: HomePaths;
  readonly #ask: AskPassphrase | undefined;
  #passphrase: string | undefined;

  constructor(paths: HomePaths, ask: AskPassphrase | undefined) {
    this.#paths = paths;
    this.#ask = ask;
  }

  /** What was answered, if anything was asked. */
  get passphrase(): string | undefined {
    return this.#passphrase;
  }

  /** Fresh bytes, the caller's to wipe. Codes of `readSeed`, and those of the asking. */
  read(name: KeyName): Promise<Result<Uint8Array>> {
    return this.readFile(keyPath(this.#paths, name));
  }

  /** As `read`, of another key file of the home. */
  async readFile(file: string): Promise<Result<Uint8Array>> {
    const first = await readSeed(file, this.#passphrase);
    if (first.ok || first.error.code !== 'key-passphrase-needed') return first;
    if (this.#ask === undefined) return first;
    const asked = await this.#ask();
    if (!asked.ok) return asked;
    this.#passphrase = asked.value;
    return readSeed(file, asked.value);
  }

  async signer(name: KeyName, key: PublicKey): Promise<Result<Signer>> {
    const seed = await this.read(name);
    if (!seed.ok) return seed;
    const signer = signerFromSeed(seed.value);
    seed.value.fill(0);
    return matching(this.#paths, name, signer, key);
  }
}

function matching(paths: HomePaths, name: KeyName, signer: Signer, key: PublicKey): Result<Signer> {
  if (equal(signer.publicKey, key)) return ok(signer);
  const file = keyPath(paths, name);
  return err(fault('home-damaged', `${file} is not the ${name} key of this home`, { file }));
}

/** Makes a key file where there is none; true where it did. The seed is wiped. */
export async function ensureKey(
  paths: HomePaths,
  name: KeyName,
  random: Random,
  passphrase: string | undefined,
): Promise<Result<boolean>> {
  const file = keyPath(paths, name);
  if (await exists(file)) return ok(false);
  const seed = random.bytes(32);
  const written = await writeKeyFile(file, seed, random, passphrase);
  seed.fill(0);
  return written.ok ? ok(true) : written;
}

/**
 * The genesis proof of a log of this home's organisation: its open `/flow/write` delegation to the
 * peer, which makes out a fixed one to the writer key. So the organisation's key may be elsewhere.
 */
export function genesisProof(
  home: Pick<Home, 'identity' | 'writeDelegation'> & { readonly keys: Pick<HomeKeys, 'peer'> },
  random: Random,
  name: StreamName,
  partition: number,
): readonly Uint8Array[] {
  const { organisation, writerKey } = home.identity;
  const terms = { subject: organisation, audience: writerKey, name, partition };
  return [...home.writeDelegation, mintWriteDelegation(home.keys.peer, random, terms)];
}
