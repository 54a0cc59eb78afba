/**
 * What is not as it should be, with a reason, a since and what to do (`hw doctor`, `hw status`). The
 * judgement is a pure function of what was observed; `CheckBook` only remembers since when.
 */
import type { Fault } from '../../errors.ts';
import { keyElsewhere } from '../../ledger/writer-key.ts';
import { limits } from '../../limits.ts';
import type { TimeMs } from '../../types.ts';
import type { Check, StreamView } from '../node-api.ts';

export interface Observed {
  readonly streams: readonly StreamView[];
  /** Names of own logs that this home has not the key to sign. */
  readonly keyless: readonly string[];
  /** Targets that are followed but that no registry knows yet. */
  readonly unresolved: readonly string[];
  readonly connectedPeers: number;
  readonly hasNetwork: boolean;
  /** Undefined where nobody's word is known. */
  readonly clockOffsetMs: number | undefined;
  readonly storeAccepting: boolean;
  readonly freeBytes: number;
  readonly journalDropped: number;
}

type Finding = Omit<Check, 'since'>;

const fine = (name: string): Finding => ({ name, ok: true, level: 'ok' });
const wrong = (
  name: string,
  level: 'warning' | 'error',
  reason: string,
  hint: string,
): Finding => ({ name, ok: false, level, reason, hint });

/** One finding for each thing that is looked at; those of streams only where something is wrong. */
export function judge(seen: Observed): readonly Finding[] {
  return [
    store(seen),
    disk(seen),
    clock(seen),
    network(seen),
    journal(seen),
    ...seen.streams.flatMap(streamFindings),
    ...keys(seen),
    ...seen.unresolved.map((target) =>
      wrong(
        `follow ${target}`,
        'warning',
        'no registry that is known here lists it',
        'It is fetched as soon as a peer that knows it is connected; see hw peer list.',
      ),
    ),
  ];
}

function store({ storeAccepting }: Observed): Finding {
  if (storeAccepting) return fine('store');
  const hint = 'Make room on the disk of the home; the node goes on by itself.';
  return wrong('store', 'error', 'the store takes no writes', hint);
}

function disk({ freeBytes }: Observed): Finding {
  if (freeBytes >= limits.minFreeDiskBytes) return fine('disk');
  const free = `${Math.round(freeBytes / 1024 / 1024)} MiB free`;
  return wrong('disk', 'warning', free, 'Make room, or move the home to a larger disk.');
}

function clock({ clockOffsetMs }: Observed): Finding {
  if (clockOffsetMs === undefined || Math.abs(clockOffsetMs) < limits.clockWarningMs)
    return fine('clock');
  const seconds = `${Math.round(clockOffsetMs / 1000)} s off the median of the peers`;
  return wrong('clock', 'warning', seconds, 'Set the clock of this machine (NTP).');
}

function network({ hasNetwork, connectedPeers }: Observed): Finding {
  if (!hasNetwork || connectedPeers > 0) return fine('network');
  const hint = 'Check that a peer of the network runs and can be reached; hw peer list.';
  return wrong('network', 'warning', 'no peer is connected', hint);
}

function journal({ journalDropped }: Observed): Finding {
  if (journalDropped === 0) return fine('journal');
  const reason = `${journalDropped} entries could not be written`;
  return wrong('journal', 'warning', reason, 'See the log of the node; the store may be full.');
}

function keys({ keyless }: Observed): readonly Finding[] {
  if (keyless.length === 0) return [];
  const { message, code, hint } = keyElsewhere();
  const streams = [...new Set(keyless)];
  const names = streams.slice(0, 5).join(', ') + (streams.length > 5 ? ', …' : '');
  return [wrong('writer key', 'error', `${names}: ${message} (${code})`, hint)];
}

function streamFindings(stream: StreamView): readonly Finding[] {
  return stream.logs.flatMap((log) => {
    const name = `stream ${stream.display}${stream.partitions > 1 ? `/${log.partition}` : ''}`;
    if (log.problem !== undefined) return [problem(name, log.state, log.problem)];
    if (log.lagEntries > 0) {
      const hint = 'It catches up by itself while a peer that has it is connected.';
      return [wrong(name, 'warning', `${log.lagEntries} entries behind`, hint)];
    }
    return [];
  });
}

function problem(name: string, state: string, fault: Fault): Finding {
  return wrong(name, 'error', `${state}: ${fault.message} (${fault.code})`, fault.hint);
}

/** Remembers since when each finding has been as it is. */
export class CheckBook {
  readonly #since = new Map<string, TimeMs>();

  /** The findings with their since; those that are gone are forgotten. */
  update(findings: readonly Finding[], now: TimeMs): readonly Check[] {
    const bad = new Set(findings.filter(({ ok }) => !ok).map(({ name }) => name));
    for (const name of this.#since.keys()) if (!bad.has(name)) this.#since.delete(name);
    return findings.map((finding) => {
      if (finding.ok) return finding;
      const since = this.#since.get(finding.name) ?? now;
      this.#since.set(finding.name, since);
      return { ...finding, since };
    });
  }

  /** Names of the findings that are wrong now. */
  get open(): ReadonlySet<string> {
    return new Set(this.#since.keys());
  }
}
