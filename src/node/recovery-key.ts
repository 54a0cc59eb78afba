/**
 * `hw key recover`: replaces the recovery key of a stopped home. Each log says so in a control entry that
 * reveals the present key, is signed by it and names the hash of the next one (ledger.md "Keys, rotation,
 * recovery"). The new key lies in keys/recovery.next.key until all have; a run that was cut off goes on.
 */
import { rename } from 'node:fs/promises';
import { readSigner, writeKeyFile } from '../access/key-file-store.ts';
import { equal } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { nodeCrypto } from '../crypto-node.ts';
import { fault, type Fault } from '../errors.ts';
import type { Host } from '../host.ts';
import { didFromKey, logIdHash } from '../ids.ts';
import { controlMap } from '../ledger/control.ts';
import { makeRecovery, readKeyChain, recoveryHashAt } from '../ledger/key-chain.ts';
import type { LogSummary } from '../ledger/ledger-types.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type Did, type Hash, type LogId } from '../types.ts';
import { exists, fileFault, replaceFile } from './files.ts';
import { keyPath, nextRecoveryPath, SeedReader, type AskPassphrase } from './home-keys.ts';
import { identityJson, type HomeView } from './home.ts';
import { openHomeLedger } from './open-ledger.ts';

export interface RecoveryReplaced {
  readonly recovery: Did;
  /** Logs that name the new key now; those of an earlier run that was cut off are not among them. */
  readonly logs: readonly LogId[];
}

/**
 * The caller holds the lock of the home. Codes: recovery-key (not the key of this home), recover-first,
 * those of key files, store and ledger.
 */
export async function replaceRecoveryKey(
  home: HomeView,
  host: Host,
  ask: AskPassphrase,
  keyFile: string | undefined,
): Promise<Result<RecoveryReplaced>> {
  const seeds = new SeedReader(home.paths, ask);
  const secret = await seeds.read('node');
  const peer = await seeds.signer('peer', home.identity.peerKey);
  const writer = await seeds.signer('writer', home.identity.writerKey);
  if (!secret.ok) return secret;
  if (!peer.ok) return peer;
  if (!writer.ok) return writer;
  const begun = await begunKey(home, seeds.passphrase);
  if (!begun.ok) return begun;
  const begunHash = begun.value && nodeCrypto.sha256(begun.value.publicKey);
  if (begun.value && begunHash && equal(home.identity.recoveryHash, begunHash)) {
    return finish(home, begun.value, begunHash, []);
  }
  const old = await readSigner(keyFile ?? keyPath(home.paths, 'recovery'), seeds.passphrase);
  if (!old.ok) return old;
  if (!equal(nodeCrypto.sha256(old.value.publicKey), home.identity.recoveryHash)) {
    return err(fault('recovery-key', 'this is not the recovery key of this home'));
  }
  const parts = { ...home, keys: { nodeSecret: secret.value } };
  const opened = await openHomeLedger(parts, host);
  if (!opened.ok) return opened;
  await using ledger = opened.value;
  const own = ledger.logs().filter((log) => log.createdLocally && log.state !== 'closed');
  const first = own.map((log) => unsigned(log, [writer.value, peer.value])).find(Boolean);
  if (first !== undefined) return err(first);
  // From here on the change has begun: the home does not start before it is complete.
  const next = begun.value ? ok(begun.value) : await nextKey(home, host, seeds.passphrase);
  if (!next.ok) return next;
  const nextHash = nodeCrypto.sha256(next.value.publicKey);
  const changed: LogId[] = [];
  for (const log of own) {
    const signer = [writer.value, peer.value].find((one) => holds(one, log)) ?? writer.value;
    const done = await change(ledger, log, signer, old.value, nextHash);
    if (!done.ok) return done;
    if (done.value) changed.push(log.logId);
  }
  return await finish(home, next.value, nextHash, changed);
}

/** Why a log cannot say anything now: then its owner still needs the old key. */
function unsigned(log: LogSummary, signers: readonly Signer[]): Fault | undefined {
  const open = log.state === 'open' || log.state === 'waiting';
  if (open && signers.some((signer) => holds(signer, log))) return undefined;
  const name = log.genesis?.name ?? log.logId;
  const state = open ? 'signed by a key that is not ours' : log.state;
  return fault('recover-first', `${name} is ${state}`);
}

function holds({ publicKey }: Signer, { writerKey }: LogSummary): boolean {
  return writerKey !== undefined && equal(writerKey, publicKey);
}

/** False where the log names the new key already. */
async function change(
  ledger: Ledger,
  log: LogSummary,
  signer: Signer,
  old: Signer,
  nextHash: Hash,
): Promise<Result<boolean>> {
  const page = await ledger.keyChain(log.logId);
  if (!page.ok) return page;
  const id = logIdHash(log.logId);
  const chain = readKeyChain(nodeCrypto, id, page.value.entries);
  if (!chain.ok) return chain;
  if (equal(recoveryHashAt(chain.value, log.size), nextHash)) return ok(false);
  const attached = ledger.attachSigner(log.logId, signer);
  if (!attached.ok) return attached;
  const entry = makeRecovery(id, asLogIndex(log.size), old, nextHash);
  const done = await ledger.appendControl(log.logId, controlMap(entry));
  return done.ok ? ok(true) : done;
}

/** The new key of a run that was cut off. */
async function begunKey(
  { paths }: HomeView,
  passphrase: string | undefined,
): Promise<Result<Signer | undefined>> {
  const file = nextRecoveryPath(paths);
  return (await exists(file)) ? readSigner(file, passphrase) : ok(undefined);
}

async function nextKey(
  { paths }: HomeView,
  host: Host,
  passphrase: string | undefined,
): Promise<Result<Signer>> {
  const file = nextRecoveryPath(paths);
  const seed = host.random.bytes(32);
  const written = await writeKeyFile(file, seed, host.random, passphrase);
  seed.fill(0);
  return written.ok ? readSigner(file, passphrase) : written;
}

/** The name of the key goes last: while recovery.next.key is there, the work is not done. */
async function finish(
  home: HomeView,
  next: Signer,
  recoveryHash: Hash,
  logs: readonly LogId[],
): Promise<Result<RecoveryReplaced>> {
  const identity = { ...home.identity, recoveryHash };
  const saved = await replaceFile(home.paths.identity, identityJson(identity));
  if (!saved.ok) return saved;
  const file = keyPath(home.paths, 'recovery');
  try {
    await rename(nextRecoveryPath(home.paths), file);
    return ok({ recovery: didFromKey(next.publicKey), logs });
  } catch (cause) {
    return err(fileFault('file-unwritable', file, cause));
  }
}
