/**
 * What a verified proof file says, for `hw verify FILE --json` and for people. Claimed is what the
 * producer says (its times, its inputs), attested what cosigners say.
 */
import { toBase64, toHex } from '../bytes.ts';
import type { Fault } from '../errors.ts';
import { didFromKey, formatReference, logIdFromHash } from '../ids.ts';
import type { ProvenCosignature } from '../ledger/checkpoint-lines.ts';
import type { ProofVerdict, ProvenEntry } from '../ledger/event-proof.ts';
import type { Parent } from '../ledger/leaf.ts';
import { formatTime } from '../time.ts';
import {
  asTimeMs,
  dataKind,
  type Attributes,
  type DataKind,
  type Did,
  type LogId,
  type TimeMs,
} from '../types.ts';

export interface ProofView {
  readonly verdict: ProofVerdict['verdict'];
  readonly kind: 'event-proof';
  /** Why it is not `intact`. */
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  /** Absent where the proof is broken: then it shows nothing. */
  readonly proven?: ProvenView;
}

export interface ProvenView {
  /** `hw:<logId>/<index>`. */
  readonly ref: string;
  readonly entry: 'event' | 'sealed' | 'seal' | 'control';
  readonly leafHash: string;
  readonly stream: { readonly owner: Did; readonly name: string; readonly partition: number };
  readonly checkpoint: {
    readonly log: LogId;
    readonly size: number;
    readonly root: string;
    readonly signer: Did;
  };
  /** The producer's word. */
  readonly claimed: {
    readonly recordedTime: string;
    /** `time` of the event, where it is disclosed and has one. */
    readonly time?: string;
    /** References to what it was made from. */
    readonly inputs: readonly string[];
  };
  readonly attested: {
    /** By then it existed, on the word of the quorum that was asked for. */
    readonly by?: string;
    readonly cosignatures: readonly {
      readonly name: string;
      readonly key: Did;
      readonly time: string;
      readonly listed: boolean;
    }[];
  };
  /** Did the verifier state whom to trust? `met` only where he did. */
  readonly trust: { readonly stated: boolean; readonly met?: boolean };
  readonly disclosed: readonly ('attributes' | 'data')[];
  /** A sealed event with its own key: that opened it, or there was nothing here to open it with. */
  readonly eventKey?: 'opened' | 'unopened';
  readonly attributes?: Attributes;
  readonly data?: {
    readonly kind: 'none' | 'json' | 'text' | 'binary';
    readonly bytes: number;
    readonly base64: string;
  };
}

const kinds = ['event', 'sealed', 'seal', 'control'] as const;
const dataKinds = {
  [dataKind.none]: 'none',
  [dataKind.json]: 'json',
  [dataKind.text]: 'text',
  [dataKind.binary]: 'binary',
} as const;

export function proofView(verdict: ProofVerdict): ProofView {
  const { verdict: word } = verdict;
  const kind = 'event-proof';
  if (verdict.verdict === 'broken')
    return { verdict: word, kind, reasons: [plain(verdict.reason)] };
  const reasons = verdict.verdict === 'intact' ? [] : verdict.reasons.map(plain);
  const proven = provenView(verdict.proven, verdict.verdict !== 'untrusted');
  return { verdict: word, kind, reasons, proven };
}

function plain({ code, message }: Fault): ProofView['reasons'][number] {
  return { code, message };
}

function provenView(proven: ProvenEntry, met: boolean): ProvenView {
  const { logId, index, entry, genesis, size, root, signer, stated, disclosed, context } = proven;
  const { owner, name, partition } = genesis;
  const { attributes, data, sealed } = disclosed;
  return {
    ref: `hw:${logId}/${index}`,
    entry: kinds[entry.kind],
    leafHash: toHex(proven.leafHash),
    stream: { owner, name, partition },
    checkpoint: { log: logId, size, root: toHex(root), signer: didFromKey(signer) },
    claimed: claimedView(entry.time, context, 'parents' in entry ? entry.parents : []),
    attested: {
      ...(proven.attestedBy === undefined ? {} : { by: secondsText(proven.attestedBy) }),
      cosignatures: proven.cosignatures.map(cosignatureView),
    },
    trust: stated ? { stated, met } : { stated },
    disclosed: [
      ...(attributes === undefined ? [] : (['attributes'] as const)),
      ...(data === undefined ? [] : (['data'] as const)),
    ],
    ...(sealed === undefined ? {} : { eventKey: data === undefined ? 'unopened' : 'opened' }),
    ...(context === undefined ? {} : { attributes: context }),
    ...(data === undefined ? {} : { data: dataView(data.kind, data.bytes) }),
  };
}

export function cosignatureView({
  name,
  key,
  timestamp,
  listed,
}: ProvenCosignature): ProvenView['attested']['cosignatures'][number] {
  return { name, key: didFromKey(key), time: secondsText(timestamp), listed };
}

/** The producer's word on an entry; `context` are its attributes, where they are known. */
export function claimedView(
  recordedTime: TimeMs,
  context: Attributes | undefined,
  parents: readonly Parent[],
): ProvenView['claimed'] {
  const time =
    context !== undefined && Object.hasOwn(context, 'time') ? context['time'] : undefined;
  return {
    recordedTime: formatTime(recordedTime),
    ...(time === undefined ? {} : { time: String(time) }),
    inputs: parents.map(({ log, from, to }) =>
      formatReference({ logId: logIdFromHash(log), from, to }),
    ),
  };
}

export function dataView(kind: DataKind, data: Uint8Array): NonNullable<ProvenView['data']> {
  return { kind: dataKinds[kind], bytes: data.length, base64: toBase64(data) };
}

/** A cosigner may write any 64-bit number; beyond the year 9999 it is shown as that. */
export function secondsText(seconds: bigint): string {
  if (seconds > 253_402_300_799n) return `${seconds} s after 1970`;
  return formatTime(asTimeMs(Number(seconds) * 1000));
}
