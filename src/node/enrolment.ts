/**
 * Another peer of an organisation (access.md "Identities and keys"; ADR 0029): its home has keys of its own
 * and asks by a line of text; who has the organisation's key answers with delegations; the home takes the
 * answer in and is a peer of the organisation. keys/identity.json comes last: until then the home waits.
 */
import { rm } from 'node:fs/promises';
import { encryptionPair, parseEncryptionKey } from '../access/encryption-key.ts';
import { grantCommands, mintGranting } from '../access/grant.ts';
import { hpkeOpen, hpkeSeal, type HpkeContext, type HpkeMessage } from '../access/hpke.ts';
import {
  mintPeerDelegation,
  mintWriteDelegation,
  verifyPeerDelegation,
} from '../access/peer-delegation.ts';
import { decodeDelegation } from '../access/ucan-delegation.ts';
import { equal, toHex, utf8 } from '../bytes.ts';
import { nodeCipher } from '../cipher-node.ts';
import type { Signer } from '../crypto.ts';
import { nodeCrypto } from '../crypto-node.ts';
import { at, fault } from '../errors.ts';
import { networkIdText, parseNetworkId, readNetworkDocument } from '../gossip/network-document.ts';
import type { Host } from '../host.ts';
import { didFromKey, didKey } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, LogId, StreamName, TimeMs } from '../types.ts';
import { setInConfig } from './config.ts';
import { openEncryption } from './encryption-keys.ts';
import { replaceEncryption } from './encryption-rotation.ts';
import {
  parseAnswer,
  parseRequest,
  formatAnswer,
  type PeerAnswer,
  type PeerRequest,
} from './enrolment-text.ts';
import { exists, fileFault, readBytes, readText, replaceFile } from './files.ts';
import { SeedReader, type AskPassphrase } from './home-keys.ts';
import { identityJson, readNetwork, saveNetwork, type HomePaths, type HomeView } from './home.ts';

export interface EnrolTerms {
  /** Streams that it may open and write; `all`: any. */
  readonly writes: 'all' | readonly StreamName[];
  /** When its delegations end; absent: never. */
  readonly expires?: TimeMs;
  /** Where it finds the network. */
  readonly bootstrap: readonly string[];
  /** Seed of the organisation's encryption key, where it is to have it; the caller's to wipe. */
  readonly encryptionSeed?: Uint8Array;
}

/**
 * The answer to a request, by the organisation's key. Codes: enrolment-organisation (it asks another one),
 * enrolment-peer (it is this home's own), enrolment-registry, those of delegations and files.
 */
export async function answerRequest(
  { paths, identity, config }: HomeView,
  host: Pick<Host, 'clock' | 'random'>,
  signer: Signer,
  request: PeerRequest,
  terms: EnrolTerms,
): Promise<Result<{ readonly answer: PeerAnswer; readonly line: string }>> {
  const { organisation } = identity;
  const registry = await ownRegistry(paths, identity, host.clock.now());
  if (!registry.ok) return registry;
  const network = await readNetwork(paths);
  if (!network.ok) return network;
  const id = network.value === undefined ? undefined : parseNetworkId(network.value.id);
  if (id?.ok === false) return id;
  const sealed = sealSeed(host, request, terms.encryptionSeed);
  if (!sealed.ok) return sealed;
  const document = network.value?.document;
  const answer: PeerAnswer = {
    organisation,
    peer: request.peer,
    name: config.organisation,
    tokens: mintTokens(signer, host, request, registry.value, terms),
    recoveryHash: identity.recoveryHash,
    bootstrap: terms.bootstrap,
    ...(id === undefined ? {} : { network: id.value }),
    ...(document === undefined ? {} : { document }),
    ...(sealed.value === undefined ? {} : { encryption: sealed.value }),
  };
  return ok({ answer, line: formatAnswer(signer, answer) });
}

/** Whether this home can answer it at all. Codes: enrolment-organisation, enrolment-peer. */
export function checkRequest({ identity }: HomeView, request: PeerRequest): Result<void> {
  const { organisation, peerKey } = identity;
  if (request.organisation !== organisation) {
    const message = `the request is for ${request.organisation}, and this home is of ${organisation}`;
    const hint = `On that machine: hw init --peer-of ${organisation}, in another --home.`;
    return err(fault('enrolment-organisation', message, undefined, hint));
  }
  if (request.peer !== didFromKey(peerKey)) return ok(undefined);
  const hint =
    'Make a home with hw init --peer-of on the other machine: its request is answered here.';
  return err(fault('enrolment-peer', 'this is the request of this home itself', undefined, hint));
}

async function ownRegistry(
  paths: HomePaths,
  { organisation, peerKey }: HomeView['identity'],
  now: TimeMs,
): Promise<Result<LogId>> {
  const token = await readBytes(paths.peerDelegation);
  if (!token.ok) return token;
  const standing = verifyPeerDelegation(nodeCrypto, { proof: [token.value], peerKey, now });
  const place = { file: paths.peerDelegation };
  if (!standing.ok) return err(at(standing.error, place));
  if (standing.value.organisation !== organisation) {
    const hint =
      'Peers that were there before the succession go on; another one is not supported yet.';
    const message = `the delegation of this home is by ${standing.value.organisation}, which was succeeded`;
    return err(fault('enrolment-registry', message, place, hint));
  }
  const { registry } = standing.value;
  if (registry !== undefined) return ok(registry);
  return err(fault('enrolment-registry', 'the delegation of this home names no registry', place));
}

function mintTokens(
  signer: Signer,
  { random }: Pick<Host, 'random'>,
  { peer }: PeerRequest,
  registry: LogId,
  { writes, expires }: EnrolTerms,
): readonly Uint8Array[] {
  const key = didKey(peer);
  const end = expires === undefined ? {} : { expires };
  const [name, ...more] = writes === 'all' ? [] : writes;
  const streams =
    name === undefined ? {} : more.length === 0 ? { name } : { names: [name, ...more] };
  const write = { audience: key, ...streams, ...end };
  return [
    mintPeerDelegation(signer, random, { peerKey: key, registry, ...end }),
    ...grantCommands.map((command) => mintGranting(signer, random, peer, command, expires)),
    ...(writes.length === 0 ? [] : [mintWriteDelegation(signer, random, write)]),
  ];
}

function sealSeed(
  { random }: Pick<Host, 'random'>,
  request: PeerRequest,
  seed: Uint8Array | undefined,
): Result<HpkeMessage | undefined> {
  const recipient = parseEncryptionKey(request.encryption);
  if (seed === undefined || recipient === undefined) return ok(undefined);
  return hpkeSeal(nodeCipher, random.bytes(32), recipient, contextOf(request), seed);
}

function contextOf(names: { readonly organisation: Did; readonly peer: Did }): HpkeContext {
  const aad = utf8(`${names.organisation} ${names.peer}`);
  return { info: utf8('headwater/peer-encryption/1'), aad };
}

/** The request that this home has made. `enrolment-peer` where it has made none. */
export async function ownRequest(paths: HomePaths): Promise<Result<PeerRequest>> {
  const file = paths.enrolment;
  if (!(await exists(file))) {
    const hint = 'hw init --peer-of DID makes one that does, in another --home.';
    const message = 'this home has not asked to be a peer of an organisation';
    return err(fault('enrolment-peer', message, { file: paths.root }, hint));
  }
  const text = await readText(file);
  if (!text.ok) return text;
  const request = parseRequest(nodeCrypto, text.value);
  return request.ok ? request : err(at(request.error, { file }));
}

export interface TakenIn {
  readonly answer: PeerAnswer;
  readonly writer: Did;
  /** Whether it got the organisation's encryption key. */
  readonly encryption: boolean;
}

/**
 * Takes an answer into a home that the caller holds; the same again, or a later one, replaces what an
 * earlier one gave. Codes: enrolment-invalid, -organisation, -peer, -expired, network-mismatch,
 * network-document…, hpke-open, those of files and key files.
 */
export async function takeAnswer(
  paths: HomePaths,
  host: Pick<Host, 'clock' | 'random'>,
  ask: AskPassphrase,
  text: string,
): Promise<Result<TakenIn>> {
  const answer = parseAnswer(nodeCrypto, text);
  if (!answer.ok) return answer;
  const request = await ownRequest(paths);
  if (!request.ok) return request;
  const tokens = checkAnswer(answer.value, request.value, host.clock.now());
  if (!tokens.ok) return tokens;
  const same = await checkNetwork(paths, answer.value);
  if (!same.ok) return same;
  const encryption = await takeEncryption(paths, host, ask, answer.value);
  if (!encryption.ok) return encryption;
  const first = !(await exists(paths.identity));
  const set = await configure(paths, answer.value, first);
  if (!set.ok) return set;
  const saved = await saveTokens(paths, tokens.value);
  if (!saved.ok) return saved;
  const { organisation, peer, recoveryHash } = answer.value;
  const { writer } = request.value;
  const keys = { peerKey: didKey(peer), writerKey: didKey(writer) };
  const done = first
    ? await replaceFile(paths.identity, identityJson({ organisation, ...keys, recoveryHash }))
    : ok(undefined);
  if (!done.ok) return done;
  return ok({ answer: answer.value, writer, encryption: encryption.value });
}

type Tokens = ReadonlyMap<string, Uint8Array>;

/** The delegations by their command. */
function checkAnswer(answer: PeerAnswer, request: PeerRequest, now: TimeMs): Result<Tokens> {
  const { organisation, peer, network } = answer;
  if (organisation !== request.organisation) {
    const message = `it is by ${organisation}, and this home has asked ${request.organisation}`;
    return err(fault('enrolment-organisation', message));
  }
  if (peer !== request.peer) {
    return err(fault('enrolment-peer', `it is for ${peer}, and this peer is ${request.peer}`));
  }
  const tokens = new Map<string, Uint8Array>();
  for (const token of answer.tokens) {
    const link = decodeDelegation(token);
    if (!link.ok) return link;
    const { issuer, audience, command } = link.value;
    if (issuer !== organisation || audience !== peer) {
      return err(fault('enrolment-invalid', 'a delegation in it is not for this peer'));
    }
    tokens.set(command, token);
  }
  const proof = tokens.get('/flow/peer');
  if (proof === undefined) return err(fault('enrolment-invalid', 'it lets nobody be a peer'));
  const claim = { proof: [proof], peerKey: didKey(peer), now };
  const standing = verifyPeerDelegation(nodeCrypto, network ? { ...claim, network } : claim);
  if (standing.ok) return ok(tokens);
  if (standing.error.code !== 'ucan-expired') return standing;
  return err(fault('enrolment-expired', 'what it gives has ended'));
}

async function checkNetwork(paths: HomePaths, answer: PeerAnswer): Promise<Result<void>> {
  const { network, document } = answer;
  if (network === undefined) return ok(undefined);
  const present = await readNetwork(paths);
  if (!present.ok) return present;
  const id = networkIdText(network);
  if (present.value !== undefined && present.value.id !== id) {
    const message = `it is for the network ${id}, and this home is in ${present.value.id}`;
    const hint = 'Take another --home, or leave that network: hw join INVITE --leave.';
    return err(fault('network-mismatch', message, { file: paths.network }, hint));
  }
  if (document === undefined) return ok(undefined);
  const read = readNetworkDocument(nodeCrypto, document);
  if (!read.ok) return read;
  if (equal(read.value.id, network)) return ok(undefined);
  return err(fault('network-mismatch', 'the document in it is of another network'));
}

/** The key of the organisation in the place of the home's own, which is kept: answers are sealed to it. */
async function takeEncryption(
  paths: HomePaths,
  host: Pick<Host, 'random'>,
  ask: AskPassphrase,
  answer: PeerAnswer,
): Promise<Result<boolean>> {
  if (answer.encryption === undefined) return ok(false);
  const seeds = new SeedReader(paths, ask);
  const held = await openEncryption(paths, seeds, host.random);
  if (!held.ok) return held;
  if (held.value === undefined) return ok(false);
  const { current, older } = held.value;
  for (const pair of [current, ...older]) {
    const seed = hpkeOpen(nodeCipher, pair, contextOf(answer), answer.encryption);
    if (!seed.ok) continue;
    const next = encryptionPair(nodeCipher, seed.value).publicKey;
    if (equal(next, current.publicKey)) return ok(true);
    const known = (): Promise<Result<string>> =>
      seeds.passphrase === undefined ? ask() : Promise.resolve(ok(seeds.passphrase));
    const done = await replaceEncryption(paths, host.random, known, seed.value);
    return done.ok ? ok(true) : done;
  }
  return err(fault('hpke-open', 'the encryption key in it is sealed for another home'));
}

async function configure(
  paths: HomePaths,
  answer: PeerAnswer,
  first: boolean,
): Promise<Result<void>> {
  const file = paths.config;
  const text = await readText(file);
  if (!text.ok) return text;
  const named = first ? setInConfig(text.value, file, 'organisation', answer.name) : ok(text.value);
  if (!named.ok) return named;
  const found =
    first && answer.bootstrap.length > 0
      ? setInConfig(named.value, file, 'p2p.bootstrap', [...answer.bootstrap])
      : named;
  if (!found.ok) return found;
  const written = found.value === text.value ? ok(undefined) : await replaceFile(file, found.value);
  if (!written.ok || answer.network === undefined) return written;
  const present = await readNetwork(paths);
  if (!present.ok) return present;
  // What is there already may be newer.
  if (present.value !== undefined) return ok(undefined);
  const id = toHex(answer.network);
  return saveNetwork(paths, answer.document ? { id, document: answer.document } : { id });
}

async function saveTokens(paths: HomePaths, tokens: Tokens): Promise<Result<void>> {
  const files = [
    ['/flow/peer', paths.peerDelegation],
    ['/flow/read', paths.readDelegation],
    ['/flow/key', paths.keyDelegation],
    ['/flow/write', paths.writeDelegation],
  ] as const;
  for (const [command, file] of files) {
    const token = tokens.get(command);
    try {
      if (token === undefined) await rm(file, { force: true });
    } catch (cause) {
      return err(fileFault('file-unwritable', file, cause));
    }
    const saved = token === undefined ? ok(undefined) : await replaceFile(file, token);
    if (!saved.ok) return saved;
  }
  return ok(undefined);
}
