/** What the store of a stopped home says of its deliveries. */
import { nodeCrypto } from '../../crypto-node.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { ok, type Result } from '../../result.ts';
import { journalName } from '../core/own-logs.ts';
import type { Registries } from '../core/registries.ts';
import type { HomeView } from '../home.ts';
import type { UsageApi } from '../usage-api.ts';
import { journaled } from './open-usage.ts';
import { UsageBook } from './usage-book.ts';
import { UsageViews } from './usage-view.ts';

/** Codes: those of the store. What cannot be read is left out. */
export async function offlineUsage(
  home: HomeView,
  ledger: Ledger,
  registries: Registries,
): Promise<Result<UsageApi>> {
  const { limits } = home.config;
  const book = new UsageBook(ledger.rows, nodeCrypto, limits);
  const own = ledger.logs().filter(({ createdLocally }) => createdLocally);
  const journal = own.findLast(({ genesis }) => genesis?.name === journalName)?.logId;
  const loaded = await book.load(journal, ledger);
  if (!loaded.ok) return loaded;
  return ok(
    new UsageViews({
      book,
      isGiven: () => false,
      madeOf: () => undefined,
      journaled: (log) => journaled(ledger, journal, log, limits),
      nameOf: (did) => registries.nameOf(did),
      streamName: (owner, name) => `${owner}/${name}`,
    }),
  );
}
