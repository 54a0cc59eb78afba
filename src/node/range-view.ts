/** What a verified range proof says, for `hw verify FILE --json` and for people. */
import { toHex } from '../bytes.ts';
import { didFromKey, formatReference } from '../ids.ts';
import type { RangeVerdict } from '../ledger/range-file.ts';
import { formatTime } from '../time.ts';
import { cosignatureView, secondsText, type ProvenView } from './proof-view.ts';

export interface RangeView {
  readonly verdict: RangeVerdict['verdict'];
  readonly kind: 'range-proof';
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly proven?: {
    /** `hw:<logId>/<from>-<to>`. */
    readonly ref: string;
    readonly rangeRoot: string;
    readonly entry?: {
      readonly index: number;
      readonly leafHash: string;
      /** The producer's word. */
      readonly recordedTime: string;
    };
  } & Pick<ProvenView, 'stream' | 'checkpoint' | 'attested' | 'trust'>;
}

export function rangeView(found: RangeVerdict): RangeView {
  const { verdict } = found;
  const kind = 'range-proof';
  if (found.verdict === 'broken') {
    const { code, message } = found.reason;
    return { verdict, kind, reasons: [{ code, message }] };
  }
  const reasons = found.verdict === 'untrusted' ? found.reasons : [];
  const { logId, from, to, rangeRoot, entry, genesis, size, root, signer } = found.proven;
  const { cosignatures, attestedBy, stated } = found.proven;
  const { owner, name, partition } = genesis;
  const proven = {
    ref: formatReference({ logId, from, to }),
    rangeRoot: toHex(rangeRoot),
    ...(entry === undefined
      ? {}
      : {
          entry: {
            index: entry.index,
            leafHash: toHex(entry.leafHash),
            recordedTime: formatTime(entry.leaf.time),
          },
        }),
    stream: { owner, name, partition },
    checkpoint: { log: logId, size, root: toHex(root), signer: didFromKey(signer) },
    attested: {
      ...(attestedBy === undefined ? {} : { by: secondsText(attestedBy) }),
      cosignatures: cosignatures.map(cosignatureView),
    },
    trust: stated ? { stated, met: verdict === 'intact' } : { stated },
  };
  return {
    verdict,
    kind,
    reasons: reasons.map(({ code, message }) => ({ code, message })),
    proven,
  };
}

export function rangeReport(
  file: string,
  { verdict, reasons, proven }: RangeView,
): readonly string[] {
  const why = reasons.map(({ code, message }) => `  ${code}: ${message}`);
  if (proven === undefined) return [`${file}: ${verdict}; it proves nothing`, ...why];
  const { ref, rangeRoot, entry, stream, checkpoint, attested, trust } = proven;
  const met = trust.met === true ? '' : 'not ';
  const stated = trust.stated ? `the stated trust is ${met}met` : 'no trust was stated';
  const by = attested.by === undefined ? '' : `; existed by ${attested.by}`;
  return [
    `signed by ${checkpoint.signer} for ${stream.owner}; ${stated}`,
    `${file}: ${verdict}, a range of ${stream.name}, partition ${stream.partition}`,
    ...why,
    '  proved',
    `    ${ref} is in the log of ${checkpoint.size} entries that was signed`,
    `    range root ${rangeRoot}: what cites it is 82 bytes in a leaf`,
    ...(entry === undefined
      ? []
      : [
          `    entry ${entry.index} stands in it, leaf ${entry.leafHash}`,
          '  claimed by the producer',
          `    entry ${entry.index} recorded ${entry.recordedTime}`,
        ]),
    attested.cosignatures.length === 0
      ? '  attested by nobody: no cosignature'
      : `  attested by ${attested.cosignatures.length} cosigners${by}`,
    '  not checked: the content of the entries; whether the signer showed others another history',
  ];
}
