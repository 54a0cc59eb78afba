/**
 * What goes into an audit bundle, found out before anything is written, because its first line says
 * it all: the blocks that were asked for are looked through, what they cite is followed to the roots
 * in the logs that are kept here, and what is not here is named. Blocks are not kept, so a long
 * stream costs no memory; what is cited does, and is bounded.
 */
import { fault, HeadwaterError, type Fault } from '../../errors.ts';
import { logIdFromHash } from '../../ids.ts';
import { parentsBytes, hasParents, type DecodedBlock } from '../../ledger/block.ts';
import { decodeBlock } from '../../ledger/block-codec.ts';
import { sealedIn, type SealedPart } from '../../ledger/bundle-opening.ts';
import type { LeftOut, MissingLine } from '../../ledger/bundle-lines.ts';
import { decodeParents, type Parent } from '../../ledger/leaf.ts';
import { toHex } from '../../bytes.ts';
import { protocol } from '../../limits.ts';
import { caught, err, ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId } from '../../types.ts';
import { IntervalSet, without, type Interval } from './bundle-intervals.ts';
import type { BundleLedger } from './bundle-ledger.ts';
import { LogSource } from './bundle-log-source.ts';

/** Where the keys of sealed events come from: those of a log, or nothing where none is held. */
export interface EventKeys {
  of(logId: LogId): Promise<EventKey | undefined>;
}
/** The key of one event, which opens what its producer committed to; else undefined. */
export type EventKey = (index: number, part: SealedPart) => Uint8Array | undefined;
type KeyOfEvent = (
  index: number,
  sealed: (index: number) => SealedPart | undefined,
) => Uint8Array | undefined;

export interface BundleRequest {
  /** Of distinct logs; `whole` ranges are widened to blocks, others are one entry. */
  readonly asked: readonly (Interval & { readonly logId: LogId; readonly whole: boolean })[];
  readonly ancestors: boolean;
  /** Sealed events come with their keys as far as these have them; absent: as ciphertext alone. */
  readonly disclose?: { readonly keys: EventKeys; readonly inputs: boolean } | undefined;
}

export interface PlannedLog {
  readonly source: LogSource;
  readonly asked: readonly (Interval & { readonly whole: boolean; readonly leftOut: LeftOut })[];
  /** With a line of its own: what is cited and not shown by an entry line. */
  readonly cited: readonly Interval[];
  readonly runs: readonly Interval[];
  readonly entries: readonly number[];
  /** What is relied on: asked for or cited. */
  readonly read: IntervalSet;
  /** The key of a sealed event, if it is to be disclosed and is at hand. */
  readonly keyOf: KeyOfEvent;
}

export interface BundlePlan {
  /** In ascending order of their ids. */
  readonly logs: readonly PlannedLog[];
  readonly followed: boolean;
  readonly references: number;
  readonly missing: readonly MissingLine[];
  readonly inputsLeftOut: LeftOut;
  /** Sealed events whose keys are carried. */
  readonly opened: number;
  /** Entries in blocks that are carried, for progress. */
  readonly carried: number;
}

function noneLeftOut(): LeftOut {
  return { retention: 0, redacted: 0, withheld: 0 };
}

interface Draft {
  readonly source: LogSource;
  readonly asked: (Interval & { readonly whole: boolean; readonly leftOut: LeftOut })[];
  /** Looked through, so that no entry is counted twice. */
  readonly read: IntervalSet;
  readonly cited: Map<string, Interval>;
  readonly keyOf: KeyOfEvent;
}

interface Citation extends Interval {
  readonly logId: LogId;
  readonly root: string;
}

/** Codes: bundle-empty, stream-private, bundle-too-large, interrupted, those of reading the logs. */
export async function planBundle(
  ledger: BundleLedger,
  request: BundleRequest,
  signal: AbortSignal,
): Promise<Result<BundlePlan>> {
  const planner = new Planner(ledger, request, signal);
  return caught(() => planner.plan());
}

class Planner {
  readonly #ledger: BundleLedger;
  readonly #request: BundleRequest;
  readonly #signal: AbortSignal;
  readonly #drafts = new Map<LogId, Draft>();
  /** Logs that cannot be read from, and why. */
  readonly #away = new Map<LogId, MissingLine['why']>();
  readonly #known = new Set<string>();
  readonly #missing = new Map<string, MissingLine>();
  readonly #inputsLeftOut = noneLeftOut();
  #queue: Citation[] = [];
  #references = 0;
  #opened = 0;

  constructor(ledger: BundleLedger, request: BundleRequest, signal: AbortSignal) {
    this.#ledger = ledger;
    this.#request = request;
    this.#signal = signal;
  }

  async plan(): Promise<Result<BundlePlan>> {
    for (const { logId, from, to, whole } of this.#request.asked) {
      const draft = await this.#draft(logId);
      if (!draft.ok) return draft;
      if (draft.value.source.genesis.visibility === 'direct') return err(closed(logId));
      const range = await this.#widened(draft.value, { from, to }, whole);
      if (!range.ok) return range;
      const leftOut = noneLeftOut();
      draft.value.asked.push({ ...range.value, whole, leftOut });
      draft.value.read.add(range.value.from, range.value.to);
    }
    if (this.#drafts.size === 0) return err(fault('bundle-empty', 'nothing stands in that range'));
    // Nothing is followed before all that was asked for is marked as read.
    for (const draft of this.#drafts.values()) {
      for (const { from, to, leftOut } of draft.asked) {
        await this.#read(draft, { from, to }, leftOut);
      }
    }
    while (this.#queue.length > 0) {
      const batch = this.#queue.toSorted((a, b) => compare(a.logId, b.logId) || a.from - b.from);
      this.#queue = [];
      for (const citation of batch) await this.#follow(citation);
    }
    return ok(await this.#planned());
  }

  async #draft(logId: LogId): Promise<Result<Draft>> {
    const known = this.#drafts.get(logId);
    if (known !== undefined) return ok(known);
    if (this.#drafts.size >= protocol.maxBundleLogs) return err(tooLarge('logs'));
    const source = await LogSource.open(this.#ledger, logId);
    if (!source.ok) return source;
    const empty = { asked: [], read: new IntervalSet(), cited: new Map<string, Interval>() };
    const keyOf = await this.#keysOf(source.value, empty);
    const draft: Draft = { source: source.value, ...empty, keyOf };
    this.#drafts.set(logId, draft);
    return ok(draft);
  }

  async #keysOf(
    { logId, genesis }: LogSource,
    { asked }: Pick<Draft, 'asked'>,
  ): Promise<KeyOfEvent> {
    const { disclose } = this.#request;
    const held =
      disclose === undefined || genesis.visibility !== 'sealed'
        ? undefined
        : await disclose.keys.of(logId);
    if (disclose === undefined || held === undefined) return () => undefined;
    const isAsked = (index: number): boolean =>
      asked.some(({ from, to }) => from <= index && index < to);
    return (index, sealed) => {
      const part = disclose.inputs || isAsked(index) ? sealed(index) : undefined;
      return part && held(index, part);
    };
  }

  /** To whole blocks. Code index-over-head. */
  async #widened(
    { source }: Draft,
    { from, to }: Interval,
    whole: boolean,
  ): Promise<Result<Interval>> {
    if (from >= to || to > source.size) {
      return err(fault('index-over-head', `the log has ${source.size} entries`, { index: to - 1 }));
    }
    if (!whole) return ok({ from, to });
    const first = await source.blockAt(from);
    const last = await source.blockAt(to - 1);
    if (!first.ok) return first;
    if (!last.ok) return last;
    const { firstIndex, entries } = last.value;
    return ok({ from: first.value.firstIndex, to: firstIndex + entries.length });
  }

  /** Looks through the entries of a range that are relied on. */
  async #read(draft: Draft, range: Interval, leftOut: LeftOut): Promise<void> {
    const { source } = draft;
    if (range.to === range.from + 1) {
      const block = await source.blockAt(range.from);
      if (!block.ok) throw new HeadwaterError(block.error);
      return this.#look(draft, block.value, range, leftOut);
    }
    for await (const { wire } of source.wires(range.from, range.to, this.#signal)) {
      const block = decodeBlock(wire, { reduced: true });
      if (!block.ok) throw new HeadwaterError(block.error);
      this.#look(draft, block.value, range, leftOut);
    }
  }

  #look(draft: Draft, block: DecodedBlock, { from, to }: Interval, leftOut: LeftOut): void {
    const sealed = sealedIn(block);
    for (const [i, entry] of block.entries.entries()) {
      const index = block.firstIndex + i;
      if (index < from || index >= to || entry.kind > 1) continue;
      if (entry.bodyOffset < 0) leftOut[draft.source.whyGone(index)] += 1;
      else if (entry.kind === 1 && draft.keyOf(index, sealed) !== undefined) this.#opened += 1;
      if (!hasParents(entry)) continue;
      const parents = decodeParents(parentsBytes(block, entry));
      if (!parents.ok) throw new HeadwaterError(parents.error);
      this.#references += parents.value.length;
      if (this.#request.ancestors) this.#cite(parents.value);
    }
  }

  #cite(parents: readonly Parent[]): void {
    for (const { log, from, to, rangeRoot } of parents) {
      const logId = logIdFromHash(log);
      const name = nameOf({ logId, from, to });
      if (this.#known.has(name)) continue;
      if (this.#known.size >= protocol.maxBundleInputs)
        throw new HeadwaterError(tooLarge('inputs'));
      this.#known.add(name);
      this.#queue.push({ logId, from, to, root: toHex(rangeRoot) });
    }
  }

  async #follow(citation: Citation): Promise<void> {
    if (this.#signal.aborted) throw new HeadwaterError(fault('interrupted', 'interrupted'));
    const { logId, from, to, root } = citation;
    const shown = await this.#shown(citation);
    const draft = shown ? await this.#reachable(logId) : undefined;
    const why =
      draft === undefined
        ? (this.#away.get(logId) ?? away)
        : to > draft.source.size
          ? away
          : await this.#input(draft, citation);
    if (draft === undefined || why !== undefined) {
      const name = `${logId}/${padded(from)}-${padded(to)}`;
      this.#missing.set(name, { kind: 'missing', log: logId, from, to, root, why: why ?? away });
      return;
    }
    draft.cited.set(`${from}-${to}`, { from, to });
    draft.read.add(from, to);
  }

  /** Looks through what is cited, all of it or, where a block of it is damaged, nothing. */
  async #input(draft: Draft, { from, to }: Interval): Promise<MissingLine['why'] | undefined> {
    const [references, queued, opened] = [this.#references, this.#queue.length, this.#opened];
    const leftOut = { ...this.#inputsLeftOut };
    try {
      for (const part of without({ from, to }, draft.read.parts)) {
        await this.#read(draft, part, this.#inputsLeftOut);
      }
      return undefined;
    } catch (cause) {
      if (!(cause instanceof HeadwaterError) || !damage.has(cause.fault.code)) throw cause;
      this.#references = references;
      this.#opened = opened;
      for (const cited of this.#queue.splice(queued)) this.#known.delete(nameOf(cited));
      Object.assign(this.#inputsLeftOut, leftOut);
      return 'damaged';
    }
  }

  /** False where the log is not kept here and no peer shows these entries of it. */
  async #shown({ logId, from, to }: Citation): Promise<boolean> {
    const ledger = this.#ledger;
    if (ledger.reach === undefined || this.#away.has(logId)) return true;
    // A log is carried under the head of one moment, however it grows.
    if (to > (this.#drafts.get(logId)?.source.size ?? to)) return true;
    const place = { logId, from: asLogIndex(from), to: asLogIndex(to) };
    return (await ledger.reach(place)) === undefined;
  }

  /** A cited log, or undefined with the reason in `#away`. */
  async #reachable(logId: LogId): Promise<Draft | undefined> {
    if (this.#away.has(logId)) return undefined;
    const summary = this.#ledger.log(logId);
    if (summary?.genesis?.visibility === 'direct') this.#away.set(logId, 'no access');
    else if (summary === undefined || summary.size === 0) this.#away.set(logId, away);
    else if (summary.state === 'damaged') this.#away.set(logId, 'damaged');
    if (this.#away.has(logId)) return undefined;
    const draft = await this.#draft(logId);
    if (draft.ok) return draft.value;
    if (!damage.has(draft.error.code)) throw new HeadwaterError(draft.error);
    this.#away.set(logId, 'damaged');
    return undefined;
  }

  async #planned(): Promise<BundlePlan> {
    const logs: PlannedLog[] = [];
    let carried = 0;
    for (const draft of this.#drafts.values()) {
      // A log that was opened for a citation beyond its head carries nothing.
      if (draft.asked.length === 0 && draft.cited.size === 0) continue;
      const log = await layOut(draft);
      logs.push(log);
      carried += log.entries.length;
      for (const { from, to } of log.runs) carried += to - from;
    }
    return {
      logs: logs.toSorted((a, b) => compare(a.source.logId, b.source.logId)),
      followed: this.#request.ancestors,
      references: this.#references,
      missing: [...this.#missing].toSorted(([a], [b]) => compare(a, b)).map(([, line]) => line),
      inputsLeftOut: this.#inputsLeftOut,
      opened: this.#opened,
      carried,
    };
  }
}

/** Which blocks and entries of a log are carried. */
async function layOut({ source, asked, cited, read, keyOf }: Draft): Promise<PlannedLog> {
  const whole = asked.filter((range) => range.whole).toSorted((a, b) => a.from - b.from);
  const wide = new IntervalSet();
  for (const { from, to } of cited.values()) {
    if (to - from === 1) continue;
    const [first, last] = [await source.blockAt(from), await source.blockAt(to - 1)];
    if (!first.ok) throw new HeadwaterError(first.error);
    if (!last.ok) throw new HeadwaterError(last.error);
    wide.add(first.value.firstIndex, last.value.firstIndex + last.value.entries.length);
  }
  const more = wide.parts.flatMap((part) => without(part, whole));
  const runs = [...whole.map(({ from, to }) => ({ from, to })), ...more];
  runs.sort((a, b) => a.from - b.from);
  const carried = new IntervalSet();
  for (const { from, to } of runs) carried.add(from, to);
  const singles = asked.filter((range) => !range.whole).map(({ from }) => from);
  const entries = new Set(singles);
  const lines: Interval[] = [];
  for (const { from, to } of cited.values()) {
    if (to - from === 1 && !carried.has(from)) entries.add(from);
    else lines.push({ from, to });
  }
  return {
    source,
    asked: asked.toSorted((a, b) => a.from - b.from),
    cited: lines.toSorted((a, b) => a.from - b.from || a.to - b.to),
    runs,
    entries: [...entries].toSorted((a, b) => a - b),
    read,
    keyOf,
  };
}

const away: MissingLine['why'] = 'not kept';
/** What an input is named as missing for; `hw verify --repair` may mend it. */
const damage: ReadonlySet<string> = new Set(['store-corrupt', 'block-missing', 'index-damaged']);

function nameOf({ logId, from, to }: Interval & { readonly logId: LogId }): string {
  return `${logId}/${from}-${to}`;
}

function padded(number: number): string {
  return String(number).padStart(16, '0');
}
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
function tooLarge(what: 'logs' | 'inputs'): Fault {
  const most = what === 'logs' ? protocol.maxBundleLogs : protocol.maxBundleInputs;
  return fault('bundle-too-large', `a bundle has at most ${most} ${what}`);
}
function closed(logId: LogId): Fault {
  const hint = 'Prove single events of it with hw prove.';
  return fault('stream-private', `hw:${logId} is of a direct stream`, undefined, hint);
}
