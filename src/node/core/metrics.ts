/** Prometheus metrics, read from the counters of the parts when they are asked for. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { GossipReport } from '../../gossip/gossip-report.ts';
import type { TopicStats } from '../../gossip/transport.ts';
import type { LedgerStats } from '../../ledger/ledger-types.ts';
import type { ScrubReport } from '../../ledger/scrub.ts';
import type { StreamView } from '../node-api.ts';
import type { WitnessApi } from '../witness-api.ts';
import type { UrlView } from '../tree-api.ts';
import { witnessMetrics } from './witness-metrics.ts';

export interface MetricSources {
  stats(): LedgerStats;
  scrub(): ScrubReport;
  report(): GossipReport | undefined;
  topics(): TopicStats | undefined;
  streams(): readonly StreamView[];
  residentBytes(): number;
  journalDropped(): number;
  readonly witness: Pick<WitnessApi, 'ofOwnLogs' | 'answers'>;
  forkedLogs(): number;
  /** Places that are followed by URL. */
  urls(): readonly UrlView[];
  uptimeSeconds(): number;
  /** Of our own registry; undefined where nothing was heard. */
  revocationAgeMs(): number | undefined;
}

const ledgerCounters = [
  ['publishedEvents', 'headwater_published_events_total', 'events appended to own logs'],
  ['publishedBlocks', 'headwater_published_blocks_total', 'blocks signed'],
  ['appliedEvents', 'headwater_applied_events_total', 'entries stored of other logs'],
  ['appliedBlocks', 'headwater_applied_blocks_total', 'blocks stored of other logs'],
  ['duplicates', 'headwater_duplicate_events_total', 'publishes answered with an earlier receipt'],
  ['conflicts', 'headwater_conflicting_events_total', 'publishes refused as event-conflict'],
  ['busy', 'headwater_busy_total', 'publishes refused because a queue was full'],
  ['storeFailures', 'headwater_store_failures_total', 'writes that the store refused'],
  ['forks', 'headwater_forks_total', 'logs seen with two histories'],
  ['droppedBodies', 'headwater_dropped_bodies_total', 'bodies taken out by retention'],
  ['redactedBodies', 'headwater_redacted_bodies_total', 'bodies taken out by a redaction'],
  ['retentionFailures', 'headwater_retention_failures_total', 'bodies due that could not go'],
  ['dedupeLookups', 'headwater_dedupe_lookups_total', 'ids looked up in the store'],
] as const;

const ledgerGauges = [
  ['pendingEvents', 'headwater_pending_events', 'events that wait for a block'],
  ['pendingBytes', 'headwater_pending_bytes', 'bytes that wait for a block'],
  ['dedupeFilterBytes', 'headwater_dedupe_filter_bytes', 'memory of the dedupe filters'],
] as const;

/** The text of `/metrics`. A fresh registry a scrape: nothing is kept between two. */
export function metricsText(sources: MetricSources): Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const stats = sources.stats();
  for (const [name, metric, help] of ledgerCounters) {
    new Counter({ name: metric, help, registers }).inc(stats[name]);
  }
  const gauge = (name: string, help: string, value: number): void => {
    new Gauge({ name, help, registers }).set(value);
  };
  for (const [name, metric, help] of ledgerGauges) gauge(metric, help, stats[name]);
  gauge('headwater_store_accepting', '1 while the store takes writes', stats.accepting ? 1 : 0);
  gauge('headwater_resident_bytes', 'resident memory', sources.residentBytes());
  gauge('headwater_uptime_seconds', 'seconds since the start', sources.uptimeSeconds());
  gauge('headwater_forked_logs', 'logs of which a fork proof is kept', sources.forkedLogs());
  const age = (sources.revocationAgeMs() ?? Infinity) / 1000;
  gauge('headwater_revocation_view_seconds', 'age of the view of our own revocations', age);
  const urls = sources.urls();
  const failing = urls.filter(({ problem }) => problem !== undefined).length;
  gauge('headwater_url_follows', 'places that are followed by URL', urls.length);
  gauge('headwater_url_follows_failing', 'those of them that failed the last time', failing);
  gauge('headwater_journal_dropped', 'journal entries lost', sources.journalDropped());
  scrubMetrics(registers, sources.scrub());
  streamMetrics(registers, sources.streams());
  witnessMetrics(registers, sources.witness);
  const report = sources.report();
  if (report !== undefined) networkMetrics(registers, report);
  const topics = sources.topics();
  if (topics !== undefined) gossipMetrics(registers, topics);
  return registry.metrics();
}

function scrubMetrics(registers: Registry[], report: ScrubReport): void {
  const counters = [
    ['headwater_scrub_entries_total', 'stored entries checked again', report.checkedEntries],
    ['headwater_scrub_blocks_total', 'stored blocks checked again', report.checkedBlocks],
    ['headwater_scrub_damage_total', 'damaged places found in the store', report.found],
    ['headwater_scrub_repaired_total', 'damaged places repaired', report.repaired],
  ] as const;
  for (const [name, help, value] of counters) new Counter({ name, help, registers }).inc(value);
  const open = report.findings.filter(({ repairedFrom }) => repairedFrom === undefined).length;
  const help = 'damaged places that are not repaired';
  new Gauge({ name: 'headwater_scrub_damage_open', help, registers }).set(open);
}

function streamMetrics(registers: Registry[], streams: readonly StreamView[]): void {
  const labelNames = ['stream', 'partition'];
  const size = new Gauge({
    name: 'headwater_log_size',
    help: 'entries kept',
    labelNames,
    registers,
  });
  const lag = new Gauge({
    name: 'headwater_log_lag_entries',
    help: 'entries behind the best proved head',
    labelNames,
    registers,
  });
  const frozen = new Gauge({
    name: 'headwater_log_frozen',
    help: '1 where two histories of the log are known',
    labelNames,
    registers,
  });
  for (const stream of streams) {
    for (const log of stream.logs) {
      const labels = { stream: stream.display, partition: String(log.partition) };
      size.set(labels, log.size);
      lag.set(labels, log.lagEntries);
      frozen.set(labels, log.state === 'frozen' ? 1 : 0);
    }
  }
}

function networkMetrics(registers: Registry[], report: GossipReport): void {
  const gauge = (name: string, help: string, value: number): void => {
    new Gauge({ name, help, registers }).set(value);
  };
  gauge('headwater_peers', 'connected peers', report.peers.length);
  gauge('headwater_topics', 'block topics subscribed', report.topics);
  gauge('headwater_syncing_logs', 'logs waiting or being fetched', report.syncing);
  gauge('headwater_orphan_bytes', 'bytes of blocks ahead of our heads', report.orphanBytes);
  const counts = new Counter({
    name: 'headwater_network_total',
    help: 'events of the network by name',
    labelNames: ['name'],
    registers,
  });
  for (const [name, count] of report.counts) counts.inc({ name }, count);
  const rejects = new Counter({
    name: 'headwater_rejects_total',
    help: 'what peers sent that could never be valid, by reason',
    labelNames: ['code'],
    registers,
  });
  for (const [code, count] of report.rejectsByReason) rejects.inc({ code }, count);
  const traffic = new Counter({
    name: 'headwater_network_bytes_total',
    help: 'bytes by protocol and direction',
    labelNames: ['protocol', 'direction'],
    registers,
  });
  for (const [protocol, bytes] of report.traffic) {
    traffic.inc({ protocol, direction: 'in' }, bytes.bytesIn);
    traffic.inc({ protocol, direction: 'out' }, bytes.bytesOut);
  }
}

const gossipCounters = [
  ['published', 'messages published'],
  ['publishedBytes', 'bytes published'],
  ['received', 'messages received'],
  ['receivedBytes', 'bytes received'],
  ['accepted', 'messages accepted and passed on'],
  ['ignored', 'messages known or not judged now'],
  ['rejected', 'messages that could never be valid'],
  ['overflow', 'messages not judged because too many waited'],
  ['resets', 'connections made anew by the watchdog'],
] as const;

function gossipMetrics(registers: Registry[], stats: TopicStats): void {
  for (const [member, help] of gossipCounters) {
    const name = `headwater_gossip_${member.replace(/[A-Z]/, (c) => `_${c.toLowerCase()}`)}_total`;
    new Counter({ name, help, registers }).inc(stats[member]);
  }
  const labelNames = ['topic'];
  const help = 'neighbours in the mesh of a topic';
  const mesh = new Gauge({ name: 'headwater_gossip_mesh', help, labelNames, registers });
  for (const [topic, peers] of stats.mesh) mesh.set({ topic }, peers);
}
