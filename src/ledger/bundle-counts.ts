/**
 * What of a log of an audit bundle is relied on: the entries that were asked for and those that are
 * cited. Counts them and their missing bodies, hands on what they cite, and keeps copies of the first
 * few for who shows them. Entries that merely share a block with them are verified and not counted.
 */
import { at, fault, type Fault } from '../errors.ts';
import { rfc3339ToMs } from '../time.ts';
import { asHash, asLogIndex, asTimeMs, type Attributes, type Hash, type LogId } from '../types.ts';
import { hasParents, parentsBytes, type VerifiedBlock } from './block.ts';
import { parentsOf, type BundleEntry } from './bundle-entry.ts';
import type { BundleKeys } from './bundle-keys.ts';
import { completenessText, type AskedRange, type LeftOut } from './bundle-lines.ts';
import type { BundleContext } from './bundle-log.ts';
import type { OpenedEvent } from './bundle-opening.ts';
import type { BundleLogReport, SeenEntry, Span } from './bundle-report.ts';
import { decodeParents, type LeafKind } from './leaf.ts';

const kinds = ['event', 'sealed', 'seal', 'control'] as const;

/** Copies of the first entries, up to a bound. */
export class SeenEntries {
  readonly list: SeenEntry[] = [];
  more = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }
  add(make: () => SeenEntry): void {
    if (this.list.length < this.#max) this.list.push(make());
    else this.more += 1;
  }
}

/** Half-open ranges, merged; added in ascending order of `from`, asked in ascending order. */
export class Intervals {
  readonly #parts: { from: number; to: number }[] = [];
  #at = 0;

  add(from: number, to: number): void {
    const last = this.#parts.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else this.#parts.push({ from, to });
  }
  /** Does one of them reach into [first, end)? `first` never goes back. */
  overlaps(first: number, end: number): boolean {
    while ((this.#parts[this.#at]?.to ?? Infinity) <= first) this.#at += 1;
    return (this.#parts[this.#at]?.from ?? Infinity) < end;
  }
}

interface Asked {
  readonly range: AskedRange;
  readonly leftOut: LeftOut;
  found: boolean;
}

function none(): LeftOut {
  return { retention: 0, redacted: 0, withheld: 0 };
}

export class BundleCounts {
  /** One past the last entry that is relied on. */
  end = 0;
  /** Bodies of inputs, that is of entries that were not asked for. */
  readonly inputsLeftOut: LeftOut = none();
  readonly #context: BundleContext;
  readonly #logId: LogId;
  readonly #asked: readonly Asked[];
  readonly #cited = new Intervals();
  #run: Asked | undefined;
  #blocks = 0;
  #entries = 0;
  #events = 0;
  readonly #sealed = { events: 0, there: 0 };
  #recorded: Span | undefined;
  #times: Span | undefined;

  constructor(context: BundleContext, logId: LogId, asked: readonly AskedRange[]) {
    this.#context = context;
    this.#logId = logId;
    this.#asked = asked.map((range) => ({ range, leftOut: none(), found: false }));
  }

  /** Cited: in ascending order. */
  needs(from: number, to: number): void {
    this.#cited.add(from, to);
    this.end = Math.max(this.end, to);
  }

  /** Blocks of this range follow; true where just this was asked for. */
  beginRun(from: number, to: number): boolean {
    this.#run = this.#take(from, to);
    return this.#run !== undefined;
  }

  #take(from: number, to: number): Asked | undefined {
    const asked = this.#asked.find(({ range }) => range.from === from && range.to === to);
    if (asked === undefined) return undefined;
    asked.found = true;
    this.end = Math.max(this.end, to);
    return asked;
  }

  /** `opened`: sealed events that a key opened. Code bundle-unasked: one of nothing that is relied on. */
  block(
    verified: VerifiedBlock,
    keys: BundleKeys,
    opened: ReadonlyMap<number, OpenedEvent> = nothingOpened,
  ): Fault | undefined {
    this.#blocks += 1;
    const { block, events } = verified;
    for (const [i, entry] of block.entries.entries()) {
      const index = block.firstIndex + i;
      if (this.#run === undefined && !this.#cited.overlaps(index, index + 1)) {
        if (opened.has(index)) return unasked(index);
        continue;
      }
      const isEvent = entry.kind <= 1;
      const gone = isEvent && entry.bodyOffset < 0 ? keys.whyGone(index) : undefined;
      const read = events[i];
      const clear = read === undefined ? undefined : { event: read, context: read.context };
      const shown: OpenedEvent = clear ?? opened.get(index) ?? {};
      this.#count(entry.kind, entry.time, shown.context, gone, this.#run);
      let parents: SeenEntry['parents'] = [];
      if (isEvent && hasParents(entry)) {
        const cited = decodeParents(parentsBytes(block, entry));
        if (!cited.ok) return at(cited.error, { index });
        parents = cited.value;
        const wrong = this.#context.edges.cites(parents, index);
        if (wrong !== undefined) return wrong;
      }
      this.#context.seen.add(() => {
        const hash = asHash(verified.leafHashes.slice(32 * i, 32 * i + 32));
        const { event, context } = shown;
        return copied(this.#logId, {
          index: asLogIndex(index),
          asked: this.#run !== undefined,
          kind: kinds[entry.kind],
          leafHash: hash,
          recordedTime: entry.time,
          parents,
          ...(event === undefined ? {} : { event }),
          ...(context === undefined ? {} : { context }),
          ...(gone === undefined ? {} : { bodyMissing: gone }),
        });
      });
    }
    return undefined;
  }

  entry(entry: BundleEntry, leafHash: Hash, keys: BundleKeys): Fault | undefined {
    const { index, leaf, event, context, gone } = entry;
    const asked = this.#take(index, index + 1);
    this.end = Math.max(this.end, index + 1);
    const why = gone ? keys.whyGone(index) : undefined;
    this.#count(leaf.kind, leaf.time, context, why, asked);
    const parents = parentsOf(leaf);
    this.#context.seen.add(() =>
      copied(this.#logId, {
        index: asLogIndex(index),
        asked: asked !== undefined,
        kind: kinds[leaf.kind],
        leafHash,
        recordedTime: leaf.time,
        parents,
        ...(event === undefined ? {} : { event }),
        ...(context === undefined ? {} : { context }),
        ...(why === undefined ? {} : { bodyMissing: why }),
      }),
    );
    return this.#context.edges.cites(parents, index);
  }

  isAskedEntry(index: number): boolean {
    return this.#asked.some(({ range }) => range.from === index && range.to === index + 1);
  }

  #count(
    kind: LeafKind,
    recorded: number,
    context: Attributes | undefined,
    gone: keyof LeftOut | undefined,
    asked: Asked | undefined,
  ): void {
    this.#entries += 1;
    this.#recorded = spanned(this.#recorded, recorded);
    if (kind > 1) return;
    this.#events += 1;
    if (kind === 1) this.#sealed.events += 1;
    if (kind === 1 && gone === undefined) this.#sealed.there += 1;
    this.#context.tally.events += 1;
    if (gone !== undefined) (asked?.leftOut ?? this.inputsLeftOut)[gone] += 1;
    const time = context === undefined ? undefined : timeOf(context);
    if (time !== undefined) this.#times = spanned(this.#times, time);
  }

  /** What was asked for and did not come. */
  askedLeft(): AskedRange | undefined {
    return this.#asked.find(({ found }) => !found)?.range;
  }

  /** `asked` of the manifest as it follows from what was read. */
  derived(owner: string, stream: string, partition: number): readonly AskedRange[] {
    return this.#asked.map(({ range, leftOut }) => ({
      log: this.#logId,
      owner,
      stream,
      partition,
      from: range.from,
      to: range.to,
      completeness: completenessText(leftOut),
    }));
  }

  report(opened: number): Omit<BundleLogReport, 'logId' | 'genesis' | 'rotations' | 'checkpoints'> {
    const leftOut = { ...this.inputsLeftOut };
    for (const { leftOut: own } of this.#asked) {
      for (const why of ['retention', 'redacted', 'withheld'] as const) leftOut[why] += own[why];
    }
    return {
      asked: this.#asked.map(({ range: { from, to } }) => ({ from, to })),
      blocks: this.#blocks,
      entries: this.#entries,
      events: this.#events,
      leftOut,
      sealed: { ...this.#sealed, opened },
      ...(this.#recorded === undefined ? {} : { recorded: this.#recorded }),
      ...(this.#times === undefined ? {} : { times: this.#times }),
    };
  }
}

const nothingOpened: ReadonlyMap<number, OpenedEvent> = new Map();

function unasked(index: number): Fault {
  return fault('bundle-unasked', 'a key of an event that nobody asked for', { index });
}

function timeOf(context: Attributes): number | undefined {
  const time = Object.hasOwn(context, 'time') ? context['time'] : undefined;
  return typeof time === 'string' ? rfc3339ToMs(time) : undefined;
}

function spanned(span: Span | undefined, time: number): Span {
  if (span === undefined) return { first: asTimeMs(time), last: asTimeMs(time) };
  if (time >= span.first && time <= span.last) return span;
  return {
    first: asTimeMs(Math.min(span.first, time)),
    last: asTimeMs(Math.max(span.last, time)),
  };
}

/** Without views of the line that it was read from. */
function copied(logId: LogId, entry: Omit<SeenEntry, 'logId'>): SeenEntry {
  const { event, parents } = entry;
  return {
    logId,
    ...entry,
    parents: parents.map((parent) => ({
      ...parent,
      log: asHash(parent.log.slice()),
      rangeRoot: asHash(parent.rangeRoot.slice()),
    })),
    ...(event === undefined
      ? {}
      : {
          event: {
            attributes: event.attributes.slice(),
            kind: event.kind,
            data: event.data.slice(),
          },
        }),
  };
}
