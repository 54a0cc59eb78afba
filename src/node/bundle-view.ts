/**
 * What a checked audit bundle says, for `hw verify FILE --json` (docs/reference/formats.md has the
 * file). Claimed is the producer's word, attested that of cosigners; of a broken bundle nothing is
 * shown but why.
 */
import { toHex } from '../bytes.ts';
import type { Fault } from '../errors.ts';
import { didFromKey } from '../ids.ts';
import type { BundleInputs, LeftOut } from '../ledger/bundle-lines.ts';
import type {
  BundleLogReport,
  BundleReport,
  BundleVerdict,
  SeenEntry,
  Span,
} from '../ledger/bundle-report.ts';
import { formatTime } from '../time.ts';
import type { Attributes, Did, LogId } from '../types.ts';
import {
  claimedView,
  cosignatureView,
  dataView,
  secondsText,
  type ProvenView,
} from './proof-view.ts';

interface SpanView {
  readonly first: string;
  readonly last: string;
}

export interface BundleLogView {
  readonly log: LogId;
  readonly owner: Did;
  readonly stream: string;
  readonly partition: number;
  /** References of what was asked for of it; none where it only holds inputs. */
  readonly asked: readonly string[];
  readonly blocks: number;
  readonly entries: number;
  readonly events: number;
  readonly rotations: number;
  readonly leftOut: Readonly<LeftOut>;
  /** Sealed events among them, those whose ciphertext is in the file, those that a key in it opened. */
  readonly sealed: { readonly events: number; readonly there: number; readonly opened: number };
  readonly claimed: { readonly recorded?: SpanView; readonly times?: SpanView };
  /** The newest first; each covers the entries below its size. */
  readonly checkpoints: readonly {
    readonly size: number;
    readonly root: string;
    readonly signer: Did;
    /** By then all of that existed, on the word of the quorum that was asked for. */
    readonly attestedBy?: string;
    readonly cosignatures: ProvenView['attested']['cosignatures'];
  }[];
}

export interface BundleEntryView {
  readonly ref: string;
  readonly asked: boolean;
  readonly entry: SeenEntry['kind'];
  readonly leafHash: string;
  readonly claimed: {
    readonly recordedTime: string;
    readonly time?: string;
    readonly inputs: readonly string[];
  };
  readonly attributes?: Attributes;
  readonly data?: ProvenView['data'];
  readonly bodyMissing?: keyof LeftOut;
}

export interface BundleFileView {
  readonly verdict: BundleVerdict;
  readonly kind: 'bundle';
  readonly reasons: readonly {
    readonly code: string;
    readonly message: string;
    readonly place?: Fault['place'];
  }[];
  /** Absent where the bundle is broken. */
  readonly proven?: {
    readonly logs: readonly BundleLogView[];
    readonly asked: readonly { readonly ref: string; readonly completeness: string }[];
    readonly inputs: BundleInputs;
    readonly missing: readonly { readonly ref: string; readonly why: string }[];
    readonly grants: string;
    readonly entries: readonly BundleEntryView[];
    readonly moreEntries: number;
  };
  readonly trust: { readonly stated: boolean; readonly met?: boolean };
  readonly checked: BundleReport['checked'];
  readonly notChecked: readonly string[];
}

/** `shown` entries at most. */
export function bundleView(report: BundleReport, shown: number): BundleFileView {
  const { verdict, reasons, manifest, checked, stated } = report;
  const sound = verdict !== 'broken' && manifest !== undefined;
  const met = verdict !== 'untrusted' && verdict !== 'broken';
  return {
    verdict,
    kind: 'bundle',
    reasons: reasons.map(({ code, message, place }) => ({
      code,
      message,
      ...(place === undefined ? {} : { place }),
    })),
    ...(sound ? { proven: provenView(report, manifest, shown) } : {}),
    trust: stated ? { stated, met } : { stated },
    checked,
    notChecked: sound ? notChecked(report) : [],
  };
}

function provenView(
  report: BundleReport,
  manifest: NonNullable<BundleReport['manifest']>,
  shown: number,
): NonNullable<BundleFileView['proven']> {
  const seen = report.seen.slice(0, shown);
  return {
    logs: report.logs.map(logView),
    asked: manifest.asked.map(({ log, from, to, completeness }) => ({
      ref: `hw:${log}/${to === from + 1 ? from : `${from}-${to}`}`,
      completeness,
    })),
    inputs: manifest.inputs,
    missing: report.missing.map(({ log, from, to, why }) => ({
      ref: `hw:${log}/${to === from + 1 ? from : `${from}-${to}`}`,
      why,
    })),
    grants: manifest.grants,
    entries: seen.map(entryView),
    moreEntries: report.seen.length - seen.length + report.unseen,
  };
}

/** What no offline check of this file can show, or what it does not hold. */
function notChecked({ manifest, stated, logs }: BundleReport): readonly string[] {
  const closed = logs.reduce((sum, { sealed }) => sum + sealed.there - sealed.opened, 0);
  return [
    'whether a signer showed others another history, or passed its key on unsaid',
    'whether what a producer claims is true: its times and what it wrote',
    'what stands in a log outside of what was asked for and its inputs',
    ...(manifest?.inputs.state === 'left out' ? ['the inputs: they were not asked for'] : []),
    ...((manifest?.inputs.missing ?? 0) > 0 ? ['the inputs that are missing'] : []),
    ...(closed === 0 ? [] : [`what ${closed} sealed events hold: no key of theirs is in the file`]),
    ...(stated ? [] : ['whether the signers are to be trusted: no trust was stated']),
    'the grants that allowed each use: not recorded',
  ];
}

function logView(log: BundleLogReport): BundleLogView {
  const { logId, genesis, asked, blocks, entries, events, rotations, leftOut, sealed } = log;
  const { recorded, times } = log;
  return {
    log: logId,
    owner: genesis.owner,
    stream: genesis.name,
    partition: genesis.partition,
    asked: asked.map(({ from, to }) => `hw:${logId}/${to === from + 1 ? from : `${from}-${to}`}`),
    blocks,
    entries,
    events,
    rotations,
    leftOut,
    sealed,
    claimed: {
      ...(recorded === undefined ? {} : { recorded: spanView(recorded) }),
      ...(times === undefined ? {} : { times: spanView(times) }),
    },
    checkpoints: log.checkpoints.map(({ size, root, signer, attestedBy, cosignatures }) => ({
      size,
      root: toHex(root),
      signer: didFromKey(signer),
      ...(attestedBy === undefined ? {} : { attestedBy: secondsText(attestedBy) }),
      cosignatures: cosignatures.map(cosignatureView),
    })),
  };
}

function spanView({ first, last }: Span): SpanView {
  return { first: formatTime(first), last: formatTime(last) };
}

function entryView(seen: SeenEntry): BundleEntryView {
  const { logId, index, asked, kind, leafHash, recordedTime, parents, event, context } = seen;
  return {
    ref: `hw:${logId}/${index}`,
    asked,
    entry: kind,
    leafHash: toHex(leafHash),
    claimed: claimedView(recordedTime, context, parents),
    ...(context === undefined ? {} : { attributes: context }),
    ...(event === undefined ? {} : { data: dataView(event.kind, event.data) }),
    ...(seen.bodyMissing === undefined ? {} : { bodyMissing: seen.bodyMissing }),
  };
}
