/** Sealed logs of an `EvidenceLog` at a reader: its ledger, and the keys that it holds. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { EvidenceLog } from '../../scripts/vectors/evidence-log.ts';
import { sealedRoot } from '../../scripts/vectors/sealed-log.ts';
import type { EpochNode } from '../../src/access/epoch-keys.ts';
import type { LedgerEntry } from '../../src/ledger/ledger-types.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { EpochFiles } from '../../src/node/sealed/epoch-file.ts';
import { GotKeys } from '../../src/node/sealed/got-keys.ts';
import { OwnKeys } from '../../src/node/sealed/own-keys.ts';
import { SealedRoom } from '../../src/node/sealed/sealed-room.ts';
import { asLogIndex } from '../../src/types.ts';
import { nodeSecret } from './ledger-home.ts';
import { must } from './result.ts';

export const keyRandom: { bytes(length: number): Uint8Array } = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
};

/** What is sealed at a home that holds the key trees of these logs; a root may be replaced. */
export async function roomFor(
  ledger: Ledger,
  folder: string,
  logs: readonly EvidenceLog[],
  root: (log: EvidenceLog) => EpochNode = ({ name }) => sealedRoot(name),
): Promise<SealedRoom> {
  const epochs = join(folder, 'epochs');
  const files = new EpochFiles(epochs, nodeSecret, keyRandom);
  for (const log of logs) {
    must(await files.write(log.state.logId, [{ generation: 0, nodes: [root(log)] }]));
  }
  const own = must(await OwnKeys.open(epochs, nodeSecret, keyRandom));
  return new SealedRoom(ledger, { own, got: new GotKeys() });
}

export async function entryAt(
  ledger: Ledger,
  { state }: EvidenceLog,
  index: number,
): Promise<LedgerEntry> {
  return must(await ledger.entry(state.logId, asLogIndex(index)));
}
