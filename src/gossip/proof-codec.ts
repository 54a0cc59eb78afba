/**
 * `/headwater/1/proof`: what a peer can prove about a log, and which forks it knows. One request a
 * stream; lists are dag-cbor.
 *
 *   → inclusion    [1, logId 32, index, size]       the entry's way to the root of `size`
 *   → consistency  [2, logId 32, from, size]        from the root of `from` to that of `size`
 *   → range        [3, logId 32, from, to, size]    of [from, to), FACTS.md section 4.3
 *   ← proof        [4, size, root 32, checkpoint text, [hash 32…]]
 *   → fork         [5, logId 32]
 *   ← fork         [6, fork proof]                  FACTS.md section 8
 *   → forks        [7, digest 32]                   of the asker's forks, see `forksDigest`
 *   ← forks        [8, [logId 32…]]                 the answerer's; empty where the digest is its own
 *   → roots        [9, [[logId 32, size, root 32]…]]
 *   ← roots        [10, [[logId 32, checkpoint text]…]]  where the answerer has the size and another root
 *   → granted      [11, grant, request]             one of the first three or of attributes, encoded, of a
 *                                                    direct log
 *   → attributes   [12, logId 32, from, count]      of the events from an index on
 *   ← attributes   [13, next, size, [text…]]        an event proof each, attributes disclosed; `next` is
 *                                                    where to go on: the answerer's size at the end
 *
 * A size of 0 is the answerer's head; the checkpoint is its own text there and '' for other sizes.
 * All is as the peer states it: proofs are verified by who asked, forks by their proof.
 */
import { CborWriter } from '../cbor.ts';
import type { Hasher } from '../crypto.ts';
import { logIdHash } from '../ids.ts';
import { protocol } from '../limits.ts';
import type { ProofAnswer, ProofRequest } from '../proof-request.ts';
import type { Result } from '../result.ts';
import type { Hash, LogId, LogIndex, TreeSize } from '../types.ts';
import { decodeMessage, writeLogId, type Fields } from './message.ts';

const maxCheckpointText = 2048;
/** Hashes of one proof: three covers of a range, at most 2 · 63 each. */
const maxHashes = 384;
/** Logs of one list. */
export const maxForkRows = 4096;
/** Logs of one page of roots: 78 bytes each. */
export const maxRootRows = 2048;

export interface RootRow {
  readonly logId: LogId;
  readonly size: TreeSize;
  readonly root: Hash;
}

export interface OtherRoot {
  readonly logId: LogId;
  /** The answerer's checkpoint of the same size. */
  readonly checkpoint: string;
}

/** Event proofs of one answer. */
export const maxAttributeProofs = 128;

export interface AskAttributes {
  readonly kind: 'askAttributes';
  readonly logId: LogId;
  readonly from: LogIndex;
  readonly count: number;
}

export interface AttributesAnswer {
  readonly kind: 'attributes';
  /** The first entry that was not looked at. */
  readonly next: LogIndex;
  readonly size: TreeSize;
  readonly proofs: readonly string[];
}

export interface ProofAnswerMessage extends ProofAnswer {
  readonly kind: 'proof';
}

export type ProofMessage =
  | ProofRequest
  | ProofAnswerMessage
  | { readonly kind: 'askFork'; readonly logId: LogId }
  | { readonly kind: 'fork'; readonly proof: Uint8Array }
  | { readonly kind: 'askForks'; readonly digest: Hash }
  | { readonly kind: 'forks'; readonly logs: readonly LogId[] }
  | { readonly kind: 'askRoots'; readonly rows: readonly RootRow[] }
  | { readonly kind: 'roots'; readonly rows: readonly OtherRoot[] }
  | { readonly kind: 'granted'; readonly grant: Uint8Array; readonly request: Uint8Array }
  | AskAttributes
  | AttributesAnswer;

/** The proof of a fork is a copy. Faults: `message-shape`, those of dag-cbor, or a refusal. */
export function decodeProof(frame: Uint8Array): Result<ProofMessage> {
  return decodeMessage<ProofMessage>(
    frame,
    [1, 4, (f) => ({ kind: 'inclusion', logId: f.logId(), index: f.index(), size: f.size() })],
    [2, 4, (f) => ({ kind: 'consistency', logId: f.logId(), from: f.size(), size: f.size() })],
    [
      3,
      5,
      (f) => ({
        kind: 'range',
        logId: f.logId(),
        from: f.index(),
        to: f.index(),
        size: f.size(),
      }),
    ],
    [
      4,
      5,
      (f) => ({
        kind: 'proof',
        size: f.size(),
        root: f.hash(),
        checkpoint: f.text(maxCheckpointText),
        hashes: f.each(maxHashes, (field) => field.hash()),
      }),
    ],
    [5, 2, (f) => ({ kind: 'askFork', logId: f.logId() })],
    [6, 2, (f) => ({ kind: 'fork', proof: f.bytes(protocol.maxForkProofBytes).slice() })],
    [7, 2, (f) => ({ kind: 'askForks', digest: f.hash() })],
    [8, 2, (f) => ({ kind: 'forks', logs: f.each(maxForkRows, (field) => field.logId()) })],
    [9, 2, (f) => ({ kind: 'askRoots', rows: f.each(maxRootRows, readRoot) })],
    [10, 2, (f) => ({ kind: 'roots', rows: f.each(maxRootRows, readOther) })],
    [
      11,
      3,
      (f) => ({
        kind: 'granted',
        grant: f.bytes(protocol.maxGrantFieldBytes).slice(),
        request: f.bytes(256).slice(),
      }),
    ],
    [12, 4, readAskAttributes],
    [13, 4, readAttributes],
  );
}

export function encodeProof(message: ProofMessage): Uint8Array {
  const writer = new CborWriter(256);
  switch (message.kind) {
    case 'inclusion':
      return writeLogId(writer.list(4).uint(1), message.logId)
        .uint(message.index)
        .uint(message.size)
        .finish();
    case 'consistency':
      return writeLogId(writer.list(4).uint(2), message.logId)
        .uint(message.from)
        .uint(message.size)
        .finish();
    case 'range':
      return writeLogId(writer.list(5).uint(3), message.logId)
        .uint(message.from)
        .uint(message.to)
        .uint(message.size)
        .finish();
    case 'proof':
      return writeHashes(
        writer.list(5).uint(4).uint(message.size).bytes(message.root).text(message.checkpoint),
        message.hashes,
      ).finish();
    case 'askFork':
      return writeLogId(writer.list(2).uint(5), message.logId).finish();
    case 'fork':
      return writer.list(2).uint(6).bytes(message.proof).finish();
    case 'askForks':
      return writer.list(2).uint(7).bytes(message.digest).finish();
    case 'forks':
      return writeHashes(writer.list(2).uint(8), message.logs.map(logIdHash)).finish();
    case 'askRoots':
      writer.list(2).uint(9).list(message.rows.length);
      for (const row of message.rows) {
        writeLogId(writer.list(3), row.logId).uint(row.size).bytes(row.root);
      }
      return writer.finish();
    case 'roots':
      writer.list(2).uint(10).list(message.rows.length);
      for (const row of message.rows) writeLogId(writer.list(2), row.logId).text(row.checkpoint);
      return writer.finish();
    case 'granted':
      return writer.list(3).uint(11).bytes(message.grant).bytes(message.request).finish();
    case 'askAttributes':
      writeLogId(writer.list(4).uint(12), message.logId).uint(message.from);
      return writer.uint(message.count).finish();
    case 'attributes':
      writer.list(4).uint(13).uint(message.next).uint(message.size).list(message.proofs.length);
      for (const proof of message.proofs) writer.text(proof);
      return writer.finish();
  }
}

/** SHA-256 over the 32 bytes of each log, in the order of their text forms. */
export function forksDigest(hasher: Hasher, logs: readonly LogId[]): Hash {
  const bytes = new Uint8Array(32 * logs.length);
  for (const [i, logId] of logs.toSorted().entries()) bytes.set(logIdHash(logId), 32 * i);
  return hasher.sha256(bytes);
}

function writeHashes(writer: CborWriter, hashes: readonly Uint8Array[]): CborWriter {
  writer.list(hashes.length);
  for (const hash of hashes) writer.bytes(hash);
  return writer;
}

function readAskAttributes(f: Fields): AskAttributes {
  const [logId, from] = [f.logId(), f.index()];
  return { kind: 'askAttributes', logId, from, count: f.uint(maxAttributeProofs) };
}

function readAttributes(f: Fields): AttributesAnswer {
  const [next, size] = [f.index(), f.size()];
  const proofs = f.each(maxAttributeProofs, (field) => field.text(protocol.maxMessageBytes));
  return { kind: 'attributes', next, size, proofs };
}

function readRoot(fields: Fields): RootRow {
  fields.tuple(3);
  return { logId: fields.logId(), size: fields.size(), root: fields.hash() };
}

function readOther(fields: Fields): OtherRoot {
  fields.tuple(2);
  return { logId: fields.logId(), checkpoint: fields.text(maxCheckpointText) };
}
