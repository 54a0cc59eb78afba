/** The streams of a stopped home: names resolved by the registries that its store holds. */
import { didFromKey } from '../ids.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import { ControlState } from './core/control-state.ts';
import { Registries } from './core/registries.ts';
import { RegistryFeed } from './core/registry-feed.ts';
import { Streams } from './core/streams.ts';
import { openOwners } from './core/successions.ts';
import type { HomeView } from './home.ts';

export interface OfflineStreams {
  readonly streams: Streams;
  readonly registries: Registries;
  readonly control: ControlState;
  /** Registries that could not be read whole. */
  readonly unread: ReadonlySet<LogId>;
}

export async function openOfflineStreams(
  home: HomeView,
  ledger: Ledger,
): Promise<Result<OfflineStreams>> {
  const control = await ControlState.load(home.paths.control);
  if (!control.ok) return control;
  const { organisation, peerKey } = home.identity;
  const owners = await openOwners(ledger);
  if (!owners.ok) return owners;
  const aliases = new Map(Object.entries(home.config.aliases));
  const registries = new Registries(organisation, aliases, owners.value);
  const unread = new Set<LogId>();
  const problem = (logId: LogId): void => void unread.add(logId);
  await using feed = new RegistryFeed(ledger, registries, { stream: () => undefined, problem });
  await feed.start();
  const streams = new Streams({
    ledger,
    registries,
    control: control.value,
    self: organisation,
    peerOwner: didFromKey(peerKey),
    lag: () => ({ entries: 0 }),
  });
  return ok({ streams, registries, control: control.value, unread });
}
