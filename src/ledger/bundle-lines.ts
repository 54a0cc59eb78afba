/**
 * Audit bundle (.hwb): all that a stranger needs to check events offline, as lines of JSON in one
 * gzip member (bundle-gzip.ts). Each line is an object without white space whose members stand in
 * the order given here, ends in LF and is at most 1 MiB: what does not encode again to the same
 * bytes is refused. `b64` is padded base64, `hex` lower case; path and proof are lists of b64 hashes.
 *
 *   manifest   version 1 · asked [{log, owner, stream, partition, from, to, completeness}] · inputs
 *              {references, state, missing, completeness} · grants "not recorded"; of a bundle with
 *              keys version 2 · … · opened (how many keys)
 *   for each log, in ascending order of its id:
 *     log        log · checkpoint (signed note)
 *     cosigned   checkpoint · proof              an older checkpoint with cosignatures, at most one;
 *                                                RFC 6962 consistency with the log's
 *     control    index · leaf b64 · path         genesis first, then every rotate, recovery, epoch and
 *                                                redact of the tree, ascending
 *     seal       leaf b64 · path                 the last entry of the tree: lowest offered index
 *     cited      from · to · proof               range proof (range.ts); what a carried event cites
 *                                                of this log, but for what an entry line shows; ascending
 *     range      from · to · proof               whole blocks follow; consistency of `to` with the log's
 *       block    wire b64                        as stored, full or reduced (block-codec.ts)
 *     entry      index · leaf b64 · body b64 or null · salts b64 or null · path
 *     keys       keys [{index, key b64 32}]      before the block or entry that holds them: of sealed
 *                                                events, ascending, each the key of that one
 *   missing    log · from · to · root hex · why  cited and not in here; ascending
 *   end        lines · sha256 hex                how many lines before this one, and their hash
 *
 * `asked` ranges are each one `range` or one `entry`, exactly; a stream's range is widened to whole
 * blocks when it is exported. Nothing else is carried but what they cite, and what that cites.
 * `references` counts the parents of all those events, however often they cite the same; `state` is
 * "none", "left out" (nobody asked for inputs) or "followed". `completeness` is "nothing left out"
 * or says which bodies are gone and why. A sealed event is its ciphertext; its key, where it is there,
 * opens it to whoever has the file (sealed-body.ts). **Every value of the manifest follows from the other
 * lines**, and a reader compares: it says nothing that could be changed unnoticed.
 */
import { utf8 } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';

export const bundleVersion = 1;
/** With keys of sealed events. */
export const openedVersion = 2;
export const grantsNotRecorded = 'not recorded';

export interface AskedRange {
  readonly log: string;
  readonly owner: string;
  readonly stream: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly completeness: string;
}
export type InputsState = 'none' | 'left out' | 'followed';
export interface BundleInputs {
  readonly references: number;
  readonly state: InputsState;
  readonly missing: number;
  readonly completeness: string;
}
export interface ManifestLine {
  readonly kind: 'manifest';
  readonly version: number;
  readonly asked: readonly AskedRange[];
  readonly inputs: BundleInputs;
  readonly grants: string;
  /** Of version 2: events that are opened by a key. */
  readonly opened?: number;
}
export interface LogLine {
  readonly kind: 'log';
  readonly log: string;
  readonly checkpoint: string;
}
export interface CosignedLine {
  readonly kind: 'cosigned';
  readonly checkpoint: string;
  readonly proof: readonly string[];
}
export interface ControlLine {
  readonly kind: 'control';
  readonly index: number;
  readonly leaf: string;
  readonly path: readonly string[];
}
export interface SealLine {
  readonly kind: 'seal';
  readonly leaf: string;
  readonly path: readonly string[];
}
export interface CitedLine {
  readonly kind: 'cited';
  readonly from: number;
  readonly to: number;
  readonly proof: readonly string[];
}
export interface RangeLine {
  readonly kind: 'range';
  readonly from: number;
  readonly to: number;
  readonly proof: readonly string[];
}
export interface BlockLine {
  readonly kind: 'block';
  readonly wire: string;
}
export interface EntryLine {
  readonly kind: 'entry';
  readonly index: number;
  readonly leaf: string;
  readonly body: string | null;
  readonly salts: string | null;
  readonly path: readonly string[];
}
export interface KeysLine {
  readonly kind: 'keys';
  readonly keys: readonly { readonly index: number; readonly key: string }[];
}
/** Why an input is not in a bundle: the word of who made it. */
const missingReasons = ['not kept', 'no access', 'damaged'] as const;
export interface MissingLine {
  readonly kind: 'missing';
  readonly log: string;
  readonly from: number;
  readonly to: number;
  readonly root: string;
  readonly why: (typeof missingReasons)[number];
}
export interface EndLine {
  readonly kind: 'end';
  readonly lines: number;
  readonly sha256: string;
}
export type BundleLine =
  | ManifestLine
  | LogLine
  | CosignedLine
  | ControlLine
  | SealLine
  | CitedLine
  | RangeLine
  | BlockLine
  | EntryLine
  | KeysLine
  | MissingLine
  | EndLine;

const blockHead = '{"kind":"block","wire":"';
const blockTail = '"}';

/** The line with its LF. Members must have been given in the order of the format. */
export function encodeBundleLine(line: BundleLine): Uint8Array {
  return utf8(`${textOf(line)}\n`);
}

function textOf(line: BundleLine): string {
  return line.kind === 'block' ? `${blockHead}${line.wire}${blockTail}` : JSON.stringify(line);
}

/** Reads a line without its LF. Codes: bundle-line, bundle-version. Base64 is not decoded here. */
export function decodeBundleLine(text: string): Result<BundleLine> {
  // Most of a bundle is blocks: what stands between head and tail must be base64, as is seen later.
  if (text.startsWith(blockHead) && text.endsWith(blockTail)) {
    const wire = text.slice(blockHead.length, -blockTail.length);
    return ok({ kind: 'block', wire });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err(fault('bundle-line', 'a line is not JSON'));
  }
  const line = readLine(new LineReader(value));
  if (!line.ok) return line;
  if (textOf(line.value) === text) return line;
  return err(fault('bundle-line', 'a line is not in its canonical form'));
}

/** Takes members by name; the first fault sticks. */
class LineReader {
  failed: Fault | undefined;
  readonly #members: ReadonlyMap<string, unknown>;

  constructor(value: unknown) {
    const object = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#members = new Map(object ? Object.entries(value) : []);
    if (!object) this.refuse('is no object');
  }
  refuse(what: string): void {
    this.failed ??= fault('bundle-line', `a line ${what}`);
  }
  text(name: string): string {
    const value = this.#members.get(name);
    if (typeof value === 'string') return value;
    this.refuse(`has no text ${name}`);
    return '';
  }
  textOrNull(name: string): string | null {
    return this.#members.get(name) === null ? null : this.text(name);
  }
  uint(name: string): number {
    const value = this.#members.get(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    this.refuse(`has no number ${name}`);
    return 0;
  }
  list(name: string): readonly unknown[] {
    const value = this.#members.get(name);
    if (Array.isArray(value)) return value;
    this.refuse(`has no list ${name}`);
    return [];
  }
  texts(name: string): readonly string[] {
    return this.list(name).map((item) => {
      if (typeof item === 'string') return item;
      this.refuse(`has something else than text in ${name}`);
      return '';
    });
  }
  inner(name: string): LineReader {
    return this.#adopt(new LineReader(this.#members.get(name)));
  }
  inners(name: string): readonly LineReader[] {
    return this.list(name).map((item) => new LineReader(item));
  }
  /** After its members were read. */
  close<T>(value: T, ...inner: readonly LineReader[]): Result<T> {
    for (const reader of inner) this.failed ??= reader.failed;
    return this.failed === undefined ? ok(value) : err(this.failed);
  }
  #adopt(inner: LineReader): LineReader {
    this.failed ??= inner.failed;
    return inner;
  }
}

function readLine(line: LineReader): Result<BundleLine> {
  const kind = line.text('kind');
  switch (kind) {
    case 'manifest':
      return readManifest(line);
    case 'log':
      return line.close({ kind, log: line.text('log'), checkpoint: line.text('checkpoint') });
    case 'cosigned':
      return line.close({ kind, checkpoint: line.text('checkpoint'), proof: line.texts('proof') });
    case 'control': {
      const index = line.uint('index');
      return line.close({ kind, index, leaf: line.text('leaf'), path: line.texts('path') });
    }
    case 'seal':
      return line.close({ kind, leaf: line.text('leaf'), path: line.texts('path') });
    case 'cited':
    case 'range': {
      const [from, to] = [line.uint('from'), line.uint('to')];
      return line.close({ kind, from, to, proof: line.texts('proof') });
    }
    case 'entry': {
      const [index, leaf] = [line.uint('index'), line.text('leaf')];
      const [body, salts] = [line.textOrNull('body'), line.textOrNull('salts')];
      return line.close({ kind, index, leaf, body, salts, path: line.texts('path') });
    }
    case 'keys': {
      const parts = line.inners('keys');
      const keys = parts.map((part) => ({ index: part.uint('index'), key: part.text('key') }));
      if (keys.length === 0) line.refuse('of keys without a key');
      return line.close({ kind, keys }, ...parts);
    }
    case 'missing':
      return readMissing(line);
    case 'end':
      return line.close({ kind, lines: line.uint('lines'), sha256: line.text('sha256') });
    default:
      line.refuse(`of the unknown kind ${JSON.stringify(kind.slice(0, 40))}`);
      return err(line.failed ?? fault('bundle-line', 'a line of an unknown kind'));
  }
}

function readManifest(line: LineReader): Result<ManifestLine> {
  const version = line.uint('version');
  const known = version === bundleVersion || version === openedVersion;
  if (line.failed === undefined && !known) {
    return err(fault('bundle-version', `a bundle of version ${version}`));
  }
  const parts = line.inners('asked');
  const asked = parts.map((part) => ({
    log: part.text('log'),
    owner: part.text('owner'),
    stream: part.text('stream'),
    partition: part.uint('partition'),
    from: part.uint('from'),
    to: part.uint('to'),
    completeness: part.text('completeness'),
  }));
  const counts = line.inner('inputs');
  const references = counts.uint('references');
  const state = counts.text('state');
  if (!isState(state)) {
    counts.refuse('with an unknown state of its inputs');
    return line.close(noManifest, counts);
  }
  const missing = counts.uint('missing');
  const inputs = { references, state, missing, completeness: counts.text('completeness') };
  const grants = line.text('grants');
  const more = version === openedVersion ? { opened: line.uint('opened') } : {};
  return line.close(
    { kind: 'manifest', version, asked, inputs, grants, ...more },
    counts,
    ...parts,
  );
}

const noManifest: ManifestLine = {
  kind: 'manifest',
  version: bundleVersion,
  asked: [],
  inputs: { references: 0, state: 'none', missing: 0, completeness: '' },
  grants: grantsNotRecorded,
};

function isState(text: string): text is InputsState {
  return text === 'none' || text === 'left out' || text === 'followed';
}

function readMissing(line: LineReader): Result<MissingLine> {
  const [log, from, to] = [line.text('log'), line.uint('from'), line.uint('to')];
  const root = line.text('root');
  const why = missingReasons.find((reason) => reason === line.text('why'));
  if (why !== undefined) return line.close({ kind: 'missing', log, from, to, root, why });
  line.refuse('with an unknown reason');
  return err(line.failed ?? fault('bundle-line', 'a line with an unknown reason'));
}

/** Bodies that are gone, by why. */
export interface LeftOut {
  retention: number;
  redacted: number;
  withheld: number;
}

/** The sentence of the manifest. */
export function completenessText({ retention, redacted, withheld }: Readonly<LeftOut>): string {
  const parts = [
    retention > 0 ? `${retention} by retention` : '',
    redacted > 0 ? `${redacted} by redaction` : '',
    withheld > 0 ? `${withheld} withheld` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'nothing left out' : `bodies left out: ${parts.join(', ')}`;
}
