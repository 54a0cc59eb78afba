/** An audit bundle of a stream, a range or an event, for a running node and for a stopped one. */
import { fault } from '../../errors.ts';
import { parseReference } from '../../ids.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { BundleRequest, BundleView } from '../evidence-api.ts';
import { withForeign } from './bundle-ledger.ts';
import { planBundle, type BundleRequest as PlanRequest, type EventKeys } from './bundle-plan.ts';
import { bundleFile, bundleLines, type BundleProgress } from './bundle-write.ts';
import { ForeignLogs, type ForeignParts } from './foreign-logs.ts';
import { eventOf } from './lineage.ts';
import { partsOf, resolveRanges } from './ranges.ts';
import type { Streams } from './streams.ts';

/** Whose keys a bundle gives away: of nothing, of what was asked for, of its inputs too. */
export const bundleDisclosures = ['none', 'asked', 'all'] as const;
export type BundleDisclosure = (typeof bundleDisclosures)[number];

export function isBundleDisclosure(text: string): text is BundleDisclosure {
  return bundleDisclosures.some((one) => one === text);
}

export interface BundleParts {
  readonly ledger: Ledger;
  readonly streams: Pick<Streams, 'parse' | 'view'>;
  /** Where ancestors are read from that are not kept here; absent in a stopped node. */
  readonly foreign?: ForeignParts | undefined;
  /** Keys of sealed events. */
  readonly keys: EventKeys;
}

/** What was found while planning is read again while it is written, as fast as it is taken. */
const patient = { ...limits, maxForeignMs: limits.maxForeignBundleMs };

/**
 * What goes in is found out first; the chunks are made as they are taken and throw HeadwaterError.
 * Codes: usage (bounds for one event), those of resolving the name and the bounds, of `planBundle`.
 */
export async function openBundle(
  { ledger, streams, foreign, keys }: BundleParts,
  request: BundleRequest,
  signal: AbortSignal,
  onProgress?: BundleProgress,
): Promise<Result<BundleView>> {
  const asked = await askedOf(ledger, streams, request);
  if (!asked.ok) return asked;
  const ancestors = request.ancestors === true;
  const source =
    foreign === undefined || !ancestors
      ? ledger
      : withForeign(ledger, new ForeignLogs(foreign, signal, patient));
  const what = request.disclose ?? 'none';
  const disclose = what === 'none' ? undefined : { keys, inputs: what === 'all' };
  const wanted = { asked: asked.value, ancestors, disclose };
  const plan = await planBundle(source, wanted, signal);
  if (!plan.ok) return plan;
  const { carried, missing, references, opened, logs } = plan.value;
  const ranges = logs.flatMap(({ source: { logId: log }, runs, entries }) => [
    ...runs.map(({ from, to }) => ({ log, from, to })),
    ...entries.map((index) => ({ log, from: index, to: index + 1 })),
  ]);
  const chunks = bundleFile(bundleLines(source, plan.value, signal, onProgress));
  const counts = { entries: carried, references, missing: missing.length, opened };
  return ok({ ...counts, carried: ranges, chunks });
}

async function askedOf(
  ledger: Ledger,
  streams: BundleParts['streams'],
  { of, from, to }: BundleRequest,
): Promise<Result<PlanRequest['asked']>> {
  const one = /^.+#(?:0|[1-9][0-9]{0,14})$/.test(of) || /^hw:[a-z2-7]+\//.test(of);
  if (one) {
    if (from !== undefined || to !== undefined) {
      return err(fault('usage', '--from and --to are for streams', { pointer: '--from' }));
    }
    const range = parseReference(of);
    if (range.ok && range.value.to > range.value.from + 1) {
      return ok([{ ...range.value, whole: true }]);
    }
    const event = eventOf(streams, of);
    if (!event.ok) return event;
    const { logId, index } = event.value;
    const entry = await ledger.entry(logId, index);
    if (!entry.ok) return entry;
    const { kind } = entry.value;
    if (kind === 'event' || kind === 'sealed') {
      return ok([{ logId, from: index, to: index + 1, whole: false }]);
    }
    return err(fault('event-unknown', `entry ${index} is a ${kind} and no event`, { index }));
  }
  const key = streams.parse(of);
  const view = key.ok ? streams.view(key.value) : key;
  if (!view.ok) return view;
  if (view.value.logs.length === 0) {
    return err(fault('stream-not-followed', `nothing of ${of} is kept in this home`));
  }
  const bounds = {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  const reading = {
    indexAtTime: ledger.indexAtTime.bind(ledger),
    cursor: ledger.cursors.get.bind(ledger.cursors),
  };
  const ranges = await resolveRanges(reading, view.value, bounds);
  if (!ranges.ok) return ranges;
  return ok(partsOf(view.value, ranges.value).map((part) => ({ ...part, whole: true })));
}
