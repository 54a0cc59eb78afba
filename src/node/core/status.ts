/** A running node at a glance (`hw status`), and the figures of `/metrics`. */
import type { PeerView, StatusView } from '../node-api.ts';
import { metricsText } from './metrics.ts';
import type { CoreParts } from './node-core.ts';
import { pastOf } from '../succession-view.ts';
import { scrubView } from './scrubbing.ts';

export async function statusOf(parts: CoreParts, peers: readonly PeerView[]): Promise<StatusView> {
  const { home, runtime, streams, peer, version, startedAt, ledger, rates } = parts;
  const network = parts.network();
  const joined = network?.control.view();
  const [published = 0, applied = 0] = rates.perSecond();
  return {
    version,
    ready: parts.isReady(),
    organisation: ledger.identities.now(home.identity.organisation),
    ...pastOf(ledger.identities, home.identity.organisation),
    name: home.config.organisation,
    peer,
    ...(joined === undefined
      ? {}
      : { network: { id: joined.id, name: joined.name, version: joined.version } }),
    api: parts.api(),
    addresses: network?.reachable().addresses ?? [],
    startedAt,
    streams: streams.list(false),
    peers,
    checks: await parts.checks(),
    store: { bytes: await parts.storeBytes(), accepting: ledger.stats().accepting },
    rates: { publishedPerSecond: published, appliedPerSecond: applied },
    scrub: scrubView(ledger.scrub.report()),
    residentBytes: runtime.residentBytes(),
  };
}

export function metricsOf(parts: CoreParts): Promise<string> {
  const { ledger, runtime, streams, journal, startedAt, witness, urlFollows } = parts;
  return metricsText({
    stats: () => ledger.stats(),
    scrub: () => ledger.scrub.report(),
    report: () => parts.network()?.gossip.report(),
    topics: () => parts.network()?.topicStats(),
    streams: () => streams.list(false),
    residentBytes: () => runtime.residentBytes(),
    journalDropped: () => journal.dropped,
    witness,
    forkedLogs: () => ledger.forks.list().length,
    urls: () => urlFollows.list(),
    revocationAgeMs: () => parts.access.freshness.ageMs(parts.home.identity.organisation),
    uptimeSeconds: () => (runtime.clock.now() - startedAt) / 1000,
  });
}
