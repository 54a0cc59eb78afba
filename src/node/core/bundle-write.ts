/** The lines of an audit bundle after its plan, block by block, and the gzip member that they make. */
import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { constants, crc32, createDeflateRaw } from 'node:zlib';
import { toHex } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { HeadwaterError, fault } from '../../errors.ts';
import { decodeBlock } from '../../ledger/block-codec.ts';
import { makeLeaf } from '../../ledger/block-leaves.ts';
import { sealedAlone, sealedIn } from '../../ledger/bundle-opening.ts';
import { gzipHead } from '../../ledger/bundle-gzip.ts';
import {
  bundleVersion,
  completenessText,
  encodeBundleLine,
  grantsNotRecorded,
  openedVersion,
  type BundleLine,
  type EntryLine,
  type ManifestLine,
} from '../../ledger/bundle-lines.ts';
import { saltsAt, saltsBytes } from '../../ledger/commitment.ts';
import { protocol } from '../../limits.ts';
import type { Result } from '../../result.ts';
import { asLogIndex, asTreeSize } from '../../types.ts';
import type { BundleLedger } from './bundle-ledger.ts';
import type { BundlePlan, PlannedLog } from './bundle-plan.ts';

/** Level 4 of 9 takes half the time of the usual 6 and makes files a few hundredths larger. */
const level = 4;
/** Below the ratio that a verifier refuses: from here on lines are packed by Huffman codes alone. */
const plainRatio = protocol.maxBundleRatio / 2;

/** Entries carried so far. */
export type BundleProgress = (entries: number) => void;

/** The lines without the last; throws HeadwaterError, bundle-changed where the log lost bodies since. */
export async function* bundleLines(
  ledger: BundleLedger,
  plan: BundlePlan,
  signal: AbortSignal,
  onProgress: BundleProgress = () => undefined,
): AsyncGenerator<BundleLine> {
  yield manifestOf(plan);
  const progress = { done: 0, gone: 0, opened: 0, tell: onProgress };
  for (const log of plan.logs) yield* logLines(ledger, log, signal, progress);
  // Bodies only ever go: as many as planned are the same as planned.
  if (progress.gone !== goneIn(plan) || progress.opened !== plan.opened) {
    throw new HeadwaterError(
      fault('bundle-changed', 'bodies or keys were dropped while it was written'),
    );
  }
  yield* plan.missing;
}

function goneIn({ logs, inputsLeftOut }: BundlePlan): number {
  const asked = logs.flatMap((log) => log.asked.map(({ leftOut }) => leftOut));
  return [...asked, inputsLeftOut].reduce(
    (sum, { retention, redacted, withheld }) => sum + retention + redacted + withheld,
    0,
  );
}

/** A .hwb file of these lines and their last one. */
export function bundleFile(lines: AsyncIterable<BundleLine>): AsyncIterable<Uint8Array> {
  return gzipped(closed(lines));
}

function manifestOf(plan: BundlePlan): ManifestLine {
  const { references, followed, missing, inputsLeftOut } = plan;
  const asked = plan.logs.flatMap(({ source, asked: ranges }) =>
    ranges.map(({ from, to, leftOut }) => ({
      log: source.logId,
      owner: source.genesis.owner,
      stream: source.genesis.name,
      partition: source.genesis.partition,
      from,
      to,
      completeness: completenessText(leftOut),
    })),
  );
  const inputs = {
    references,
    state: references === 0 ? 'none' : followed ? 'followed' : 'left out',
    missing: missing.length,
    completeness: completenessText(inputsLeftOut),
  } as const;
  const { opened } = plan;
  const version = opened > 0 ? openedVersion : bundleVersion;
  const more = opened > 0 ? { opened } : {};
  return { kind: 'manifest', version, asked, inputs, grants: grantsNotRecorded, ...more };
}

interface Progress {
  done: number;
  /** Bodies that were not there, of entries that are relied on. */
  gone: number;
  /** Keys of sealed events that were written. */
  opened: number;
  readonly tell: BundleProgress;
}

async function* logLines(
  ledger: BundleLedger,
  log: PlannedLog,
  signal: AbortSignal,
  progress: Progress,
): AsyncGenerator<BundleLine> {
  const { source, cited, runs, entries } = log;
  const { logId, size, note, older } = source;
  const path = async (index: number): Promise<readonly string[]> =>
    texts(await ledger.proofs.inclusion(logId, asLogIndex(index), size));
  yield { kind: 'log', log: logId, checkpoint: note };
  if (older !== undefined) {
    const proof = texts(await ledger.proofs.consistency(logId, older.size, size));
    yield { kind: 'cosigned', checkpoint: older.note, proof };
  }
  for (const { index, leaf } of source.controls) {
    yield { kind: 'control', index, leaf: base64(leaf), path: await path(index) };
  }
  yield { kind: 'seal', leaf: base64(source.seal), path: await path(size - 1) };
  for (const { from, to } of cited) {
    const proof = await ledger.proofs.range(logId, asLogIndex(from), asLogIndex(to), size);
    yield { kind: 'cited', from, to, proof: texts(proof) };
  }
  for (const run of runs) yield* runLines(ledger, log, run, signal, progress);
  for (const index of entries) {
    if (signal.aborted) throw new HeadwaterError(fault('interrupted', 'interrupted'));
    const line = await entryLine(log, index, await path(index));
    yield* keysLine([[index, log.keyOf(index, sealedAlone(line))]], progress);
    if (line.body === null && isEvent(line)) progress.gone += 1;
    yield line;
    progress.done += 1;
    progress.tell(progress.done);
  }
}

async function* runLines(
  ledger: BundleLedger,
  { source, read, keyOf }: PlannedLog,
  run: { readonly from: number; readonly to: number },
  signal: AbortSignal,
  progress: Progress,
): AsyncGenerator<BundleLine> {
  const { logId, size } = source;
  const proof = texts(await ledger.proofs.consistency(logId, asTreeSize(run.to), size));
  yield { kind: 'range', from: run.from, to: run.to, proof };
  for await (const { first, end, wire } of source.wires(run.from, run.to, signal)) {
    // The second byte of a block is its version: only reduced ones have lost something.
    if (wire[1] !== 1 || source.genesis.visibility === 'sealed') {
      const block = must(decodeBlock(wire, { reduced: true }));
      const sealed = sealedIn(block);
      const keys: [number, Uint8Array | undefined][] = [];
      for (const [i, entry] of block.entries.entries()) {
        if (entry.kind > 1 || !read.has(first + i)) continue;
        if (entry.bodyOffset < 0) progress.gone += 1;
        else keys.push([first + i, keyOf(first + i, sealed)]);
      }
      yield* keysLine(keys, progress);
    }
    yield { kind: 'block', wire: base64(wire) };
    progress.done += end - first;
    progress.tell(progress.done);
  }
}

/** The keys that there are, if any. */
function* keysLine(
  found: readonly (readonly [index: number, key: Uint8Array | undefined])[],
  progress: Progress,
): Generator<BundleLine> {
  const keys = found.flatMap(([index, key]) =>
    key === undefined ? [] : [{ index, key: base64(key) }],
  );
  progress.opened += keys.length;
  if (keys.length > 0) yield { kind: 'keys', keys };
}

/** Kinds 0 and 1: what had a body once. */
function isEvent({ leaf }: EntryLine): boolean {
  return (Buffer.from(leaf.slice(0, 4), 'base64')[0] ?? 3) <= 1;
}

async function entryLine(
  { source }: PlannedLog,
  index: number,
  path: readonly string[],
): Promise<EntryLine> {
  const block = must(await source.blockAt(index));
  const position = index - block.firstIndex;
  const leaf = base64(must(makeLeaf(nodeCrypto, block, position)));
  const entry = block.entries[position];
  const bare = { kind: 'entry', index, leaf, body: null, salts: null, path } as const;
  if (entry === undefined || entry.bodyOffset < 0) return bare;
  const { wire, seed } = block;
  const body = base64(wire.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyLength));
  if (entry.kind === 1) return { ...bare, body };
  const at = entry.saltsOffset;
  const salts =
    seed === null ? wire.subarray(at, at + saltsBytes) : saltsAt(nodeCrypto, seed, position);
  return { ...bare, body, salts: base64(salts) };
}

async function* closed(lines: AsyncIterable<BundleLine>): AsyncGenerator<Uint8Array> {
  const hash = nodeCrypto.startSha256();
  let count = 0;
  for await (const line of lines) {
    const bytes = encodeBundleLine(line);
    hash.update(bytes);
    count += 1;
    yield bytes;
  }
  yield encodeBundleLine({ kind: 'end', lines: count, sha256: toHex(hash.digest()) });
}

/** One gzip member (bundle-gzip.ts). */
async function* gzipped(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield gzipHead;
  const deflate = createDeflateRaw({ level, chunkSize: 65_536 });
  let [crc, length, packed] = [0, 0, 0];
  let plain = false;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const part of parts) {
      crc = crc32(part, crc);
      length += part.length;
      if (!plain && length > plainRatio * (packed + protocol.freeBundleBytes / plainRatio / 2)) {
        plain = true;
        await setPlain(deflate);
      }
      yield part;
    }
  };
  const source = Readable.from(counted(), { highWaterMark: 4 });
  source.once('error', (cause) => deflate.destroy(cause));
  source.pipe(deflate);
  try {
    for await (const chunk of deflate) {
      const bytes: Uint8Array = chunk;
      packed += bytes.length;
      yield bytes;
    }
  } finally {
    source.destroy();
  }
  const tail = new DataView(new ArrayBuffer(8));
  tail.setUint32(0, crc, true);
  tail.setUint32(4, length % 2 ** 32, true);
  yield new Uint8Array(tail.buffer);
}

function setPlain(deflate: ReturnType<typeof createDeflateRaw>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  deflate.params(level, constants.Z_HUFFMAN_ONLY, resolve);
  return promise;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

function texts(hashes: Result<readonly Uint8Array[]>): readonly string[] {
  return must(hashes).map(base64);
}

/** Throws the fault: these are the lines of a stream. */
function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new HeadwaterError(result.error);
}
