/** What is not as it should be with a running node: looked for now and then, and when it is asked. */
import type { Ledger } from '../ledger/ledger.ts';
import type { AccessRoom } from './access/access-room.ts';
import { CheckBook, judge } from './core/checks.ts';
import type { Follows } from './core/follows.ts';
import { journalTypes, type Journal } from './core/journal.ts';
import type { OwnLogs } from './core/own-logs.ts';
import { retentionFinding } from './core/retention.ts';
import { scrubFinding } from './core/scrubbing.ts';
import type { Streams } from './core/streams.ts';
import type { Successions } from './core/successions.ts';
import type { UrlFollows } from './core/url-follows.ts';
import { freeBytes } from './disk.ts';
import type { Home } from './home.ts';
import type { Listeners } from './listeners.ts';
import type { NodeLog } from './logger.ts';
import type { Networking } from './networking.ts';
import type { Check } from './node-api.ts';
import type { Runtime } from './runtime.ts';
import { epochKeyFindings } from './sealed/findings.ts';
import type { SealedRoom } from './sealed/sealed-room.ts';
import type { UsageRoom } from './usage/usage-room.ts';
import { witnessFindings } from './witness/findings.ts';
import type { WitnessNode } from './witness/witness-node.ts';

export interface CheckedParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly log: NodeLog;
  readonly ledger: Ledger;
  readonly streams: Streams;
  readonly follows: Follows;
  readonly urlFollows: UrlFollows;
  readonly ownLogs: OwnLogs;
  readonly owners: Pick<Successions, 'findings'>;
  readonly journal: Journal;
  readonly witness: WitnessNode;
  readonly access: AccessRoom;
  readonly usage: UsageRoom;
  readonly sealed: SealedRoom;
  readonly network: () => Networking | undefined;
  readonly listeners: () => Listeners | undefined;
}

export class NodeChecks {
  readonly #parts: CheckedParts;
  readonly #book = new CheckBook();

  constructor(parts: CheckedParts) {
    this.#parts = parts;
  }

  /** All checks as they stand; what has just gone wrong is told to the log and the journal, once. */
  async look(): Promise<readonly Check[]> {
    const { runtime, log, journal } = this.#parts;
    const findings = await this.#findings();
    const before = this.#book.open;
    const checks = this.#book.update(findings, runtime.clock.now());
    for (const { name, ok: fine, reason } of checks) {
      if (fine || before.has(name)) continue;
      log.warn({ check: name }, reason ?? name);
      journal.record({ type: journalTypes.warning, subject: name, data: { reason } });
    }
    return checks;
  }

  async #findings(): Promise<readonly Omit<Check, 'since'>[]> {
    const { home, runtime, ledger, streams, follows, urlFollows, ownLogs, journal } = this.#parts;
    const { witness, access, usage, listeners, owners, sealed } = this.#parts;
    const network = this.#parts.network();
    const judged = judge({
      streams: streams.list(false),
      keyless: ownLogs.keyless.map(({ genesis }) => genesis?.name ?? ''),
      unresolved: follows.unresolved(),
      connectedPeers: network?.gossip.report().peers.length ?? 0,
      hasNetwork: network !== undefined,
      clockOffsetMs: network?.gossip.clockOpinion()?.offsetMs,
      storeAccepting: ledger.stats().accepting,
      freeBytes: await freeBytes(home.paths.root),
      journalDropped: journal.dropped,
    });
    return [
      ...judged,
      scrubFinding(ledger.scrub.report()),
      retentionFinding(ledger.retention),
      ...urlFollows.findings(),
      ...owners.findings(),
      ...access.findings(),
      ...usage.findings(),
      ...epochKeyFindings(ledger.logs(), sealed.own),
      ...(listeners()?.findings() ?? []),
      ...witnessFindings(witness, runtime.clock.now()),
    ];
  }
}
