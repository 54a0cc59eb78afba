/** The lineage that an audit bundle proves, as a graph for rendering, from the entries that it showed. */
import { toHex } from '../bytes.ts';
import { fault } from '../errors.ts';
import { formatReference, logIdFromHash, type Reference } from '../ids.ts';
import type { BundleReport, SeenEntry } from '../ledger/bundle-report.ts';
import type { Parent } from '../ledger/leaf.ts';
import { asLogIndex, type LogId } from '../types.ts';
import { factsOf } from './facts.ts';
import { worse, type LineageGraph, type LineageNode, type Origin } from './graph.ts';

interface Step {
  readonly node: LineageNode;
  readonly parents: readonly Parent[];
}

/** What was asked for first, then its inputs in order of distance. */
export function bundleGraph(report: BundleReport): LineageGraph {
  const maker = new GraphMaker(report);
  return maker.make();
}

class GraphMaker {
  readonly #report: BundleReport;
  readonly #origins: ReadonlyMap<string, Origin>;
  readonly #steps = new Map<string, Step>();
  readonly #byLog = new Map<LogId, SeenEntry[]>();
  readonly #nodes = new Map<string, LineageNode>();
  readonly #ranges = new Map<string, LineageNode>();

  constructor(report: BundleReport) {
    this.#report = report;
    this.#origins = new Map(
      report.logs.map(({ logId, genesis: { owner, name } }) => {
        return [logId, { stream: name, organisation: owner, owner }];
      }),
    );
  }

  make(): LineageGraph {
    for (const seen of this.#report.seen) {
      if (seen.kind !== 'event' && seen.kind !== 'sealed') continue;
      this.#steps.set(refOf(seen), this.#step(seen));
      const log = this.#byLog.get(seen.logId);
      if (log === undefined) this.#byLog.set(seen.logId, [seen]);
      else log.push(seen);
    }
    const roots = this.#report.seen.filter(({ asked }) => asked).map(refOf);
    let queue = roots.filter((ref) => this.#steps.has(ref));
    while (queue.length > 0) queue = queue.flatMap((ref) => this.#visit(ref));
    const verdict = [...this.#nodes.values()].reduce<LineageNode['verdict']>(
      (worst, node) => worse(worst, node.verdict),
      'intact',
    );
    return { root: roots[0] ?? '', direction: 'up', nodes: this.#nodes, verdict };
  }

  /** Adds a step with its inputs; gives the refs that are still to be visited. */
  #visit(ref: string): readonly string[] {
    const step = this.#steps.get(ref);
    if (step === undefined || this.#nodes.has(ref)) return [];
    const next = step.parents.map((parent) => this.#input(parent));
    const unique = [...new Set(next)];
    this.#nodes.set(ref, { ...step.node, next: unique });
    return unique.flatMap((input) => {
      const range = this.#ranges.get(input);
      if (range === undefined) return this.#nodes.has(input) ? [] : [input];
      if (!this.#nodes.has(input)) this.#nodes.set(input, range);
      return range.next.filter((member) => !this.#nodes.has(member));
    });
  }

  /** Ref of an input: an event that was shown, else a node of its own for the range. */
  #input({ log, from, to, rangeRoot }: Parent): string {
    const logId = logIdFromHash(log);
    const place = { logId, from, to };
    const ref = formatReference(place);
    if (this.#steps.has(ref) || this.#ranges.has(ref)) return ref;
    const inside = (this.#byLog.get(logId) ?? []).filter(
      ({ index }) => index >= from && index < to,
    );
    const node = this.#rangeNode(ref, place, toHex(rangeRoot), inside.map(refOf));
    this.#ranges.set(ref, node);
    return ref;
  }

  #rangeNode(ref: string, place: Reference, hash: string, next: readonly string[]): LineageNode {
    const kind = place.to === place.from + 1 ? 'event' : 'range';
    const base = {
      ...this.#origin(place.logId),
      ref,
      place,
      kind,
      hash,
      attestations: [],
    } as const;
    const { state } = this.#report.manifest?.inputs ?? { state: 'none' };
    const missing = this.#report.missing.some(
      ({ log, from, to }) => log === place.logId && from === place.from && to === place.to,
    );
    if (state === 'followed' && !missing) {
      const cut = next.length === 0 ? ({ cut: 'limit' } as const) : {};
      return { ...base, verdict: 'intact', next, ...cut };
    }
    const why = missing ? 'cited, and not in the bundle' : 'inputs were not asked for';
    const problem = fault('lineage-not-kept', why);
    return { ...base, verdict: 'incomplete', next, problem };
  }

  #step(seen: SeenEntry): Step {
    const { logId, index, event, kind, bodyMissing } = seen;
    const facts = event === undefined ? undefined : factsOf(event);
    const gone = bodyMissing ?? (kind === 'sealed' && event === undefined ? 'sealed' : undefined);
    const node: LineageNode = {
      ...this.#origin(logId),
      ref: refOf(seen),
      place: { logId, from: index, to: asLogIndex(index + 1) },
      kind: 'event',
      verdict: 'intact',
      hash: toHex(seen.leafHash),
      recordedTime: seen.recordedTime,
      next: [],
      attestations: [],
      ...(facts === undefined ? {} : { event: facts }),
      ...(gone === undefined ? {} : { bodyMissing: gone }),
    };
    return { node, parents: seen.parents };
  }

  #origin(logId: LogId): Origin {
    const known = this.#origins.get(logId);
    return known ?? { stream: `hw:${logId}`, organisation: 'unknown' };
  }
}

function refOf({ logId, index }: SeenEntry): string {
  return formatReference({ logId, from: index, to: asLogIndex(index + 1) });
}
