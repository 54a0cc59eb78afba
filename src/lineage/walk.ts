/**
 * Walks from one event to its inputs or to its uses, breadth first, so that a limit cuts the far
 * end. What must be read comes in through a port; each step is judged where it is read.
 *
 * A parent that is a range is one node, and its events are the steps behind it: a range counts as
 * no step of depth, so depth 1 of an aggregate shows all that it was made from. The queue holds a
 * range as two numbers however long it is, so a million ancestors cost no more than what is visited.
 */
import { toHex } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { formatReference, type Reference } from '../ids.ts';
import type { Parent } from '../ledger/leaf.ts';
import type { Children, TracedEntry } from '../ledger/lineage-reader.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type Hash, type LogId, type LogIndex } from '../types.ts';
import {
  worse,
  type Cut,
  type Direction,
  type LineageGraph,
  type LineageNode,
  type Origin,
} from './graph.ts';
import {
  absent,
  citesHash,
  compareText,
  entryNode,
  mismatch,
  plainRef,
  referenceOf,
  type StepNode,
} from './walk-nodes.ts';

export interface LineagePort {
  /** Entries of the log that are here; undefined where none of it may be read. */
  size(logId: LogId): number | undefined;
  /** True where the log is known to be for others: `no access`, not just `not kept here`. */
  closed(logId: LogId): boolean;
  origin(logId: LogId): Origin;
  entry(logId: LogId, index: LogIndex): Promise<Result<TracedEntry>>;
  rangeRoot(logId: LogId, from: LogIndex, to: LogIndex): Promise<Result<Hash>>;
  children(logId: LogId, index: LogIndex, max: number): Promise<Result<Children>>;
  /**
   * Makes a place readable that is not kept here, or says why it cannot: `lineage-limit` where it
   * only will not now, so that the walk is cut there. Without it such places are not read.
   */
  reach?(place: Reference): Promise<Fault | undefined>;
}

export interface WalkOptions {
  readonly direction: Direction;
  readonly maxDepth: number;
  readonly maxNodes: number;
  /** Places listed where the walk was cut. */
  readonly maxPending: number;
  readonly signal?: AbortSignal;
}

interface Draft {
  readonly node: StepNode;
  readonly next: string[];
  cut?: 'depth' | 'limit';
}

/** An entry that was read, without the block that it stands in. */
interface Seen {
  readonly node: StepNode;
  readonly parents: readonly Parent[];
}

/** Steps whose entries are read together. */
const readAhead = 4096;

/** Somewhere to go: [from, to) of a log, as cited by `by`. */
interface Step {
  readonly place: Reference;
  readonly by: string;
  readonly depth: number;
}

/**
 * The lineage of one event, or of a range: a trace that was cut goes on from either. Codes:
 * `lineage-not-kept`, `lineage-unreachable` and `lineage-no-access` where the place itself is not
 * here, `index-over-head`, `event-unknown` for an entry that is no event, `parent-mismatch` where it
 * has another hash than the one that is given, `interrupted`, those of a failing store. Everything
 * behind it is in the graph with its own verdict.
 */
export async function walkLineage(
  port: LineagePort,
  place: Reference | { readonly logId: LogId; readonly index: LogIndex },
  options: WalkOptions,
): Promise<Result<LineageGraph>> {
  const walk = new Walk(port, options);
  if (!('index' in place)) return walk.run(place);
  const { logId, index } = place;
  return walk.run({ logId, from: index, to: asLogIndex(index + 1) });
}

class Walk {
  readonly #port: LineagePort;
  readonly #options: WalkOptions;
  readonly #drafts = new Map<string, Draft>();
  readonly #pending: string[] = [];
  #morePending = 0;
  readonly #queue: Step[] = [];

  constructor(port: LineagePort, options: WalkOptions) {
    this.#port = port;
    this.#options = options;
  }

  async run(place: Reference): Promise<Result<LineageGraph>> {
    const away = await this.#away(place);
    // Of a log that is here the entry itself says that it is over the head.
    if (away !== undefined && this.#port.size(place.logId) === undefined) return err(away);
    const root = await this.#begin(place);
    if (!root.ok) return root;
    for (;;) {
      if (this.#options.signal?.aborted === true) {
        return err(fault('interrupted', 'the trace was broken off'));
      }
      const steps = this.#queue.splice(0, readAhead);
      if (steps.length === 0) return ok(this.#graph(root.value));
      const seen = await this.#readAll(steps);
      for (const step of steps) await this.#step(step, seen);
    }
  }

  /** The event or the range that is traced; gives its ref. */
  async #begin(place: Reference): Promise<Result<string>> {
    if (place.to > place.from + 1) {
      const range = await this.#proved(place);
      if (!range.ok) return range;
      const { ref } = this.#keep(range.value).node;
      await this.#members({ place, by: ref, depth: 0 });
      return ok(ref);
    }
    const read = await this.#read(place);
    if (!read.ok) return read;
    const { node, parents } = read.value;
    if (node.kind !== 'event') {
      return err(fault('event-unknown', `entry ${place.from} is a seal or a control entry`));
    }
    if (!citesHash(place, node.hash ?? '')) return err(mismatch(node.ref));
    await this.#expand(this.#keep(node), parents, 0);
    return ok(node.ref);
  }

  /**
   * Reads the entries of some steps in the order in which they lie in their logs: a block that holds
   * several of them is opened once. What is kept of each is small, the blocks are not kept.
   */
  async #readAll(steps: readonly Step[]): Promise<ReadonlyMap<string, Result<Seen>>> {
    const wanted = new Map<string, Reference>();
    for (const { place } of steps) {
      const ref = plainRef(place);
      const room = this.#options.maxNodes - this.#drafts.size - wanted.size;
      if (room <= 0 || place.to !== place.from + 1 || this.#drafts.has(ref)) continue;
      wanted.set(ref, place);
    }
    const sorted = [...wanted].toSorted(
      ([, a], [, b]) => compareText(a.logId, b.logId) || a.from - b.from,
    );
    const seen = new Map<string, Result<Seen>>();
    for (const [ref, place] of sorted) {
      if (this.#options.signal?.aborted === true) break;
      if ((await this.#away(place)) === undefined) seen.set(ref, await this.#read(place));
    }
    return seen;
  }

  async #read(place: Reference): Promise<Result<Seen>> {
    const entry = await this.#port.entry(place.logId, place.from);
    if (!entry.ok) return entry;
    const node = entryNode(this.#port.origin(place.logId), place, entry.value);
    return ok({ node, parents: entry.value.parents });
  }

  async #step(step: Step, seen: ReadonlyMap<string, Result<Seen>>): Promise<void> {
    const { place, by, depth } = step;
    const single = place.to === place.from + 1;
    const plain = plainRef(place);
    const known = this.#drafts.get(plain);
    // The hash is compared for every citation: only one of two may be true.
    if (known?.node.hash !== undefined && citesHash(place, known.node.hash)) {
      this.#link(by, plain);
      return;
    }
    if (this.#full()) {
      this.#cutAt(by, formatReference(place));
      return;
    }
    const away = seen.has(plain) ? undefined : await this.#away(place);
    if (away !== undefined) return this.#dead(step, away);
    if (!single) return this.#range(step, plain);
    const read = seen.get(plain) ?? (await this.#read(place));
    if (!read.ok) return this.#dead(step, read.error);
    if (!citesHash(place, read.value.node.hash ?? '')) return this.#dead(step, mismatch(plain));
    const draft = this.#keep(read.value.node);
    this.#link(by, draft.node.ref);
    await this.#expand(draft, read.value.parents, depth);
  }

  async #range(step: Step, ref: string): Promise<void> {
    const { place, by, depth } = step;
    const range = await this.#proved(place);
    if (!range.ok) return this.#dead(step, range.error);
    this.#keep(range.value);
    this.#link(by, ref);
    await this.#members({ place: range.value.place, by: ref, depth });
  }

  /** The node of a range whose root is the cited one. */
  async #proved(place: Reference): Promise<Result<StepNode>> {
    const { logId, from, to } = place;
    const root = await this.#port.rangeRoot(logId, from, to);
    if (!root.ok) return root;
    const hash = toHex(root.value);
    const ref = plainRef(place);
    if (!citesHash(place, hash)) return err(mismatch(ref));
    const kept = (this.#port.size(logId) ?? 0) >= to;
    return ok({
      ...this.#port.origin(logId),
      ref,
      place: { logId, from, to },
      kind: 'range',
      verdict: 'intact',
      hash,
      ...(kept ? {} : { fetched: true }),
    });
  }

  /** The events of a range that is proved, at the depth of the range. */
  async #members(step: Step): Promise<void> {
    const { logId, to } = step.place;
    for (let index: number = step.place.from; index < to; index++) {
      const place = { logId, from: asLogIndex(index), to: asLogIndex(index + 1) };
      const ref = formatReference(place);
      if (this.#drafts.has(ref)) {
        this.#link(step.by, ref);
        continue;
      }
      if (this.#full()) {
        this.#cutAt(step.by, formatReference({ logId, from: asLogIndex(index), to }));
        return;
      }
      if (this.#options.signal?.aborted === true) return;
      const read = await this.#read(place);
      if (!read.ok && read.error.code === 'lineage-limit') {
        this.#cutAt(step.by, formatReference({ logId, from: asLogIndex(index), to }));
        return;
      }
      if (!read.ok) {
        this.#dead({ ...step, place }, read.error);
        continue;
      }
      // Seals and control entries stand between the events of a range and are no inputs.
      if (read.value.node.kind !== 'event') continue;
      const draft = this.#keep(read.value.node);
      this.#link(step.by, ref);
      await this.#expand(draft, read.value.parents, step.depth);
    }
  }

  async #expand(draft: Draft, parents: readonly Parent[], depth: number): Promise<void> {
    const deep = depth >= this.#options.maxDepth;
    if (this.#options.direction === 'up') {
      if (parents.length > 0 && deep) draft.cut = 'depth';
      if (deep) return;
      for (const parent of parents) this.#go(referenceOf(parent), draft, depth + 1);
      return;
    }
    const room = deep ? 1 : Math.max(1, this.#options.maxNodes - this.#drafts.size);
    const { place } = draft.node;
    const found = await this.#port.children(place.logId, place.from, room);
    if (!found.ok || found.value.children.length === 0) return;
    if (deep) {
      draft.cut = 'depth';
      return;
    }
    for (const { logId, index } of found.value.children) {
      this.#go({ logId, from: index, to: asLogIndex(index + 1) }, draft, depth + 1);
    }
    if (found.value.more) this.#cutAt(draft.node.ref, draft.node.ref);
  }

  #go(place: Reference, draft: Draft, depth: number): void {
    this.#queue.push({ place, by: draft.node.ref, depth });
  }

  /** A step that ends here: not kept, no access, another hash, damage. */
  #dead(step: Step, problem: Fault): void {
    const { place, by } = step;
    const ref = formatReference(place);
    if (problem.code === 'lineage-limit') {
      this.#cutAt(by, ref);
      return;
    }
    if (!this.#drafts.has(ref)) {
      const origin = this.#port.origin(place.logId);
      const kind = place.to === place.from + 1 ? 'event' : 'range';
      const verdict = absent.has(problem.code) ? 'incomplete' : 'broken';
      const hash = place.hash === undefined ? {} : { hash: toHex(place.hash) };
      this.#keep({ ...origin, ref, place, kind, verdict, problem, ...hash });
    }
    this.#link(by, ref);
  }

  async #away(place: Reference): Promise<Fault | undefined> {
    const { logId, to } = place;
    const size = this.#port.size(logId);
    if (size !== undefined && to <= size) return undefined;
    if (this.#port.closed(logId)) {
      return fault('lineage-no-access', `${this.#port.origin(logId).stream}: no access`);
    }
    if (this.#port.reach !== undefined) return this.#port.reach(place);
    const has = size === undefined ? '' : `, which has ${size} entries of it`;
    return fault('lineage-not-kept', `hw:${logId} is not kept here${has}`);
  }

  #full(): boolean {
    return this.#drafts.size >= this.#options.maxNodes;
  }

  #keep(node: StepNode): Draft {
    const draft: Draft = { node, next: [] };
    this.#drafts.set(node.ref, draft);
    return draft;
  }

  #link(by: string, ref: string): void {
    this.#drafts.get(by)?.next.push(ref);
  }

  #cutAt(by: string, ref: string): void {
    const draft = this.#drafts.get(by);
    if (draft !== undefined) draft.cut = 'limit';
    if (this.#pending.length < this.#options.maxPending) this.#pending.push(ref);
    else this.#morePending += 1;
  }

  #graph(root: string): LineageGraph {
    const nodes = new Map<string, LineageNode>();
    let verdict: LineageGraph['verdict'] = this.#pending.length > 0 ? 'incomplete' : 'intact';
    for (const [ref, { node, next, cut }] of this.#drafts) {
      verdict = worse(verdict, node.verdict);
      // One event may stand in several ranges of one child; it is one step.
      const unique = [...new Set(next)];
      const more = cut === undefined ? {} : { cut };
      nodes.set(ref, { ...node, next: unique, attestations: [], ...more });
    }
    const graph = { root, direction: this.#options.direction, nodes, verdict };
    return this.#pending.length === 0 ? graph : { ...graph, incomplete: this.#cut() };
  }

  #cut(): Cut {
    const message = `the trace was cut at ${this.#drafts.size} steps`;
    return {
      fault: fault('lineage-cut', message),
      pending: this.#pending,
      more: this.#morePending,
    };
  }
}
