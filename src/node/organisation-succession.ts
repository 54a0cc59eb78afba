/**
 * `hw key succeed`: a stopped home whose organisation's key is lost or stolen goes on under a new DID, by
 * the recovery key (access.md "Identities and keys"). The registry gets a successor log, owned by the new
 * DID, whose first event is `organisation.succeeded`; all other logs stay as they are: their writer key is
 * another one, and they are the organisation's under either DID. The new key lies in
 * keys/organisation.next.key from the first step to the last; a run that was cut off goes on with it.
 */
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { v7 } from 'uuid';
import { readSigner, writeKeyFile } from '../access/key-file-store.ts';
import { mintWriteDelegation } from '../access/peer-delegation.ts';
import { decodeDelegation } from '../access/ucan-delegation.ts';
import { tokenCid } from '../access/ucan-envelope.ts';
import { equal } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { nodeCrypto } from '../crypto-node.ts';
import { fault } from '../errors.ts';
import { makeEvent } from '../event/make.ts';
import { peerIdFromKey } from '../gossip/peer-id.ts';
import type { Host } from '../host.ts';
import type { SuccessionTerms } from '../identities.ts';
import { didFromKey } from '../ids.ts';
import type { LogSummary } from '../ledger/ledger-types.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { limits, protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { formatTime } from '../time.ts';
import { asStreamName, dataKind, type Did, type LogId, type TimeMs } from '../types.ts';
import { GrantBook } from './access/grant-book.ts';
import { registryTypes, succeededData } from './core/cards.ts';
import { Journal, type AppendJournal } from './core/journal.ts';
import { ownNewest } from './core/own-chains.ts';
import { journalName } from './core/own-logs.ts';
import { exists, fileFault, readBytes, replaceFile } from './files.ts';
import {
  formerOrganisationPath,
  genesisProof,
  keyPath,
  nextOrganisationPath,
  SeedReader,
  type AskPassphrase,
} from './home-keys.ts';
import { askedSigner } from './asked-signer.ts';
import { identityJson, type HomeView } from './home.ts';
import { openHomeLedger } from './open-ledger.ts';
import { ownDelegations } from './own-delegations.ts';

export interface SucceedRequest {
  readonly reason: 'lost' | 'stolen';
  /** When the key may have come into other hands. */
  readonly since?: TimeMs;
  /** For the journal. */
  readonly why?: string;
  /** Further tokens of the old key that go on counting: those of other peers of the organisation. */
  readonly keep?: readonly Uint8Array[];
  /** Of the recovery key, where it is not in the home. */
  readonly recoveryFile?: string;
}

export interface Succeeded {
  readonly from: Did;
  readonly to: Did;
  readonly registry: LogId;
  readonly successor: LogId;
  /** Tokens of the old key that go on counting. */
  readonly kept: number;
}

const registryName = asStreamName('_registry');

interface Keys {
  readonly seeds: SeedReader;
  readonly nodeSecret: Uint8Array;
  readonly peer: Signer;
  readonly writer: Signer;
  readonly recovery: Signer;
}

/**
 * The caller holds the lock of the home. Codes: recovery-key (not the key of this home), succeed-first
 * (the registry takes no entries), those of key files, store, ledger and `Successors.succeed`.
 */
export async function succeedOrganisation(
  home: HomeView,
  host: Host,
  ask: AskPassphrase,
  request: SucceedRequest,
): Promise<Result<Succeeded>> {
  const opened = await openKeys(home, ask, request.recoveryFile);
  if (!opened.ok) return opened;
  const keys = opened.value;
  const begun = await exists(nextOrganisationPath(home.paths));
  const stored = await openHomeLedger({ ...home, keys: { nodeSecret: keys.nodeSecret } }, host);
  if (!stored.ok) return stored;
  await using ledger = stored.value;
  const refused = begun ? undefined : refusal(home, ledger, keys.writer);
  if (refused !== undefined) return refused;
  // From here on the change has begun: the home does not start before it is complete.
  const next = await nextKey(home, host, keys.seeds.passphrase);
  if (!next.ok) return next;
  const from = before(home, ledger, didFromKey(next.value.publicKey));
  const kept = await keptTokens(home, ledger, from, request.keep ?? []);
  if (!kept.ok) return kept;
  const terms = { reason: request.reason, kept: kept.value, ...since(request) };
  const said = await succeedRegistry(home, host, ledger, keys, next.value, terms);
  if (!said.ok) return said;
  await note(host, ledger, keys.peer, request, { from, to: didFromKey(next.value.publicKey) });
  const finished = await finish(home, host, next.value, from);
  if (!finished.ok) return finished;
  return ok({ ...said.value, from, to: didFromKey(next.value.publicKey), kept: kept.value.size });
}

function since(request: SucceedRequest): Pick<SuccessionTerms, 'since'> {
  return request.since === undefined ? {} : { since: request.since };
}

async function openKeys(
  { paths, identity }: HomeView,
  ask: AskPassphrase,
  recoveryFile: string | undefined,
): Promise<Result<Keys>> {
  const seeds = new SeedReader(paths, ask);
  const nodeSecret = await seeds.read('node');
  if (!nodeSecret.ok) return nodeSecret;
  const peer = await seeds.signer('peer', identity.peerKey);
  if (!peer.ok) return peer;
  const writer = await seeds.signer('writer', identity.writerKey);
  if (!writer.ok) return writer;
  const recovery = await recoverySigner(seeds, ask, recoveryFile ?? keyPath(paths, 'recovery'));
  if (!recovery.ok) return recovery;
  if (!equal(nodeCrypto.sha256(recovery.value.publicKey), identity.recoveryHash)) {
    return err(fault('recovery-key', 'this is not the recovery key of this home'));
  }
  const signers = { peer: peer.value, writer: writer.value, recovery: recovery.value };
  return ok({ seeds, nodeSecret: nodeSecret.value, ...signers });
}

async function recoverySigner(
  seeds: SeedReader,
  ask: AskPassphrase,
  file: string,
): Promise<Result<Signer>> {
  const signer = await askedSigner(file, ask, seeds.passphrase);
  if (signer.ok || signer.error.code !== 'key-file-missing') return signer;
  const hint =
    'The recovery key is kept elsewhere: bring its file and name it with --key FILE. Without it this identity is lost: begin anew with hw init in another home.';
  return err(fault('key-file-missing', `there is no recovery key at ${file}`, { file }, hint));
}

/** Why nothing can be said in the registry now: then it is recovered first, under the old DID. */
function refusal(
  { identity }: HomeView,
  ledger: Ledger,
  writer: Signer,
): Result<never> | undefined {
  const registry = newest(ledger, identity.organisation);
  if (registry === undefined) return err(fault('succeed-first', 'this home has no registry yet'));
  const { state, writerKey } = registry;
  const open = state === 'open' || state === 'waiting';
  if (open && writerKey !== undefined && equal(writerKey, writer.publicKey)) return undefined;
  const why = open ? 'signed by a key that is not ours' : state;
  return err(fault('succeed-first', `the registry of this home is ${why}`));
}

function newest(ledger: Ledger, owner: Did): LogSummary | undefined {
  return ownNewest(ledger.logs(), ledger.identities.now(owner), registryName, 0);
}

/** The DID that is succeeded; after a run that was cut off late it is no longer the home's. */
function before({ identity }: HomeView, ledger: Ledger, to: Did): Did {
  const { organisation } = identity;
  if (organisation !== to) return organisation;
  return ledger.identities.all(to)[1] ?? organisation;
}

/** The new key: of a run that was cut off, else a fresh one, locked as the others are. */
async function nextKey(
  { paths }: HomeView,
  host: Host,
  passphrase: string | undefined,
): Promise<Result<Signer>> {
  const file = nextOrganisationPath(paths);
  if (!(await exists(file))) {
    const seed = host.random.bytes(32);
    const written = await writeKeyFile(file, seed, host.random, passphrase);
    seed.fill(0);
    if (!written.ok) return written;
  }
  return readSigner(file, passphrase);
}

/**
 * Tokens by the old key that this home lives by: its delegations, and links of grants. Of a stolen key
 * only they go on counting, so a thief gets no further with what he signs, whenever that was.
 */
async function keptTokens(
  { paths }: HomeView,
  ledger: Ledger,
  old: Did,
  more: readonly Uint8Array[],
): Promise<Result<ReadonlySet<string>>> {
  const kept = new Set<string>();
  const keep = (token: Uint8Array): void => {
    const link = decodeDelegation(token);
    const counts = link.ok && link.value.issuer === old && kept.size < protocol.maxKeptTokens;
    if (counts) kept.add(tokenCid(nodeCrypto, token));
  };
  for (const token of more) keep(token);
  const names = (await readdir(paths.keys)).filter((name) => name.endsWith('.ucan'));
  for (const name of names) {
    const token = await readBytes(join(paths.keys, name));
    if (!token.ok) return token;
    keep(token.value);
  }
  const book = new GrantBook(ledger.rows, nodeCrypto, limits.maxGrants);
  const loaded = await book.load();
  if (!loaded.ok) return loaded;
  // Links that many grants share are one array in the book.
  const seen = new Set<Uint8Array>();
  for (const { tokens } of book.all()) {
    for (const token of tokens) {
      if (!seen.has(token)) keep(token);
      seen.add(token);
    }
  }
  return ok(kept);
}

/** The successor log and its first event, each only where an earlier run has not made it. */
async function succeedRegistry(
  { identity }: HomeView,
  host: Host,
  ledger: Ledger,
  { peer, writer, recovery }: Keys,
  next: Signer,
  terms: SuccessionTerms,
): Promise<Result<Pick<Succeeded, 'registry' | 'successor'>>> {
  const to = didFromKey(next.publicKey);
  const registry = newest(ledger, identity.organisation);
  if (registry === undefined) return err(fault('succeed-first', 'this home has no registry yet'));
  const made = ledger.identities.list().find((one) => one.to === to);
  if (made === undefined) {
    const { random } = host;
    const { peerKey, recoveryHash } = identity;
    const writeDelegation = [mintWriteDelegation(next, random, { audience: peerKey })];
    const named = { keys: { peer }, identity: { ...identity, organisation: to }, writeDelegation };
    const proof = genesisProof(named, random, registryName, 0);
    const plan = { owner: to, recoveryHash, proof };
    const opened = await ledger.successors.succeed(registry.logId, plan, recovery, writer);
    if (!opened.ok) return opened;
    const said = await say(host, ledger, opened.value, to, terms);
    return said.ok ? ok({ registry: registry.logId, successor: opened.value }) : said;
  }
  const { registry: first, successor } = made;
  if ((ledger.log(successor)?.size ?? 0) > 2) return ok({ registry: first, successor });
  const attached = ledger.attachSigner(successor, writer);
  if (!attached.ok) return attached;
  const said = await say(host, ledger, successor, to, terms);
  return said.ok ? ok({ registry: first, successor }) : said;
}

/** The first event of the successor log: nothing may stand before it. */
async function say(
  host: Host,
  ledger: Ledger,
  successor: LogId,
  to: Did,
  terms: SuccessionTerms,
): Promise<Result<void>> {
  const now = host.clock.now();
  const attributes = {
    specversion: '1.0',
    id: v7({ msecs: now, random: host.random.bytes(16) }),
    source: to,
    type: registryTypes.succeeded,
    subject: to,
    time: formatTime(now),
    datacontenttype: 'application/json',
  };
  const event = makeEvent(attributes, dataKind.json, succeededData(to, terms));
  if (!event.ok) return event;
  const published = await ledger.publish(successor, [event.value]);
  const receipt = published.ok ? published.value[0] : published;
  if (receipt === undefined) return err(fault('internal', 'an event without a result'));
  return receipt.ok ? ok(undefined) : receipt;
}

/** In the journal too. What cannot be written there does not keep the organisation from going on. */
async function note(
  host: Host,
  ledger: Ledger,
  peer: Signer,
  { reason, why }: SucceedRequest,
  { from, to }: { readonly from: Did; readonly to: Did },
): Promise<void> {
  const log = ownNewest(ledger.logs(), didFromKey(peer.publicKey), journalName, 0);
  if (log === undefined || !ledger.attachSigner(log.logId, peer).ok) return;
  const append: AppendJournal = (events) => ledger.publish(log.logId, events);
  const id = peerIdFromKey(peer.publicKey);
  await using journal = new Journal(host, id, append, () => undefined);
  const actor = why === undefined ? { who: 'cli' } : { who: 'cli', why };
  journal.did('key.succeed', from, actor, { to, reason });
}

/**
 * The name of the key goes last: while organisation.next.key is there, the work is not done. peer.ucan
 * stays: it is one of the tokens that go on counting, and by it those let us in who know the old DID only.
 */
async function finish(home: HomeView, host: Host, next: Signer, from: Did): Promise<Result<void>> {
  const { paths, identity } = home;
  for (const { file, token } of ownDelegations(paths, next, identity.peerKey, host.random)) {
    const saved = await replaceFile(file, token, 0o600);
    if (!saved.ok) return saved;
  }
  const renewed = { ...identity, organisation: didFromKey(next.publicKey) };
  const saved = await replaceFile(paths.identity, identityJson(renewed));
  if (!saved.ok) return saved;
  const file = keyPath(paths, 'organisation');
  try {
    // A network that it has founded knows no other founder.
    if (await exists(file)) await rename(file, formerOrganisationPath(paths, from));
    await rename(nextOrganisationPath(paths), file);
    return ok(undefined);
  } catch (cause) {
    return err(fileFault('file-unwritable', file, cause));
  }
}
