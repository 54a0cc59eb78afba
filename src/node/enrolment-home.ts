/** A home that asks to be another peer of an organisation (`hw init --peer-of`): keys of its own, and a request. */
import { nodeCrypto, signerFromSeed } from '../crypto-node.ts';
import { fault } from '../errors.ts';
import type { Random } from '../host.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did } from '../types.ts';
import { readEncryptionKey } from './encryption-keys.ts';
import { formatRequest, parseRequest, type PeerRequest } from './enrolment-text.ts';
import { exists, makeFolders, readText, replaceFile } from './files.ts';
import { ensureSettings } from './home-create.ts';
import { ensureKey, keyInfo, keyPath, SeedReader, type AskPassphrase } from './home-keys.ts';
import { homePaths, readIdentity, type HomePaths } from './home.ts';
import { didFromKey } from '../ids.ts';

export interface AskOptions {
  readonly organisation: Did;
  /** What its operator calls the organisation until it is told better. */
  readonly name: string;
  /** Locks new key files. */
  readonly passphrase?: string;
  readonly ask: AskPassphrase;
  readonly random: Random;
}

export interface Asked {
  readonly paths: HomePaths;
  readonly request: PeerRequest;
  /** One line without an end. */
  readonly line: string;
}

/** No key of the organisation and none for recovery: those are where it is. */
const peerKeys = ['peer', 'writer', 'witness', 'freshness', 'encryption', 'node'] as const;

/**
 * Run again it gives the same request. Codes: enrolment-organisation (the home is an organisation of its
 * own, or has asked another), those of files and key files.
 */
export async function askToBePeer(directory: string, options: AskOptions): Promise<Result<Asked>> {
  const paths = homePaths(directory);
  if (await exists(paths.enrolment)) return again(paths, options.organisation);
  const taken = await inUse(paths);
  if (!taken.ok) return taken;
  const folders = await makeFolders(paths.root, ['.', 'keys', 'store', 'guard', 'run']);
  if (!folders.ok) return folders;
  for (const name of peerKeys) {
    const key = await ensureKey(paths, name, options.random, options.passphrase);
    if (!key.ok) return key;
  }
  const made = await makeRequest(paths, options);
  if (!made.ok) return made;
  const saved = await replaceFile(paths.enrolment, `${made.value.line}\n`);
  if (!saved.ok) return saved;
  const settings = await ensureSettings(paths, { ...options, organisation: options.name });
  return settings.ok ? ok({ paths, ...made.value }) : settings;
}

async function again(paths: HomePaths, organisation: Did): Promise<Result<Asked>> {
  const text = await readText(paths.enrolment);
  if (!text.ok) return text;
  const request = parseRequest(nodeCrypto, text.value);
  if (!request.ok) return request;
  if (request.value.organisation === organisation) {
    return ok({ paths, request: request.value, line: text.value.trim() });
  }
  const message = `this home has asked ${request.value.organisation} already`;
  return err(fault('enrolment-organisation', message, { file: paths.enrolment }));
}

async function inUse(paths: HomePaths): Promise<Result<void>> {
  const own = await exists(keyPath(paths, 'organisation'));
  if (!own && !(await exists(paths.identity))) return ok(undefined);
  const identity = await readIdentity(paths);
  const whose = identity.ok ? `of ${identity.value.organisation}` : 'an organisation of its own';
  const message = `the home at ${paths.root} is ${whose} already`;
  return err(fault('enrolment-organisation', message, { file: paths.root }));
}

async function makeRequest(
  paths: HomePaths,
  { organisation, name, passphrase, ask }: AskOptions,
): Promise<Result<Omit<Asked, 'paths'>>> {
  const seeds = new SeedReader(paths, () =>
    passphrase === undefined ? ask() : Promise.resolve(ok(passphrase)),
  );
  const seed = await seeds.read('peer');
  if (!seed.ok) return seed;
  const signer = signerFromSeed(seed.value);
  seed.value.fill(0);
  const writer = await keyInfo(paths, 'writer');
  if (!writer.ok) return writer;
  if (writer.value.did === undefined) {
    return err(fault('home-damaged', 'a key file went away', { file: writer.value.file }));
  }
  const encryption = await readEncryptionKey(seeds);
  if (!encryption.ok) return encryption;
  const request = {
    organisation,
    peer: didFromKey(signer.publicKey),
    writer: writer.value.did,
    name,
    encryption: encryption.value,
  };
  return ok({ request, line: formatRequest(signer, request) });
}
