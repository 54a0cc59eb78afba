/**
 * `hw key rotate`: passes every log of a stopped home from the writer key to a new one. The new key
 * lies in keys/writer.next.key from the first step to the last, so that a run that was cut off goes
 * on with it; until then the home does not start (`rotation-unfinished`).
 */
import { rename } from 'node:fs/promises';
import { equal } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { signerFromSeed } from '../crypto-node.ts';
import { readSeed, writeKeyFile } from '../access/key-file-store.ts';
import type { Host } from '../host.ts';
import { didFromKey } from '../ids.ts';
import type { LogSummary } from '../ledger/ledger-types.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, LogId } from '../types.ts';
import { exists, fileFault, replaceFile } from './files.ts';
import { keyPath, nextWriterPath, SeedReader, type AskPassphrase } from './home-keys.ts';
import { identityJson, type HomeView } from './home.ts';
import { openHomeLedger } from './open-ledger.ts';

export interface Rotated {
  readonly writer: Did;
  /** Logs that passed on now; those of an earlier run that was cut off are not among them. */
  readonly logs: readonly LogId[];
  /** Own logs that the new key cannot write: `hw stream recover` goes on from them. */
  readonly left: readonly LogId[];
}

/**
 * The caller holds the lock of the home. With `lost` the old key is not asked for, and no log passes on.
 * Codes: those of key files, store and ledger.
 */
export async function rotateWriterKey(
  home: HomeView,
  host: Host,
  ask: AskPassphrase,
  lost = false,
): Promise<Result<Rotated>> {
  const seeds = new SeedReader(home.paths, ask);
  const secret = await seeds.read('node');
  if (!secret.ok) return secret;
  const old = lost ? ok(undefined) : await oldSigner(seeds);
  if (!old.ok) return old;
  const next = await nextSigner(home, host, seeds.passphrase);
  if (!next.ok) return next;
  const parts = { ...home, keys: { nodeSecret: secret.value } };
  const opened = await openHomeLedger(parts, host);
  if (!opened.ok) return opened;
  await using ledger = opened.value;
  const logs = old.value === undefined ? ok([]) : await rotateLogs(ledger, old.value, next.value);
  if (!logs.ok) return logs;
  const left = leftBehind(home, ledger, next.value);
  const finished = await finish(home, next.value);
  if (!finished.ok) return finished;
  return ok({ writer: didFromKey(next.value.publicKey), logs: logs.value, left });
}

async function oldSigner(seeds: SeedReader): Promise<Result<Signer>> {
  const seed = await seeds.read('writer');
  if (!seed.ok) return seed;
  const signer = signerFromSeed(seed.value);
  seed.value.fill(0);
  return ok(signer);
}

/** Own logs that go on but under another key than the new one; the journal has the peer's. */
function leftBehind({ identity }: HomeView, ledger: Ledger, next: Signer): readonly LogId[] {
  const keys = [next.publicKey, identity.peerKey];
  return ledger
    .logs()
    .filter(({ createdLocally, state }) => createdLocally && state !== 'closed')
    .filter(
      ({ writerKey }) => !keys.some((key) => writerKey !== undefined && equal(key, writerKey)),
    )
    .map(({ logId }) => logId);
}

/** The key of a run that was cut off, else a new one, locked as the others are. */
async function nextSigner(
  { paths }: HomeView,
  host: Host,
  passphrase: string | undefined,
): Promise<Result<Signer>> {
  const file = nextWriterPath(paths);
  if (!(await exists(file))) {
    const seed = host.random.bytes(32);
    const written = await writeKeyFile(file, seed, host.random, passphrase);
    seed.fill(0);
    if (!written.ok) return written;
  }
  const seed = await readSeed(file, passphrase);
  if (!seed.ok) return seed;
  const signer = signerFromSeed(seed.value);
  seed.value.fill(0);
  return ok(signer);
}

async function rotateLogs(
  ledger: Ledger,
  old: Signer,
  next: Signer,
): Promise<Result<readonly LogId[]>> {
  const rotated: LogId[] = [];
  for (const log of ledger.logs()) {
    if (!isHeldBy(log, old)) continue;
    const attached = ledger.attachSigner(log.logId, old);
    if (!attached.ok) return attached;
    const done = await ledger.rotate(log.logId, next);
    if (!done.ok) return done;
    rotated.push(log.logId);
  }
  return ok(rotated);
}

function isHeldBy(log: LogSummary, { publicKey }: Signer): boolean {
  // One that is frozen or damaged can say nothing; it goes on by its recovery.
  if (log.state !== 'open' && log.state !== 'waiting') return false;
  return log.createdLocally && log.writerKey !== undefined && equal(log.writerKey, publicKey);
}

/** The name of the key goes last: while writer.next.key is there, the work is not done. */
async function finish(home: HomeView, next: Signer): Promise<Result<void>> {
  const identity = { ...home.identity, writerKey: next.publicKey };
  const saved = await replaceFile(home.paths.identity, identityJson(identity));
  if (!saved.ok) return saved;
  const file = keyPath(home.paths, 'writer');
  try {
    await rename(nextWriterPath(home.paths), file);
    return ok(undefined);
  } catch (cause) {
    return err(fileFault('file-unwritable', file, cause));
  }
}
